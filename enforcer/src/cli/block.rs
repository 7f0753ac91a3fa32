//! `block` and `unblock`: of one subject here, of files in `import.rs`.
//!
//! In: typed arguments. Out: a request, then what became of it. Never here: what may be decided (the agent says so).
use std::path::PathBuf;

use enforcer_common::{Action, Rate, SubjectKind};
use enforcer_policy::lists::Format;
use enforcer_policy::{Scope, parse_flow, parse_prefix, parse_rate};

use super::args::{BlockArgs, Globals, Target, UnblockArgs, ValueArgs};
use super::client::Client;
use super::decisions::sentence;
use super::failure::Failure;
use super::foresee;
use super::import::{self, Import};
use super::out::Out;
use super::table::{clean, span};
use crate::wire::{BlockReport, BlockRequest, Exit, ImportStart, Raw, Request, SubjectInput, UnblockBy, UnblockReport};

/// `block`.
pub(super) fn block(args: BlockArgs, globals: &Globals, out: &mut Out) -> Result<Exit, Failure> {
    match meaning(args.kind, args.who.clone())? {
        Subjects::Many { .. } if args.dry_run => Err(foresee::no_file()),
        Subjects::One(subject) if args.dry_run => foresee::foresee(request_of(args, subject)?, globals, out),
        Subjects::Many { file, rejects, format } => {
            let feed = args.feed;
            import::import(&Import { start: start_of_block(args)?, file, rejects, format, feed }, globals, out)
        }
        Subjects::One(subject) => {
            let request = Request::Block(request_of(args, subject)?);
            let report = Client::open(globals)?.call(&request)?;
            out.report(&report, blocked_text).map(|()| Exit::Done)
        }
    }
}

/// `unblock`.
pub(super) fn unblock(args: UnblockArgs, globals: &Globals, out: &mut Out) -> Result<Exit, Failure> {
    let by = match ended(args)? {
        Ending::By(by) => by,
        Ending::Import(import) => return import::import(&import, globals, out),
    };
    let report: UnblockReport = Client::open(globals)?.call(&Request::Unblock(by))?;
    out.report(&report, unblocked_text)?;
    Ok(if report.ended.is_empty() { Exit::Nothing } else { Exit::Done })
}

/// What the value arguments mean.
#[derive(Debug)]
enum Subjects {
    One(SubjectInput),
    Many { file: PathBuf, rejects: Option<PathBuf>, format: Option<Format> },
}

/// What `unblock` was asked to end.
#[derive(Debug)]
enum Ending {
    By(UnblockBy),
    Import(Import),
}

fn meaning(kind: SubjectKind, who: ValueArgs) -> Result<Subjects, Failure> {
    let ValueArgs { value, value_option, file, rejects, format } = who;
    if let Some(value) = value.or(value_option) {
        if rejects.is_some() {
            return Err(wrong("--rejects is for files", "leave it out, or give --file PATH"));
        }
        return subject(kind, value).map(Subjects::One);
    }
    let file = file
        .ok_or_else(|| wrong("who is missing", "give a value after the kind, or --file PATH (- for standard input)"))?;
    if kind == SubjectKind::Flow {
        return Err(wrong(
            "flows cannot be read from a file",
            "give one flow: \"tcp 203.0.113.7:5555 > 192.0.2.1:443\"",
        ));
    }
    Ok(Subjects::Many { file, rejects, format })
}

/// The value, looked at once here so that slips need no agent to be seen.
fn subject(kind: SubjectKind, value: String) -> Result<SubjectInput, Failure> {
    match kind {
        SubjectKind::Device | SubjectKind::Session | SubjectKind::User | SubjectKind::ApiKey => {
            if value.is_empty() {
                return Err(wrong(
                    format!("the {}'s value is empty", kind.name()),
                    "give it as it stands in the request",
                ));
            }
            Ok(SubjectInput::Token { kind, value: Raw::new(value) })
        }
        SubjectKind::Flow => match parse_flow(&value) {
            Ok(_) => Ok(SubjectInput::Flow(value)),
            Err(error) => Err(wrong(format!("{value:?}: {error}"), "")),
        },
        SubjectKind::Ip => match parse_prefix(&value) {
            Ok(_) => Ok(SubjectInput::Ip(value)),
            Err(error) => Err(wrong(format!("{value:?}: {error}"), "")),
        },
    }
}

