//! `fleet`: what the center knows of all hosts.
//!
//! In: a center, and what is wanted of it. Out: events of hosts, oldest first; how sources of decisions are. Never here: events of this host
//! (`events`), APIs (`fleet_apis`), policy.
use std::collections::BTreeMap;
use std::fmt::Write as _;

use enforcer_policy::{Event, Moment};
use hyper::Method;
use serde::{Deserialize, Serialize};

use super::args::{CenterArgs, FleetCommand, FleetEventsArgs, Globals};
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
        FleetCommand::Accept { name, center } => accept(name, center, out),
        FleetCommand::Events(args) => events(args, out),
        FleetCommand::Sources(center) => sources(center, out),
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

/// Sources as the center shows them.
#[derive(Serialize, Deserialize)]
struct Sources {
    items: Vec<Source>,
}

#[derive(Serialize, Deserialize)]
struct Source {
    name: String,
    heard: Option<Moment>,
    changed: Option<Moment>,
    wanted: u64,
    held: u64,
    left_out: Vec<LeftOut>,
    ignored: BTreeMap<String, u64>,
    failing: Option<Trouble>,
    waiting: Option<Trouble>,
    list: Option<ListRead>,
}

/// How a list was read last.
#[derive(Serialize, Deserialize)]
struct ListRead {
    format: String,
    lines: u64,
    networks: u64,
    addresses: u64,
    folded: u64,
    rejected: u64,
    removed: BTreeMap<String, u64>,
    not_taken: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct LeftOut {
    why: String,
    count: u64,
    such_as: String,
}

#[derive(Serialize, Deserialize)]
struct Trouble {
    since: Moment,
    why: String,
}

fn sources(center: &CenterArgs, out: &mut Out) -> Result<Exit, Failure> {
    let answer = ask(center, Method::GET, "/v1/sources", Vec::new())?;
    let sources: Sources = serde_json::from_slice(&answer).map_err(SyncError::line)?;
    out.report(&sources, |sources| sources.items.iter().map(Source::lines).collect::<Vec<_>>().join("\n"))?;
    Ok(if sources.items.is_empty() { Exit::Nothing } else { Exit::Done })
}

/// The next reading of a list is believed.
fn accept(name: &str, center: &CenterArgs, out: &mut Out) -> Result<Exit, Failure> {
    ask(center, Method::POST, &format!("/v1/sources/{}/accept", escaped(name)), Vec::new())?;
    out.done(&format!(
        "{}: it is read now, and believed, whatever its size; enforcer fleet sources shows it",
        clean(name)
    ))?;
    Ok(Exit::Done)
}

impl ListRead {
    fn lines(&self) -> Vec<String> {
        let Self { format, lines, networks, addresses, folded, rejected, removed, not_taken } = self;
        let mut said = vec![format!(
            "  {format}, {lines} lines: {networks} networks of {addresses} IPv4 addresses; {folded} folded, {rejected} rejected"
        )];
        said.extend(removed.iter().map(|(why, count)| format!("  removed: {count} {why}")));
        said.extend(not_taken.iter().map(|line| format!("    {line}")));
        said
    }
}

impl Source {
    fn lines(&self) -> String {
        let Self { name, heard, changed, wanted, held, left_out, ignored, failing, waiting, list } = self;
        let when = |moment: &Option<Moment>| moment.map_or_else(|| "never".to_owned(), time);
        let (heard, changed) = (when(heard), when(changed));
        let mut lines = vec![format!("{name:<20}  {held:>8} of {wanted:>8}  heard {heard}  changed {changed}")];
        lines.extend(list.iter().flat_map(ListRead::lines));
        let left_out = left_out.iter();
        lines.extend(left_out.map(|one| format!("  left out: {} {}, such as {}", one.count, one.why, one.such_as)));
        lines.extend(ignored.iter().map(|(why, count)| format!("  means nothing here: {count}, {why}")));
        let troubles = [("failing", failing), ("waiting", waiting)];
        let troubles = troubles.into_iter().filter_map(|(word, trouble)| Some((word, trouble.as_ref()?)));
        lines.extend(troubles.map(|(word, one)| format!("  {word} since {}: {}", time(one.since), one.why)));
        lines.iter().map(|line| clean(line)).collect::<Vec<_>>().join("\n")
    }
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
    fn a_source_tells_what_it_lacks() {
        let text = r#"{"items":[{"name":"crowdsec","heard":null,"changed":null,"wanted":3,"held":1,
            "left_out":[{"why":"decided","count":2,"such_as":"ip 192.0.2.1/32"}],"ignored":{"scope":4},
            "failing":{"since":0,"why":"no connection\u001b[2J"},"waiting":null,
            "list":{"format":"firehol","lines":9,"networks":3,"addresses":257,"folded":1,"rejected":0,"removed":{"special":2},
            "not_taken":["line 7: 10.0.0.0/8 lies in 10.0.0.0/8: private use"]}}]}"#;
        let sources: Sources = serde_json::from_str(text).unwrap();
        let lines = sources.items[0].lines();
        assert!(lines.contains("1 of        3  heard never"), "{lines}");
        assert!(
            lines.contains("firehol, 9 lines: 3 networks of 257 IPv4 addresses")
                && lines.contains("removed: 2 special"),
            "{lines}"
        );
        assert!(lines.contains("    line 7: 10.0.0.0/8"), "{lines}");
        assert!(lines.contains("left out: 2 decided, such as ip 192.0.2.1/32"), "{lines}");
        assert!(lines.contains("means nothing here: 4, scope"), "{lines}");
        assert!(lines.contains("failing since") && !lines.contains('\u{1b}') && !lines.contains("waiting"), "{lines}");
    }

    #[test]
    fn words_cannot_change_the_question() {
        assert_eq!(escaped("edge-1&limit=9 ü"), "edge-1%26limit%3D9%20%C3%BC");
    }
}
