//! The command line as it is typed.
//!
//! In: the words of the shell. Out: [`Cli`], typed but without meaning: files are not opened, values not judged. Each
//! command's own file turns its part into a request. Never here: defaults that depend on the host, output.
//!
//! To add a command: a variant of [`Command`], its place in a group of `manual.rs`, and one file beside this one.
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{ArgGroup, Args, Parser, Subcommand, ValueEnum, ValueHint};
use enforcer_common::{Action, AllowKind, SubjectKind};
use enforcer_policy::DecisionId;

use crate::config::parse_duration;
use crate::wire::{REASON_MAX, Word};

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
    /// Refuse a device, an address, a network or a connection
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
    /// Follow refusals and observations as they happen
    Events(EventsArgs),
    /// List decisions
    List(ListArgs),
    /// Write the manual pages
    Man(ManArgs),
    /// Read the configuration again
    Reload,
    /// Run the agent in the foreground
    Run,
    /// Show how agent and kernel are
    Status,
    /// Watch traffic and refusals live
    Top(TopArgs),
    /// End decisions
    Unblock(UnblockArgs),
    /// Show what happens to a device or address, and why
    Why(WhyArgs),
}

/// How a subject is given: as a value or as a file of many.
#[derive(Args, Clone, Debug)]
#[command(group = ArgGroup::new("subject").args(["value", "value_option", "file"]))]
pub struct ValueArgs {
    /// Address, network, device token or flow ("tcp 203.0.113.7:5555 > 192.0.2.1:443")
    pub value: Option<String>,
    /// The same, for values that begin with a hyphen or read better named
    #[arg(long = "value", value_name = "VALUE", allow_hyphen_values = true)]
    pub value_option: Option<String>,
    /// One subject per line, - for standard input; of networks also CSV with comments
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath)]
    pub file: Option<PathBuf>,
    /// Write every rejected line to PATH, as number and reason
    #[arg(long, value_name = "PATH", requires = "file", value_hint = ValueHint::FilePath)]
    pub rejects: Option<PathBuf>,
}

/// `block`.
#[derive(Args, Clone, Debug)]
pub struct BlockArgs {
    /// What the value is: ip (address or network), device or flow
    #[arg(value_parser = word_of::<SubjectKind>(), value_name = "KIND", hide_possible_values = true)]
    pub kind: SubjectKind,
    /// Who.
    #[command(flatten)]
    pub who: ValueArgs,
    /// Only on this service (devices only); without it everywhere
    #[arg(long, value_name = "NAME")]
    pub service: Option<String>,
    /// What happens: observe (count only), deny (answer 403 and close), reset or drop [default: deny for devices, else drop]
    #[arg(long, value_parser = word_of::<Action>(), hide_possible_values = true, value_name = "ACTION")]
    pub action: Option<Action>,
    /// How long, such as 90s, 15m, 2h or 1d12h; without it until unblocked
    #[arg(long = "for", value_name = "DURATION", value_parser = parse_duration)]
    pub duration: Option<Duration>,
    /// Why, for whoever reads the list later
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true, value_parser = reason)]
    pub reason: String,
    /// End an existing decision earlier if --for says so; otherwise the later end holds
    #[arg(long)]
    pub shorten: bool,
    /// Allow networks wider than IPv4 /8 or IPv6 /16
    #[arg(long)]
    pub wide: bool,
}

/// `unblock`.
#[derive(Args, Clone, Debug)]
pub struct UnblockArgs {
    /// A decision's id, or what the value is: ip, device, flow or decision
    #[arg(value_name = "ID|KIND", value_parser = target)]
    pub target: Target,
    /// Who.
    #[command(flatten)]
    pub who: ValueArgs,
    /// The decision for this service; without it the one for all services
    #[arg(long, value_name = "NAME")]
    pub service: Option<String>,
}

/// What `unblock` speaks of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Target {
    /// This decision.
    Id(DecisionId),
    /// The value is a decision's id.
    Decision,
    /// The value is a subject of this kind.
    Kind(SubjectKind),
}