fn ended(args: UnblockArgs) -> Result<Ending, Failure> {
    let UnblockArgs { target, who, service, scope } = args;
    let scope = checked_scope(scope.or(service))?;
    let kind = match target {
        Target::Kind(kind) => kind,
        Target::Decision => return decision(who).map(Ending::By),
        Target::Id(id) if who.value.is_none() && who.value_option.is_none() && who.file.is_none() => {
            return Ok(Ending::By(UnblockBy::Id(id)));
        }
        Target::Id(_) => return Err(wrong("an id needs no value", "write: enforcer unblock ID")),
    };
    Ok(match meaning(kind, who)? {
        Subjects::One(subject) => Ending::By(UnblockBy::Subject { subject, scope }),
        Subjects::Many { file, rejects, format } => {
            let start = ImportStart {
                kind,
                scope,
                action: default_action(kind),
                rate: None,
                duration: None,
                reason: String::new(),
                shorten: false,
                wide: false,
                remove: true,
            };
            Ending::Import(Import { start, file, rejects, format, feed: false })
        }
    })
}

fn decision(who: ValueArgs) -> Result<UnblockBy, Failure> {
    let id = who.value.or(who.value_option).unwrap_or_default();
    id.parse().map(UnblockBy::Id).map_err(|error| wrong(format!("{id:?}: {error}"), ""))
}

fn request_of(args: BlockArgs, subject: SubjectInput) -> Result<BlockRequest, Failure> {
    let (action, rate) = action_of(&args)?;
    Ok(BlockRequest {
        subject,
        scope: checked_scope(args.scope.or(args.service))?,
        action,
        rate,
        duration: args.duration,
        reason: args.reason,
        shorten: args.shorten,
        wide: args.wide,
    })
}

fn start_of_block(args: BlockArgs) -> Result<ImportStart, Failure> {
    let (action, rate) = action_of(&args)?;
    Ok(ImportStart {
        kind: args.kind,
        scope: checked_scope(args.scope.or(args.service))?,
        action,
        rate,
        duration: args.duration,
        reason: args.reason,
        shorten: args.shorten,
        wide: args.wide,
        remove: false,
    })
}

/// What happens, and at which rate: a rate alone means a limit.
fn action_of(args: &BlockArgs) -> Result<(Action, Option<Rate>), Failure> {
    let given = args.rate.as_deref().map(|text| {
        parse_rate(text, args.burst).map_err(|error| wrong(format!("{text:?}: {error}"), "such as --rate 60/m"))
    });
    let rate = given.transpose()?;
    let default = if rate.is_some() { Action::Limit } else { default_action(args.kind) };
    match (args.action.unwrap_or(default), rate) {
        (Action::Limit, _) if !args.kind.is_token() => {
            Err(wrong("packets cannot be limited, requests can", "limit a device, session, user or apikey"))
        }
        (Action::Limit, None) => Err(wrong("how many requests may pass is missing", "add a rate, such as --rate 60/m")),
        (Action::Observe | Action::Deny | Action::Reset | Action::Drop, Some(_)) => {
            Err(wrong("--rate goes with --action limit", "leave one of the two out"))
        }
        (action, rate) => Ok((action, rate)),
    }
}

/// A request can be answered; a packet can only be dropped.
const fn default_action(kind: SubjectKind) -> Action {
    if kind.is_token() { Action::Deny } else { Action::Drop }
}

/// The scope, looked at once here so that slips need no agent to be seen.
fn checked_scope(scope: Option<String>) -> Result<Option<String>, Failure> {
    match scope.as_deref().map(Scope::parse) {
        Some(Err(error)) => Err(wrong(error.to_string(), error.fault.mend())),
        Some(Ok(_)) | None => Ok(scope),
    }
}

pub(super) fn wrong(message: impl Into<String>, hint: &'static str) -> Failure {
    Failure::Usage { message: message.into(), hint }
}

fn blocked_text(report: &BlockReport) -> String {
    let mut text = format!("{}: {}", report.change.name(), sentence(&report.decision));
    if let Some(time) = report.enforced_in {
        text = format!("{text}, in force after {}", span(time));
    }
    for warning in &report.warnings {
        text = format!("{text}\n  note: {}", clean(warning));
    }
    text
}

