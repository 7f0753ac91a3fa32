//! `allow`: the list that beats every decision.
//!
//! In: typed arguments. Out: a request, then what became of it. Never here: which entries come from the configuration.
use enforcer_policy::parse_prefix;

use super::args::{AllowArgs, Format, Globals};
use super::client::Client;
use super::decisions;
use super::failure::Failure;
use super::out::Out;
use super::table::{clean, end};
use crate::wire::{AllowReport, AllowRequest, AllowedEntry, Exit, Request};

/// `allow`.
pub(super) fn allow(args: AllowArgs, globals: &Globals, out: &mut Out) -> Result<Exit, Failure> {
    // The parser lets nothing through without a network but --list.
    let Some(network) = args.network.clone() else { return list(globals, out) };
    let request = Request::Allow(meaning(args, &network)?);
    let report = Client::open(globals)?.call(&request)?;
    out.report(&report, text).map(|()| Exit::Done)
}

fn list(globals: &Globals, out: &mut Out) -> Result<Exit, Failure> {
    let entries: Vec<AllowedEntry> = Client::open(globals)?.call(&Request::Allowlist)?;
    if entries.is_empty() && out.format == Format::Table {
        out.note("the allowlist is empty");
        return Ok(Exit::Done);
    }
    let colour = out.colour;
    out.report(&entries, |entries| decisions::allowlist(entries, super::now(), colour)).map(|()| Exit::Done)
}

fn meaning(args: AllowArgs, network: &str) -> Result<AllowRequest, Failure> {
    let wrong = |error| Failure::Usage { message: format!("{network:?}: {error}"), hint: "" };
    let prefix = parse_prefix(network).map_err(wrong)?;
    let AllowArgs { kind, duration, reason, remove, .. } = args;
    Ok(AllowRequest { prefix, kind, duration, reason, remove })
}

fn text(report: &AllowReport) -> String {
    let entry = &report.entry;
    clean(&format!(
        "{}: {} as {}, ends {}",
        report.change.name(),
        entry.network,
        entry.kind.name(),
        end(entry.until, super::now())
    ))
}
