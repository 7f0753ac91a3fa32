//! `fleet`: what the center knows of all hosts.
//!
//! In: a center, and what is wanted of it. Out: events of hosts, oldest first. Never here: events of this host (`events`), APIs (`fleet_apis`), policy.
use std::fmt::Write as _;

use enforcer_policy::{Event, Moment};
use hyper::Method;
use serde::{Deserialize, Serialize};

use super::args::{FleetCommand, FleetEventsArgs, Globals};
use super::failure::Failure;
use super::fleet_apis::fleet_apis;
use super::out::Out;
use super::policy::ask;
use super::table::{clean, time};
use crate::sync::SyncError;
use crate::wire::Exit;

/// Events as the center shows them.
#[derive(Serialize, Deserialize)]
struct Page {
    items: Vec<Kept>,
    next: Option<u64>,
}

#[derive(Serialize, Deserialize)]
struct Kept {
    number: u64,
    host: String,
    spool: String,
    received: Moment,
    #[serde(flatten)]
    event: Event,
}

/// `fleet`.
pub(super) fn fleet(command: &FleetCommand, _: &Globals, out: &mut Out) -> Result<Exit, Failure> {
    match command {
        FleetCommand::Apis(args) => fleet_apis(args, out),
        FleetCommand::Events(args) => events(args, out),
    }
}

fn events(args: &FleetEventsArgs, out: &mut Out) -> Result<Exit, Failure> {
    let answer = ask(&args.center, Method::GET, &path(args), Vec::new())?;
    let page: Page = serde_json::from_slice(&answer).map_err(SyncError::line)?;
    out.report(&page, |page| page.items.iter().map(line).collect::<Vec<_>>().join("\n"))?;
    if let (Some(next), true) = (page.next, out.terminal) {
        out.note(format_args!("there may be more: --after {next}"));
    }
    Ok(if page.items.is_empty() { Exit::Nothing } else { Exit::Done })
}

fn path(args: &FleetEventsArgs) -> String {
    let mut path = format!("/v1/events?after={}&limit={}", args.after, args.limit);
    let words = [("host", &args.host), ("kind", &args.kind), ("service", &args.service)];
    for (name, word) in words.into_iter().filter_map(|(name, word)| Some((name, word.as_deref()?))) {
        let _ = write!(path, "&{name}={}", escaped(word));
    }
    path
}

/// Percent-encoding of whatever is no plain letter or digit.
pub(super) fn escaped(word: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    word.bytes().map(byte).collect()
}

fn line(kept: &Kept) -> String {
    let event = &kept.event;
    let service = event.service.as_deref().unwrap_or("-");
    clean(&format!(
        "{:>8}  {}  {:<16}  {:<8}  {:<20}  {service:<8}  {}",
        kept.number,
        time(event.time),
        kept.host,
        event.kind.name(),
        event.what,
        event.message
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_cannot_change_the_question() {
        assert_eq!(escaped("edge-1&limit=9 ü"), "edge-1%26limit%3D9%20%C3%BC");
    }
}
