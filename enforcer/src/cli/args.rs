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

use super::decide_args::word_of;
pub(super) use super::decide_args::{AllowArgs, BlockArgs, Target, UnblockArgs, ValueArgs};
pub(super) use super::filter_args::{ModuleCommand, PublishArgs, TrialArgs};
pub(super) use super::find_args::{
    ApisArgs, ApisCommand, DrillArgs, FilterCommand, FiltersArgs, FindingCommand, FindingsArgs, ReplayArgs, ReportArgs,
};
pub(super) use super::fleet_args::{
    CenterArgs, EnrollArgs, FleetApisArgs, FleetApisCommand, FleetCommand, FleetEventsArgs, PolicyCommand,
    RolloutAction,
};
pub(super) use super::lists_args::{CheckArgs, ListsCommand};
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
    /// Play an attack in namespaces of its own, and see it found, decided on and refused (root)
    Drill(DrillArgs),
    /// Make this host one of a center's
    Enroll(EnrollArgs),
    /// Follow refusals and observations as they happen
    Events(EventsArgs),
    /// Write, try, sign and publish filters of your own, as WebAssembly modules
    #[command(subcommand)]
    Filter(ModuleCommand),
    /// Show the filters, what they may do and what they cost
    Filters(FiltersArgs),
    /// Show what filters noticed, and decide on it
    Findings(FindingsArgs),
    /// Show what the center knows of all hosts
    #[command(subcommand)]
    Fleet(FleetCommand),
    /// Show a recorded capture to the filters, and to two policies: what would have been noticed and refused
    Replay(ReplayArgs),
    /// Write a month of this host as a page that prints well: changes, findings, decisions, who approved what
    Report(ReportArgs),
    /// Follow requests and their answers: who, what, verdict, status, time, size
    Requests(EventsArgs),
    /// List decisions
    List(ListArgs),
    /// Look at lists of addresses before they are used
    #[command(subcommand)]
    Lists(ListsCommand),
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
        /// With --interface: in shadow mode; nothing is refused, what would have been is counted
        #[arg(long, requires = "interface")]
        observe: bool,
    },
}

/// `detach`.
#[derive(Args, Clone, Copy, Debug)]
pub struct DetachArgs {
    /// Without an agent: remove what is pinned, as root
    #[arg(long)]
    pub offline: bool,
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
