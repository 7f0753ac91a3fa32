//! `findings` and `filters`: what was noticed, by whom, and what becomes of it.
//!
//! In: reports of the agent. Out: tables, one finding in full, JSON. Never here: raw identities; the agent has none.
use std::fmt::Write as _;

use enforcer_insight::findings::{Fact, FactValue, Finding};

use super::args::{FilterCommand, FiltersArgs, FindingCommand, FindingsArgs, Format, Globals};
use super::client::Client;
use super::decisions;
use super::failure::Failure;
use super::out::Out;
use super::table::{Grid, Mood, clean, grouped, number, span, state, time, word};
use crate::wire::{BlockReport, Exit, FilterReport, FindingReport, FindingsPage, Request};

/// Findings that are shown unless more are asked for.
const SHOWN: u32 = 100;

/// `findings`.
pub(super) fn findings(args: &FindingsArgs, globals: &Globals, out: &mut Out) -> Result<Exit, Failure> {
    match &args.command {
        None => list(args, globals, out),
        Some(FindingCommand::Decide { id, duration }) => {
            let request = Request::DecideFinding { id: id.0, lasts: *duration };
            let report: BlockReport = Client::open(globals)?.call(&request)?;
            out.report(&report, |report| decisions::sentence(&report.decision))?;
            Ok(Exit::Done)
        }
        Some(FindingCommand::Except { id, reason }) => {
            let request = Request::ExceptFinding { id: id.0, reason: reason.clone() };
            Client::open(globals)?.call::<()>(&request)?;
            out.report(&serde_json::json!({ "excepted": id }), |_| format!("finding {id} is not raised again"))?;
            Ok(Exit::Done)
        }
        Some(FindingCommand::Show { id }) => {
            let page = page(globals, None, Some(id.0), 1)?;
            let Some(report) = page.findings.first() else {
                return Err(Failure::Usage { message: format!("there is no finding {id}"), hint: "enforcer findings" });
            };
            out.report(report, full)?;
            Ok(Exit::Done)
        }
    }
}

fn list(args: &FindingsArgs, globals: &Globals, out: &mut Out) -> Result<Exit, Failure> {
    let page = page(globals, args.service.clone(), None, args.limit.unwrap_or(SHOWN))?;
    if !page.exceptions.is_empty() {
        out.note(format_args!("{} excepted; -o json and enforcer report show them", page.exceptions.len()));
    }
    if page.findings.is_empty() && out.format == Format::Table {
        out.note("no findings");
        return Ok(Exit::Done);
    }
    let colour = out.colour;
    out.report(&page, |page| table(&page.findings, colour))?;
    if page.total > page.findings.len() as u64 {
        out.note(format_args!("{} of {}", grouped(page.findings.len() as u64), grouped(page.total)));
    }
    Ok(Exit::Done)
}

pub(super) fn page(
    globals: &Globals,
    service: Option<String>,
    id: Option<u64>,
    limit: u32,
) -> Result<FindingsPage, Failure> {
    page_at(&mut Client::open(globals)?, service, id, limit)
}

/// The same of an agent that is spoken with already.
pub(super) fn page_at(
    client: &mut Client,
    service: Option<String>,
    id: Option<u64>,
    limit: u32,
) -> Result<FindingsPage, Failure> {
    let text: String = client.call(&Request::Findings { service, id, limit })?;
    serde_json::from_str(&text).map_err(|error| Failure::Output(error.into()))
}

fn table(findings: &[FindingReport], colour: bool) -> String {
    let mut grid = Grid::new(&["ID", "LAST", "SEVERITY", "SURE", "WHAT", "WHERE", "WHO", "TIMES", "DECISION"], colour);
    for FindingReport { finding, decision } in findings {
        grid.row([
            word(finding.id.to_string()),
            word(time(finding.last)),
            word(finding.severity.name()),
            number(finding.confidence.into()),
            word(clean(&finding.kind)),
            word(clean(&place(finding))),
            word(clean(&who(finding))),
            number(finding.count),
            word(decision.map_or_else(|| "-".to_owned(), |id| id.to_string())),
        ]);
    }
    grid.text()
}