fn unblocked_text(report: &UnblockReport) -> String {
    let after = report.enforced_in.map(|time| format!(", in force after {}", span(time))).unwrap_or_default();
    let mut lines: Vec<String> =
        report.ended.iter().map(|ended| format!("ended: {}{after}", sentence(ended))).collect();
    if lines.is_empty() {
        lines.push("no such decision; enforcer list shows all, enforcer why says what applies".to_owned());
    }
    lines.extend(report.still.iter().map(|still| format!("  still in force: {}", sentence(still))));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command};
    use clap::Parser as _;

    fn parse(words: &[&str]) -> Command {
        Cli::try_parse_from(words).unwrap().command
    }

    fn ending(words: &[&str]) -> Result<Ending, Failure> {
        let Command::Unblock(args) = parse(words) else { panic!("not unblock") };
        ended(args)
    }

    #[test]
    fn a_token_is_denied_and_an_address_dropped_unless_told() {
        for (words, action) in [
            (["enforcer", "block", "device", "ABC"], Action::Deny),
            (["enforcer", "block", "session", "ABC"], Action::Deny),
            (["enforcer", "block", "apikey", "ABC"], Action::Deny),
            (["enforcer", "block", "ip", "192.0.2.1"], Action::Drop),
        ] {
            let Command::Block(args) = parse(&words) else { panic!("not block") };
            let Subjects::One(subject) = meaning(args.kind, args.who.clone()).unwrap() else { panic!("not one") };
            assert_eq!(request_of(args, subject).unwrap().action, action);
        }
    }

    #[test]
    fn slips_are_seen_before_the_agent_is_asked() {
        for (kind, value) in [
            (SubjectKind::Ip, "192.0.2"),
            (SubjectKind::Flow, "tcp"),
            (SubjectKind::Device, ""),
            (SubjectKind::User, ""),
        ] {
            assert!(matches!(subject(kind, value.to_owned()), Err(Failure::Usage { .. })), "{value}");
        }
    }

    fn asked(words: &[&str]) -> Result<BlockRequest, Failure> {
        let words = [&["enforcer", "block"], words].concat();
        let Command::Block(args) = parse(&words) else { panic!("not block") };
        let Subjects::One(subject) = meaning(args.kind, args.who.clone())? else { panic!("not one") };
        request_of(args, subject)
    }

    #[test]
    fn a_limit_is_read_with_its_rate_and_scope() {
        let scope = "pay:GET /accounts/{id}";
        let request = asked(&["apikey", "K", "--scope", scope, "--action", "limit", "--rate", "60/m"]).unwrap();
        assert_eq!((request.scope.as_deref(), request.action), (Some(scope), Action::Limit));
        assert_eq!(request.rate, Some(Rate { per_minute: 60, burst: 1 }));
        let request = asked(&["session", "S", "--rate", "10/s", "--burst", "50", "--service", "pay"]).unwrap();
        assert_eq!((request.scope.as_deref(), request.action), (Some("pay"), Action::Limit));
        assert_eq!(request.rate, Some(Rate { per_minute: 600, burst: 50 }));
        for words in [
            &["session", "S", "--action", "limit"][..],
            &["session", "S", "--action", "deny", "--rate", "60/m"],
            &["session", "S", "--rate", "often"],
            &["ip", "192.0.2.1", "--rate", "60/m"],
            &["session", "S", "--scope", "pay:GET /a/../b"],
            &["session", "S", "--scope", "pay/accounts"],
        ] {
            assert!(matches!(asked(words), Err(Failure::Usage { .. })), "{words:?}");
        }
    }

    #[test]
    fn unblock_by_id_in_both_spellings() {
        for words in
            [&["enforcer", "unblock", "0192abcdef012345"][..], &["enforcer", "unblock", "decision", "0192abcdef012345"]]
        {
            assert!(matches!(ending(words), Ok(Ending::By(UnblockBy::Id(_)))));
        }
        assert!(ending(&["enforcer", "unblock", "0192abcdef012345", "192.0.2.1"]).is_err());
        assert!(ending(&["enforcer", "unblock", "ip"]).is_err());
        assert!(ending(&["enforcer", "unblock", "ip", "192.0.2.1", "--rejects", "x"]).is_err());
        let file = ending(&["enforcer", "unblock", "ip", "--file", "-"]);
        assert!(matches!(file, Ok(Ending::Import(import)) if import.start.remove));
    }
}
