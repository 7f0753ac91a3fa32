//! The command line as it is typed.
//!
//! In: the words of the shell. Out: [`Cli`], typed but without meaning: files are not opened, values not judged. Each
//! command's own file turns its part into a request. Never here: defaults that depend on the host, output.
//!
//! To add a command: a variant of [`Command`], its place in a group of `manual.rs`, and one file beside this one.
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
use enforcer_common::SubjectKind;
use enforcer_insight::findings::FindingId;

use super::decide_args::word_of;
pub(super) use super::decide_args::{AllowArgs, BlockArgs, Target, UnblockArgs, ValueArgs};
use crate::config::parse_duration;

/// Refuses blocked devices, addresses and connections in the kernel of the host that serves your APIs.
#[derive(Parser, Clone, Debug)]
#[command(name = "enforcer", version, subcommand_required = true, max_term_width = 100)]
pub struct Cli {
    /// What holds for every command.
    #[command(flatten)]
    pub globals: Globals,
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// What holds for every command.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Global options")]
pub struct Globals {
    /// The agent's socket [default: the one in the configuration, else /run/enforcer/enforcer.sock]
    #[arg(long, global = true, value_name = "PATH", env = "ENFORCER_SOCKET", hide_env_values = true)]
    #[arg(value_hint = ValueHint::AnyPath)]
    pub socket: Option<PathBuf>,
    /// How results are written: table, or json (one document, or one per line where results keep coming)
    #[arg(short, long, global = true, value_name = "FORMAT", default_value = "table", hide_possible_values = true)]
    pub output: Format,
    /// The configuration file [default: /etc/enforcer/enforcer.toml]
    #[arg(long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub config: Option<PathBuf>,
}

/// How results are written.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug, Default)]
#[value(rename_all = "lower")]
pub enum Format {
    /// One JSON document, or one per line.
    Json,
    /// Aligned text.
    #[default]
    Table,
}

/// The commands.
#[derive(Subcommand, Clone, Debug)]
pub enum Command {
    /// Never refuse an address or network, whatever decisions say
    Allow(AllowArgs),
    /// Show the APIs that are called, and how they differ from a specification
    Apis(ApisArgs),
    /// Refuse or limit a device, session, user or key; refuse an address, network or connection
    Block(BlockArgs),
    /// Switch enforcement off (everything passes) or on again
    Bypass(BypassArgs),
    /// Write the completion script of a shell
    Completions(CompletionsArgs),
    /// Check a configuration file, or write an example
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Take programs and maps off the kernel and end the agent
    Detach(DetachArgs),
    /// Show what this kernel can do, and what is degraded and why
    Doctor,
    /// Make this host one of a center's
    Enroll(EnrollArgs),
    /// Follow refusals and observations as they happen
    Events(EventsArgs),
    /// Show the filters, what they may do and what they cost
    Filters(FiltersArgs),
    /// Show what filters noticed, and decide on it
    Findings(FindingsArgs),
    /// Show what the center knows of all hosts
    #[command(subcommand)]
    Fleet(FleetCommand),
    /// Show a recorded capture to the filters, and to two policies: what would have been noticed and refused
    Replay(ReplayArgs),
    /// Follow requests and their answers: who, what, verdict, status, time, size
    Requests(EventsArgs),
    /// List decisions
    List(ListArgs),
    /// Write the manual pages
    Man(ManArgs),
    /// Check, plan and apply the policy of a fleet at its center
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// Read the configuration again
    Reload,
    /// Run the agent in the foreground
    Run,
    /// Show how agent and kernel are
    Status,
    /// Gather what somebody who helps must see
    #[command(subcommand)]
    Support(SupportCommand),
    /// Watch traffic and refusals live
    Top(TopArgs),
    /// End decisions
    Unblock(UnblockArgs),
    /// Show what happens to a device, session, user, key or address, and why
    Why(WhyArgs),
}

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

/// `support`.
#[derive(Subcommand, Clone, Debug)]
pub enum SupportCommand {
    /// Write status, checks, configuration, counters and recent events as JSON; addresses of hosts are cut, words of people left out
    Dump {
        /// Where to write it [default: standard output]
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
    },
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

/// `bypass`.
#[derive(Args, Clone, Copy, Debug)]
pub struct BypassArgs {
    /// on: everything passes and is counted; off: decisions are carried out again
    pub state: Switch,
}

/// On or off.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
#[value(rename_all = "lower")]
pub enum Switch {
    /// Enforce.
    Off,
    /// Let everything pass.
    On,
}

/// `completions`.
#[derive(Args, Clone, Copy, Debug)]
pub struct CompletionsArgs {
    /// The shell
    pub shell: clap_complete::Shell,
}

/// `config`.
#[derive(Subcommand, Clone, Debug)]
pub enum ConfigCommand {
    /// Report every problem in a file, with line and mend
    Check {
        /// The file [default: --config, else /etc/enforcer/enforcer.toml]; - for standard input
        #[arg(value_hint = ValueHint::FilePath)]
        file: Option<PathBuf>,
    },
    /// Write a commented example with every key; with --interface and --port, a short file that works
    Example {
        /// The interface that requests arrive on
        #[arg(long, requires = "port")]
        interface: Option<String>,
        /// The TCP port of the service
        #[arg(long, requires = "interface", value_parser = clap::value_parser!(u16).range(1..))]
        port: Option<u16>,
        /// The name of the service
        #[arg(long, default_value = "api")]
        service: String,
        /// Where the kernel keeps programs and decisions; for an agent of the package, /run/bpf/enforcer
        #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
        bpffs: Option<String>,
    },
}

/// `detach`.
#[derive(Args, Clone, Copy, Debug)]
pub struct DetachArgs {
    /// Without an agent: remove what is pinned, as root
    #[arg(long)]
    pub offline: bool,
}

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
    /// Make files the policy of the center: one signed revision
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
        /// Even when somebody would be cut off
        #[arg(long)]
        force: bool,
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

/// `events` and `requests`.
#[derive(Args, Clone, Debug)]
pub struct EventsArgs {
    /// Only of this service
    #[arg(long, value_name = "NAME")]
    pub service: Option<String>,
    /// End after this many
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,
}

/// `fleet`.
#[derive(Subcommand, Clone, Debug)]
pub enum FleetCommand {
    /// Show events of hosts, oldest first: refusals, findings, health, notices, acts
    Events(FleetEventsArgs),
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

/// `list`.
#[derive(Args, Clone, Debug)]
pub struct ListArgs {
    /// Only this kind
    #[arg(value_parser = word_of::<SubjectKind>(), value_name = "KIND")]
    pub kind: Option<SubjectKind>,
    /// Only of this service
    #[arg(long, value_name = "NAME", conflicts_with = "scope")]
    pub service: Option<String>,
    /// Only of this service or endpoint, such as "pay:GET /accounts/{id}"
    #[arg(long, value_name = "SCOPE")]
    pub scope: Option<String>,
    /// Most decisions to show; 0 shows all
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub limit: u64,
}

/// `man`.
#[derive(Args, Clone, Debug)]
pub struct ManArgs {
    /// Write enforcer.1 and a page for each command into DIR, instead of the main page to standard output
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub dir: Option<PathBuf>,
}

/// `top`.
#[derive(Args, Clone, Copy, Debug)]
pub struct TopArgs {
    /// Show one picture and end
    #[arg(long)]
    pub once: bool,
    /// Time between two pictures
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = parse_duration)]
    pub interval: Duration,
}

/// `why`.
#[derive(Args, Clone, Debug)]
pub struct WhyArgs {
    /// What the value is: ip, device, session, user, apikey or decision
    #[arg(hide_possible_values = true)]
    pub kind: WhyKind,
    /// Address, token as it stands in the request, or decision id
    #[arg(allow_hyphen_values = true)]
    pub value: String,
}

/// What `why` can explain.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
#[value(rename_all = "lower")]
pub enum WhyKind {
    /// A partner's key.
    ApiKey,
    /// A decision by its id.
    Decision,
    /// A device by its token.
    Device,
    /// An address.
    Ip,
    /// A session by its cookie or bearer token.
    Session,
    /// A user by the name in the request.
    User,
}
