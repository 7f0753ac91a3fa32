//! A content as TOML, so that it can live in git and be compared.
//!
//! In: a content. Out: text that [`Document::parse`](super::Document::parse) reads back. Never here: raw identities: tokens are written as
//! digests.
use std::collections::BTreeMap;
use std::fmt::{Display, Write as _};

use enforcer_common::Rate;

use super::{Allow, Base, Cell, Forwarded, IdentityPlace, Service, Terms};
use crate::revision::{Content, Entry};
use crate::{Moment, Subject};

/// The whole content; of the decisions only those that stand in files, unless `all`.
pub fn to_toml(content: &Content, all: bool) -> String {
    let mut text = String::new();
    base(&mut text, content.base());
    for entry in content.entries().filter(|entry| all || entry.written) {
        decision(&mut text, entry);
    }
    text
}

fn base(text: &mut String, base: &Base) {
    for (name, one) in &base.services {
        service(text, name, one);
    }
    for (name, filter) in &base.filters {
        line(text, format_args!("[filter.{name}]"));
        line(text, format_args!("title = {}", quoted(&filter.title)));
        line(text, format_args!("risk = {}", quoted(&filter.risk)));
        line(text, format_args!("parameters = {}\n", inline(&filter.parameters)));
    }
    for (filter, row) in &base.matrix {
        line(text, format_args!("[matrix.{filter}]"));
        for (service, one) in row {
            line(text, format_args!("{service} = {}", cell(one)));
        }
        text.push('\n');
    }
    for (name, hosts) in &base.groups {
        line(text, format_args!("[group.{name}]\nhosts = {}\n", list(hosts)));
    }
    for Allow { network, kind, reason, groups } in &base.allow {
        line(text, format_args!("[[allow]]\nnetwork = \"{network}\"\nas = \"{}\"", kind.name()));
        closing(text, reason, groups);
    }
}

fn service(text: &mut String, name: &str, service: &Service) {
    line(text, format_args!("[service.{name}]\nports = {:?}", service.ports));
    for (key, values) in [("hosts", &service.hosts), ("paths", &service.paths), ("owners", &service.owners)] {
        line(text, format_args!("{key} = {}", list(values)));
    }
    let mut kinds: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for identity in &service.identities {
        kinds.entry(identity.kind.name()).or_default().push(place(&identity.place));
    }
    for (kind, places) in &kinds {
        line(text, format_args!("{kind} = [{}]", places.join(", ")));
    }
    terms(text, &service.terms);
    line(text, format_args!("facts = {}\n", inline(&service.facts)));
}

fn terms(text: &mut String, terms: &Terms) {
    let keys = [
        (terms.observe, "mode = \"observe\""),
        (terms.deny_ambiguous, "ambiguous = \"deny\""),
        (terms.strict, "strict = true"),
        (terms.proxy_protocol, "proxy_protocol = true"),
        (terms.sample == Some(0), "sample = \"none\""),
    ];
    keys.into_iter().filter(|(said, _)| *said).for_each(|(_, key)| line(text, key));
    if let Some(parts) = terms.sample.filter(|parts| *parts > 0) {
        line(text, format_args!("sample = \"1/{parts}\""));
    }
    if !terms.forwarded.is_empty() {
        let rule =
            |Forwarded { header, single }: &Forwarded| format!("{{header = {}, single = {single}}}", quoted(header));
        line(text, format_args!("forwarded = [{}]", terms.forwarded.iter().map(rule).collect::<Vec<_>>().join(", ")));
    }
    if !terms.groups.is_empty() {
        line(text, format_args!("groups = {}", list(&terms.groups)));
    }
}

fn place(place: &IdentityPlace) -> String {
    match place {
        IdentityPlace::Bearer => "{bearer = true}".to_owned(),
        IdentityPlace::Cookie(name) => format!("{{cookie = {}}}", quoted(name)),
        IdentityPlace::Header(name, None) => format!("{{header = {}}}", quoted(name)),
        IdentityPlace::Header(name, Some(pattern)) => {
            format!("{{header = {}, pattern = {}}}", quoted(name), quoted(pattern))
        }
    }
}

fn cell(cell: &Cell) -> String {
    if cell.parameters.is_empty() {
        return quoted(cell.mode.name());
    }
    let inner = inline(&cell.parameters);
    format!("{{mode = \"{}\", {}", cell.mode.name(), inner.trim_start_matches('{'))
}

fn decision(text: &mut String, entry: &Entry) {
    let decision = &entry.decision;
    line(text, format_args!("[[decision]]\n{}", subject(&decision.subject)));
    line(
        text,
        format_args!("scope = {}\naction = \"{}\"", quoted(&decision.scope.to_string()), decision.action.name()),
    );
    if let Some(Rate { per_minute, .. }) = decision.rate {
        line(text, format_args!("rate = \"{per_minute}/m\""));
    }
    if let Some(until) = decision.until {
        line(text, format_args!("until = {}", rfc3339(until)));
    }
    closing(text, &decision.note.reason, &entry.groups);
}

fn subject(subject: &Subject) -> String {
    let kind = subject.kind().name();
    match subject.token() {
        Some(token) => format!("{kind} = {{digest = \"{:016x}\", masked = {}}}", token.digest, quoted(&token.masked)),
        None => format!("{kind} = \"{subject}\""),
    }
}

fn closing(text: &mut String, reason: &str, groups: &[String]) {
    if !reason.is_empty() {
        line(text, format_args!("reason = {}", quoted(reason)));
    }
    if !groups.is_empty() {
        line(text, format_args!("groups = {}", list(groups)));
    }
    text.push('\n');
}

fn line(text: &mut String, line: impl Display) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{line}");
}

fn list<'t>(texts: impl IntoIterator<Item = &'t String>) -> String {
    let quoted: Vec<String> = texts.into_iter().map(|text| quoted(text)).collect();
    format!("[{}]", quoted.join(", "))
}

fn inline(map: &BTreeMap<String, String>) -> String {
    let pairs: Vec<String> = map.iter().map(|(key, value)| format!("{} = {}", quoted(key), quoted(value))).collect();
    format!("{{{}}}", pairs.join(", "))
}

/// A basic string of TOML.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            letter if letter.is_control() => drop(write!(quoted, "\\u{:04X}", u32::from(letter))),
            letter => quoted.push(letter),
        }
    }
    quoted.push('"');
    quoted
}

/// `2026-12-31T23:00:00Z`.
pub fn rfc3339(moment: Moment) -> String {
    let (days, millis) = (moment.0 / 86_400_000, moment.0 % 86_400_000);
    let (year, month, day) = civil(days);
    let (seconds, rest) = (millis / 1000, millis % 1000);
    let fraction = if rest == 0 { String::new() } else { format!(".{rest:03}") };
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}Z")
}

/// The Gregorian date of a day since 1970. Years begin in March here, so that the leap day comes last.
const fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = era * 400 + year + if month <= 2 { 1 } else { 0 };
    (year, month, day)
}
