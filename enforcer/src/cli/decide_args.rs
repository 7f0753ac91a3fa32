//! The arguments of `block`, `unblock` and `allow`, and the readers of single words.
//!
//! In: the words of the shell. Out: typed arguments without meaning. Never here: what may be decided (the agent says so).
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{ArgGroup, Args, ValueHint};
use enforcer_common::{Action, AllowKind, SubjectKind};
use enforcer_policy::DecisionId;
use enforcer_policy::lists::Format;

use crate::config::parse_duration;
use crate::wire::{REASON_MAX, Word};

/// How a subject is given: as a value or as a file of many.
#[derive(Args, Clone, Debug)]
#[command(group = ArgGroup::new("subject").args(["value", "value_option", "file"]))]
pub struct ValueArgs {
    /// Address, network, flow ("tcp 203.0.113.7:5555 > 192.0.2.1:443"), or token as it stands in the request
    pub value: Option<String>,
    /// The same, for values that begin with a hyphen or read better named
    #[arg(long = "value", value_name = "VALUE", allow_hyphen_values = true)]
    pub value_option: Option<String>,
    /// One subject per line, - for standard input; of networks also CSV, `ipset save`, JSON and others (docs/LISTS.md)
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath)]
    pub file: Option<PathBuf>,
    /// Write every rejected line to PATH, as number and reason
    #[arg(long, value_name = "PATH", requires = "file", value_hint = ValueHint::FilePath)]
    pub rejects: Option<PathBuf>,
    /// How a file of networks is written: csv, firehol, ipset, plain or spamhaus [default: as its first line shows]
    #[arg(long, value_name = "FORMAT", requires = "file", value_parser = list_format)]
    pub format: Option<Format>,
}

/// `block`.
#[derive(Args, Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub struct BlockArgs {
    /// What the value is: ip (address or network), device, session, user, apikey or flow
    #[arg(value_parser = word_of::<SubjectKind>(), value_name = "KIND", hide_possible_values = true)]
    pub kind: SubjectKind,
    /// Who.
    #[command(flatten)]
    pub who: ValueArgs,
    /// Only on this service (tokens only); without it everywhere
    #[arg(long, value_name = "NAME", conflicts_with = "scope")]
    pub service: Option<String>,
    /// Only on this service, or on one endpoint of it, such as "pay:GET /accounts/{id}"; see below
    #[arg(long, value_name = "SCOPE")]
    pub scope: Option<String>,
    /// What happens: observe (count only), limit (answer 429 to what is over --rate), deny (answer 403 and close), reset or
    /// drop [default: deny for tokens, else drop]
    #[arg(long, value_parser = word_of::<Action>(), hide_possible_values = true, value_name = "ACTION")]
    pub action: Option<Action>,
    /// With --action limit: how many requests may pass, per second, minute or hour, such as 10/s, 60/m or 600/h
    #[arg(long, value_name = "RATE")]
    pub rate: Option<String>,
    /// With --rate: how many may come at once [default: what the rate lets pass in a second, one at least]
    #[arg(long, value_name = "N", requires = "rate", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub burst: Option<u32>,
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
    /// The file is a stranger's list: take nothing private or reserved from it
    #[arg(long, requires = "file")]
    pub feed: bool,
    /// Change nothing; show what it would have hit of what this host served in the last day
    #[arg(long)]
    pub dry_run: bool,
}

/// `unblock`.
#[derive(Args, Clone, Debug)]
pub struct UnblockArgs {
    /// A decision's id, or what the value is: ip, device, session, user, apikey, flow or decision
    #[arg(value_name = "ID|KIND", value_parser = target)]
    pub target: Target,
    /// Who.
    #[command(flatten)]
    pub who: ValueArgs,
    /// The decision for this service; without it the one for all services
    #[arg(long, value_name = "NAME", conflicts_with = "scope")]
    pub service: Option<String>,
    /// The decision for this service or endpoint, such as "pay:GET /accounts/{id}"
    #[arg(long, value_name = "SCOPE")]
    pub scope: Option<String>,
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

/// Reads one word of a closed list, and offers the list to help and completion.
pub(super) fn word_of<T: Word + Send + Sync>() -> impl TypedValueParser<Value = T> {
    let words: Vec<&'static str> = T::all().iter().map(|value| value.word()).collect();
    PossibleValuesParser::new(words).try_map(|text| T::from_word(&text).ok_or_else(|| format!("unknown {}", T::WHAT)))
}

/// The format of a list.
pub(super) fn list_format(text: &str) -> Result<Format, String> {
    let names = || Format::ALL.map(Format::name).join(", ");
    Format::named(text).ok_or_else(|| format!("no such format: write one of {}", names()))
}

fn target(text: &str) -> Result<Target, String> {
    if text == "decision" {
        return Ok(Target::Decision);
    }
    let kind = SubjectKind::from_word(text).map(Target::Kind);
    kind.or_else(|| text.parse().ok().map(Target::Id)).ok_or_else(|| {
        "write ip, device, session, user, apikey, flow or decision and a value, or the 16 hexadecimal digits of an id"
            .to_owned()
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
    use clap::Parser as _;

    use super::super::{Cli, Command};
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
        for line in ["block device a --service b --scope c", "block device a --burst 3"] {
            assert!(parse(&format!("enforcer {line}")).is_err(), "{line}");
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
