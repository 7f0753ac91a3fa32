//! The sections of the file that stand for themselves: agent, fastpath, limits, allow.
//!
//! In: the document as a [`Section`]. Out: their part of the [`Config`]. Never here: services (see `service.rs`).
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use enforcer_common::{AllowKind, Prefix};

use super::crowdsec::crowdsec;
use super::filters::{Others, filters};
use super::modules::{modules, trusted};
use super::network::parse_network;
use super::reader::{Report, Section, Value, shown};
use super::service::{interfaces, services};
use super::{Agent, AllowEntry, Config, FastPath, Filters, Limits, LostAgent, Mode, format_duration, parse_duration};

/// Reads the whole file.
pub(super) fn config(mut root: Section<'_>, report: &mut Report) -> Config {
    let agent = root.section(report, "agent").map_or_else(Agent::default, |section| agent(section, report));
    let fastpath = root.section(report, "fastpath").map_or_else(FastPath::default, |section| fastpath(section, report));
    let limits = root.section(report, "limits").map_or_else(Limits::default, |section| limits(section, report));
    let modules = modules(root.sections(report, "module"), report);
    let trusted = root.section(report, "published").map_or_else(Vec::new, |section| trusted(section, report));
    let others = Others { modules: &modules, published: !trusted.is_empty() };
    let services = services(root.sections(report, "service"), &fastpath.interfaces, others, report);
    let allow = allow(root.sections(report, "allow"), limits.allow, report);
    let filters = root.section(report, "filters");
    let filters = filters.map_or_else(Filters::new, |section| self::filters(&section, others, report));
    let crowdsec = root.section(report, "crowdsec").and_then(|section| crowdsec(section, report));
    root.finish(report);
    let published = BTreeMap::new();
    Config { agent, fastpath, limits, services, allow, filters, modules, trusted, published, crowdsec }
}

fn agent(mut section: Section<'_>, report: &mut Report) -> Agent {
    let mut agent = Agent::default();
    if let Some(path) = path(&mut section, report, "state_dir", PATH_BYTES) {
        agent.identity_key = Agent::default_key(&path);
        agent.state_dir = path;
    }
    if let Some(path) = path(&mut section, report, "socket", SOCKET_BYTES) {
        agent.socket = path;
    }
    if let Some(path) = path(&mut section, report, "bpffs", PATH_BYTES) {
        agent.bpffs = path;
    }
    if let Some(path) = path(&mut section, report, "identity_key", PATH_BYTES) {
        agent.identity_key = path;
    }
    if let Some(value) = section.find(report, "socket_group") {
        agent.socket_group = group(&value, report);
    }
    if let Some(value) = section.find(report, "metrics") {
        agent.metrics = value.text(report).filter(|text| *text != "off").and_then(|text| {
            let address = text.parse().ok();
            if address.is_none() {
                let what = format!("{} is not an address with a port", shown(text));
                value.refuse(report, what, "write one such as 127.0.0.1:9920 or [::1]:9920, or \"off\"");
            }
            address
        });
    }
    if let Some(value) = section.find(report, "lost_agent") {
        agent.lost_agent = lost_agent(&value, report).unwrap_or(agent.lost_agent);
    }
    section.finish(report);
    agent
}

/// An absolute path of at most `most` bytes.
fn path(section: &mut Section<'_>, report: &mut Report, key: &'static str, most: usize) -> Option<PathBuf> {
    let value = section.find(report, key)?;
    let text = value.text(report)?;
    if !text.starts_with('/') {
        value.refuse(report, format!("{} is not an absolute path", shown(text)), "begin the path with a slash");
    } else if text.len() > most {
        value.refuse(
            report,
            format!("the path has {} bytes", text.len()),
            format!("choose one of at most {most} bytes"),
        );
    } else {
        return Some(PathBuf::from(text));
    }
    None
}

fn group(value: &Value<'_>, report: &mut Report) -> Option<String> {
    let name = value.text(report)?;
    let valid = name.len() <= 32 && !name.contains(|c: char| c.is_whitespace() || matches!(c, ':' | ',' | '/'));
    if !valid {
        let what = format!("{} is not the name of a group", shown(name));
        value.refuse(report, what, "write a name from the group database, such as \"secops\"");
    }
    valid.then(|| name.to_owned())
}

