//! `why`: what happens to a subject, step by step, and what the kernel really holds.
//!
//! In: typed arguments. Out: a request, then the answer as text. Never here: the reasoning (the agent does it).
use std::fmt::Write as _;

use enforcer_common::{SubjectKind, Verdict};
use enforcer_policy::{Moment, parse_prefix};

use super::args::{Globals, WhyArgs, WhyKind};
use super::client::Client;
use super::decisions;
use super::failure::Failure;
use super::out::Out;
use super::table::{Grid, Mood, clean, maybe, span, state, word};
use crate::wire::{Exit, Held, KernelEntry, Raw, Request, WhyReport, WhySubject, Word};

/// `why`.
pub(super) fn why(args: WhyArgs, globals: &Globals, out: &mut Out) -> Result<Exit, Failure> {
    let request = Request::Why(meaning(args)?);
    let report: Box<WhyReport> = Client::open(globals)?.call(&request)?;
    let colour = out.colour;
    out.report(&*report, |report| text(report, super::now(), colour))?;
    Ok(Exit::Done)
}

fn meaning(args: WhyArgs) -> Result<WhySubject, Failure> {
    let WhyArgs { kind, value } = args;
    let wrong = |why: String, hint| Failure::Usage { message: format!("{value:?}: {why}"), hint };
    match kind {
        WhyKind::Decision => value.parse().map(WhySubject::Decision).map_err(|error| wrong(format!("{error}"), "")),
        WhyKind::ApiKey => Ok(token(SubjectKind::ApiKey, value)),
        WhyKind::Device => Ok(token(SubjectKind::Device, value)),
        WhyKind::Session => Ok(token(SubjectKind::Session, value)),
        WhyKind::User => Ok(token(SubjectKind::User, value)),
        WhyKind::Ip => match parse_prefix(&value) {
            Ok(prefix) if prefix.length() == 128 => Ok(WhySubject::Ip(prefix.address())),
            Ok(_) => Err(wrong("this is a network".to_owned(), "ask about one address of it")),
            Err(error) => Err(wrong(error.to_string(), "")),
        },
    }
}

fn token(kind: SubjectKind, value: String) -> WhySubject {
    WhySubject::Token { kind, value: Raw::new(value) }
}

/// The whole answer.
pub(super) fn text(report: &WhyReport, now: Moment, colour: bool) -> String {
    let mut text = format!("{}: {}\n", clean(&report.subject), outcome(report.verdict));
    for (at, step) in report.because.iter().enumerate() {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  {}. {}", at + 1, clean(step));
    }
    if !report.decisions.is_empty() {
        let _ = write!(text, "\n{}", decisions::table(&report.decisions, now, true, colour));
    }
    if !report.allowed.is_empty() {
        let _ = write!(text, "\n{}", decisions::allowlist(&report.allowed, now, colour));
    }
    if !report.kernel.is_empty() {
        let _ = write!(text, "\n{}", kernel(&report.kernel, colour));
    }
    text
}

const fn outcome(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "passes",
        Verdict::Observe => "passes, and is counted",
        Verdict::Limit => "passes up to its rate; what is over it gets a 429 with the notice",
        Verdict::Deny => "is denied: gets a 403 with the notice",
        Verdict::Reset => "is reset",
        Verdict::Drop => "is dropped",
    }
}

fn kernel(entries: &[KernelEntry], colour: bool) -> String {
    let mut grid = Grid::new(&["KERNEL MAP", "ENTRY", "HELD", "ACTION", "EXPIRES"], colour);
    for entry in entries {
        let mood = match entry.held {
            Held::Absent => Mood::Bad,
            Held::Expired => Mood::Doubtful,
            Held::Present => Mood::Good,
        };
        let expires = match (entry.held, entry.expires_in) {
            (Held::Present, None) => Some("never".to_owned()),
            (Held::Absent | Held::Expired, None) => None,
            (_, Some(left)) => Some(format!("in {}", span(left))),
        };
        grid.row([
            word(&entry.map),
            word(&entry.entry),
            state(entry.held.name(), mood),
            maybe(entry.action.map(Word::word)),
            maybe(expires),
        ]);
    }
    grid.text()
}