pub(super) fn place(finding: &Finding) -> String {
    let endpoint = finding.endpoint.as_deref().unwrap_or_default();
    if endpoint.is_empty() { finding.service.to_string() } else { format!("{}:{endpoint}", finding.service) }
}

pub(super) fn who(finding: &Finding) -> String {
    finding.subject().map_or_else(|| "-".to_owned(), |subject| format!("{} {subject}", subject.kind().name()))
}

/// One finding in full.
fn full(report: &FindingReport) -> String {
    let FindingReport { finding, decision } = report;
    let mut text = String::new();
    let mut line = |title: &str, value: String| {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{title:<12} {}", clean(&value));
    };
    line("finding", format!("{} ({} {}, {})", finding.id, finding.filter, finding.kind, finding.risk.name()));
    line("where", place(finding));
    line("severity", format!("{}, confidence {} of 100", finding.severity.name(), finding.confidence));
    line("seen", format!("{} times, {} to {}", finding.count, time(finding.first), time(finding.last)));
    for subject in &finding.subjects {
        line("who", format!("{} {subject}", subject.kind().name()));
    }
    for Fact { name, value } in &finding.facts {
        let value = match value {
            FactValue::Count(count) => grouped(*count),
            FactValue::Word(word) => word.to_string(),
        };
        line("evidence", format!("{name}: {value}"));
    }
    line("mend", finding.fix.to_string());
    if let Some(one) = &finding.suggestion {
        let (kind, lasts) = (one.subject.kind().name(), span(one.lasts));
        line("suggested", format!("{} {kind} {} in {} for {lasts}", one.action.name(), one.subject, one.scope));
        line("", format!("enforcer findings decide {}", finding.id));
    }
    if let Some(id) = decision {
        line("decided", id.to_string());
    }
    text.truncate(text.trim_end().len());
    text
}

/// `filters`.
pub(super) fn filters(args: &FiltersArgs, globals: &Globals, out: &mut Out) -> Result<Exit, Failure> {
    if let Some(FilterCommand::Restart { filter, service }) = &args.command {
        let request = Request::RestartFilter { filter: filter.clone(), service: service.clone() };
        Client::open(globals)?.call::<()>(&request)?;
        out.report(&serde_json::json!({ "restarted": filter }), |_| format!("{filter} begins anew on {service}"))?;
        return Ok(Exit::Done);
    }
    let filters: Vec<FilterReport> = Client::open(globals)?.call(&Request::Filters)?;
    let colour = out.colour;
    out.report(&filters, |filters| filters_table(filters, colour))?;
    Ok(Exit::Done)
}

fn filters_table(filters: &[FilterReport], colour: bool) -> String {
    let mut grid =
        Grid::new(&["SERVICE", "FILTER", "MODE", "STATE", "CALLS", "EACH", "HELD", "SIGNS", "WHAT IT FINDS"], colour);
    for one in filters {
        let running = one.stopped.as_deref().unwrap_or("runs");
        grid.row([
            word(&one.service),
            word(clean(&named(one))),
            word(&one.mode),
            state(running, if one.stopped.is_some() { Mood::Bad } else { Mood::Good }),
            number(one.calls),
            word(format!("{:.1} us", micros(one.total_nanos / one.calls.max(1)))),
            word(format!("{} KiB", grouped(one.held_bytes >> 10))),
            number(one.signs),
            word(clean(&one.title)),
        ]);
    }
    grid.text()
}

/// The name, and of a module its version.
fn named(one: &FilterReport) -> String {
    one.version.as_ref().map_or_else(|| one.filter.clone(), |version| format!("{} {version}", one.filter))
}

#[expect(clippy::cast_precision_loss, reason = "for people")]
fn micros(nanos: u64) -> f64 {
    nanos as f64 / 1000.0
}
