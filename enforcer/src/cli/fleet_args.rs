//! The arguments of `enroll`, `policy` and `fleet`: whatever speaks with a center.
//!
//! In: the words of the shell. Out: typed arguments without meaning. Never here: the way to the center.
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum, ValueHint};

use super::find_args::ApisCommand;
use crate::config::parse_duration;

/// `enroll`.
#[derive(Args, Clone, Debug)]
pub struct EnrollArgs {
    /// The center's address, such as `https://center.bank.example:9443`
    #[arg(long, value_name = "URL")]
    pub center: String,
    /// The one-time token that `enforcer-center hosts invite` printed; - for standard input
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub token_file: PathBuf,
    /// Take the fleet's identity key in place of this host's own
    #[arg(long)]
    pub replace_identity_key: bool,
}

/// `policy`.
#[derive(Subcommand, Clone, Debug)]
pub enum PolicyCommand {
    /// Report every problem in policy files, with file, line and mend
    Validate {
        /// Files, or folders of *.toml
        #[arg(required = true, value_hint = ValueHint::AnyPath)]
        files: Vec<PathBuf>,
    },
    /// Show what files would change at the center, on which hosts, and whom they would cut off
    Plan {
        /// Files, or folders of *.toml
        #[arg(required = true, value_hint = ValueHint::AnyPath)]
        files: Vec<PathBuf>,
        /// The center.
        #[command(flatten)]
        center: CenterArgs,
    },
    /// Make files the policy of the center: one signed revision; exit code 3 when it waits for a second person
    Apply {
        /// Files, or folders of *.toml
        #[arg(required = true, value_hint = ValueHint::AnyPath)]
        files: Vec<PathBuf>,
        /// The center.
        #[command(flatten)]
        center: CenterArgs,
        /// Why, for the revision and the audit log
        #[arg(long, default_value = "")]
        comment: String,
        /// Undone after this time, by each host's kernel, unless `policy confirm` comes first: 30s, 5m
        #[arg(long, value_name = "DURATION", value_parser = parse_duration, conflicts_with = "force")]
        confirm_within: Option<Duration>,
        /// Groups of hosts, one after the other, the last is all; host:NAME is one host. Back by itself when one does harm
        #[arg(long, value_name = "GROUP,...,all", value_delimiter = ',', conflicts_with = "confirm_within")]
        stages: Vec<String>,
        /// How long each stage is watched before the next
        #[arg(long, value_name = "DURATION", value_parser = parse_duration, default_value = "10m", requires = "stages")]
        bake: Duration,
        /// By how many percent of all requests refusals in a wave may grow
        #[arg(long, value_name = "PERCENT", default_value_t = 2.0, requires = "stages")]
        bound: f64,
        /// Even when somebody would be cut off
        #[arg(long)]
        force: bool,
    },
    /// Stand for a change that somebody else has proposed: it becomes a revision that bears both names
    Approve {
        /// Its number; see policy proposals
        id: u64,
        /// The center.
        #[command(flatten)]
        center: CenterArgs,
        /// Added to the author's own
        #[arg(long, default_value = "")]
        comment: String,
    },
    /// Let the policy that is on trial stay
    Confirm {
        /// The center.
        #[command(flatten)]
        center: CenterArgs,
        /// Why, for the revision and the audit log
        #[arg(long, default_value = "")]
        comment: String,
    },
    /// Compare two policies, such as those of test and production; exit code 3 when they differ
    Diff {
        /// A file or folder
        #[arg(value_hint = ValueHint::AnyPath)]
        old: PathBuf,
        /// A file or folder
        #[arg(value_hint = ValueHint::AnyPath)]
        new: PathBuf,
    },
    /// Write the center's policy as TOML
    Export {
        /// The center.
        #[command(flatten)]
        center: CenterArgs,
        /// Also decisions that were made by hand
        #[arg(long)]
        all: bool,
    },
    /// List changes that wait for a second person; exit code 3 when there is none
    Proposals {
        /// Only this one, with its plan
        id: Option<u64>,
        /// The center.
        #[command(flatten)]
        center: CenterArgs,
    },
    /// Let a proposal not be; its author may take it back
    Reject {
        /// Its number; see policy proposals
        id: u64,
        /// The center.
        #[command(flatten)]
        center: CenterArgs,
        /// Why, for the audit log
        #[arg(long, default_value = "")]
        comment: String,
    },
    /// Make the policy of an earlier revision the present one; decisions made by hand since then end too
    Rollback {
        /// Its number; see GET /v1/revisions
        revision: u64,
        /// The center.
        #[command(flatten)]
        center: CenterArgs,
        /// Why, for the revision and the audit log
        #[arg(long, default_value = "")]
        comment: String,
        /// Even when somebody would be cut off
        #[arg(long)]
        force: bool,
    },
    /// Show how the policy that comes stage by stage is, or the last one was; let the next stage come now; or take all of it back
    Rollout {
        /// status, promote or stop
        #[arg(default_value = "status", hide_possible_values = true, hide_default_value = true)]
        action: RolloutAction,
        /// The center.
        #[command(flatten)]
        center: CenterArgs,
        /// Why, for the revision and the audit log
        #[arg(long, default_value = "")]
        comment: String,
    },
    /// Undo the policy that is on trial now
    Undo {
        /// The center.
        #[command(flatten)]
        center: CenterArgs,
        /// Why, for the revision and the audit log
        #[arg(long, default_value = "")]
        comment: String,
    },
}

