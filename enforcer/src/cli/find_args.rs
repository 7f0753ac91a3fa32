//! The arguments of `apis`, `drill`, `filters`, `findings`, `replay` and `report`: what calls say, and what is noticed about them.
//!
//! In: the words of the shell. Out: typed arguments without meaning. Never here: values judged.
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueHint};
use enforcer_insight::findings::FindingId;

use crate::config::parse_duration;
use crate::report::Month;

/// `replay`.
#[derive(Args, Clone, Debug)]
pub struct ReplayArgs {
    /// A capture in the format pcap or pcapng, of plain HTTP/1 at the ports of the configuration's services
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub file: PathBuf,
    /// Two policies, as files or folders: where they would have treated requests otherwise
    #[arg(long, value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub policy: Vec<PathBuf>,
    /// The secret that tokens are digested with, so that digests are those of a host or fleet
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub identity_key: Option<PathBuf>,
}

/// `drill`.
#[derive(Args, Clone, Debug)]
pub struct DrillArgs {
    /// Which [default: all, one after the other]
    pub name: Option<String>,
    /// Say which there are
    #[arg(long, conflicts_with = "name")]
    pub list: bool,
}

/// `report`.
#[derive(Args, Clone, Debug)]
pub struct ReportArgs {
    /// The month, in UTC [default: this one]
    #[arg(long, value_name = "YYYY-MM")]
    pub month: Option<Month>,
    /// Where it is written [default: standard output]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub file: Option<PathBuf>,
}

/// `apis`.
#[derive(Args, Clone, Debug)]
pub struct ApisArgs {
    /// Only of this service
    #[arg(long, global = true, value_name = "NAME")]
    pub service: Option<String>,
    /// What to show; without one, a line for each endpoint.
    #[command(subcommand)]
    pub command: Option<ApisCommand>,
}

/// What `apis` can show.
#[derive(Subcommand, Clone, Debug)]
pub enum ApisCommand {
    /// Show all that is known of one endpoint
    Show {
        /// The method
        method: String,
        /// The path; {anything} stands for a parameter
        template: String,
    },
    /// Write a specification of what was seen
    Export {
        /// As OpenAPI 3.1, JSON
        #[arg(long, required = true)]
        openapi: bool,
    },
    /// Compare with a specification: OpenAPI 3.0 or 3.1, YAML or JSON; exit code 3 when they differ
    Drift {
        /// The specification; - for standard input
        #[arg(value_hint = ValueHint::FilePath)]
        spec: PathBuf,
    },
}

/// `filters`.
#[derive(Args, Clone, Debug)]
pub struct FiltersArgs {
    /// What to do, besides showing them.
    #[command(subcommand)]
    pub command: Option<FilterCommand>,
}

/// What can be done with filters.
#[derive(Subcommand, Clone, Debug)]
pub enum FilterCommand {
    /// Start a filter that was stopped; it has forgotten what it knew
    Restart {
        /// The filter
        filter: String,
        /// The service
        #[arg(long, value_name = "NAME")]
        service: String,
    },
}

/// `findings`.
#[derive(Args, Clone, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub struct FindingsArgs {
    /// Only of this service
    #[arg(long, value_name = "NAME")]
    pub service: Option<String>,
    /// At most this many [default: 100]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub limit: Option<u32>,
    /// What to do, besides showing them.
    #[command(subcommand)]
    pub command: Option<FindingCommand>,
}

/// What can be done with a finding.
#[derive(Subcommand, Clone, Debug)]
pub enum FindingCommand {
    /// Decide as it suggests
    Decide {
        /// Its id
        #[arg(value_parser = finding_id)]
        id: FindingId,
        /// For how long [default: as it suggests]: 30s, 5m, 2h, 1d
        #[arg(long = "for", value_name = "DURATION", value_parser = parse_duration)]
        duration: Option<Duration>,
    },
    /// It is all right: it goes, and is not raised again
    Except {
        /// Its id
        #[arg(value_parser = finding_id)]
        id: FindingId,
        /// Why
        #[arg(long)]
        reason: String,
    },
    /// Everything that is known of it
    Show {
        /// Its id
        #[arg(value_parser = finding_id)]
        id: FindingId,
    },
}

fn finding_id(text: &str) -> Result<FindingId, String> {
    let id = u64::from_str_radix(text, 16).ok().filter(|_| text.len() == 16);
    id.map(FindingId)
        .ok_or_else(|| "an id of a finding has 16 hexadecimal digits; enforcer findings shows them".to_owned())
}