/// `allow`.
#[derive(Args, Clone, Debug)]
#[command(group = ArgGroup::new("what").args(["network", "list"]).required(true))]
pub struct AllowArgs {
    /// Address or network
    pub network: Option<String>,
    /// How far it reaches: full (its requests too), or proxy (a load balancer: never blocked as a source, while the
    /// requests it forwards are judged)
    #[arg(long = "as", value_name = "REACH", value_parser = word_of::<AllowKind>(), default_value = "full")]
    #[arg(hide_possible_values = true)]
    pub kind: AllowKind,
    /// How long, such as 2h; without it until removed
    #[arg(long = "for", value_name = "DURATION", value_parser = parse_duration)]
    pub duration: Option<Duration>,
    /// Why, for whoever reads the list later
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true, value_parser = reason)]
    pub reason: String,
    /// Take it off the allowlist
    #[arg(long, conflicts_with_all = ["duration", "list"])]
    pub remove: bool,
    /// Show the allowlist
    #[arg(long)]
    pub list: bool,
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
    },
}

/// `detach`.
#[derive(Args, Clone, Copy, Debug)]
pub struct DetachArgs {
    /// Without an agent: remove what is pinned, as root
    #[arg(long)]
    pub offline: bool,
}

/// `events`.
#[derive(Args, Clone, Debug)]
pub struct EventsArgs {
    /// Only of this service
    #[arg(long, value_name = "NAME")]
    pub service: Option<String>,
    /// End after this many events
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
    #[arg(long, value_name = "NAME")]
    pub service: Option<String>,
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
    /// What the value is: ip, device or decision
    pub kind: WhyKind,
    /// Address, device token or decision id
    #[arg(allow_hyphen_values = true)]
    pub value: String,
}

/// What `why` can explain.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
#[value(rename_all = "lower")]
pub enum WhyKind {
    /// A decision by its id.
    Decision,
    /// A device by its token.
    Device,
    /// An address.
    Ip,
}

/// Reads one word of a closed list, and offers the list to help and completion.
fn word_of<T: Word + Send + Sync>() -> impl TypedValueParser<Value = T> {
    let words: Vec<&'static str> = T::all().iter().map(|value| value.word()).collect();
    PossibleValuesParser::new(words).try_map(|text| T::from_word(&text).ok_or_else(|| format!("unknown {}", T::WHAT)))
}

fn target(text: &str) -> Result<Target, String> {
    if text == "decision" {
        return Ok(Target::Decision);
    }
    let kind = SubjectKind::from_word(text).map(Target::Kind);
    kind.or_else(|| text.parse().ok().map(Target::Id)).ok_or_else(|| {
        "write ip, device, flow or decision and a value, or the 16 hexadecimal digits of an id".to_owned()
    })
}

fn reason(text: &str) -> Result<String, String> {
    if text.len() > REASON_MAX {
        return Err(format!("{} bytes are too long: at most {REASON_MAX}", text.len()));
    }
    if text.chars().any(char::is_control) {
        return Err("control characters and line breaks are not allowed".to_owned());
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Command, clap::Error> {
        Cli::try_parse_from(line.split_whitespace()).map(|cli| cli.command)
    }

    #[test]
    fn the_command_is_sound() {
        super::super::manual::command().debug_assert();
    }

    #[test]
    fn a_value_is_given_once() {
        for line in ["block ip 192.0.2.1", "block ip --value 192.0.2.1", "block device --value -x", "block ip --file -"]
        {
            assert!(parse(&format!("enforcer {line}")).is_ok(), "{line}");
        }
        for line in ["block ip a --value b", "block ip a --file b", "block host a", "allow"] {
            assert!(parse(&format!("enforcer {line}")).is_err(), "{line}");
        }
    }

    #[test]
    fn unblock_takes_ids_and_kinds() {
        assert_eq!(target("0192abcdef012345"), Ok(Target::Id(DecisionId(0x0192_abcd_ef01_2345))));
        assert_eq!(target("flow"), Ok(Target::Kind(SubjectKind::Flow)));
        assert_eq!(target("decision"), Ok(Target::Decision));
        assert!(target("192.0.2.1").is_err());
    }

    #[test]
    fn a_reason_is_one_short_line() {
        assert!(reason("scan of /login").is_ok());
        assert!(reason("a\nb").is_err());
        assert!(reason(&"x".repeat(REASON_MAX + 1)).is_err());
    }
}