fn lost_agent(value: &Value<'_>, report: &mut Report) -> Option<LostAgent> {
    let text = value.text(report)?;
    if text == "keep" {
        return Some(LostAgent::Keep);
    }
    let Some(duration) = text.strip_prefix("pass-after ") else {
        value.refuse(report, format!("{} is not known here", shown(text)), "write \"keep\" or \"pass-after 30s\"");
        return None;
    };
    match parse_duration(duration) {
        Ok(duration) if LEASE.contains(&duration) => return Some(LostAgent::PassAfter(duration)),
        Ok(duration) => {
            let what = format!("{} is out of range", format_duration(duration));
            let (low, high) = (format_duration(*LEASE.start()), format_duration(*LEASE.end()));
            value.refuse(report, what, format!("write a duration from {low} to {high}, such as \"pass-after 30s\""));
        }
        Err(error) => value.refuse(report, error.to_string(), "write \"keep\" or \"pass-after 30s\""),
    }
    None
}

fn fastpath(mut section: Section<'_>, report: &mut Report) -> FastPath {
    let interfaces = section.find(report, "interfaces").map_or_else(Vec::new, |value| interfaces(&value, report));
    let mode = section.find(report, "mode").and_then(|value| {
        value.choice(report, &[("auto", Mode::Auto), ("generic", Mode::Generic), ("native", Mode::Native)])
    });
    section.finish(report);
    FastPath { interfaces, mode: mode.unwrap_or_default() }
}

fn limits(mut section: Section<'_>, report: &mut Report) -> Limits {
    let mut limits = Limits::default();
    for (key, range, field) in [
        ("addresses_v4", 1..=16_777_216, &mut limits.addresses_v4),
        ("addresses_v6", 1..=16_777_216, &mut limits.addresses_v6),
        ("spill", 1..=1_048_576, &mut limits.spill),
        ("flows", 1..=4_194_304, &mut limits.flows),
        ("identities", 1..=4_194_304, &mut limits.identities),
        ("allow", 1..=65_536, &mut limits.allow),
        ("refused_connections", 16..=1_048_576, &mut limits.refused_connections),
        ("streams", 16..=1_048_576, &mut limits.streams),
        ("heads", 16..=65_536, &mut limits.heads),
        ("buckets", 16..=1_048_576, &mut limits.buckets),
        ("session_users", 16..=4_194_304, &mut limits.session_users),
        ("ring_bytes", RING, &mut limits.ring_bytes),
        ("sample_bytes", RING, &mut limits.sample_bytes),
        ("spool_bytes", 1 << 20..=1 << 30, &mut limits.spool_bytes),
        ("events_per_second", 1..=1_000_000, &mut limits.events_per_second),
    ] {
        let Some(value) = section.find(report, key) else { continue };
        let Some(number) = value.integer(report, range) else { continue };
        if matches!(key, "ring_bytes" | "sample_bytes") && !number.is_power_of_two() {
            let larger = number.next_power_of_two();
            value.refuse(
                report,
                format!("{number} is not a power of two"),
                format!("write {} or {larger}", larger / 2),
            );
        }
        *field = number;
    }
    section.finish(report);
    limits
}

fn allow(sections: Vec<Section<'_>>, most: u32, report: &mut Report) -> Vec<AllowEntry> {
    let mut entries = Vec::new();
    let mut lines = BTreeMap::new();
    for mut section in sections {
        if entries.len() == usize::try_from(most).unwrap_or(usize::MAX) {
            section.refuse(
                report,
                format!("there are more than {most} entries"),
                "raise limits.allow or join networks",
            );
            break;
        }
        let prefix =
            section.need(report, "network", "\"10.0.0.0/8\"").and_then(|value| network(&value, &mut lines, report));
        let kind = section
            .need(report, "as", "\"full\" or \"proxy\"")
            .and_then(|value| value.choice(report, &[("full", AllowKind::Full), ("proxy", AllowKind::Proxy)]));
        section.finish(report);
        entries.extend(prefix.zip(kind).map(|(prefix, kind)| AllowEntry { prefix, kind }));
    }
    entries
}

/// A network that no earlier entry has; `lines` holds where they stand.
fn network(value: &Value<'_>, lines: &mut BTreeMap<Prefix, usize>, report: &mut Report) -> Option<Prefix> {
    let text = value.text(report)?;
    let prefix = match parse_network(text) {
        Ok(prefix) => prefix,
        Err(error) => {
            value.refuse(report, format!("{}: {error}", shown(text)), error.mend());
            return None;
        }
    };
    if let Some(line) = lines.insert(prefix, value.line(report)) {
        value.refuse(report, format!("{prefix} is already on line {line}"), "keep one of the two");
    }
    Some(prefix)
}

/// Shorter and a slow agent would look like a lost one; longer and the lease protects nobody.
const LEASE: RangeInclusive<Duration> = Duration::from_secs(2)..=Duration::from_hours(24);
/// A page at least; the kernel wants a power of two.
const RING: RangeInclusive<u32> = 4096..=1 << 28;
const PATH_BYTES: usize = 4095;
/// What fits into a socket address, with the zero at the end.
const SOCKET_BYTES: usize = 107;