/// What is to become of a rollout.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
#[value(rename_all = "lower")]
pub enum RolloutAction {
    /// The next stage comes now.
    Promote,
    /// Nothing; it is shown.
    Status,
    /// All of it goes back.
    Stop,
}

/// Where the center is, and who asks.
#[derive(Args, Clone, Debug)]
pub struct CenterArgs {
    /// The center's address, such as `https://center.bank.example:9443`
    #[arg(long, value_name = "URL", env = "ENFORCER_CENTER", hide_env_values = true)]
    pub center: String,
    /// A file with a token of the center; - for standard input
    #[arg(long, value_name = "FILE", env = "ENFORCER_CENTER_TOKEN_FILE", hide_env_values = true)]
    pub token_file: PathBuf,
    /// The certificate of the center's authority (ca.pem in its folder)
    #[arg(long, value_name = "FILE", env = "ENFORCER_CENTER_AUTHORITY", hide_env_values = true)]
    pub authority: PathBuf,
}

/// `fleet`.
#[derive(Subcommand, Clone, Debug)]
pub enum FleetCommand {
    /// List every API that is called on any host, with what people said of it; show, export, compare or mark one
    Apis(FleetApisArgs),
    /// Believe what a list of the center has become, although it has shrunk, grown or is empty: after a look at it
    Accept {
        /// The list's name as `fleet sources` shows it, such as list:drop
        name: String,
        /// The center.
        #[command(flatten)]
        center: CenterArgs,
    },
    /// Show events of hosts, oldest first: refusals, findings, health, notices, acts
    Events(FleetEventsArgs),
    /// Show sources of decisions, and how each is; exit code 3 when there is none
    Sources(CenterArgs),
}

/// `fleet apis`.
#[derive(Args, Clone, Debug)]
pub struct FleetApisArgs {
    /// The center.
    #[command(flatten)]
    pub center: CenterArgs,
    /// Only of this service
    #[arg(long, global = true, value_name = "NAME")]
    pub service: Option<String>,
    /// What to do; without one, a line for each endpoint.
    #[command(subcommand)]
    pub command: Option<FleetApisCommand>,
}

/// What to do with the APIs of a fleet.
#[derive(Subcommand, Clone, Debug)]
pub enum FleetApisCommand {
    /// As of one host.
    #[command(flatten)]
    Look(ApisCommand),
    /// Say of an endpoint that it was reviewed, that its risk is accepted, or that it is unwanted; none takes that back
    Mark {
        /// reviewed, accepted, unwanted or none
        mark: ApiMark,
        /// The method
        method: String,
        /// The path; {anything} stands for a parameter
        template: String,
        /// Why
        #[arg(long, default_value = "")]
        comment: String,
    },
}

/// What somebody says of an endpoint.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
#[value(rename_all = "lower")]
pub enum ApiMark {
    /// Its risk is known, and borne.
    Accepted,
    /// Nothing any more.
    None,
    /// Somebody has looked at it, and it is as it should be.
    Reviewed,
    /// It should not be there.
    Unwanted,
}

impl ApiMark {
    /// The word used everywhere.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::None => "none",
            Self::Reviewed => "reviewed",
            Self::Unwanted => "unwanted",
        }
    }
}

/// `fleet events`.
#[derive(Args, Clone, Debug)]
pub struct FleetEventsArgs {
    /// The center.
    #[command(flatten)]
    pub center: CenterArgs,
    /// Only of this host
    #[arg(long, value_name = "NAME")]
    pub host: Option<String>,
    /// Only of this kind: act, finding, gap, health, notice or refusal
    #[arg(long, value_name = "KIND")]
    pub kind: Option<String>,
    /// Only of this service
    #[arg(long, value_name = "NAME")]
    pub service: Option<String>,
    /// Begin behind this number
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    pub after: u64,
    /// At most this many
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub limit: u32,
}
