//! `report`: a month of this host on one page.
//!
//! In: a month, what the agent answers. Out: HTML, or the same as JSON. Never here: what stands in it (the report room).
use super::apis::inventory;
use super::args::{Format, Globals, ReportArgs};
use super::client::Client;
use super::failure::Failure;
use super::findings::page as findings;
use super::now;
use super::out::Out;
use crate::report::{Decided, Month, Report, Sources, page};
use crate::wire::{ApiLine, Exit, ListReport, ListRequest, Request, StatusReport};

/// `report`.
pub(super) fn report(args: &ReportArgs, globals: &Globals, out: &mut Out) -> Result<Exit, Failure> {
    let now = now();
    let month = args.month.or_else(|| Month::of(now)).ok_or(Failure::Usage {
        message: "the clock of this host says no month".to_owned(),
        hint: "name one with --month 2026-11",
    })?;
    let report = Report::of(sources(globals, month)?, month);
    let text = match out.format {
        Format::Json => serde_json::to_string(&report).map_err(|error| Failure::Output(error.into()))?,
        Format::Table => page(&report),
    };
    match &args.file {
        None => out.text(&text)?,
        Some(path) => {
            std::fs::write(path, text).map_err(|source| Failure::file("write", path, source))?;
            out.note(format_args!("{}: {month} of {}", path.display(), report.host));
        }
    }
    Ok(Exit::Done)
}

fn sources(globals: &Globals, month: Month) -> Result<Sources, Failure> {
    let status: Box<StatusReport> = Client::open(globals)?.call(&Request::Status)?;
    let found = findings(globals, None, None, FINDINGS)?;
    let endpoints = inventory(None, globals)?.list(None).iter().map(ApiLine::from).collect();
    Ok(Sources {
        now: now(),
        host: host_name(),
        status: *status,
        filters: Client::open(globals)?.call(&Request::Filters)?,
        findings: found.findings,
        all_findings: found.total,
        exceptions: found.exceptions,
        endpoints,
        decisions: decided(globals, month)?,
    })
}

/// Page by page: there may be a million.
fn decided(globals: &Globals, month: Month) -> Result<Decided, Failure> {
    let mut client = Client::open(globals)?;
    let mut request = ListRequest { kind: None, scope: None, after: None, limit: PAGE };
    let mut decided = Decided::default();
    loop {
        let page: ListReport = client.call(&Request::List(request.clone()))?;
        page.decisions.iter().for_each(|decision| decided.count(decision, month));
        request.after = page.next;
        if request.after.is_none() {
            return Ok(decided);
        }
    }
}

/// As the kernel calls this host.
fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    if name.trim().is_empty() { "this host".to_owned() } else { name.trim().to_owned() }
}

/// Findings that are asked for.
const FINDINGS: u32 = 1000;
/// Decisions asked for at a time.
const PAGE: u32 = 5000;
