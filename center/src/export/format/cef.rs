//! Common Event Format, version 0.
//!
//! In: an event. Out: one line; what CEF has no key for is in `cs1` to `cs6`, each with its label. Never here: the syslog header.
use std::fmt::Write as _;

use enforcer_policy::{Event, Moment};

use super::{endpoint, id, severity};
use crate::store::KeptEvent;

/// The line of an event.
pub(super) fn line(kept: &KeptEvent) -> String {
    let event = &kept.event;
    let (kind, what) = (event.kind.name(), &event.what);
    let mut line = format!(
        "CEF:0|Enforcer|Enforcer|{}|{}|{}|{}|",
        env!("CARGO_PKG_VERSION"),
        head(&format!("{kind}:{what}")),
        head(&format!("{kind} {what}")),
        severity(event) * 2
    );
    let mut first = true;
    for (key, value) in keys(kept).into_iter().filter_map(|(key, value)| Some((key, value?))) {
        let blank = if first { "" } else { " " };
        // Writing to a string cannot fail.
        let _ = write!(line, "{blank}{key}={}", extension(&value));
        first = false;
    }
    for (number, (label, value)) in (1..).zip(labelled(event)) {
        let Some(value) = value else { continue };
        let _ = write!(line, " cs{number}Label={label} cs{number}={}", extension(&value));
    }
    line
}

fn keys(kept: &KeptEvent) -> [(&'static str, Option<String>); 13] {
    let event = &kept.event;
    let own = |text: &str| Some(text.to_owned());
    [
        ("rt", Some(event.time.0.to_string())),
        ("start", event.last.map(|_| event.time.0.to_string())),
        ("end", event.last.map(|Moment(last)| last.to_string())),
        ("externalId", Some(id(kept))),
        ("dvchost", own(&kept.host)),
        ("act", event.verdict.clone()),
        ("app", event.service.clone()),
        ("src", event.source.map(|source| source.to_string())),
        ("requestMethod", endpoint(event).and_then(|(method, _)| own(method))),
        ("request", endpoint(event).and_then(|(_, path)| own(path))),
        ("cnt", event.count.map(|count| count.to_string())),
        ("suser", event.who.clone()),
        ("msg", own(&event.message)),
    ]
}

fn labelled(event: &Event) -> [(&'static str, Option<String>); 6] {
    let subject = event.subject_kind.clone().map(|kind| match &event.subject {
        Some(subject) => format!("{kind} {subject}"),
        None => kind,
    });
    [
        ("decision", event.decision.map(|id| id.to_string())),
        ("subject", subject),
        ("filter", event.filter.clone()),
        ("risk", event.risk.clone()),
        ("finding", event.finding.clone()),
        ("confidence", event.confidence.map(|confidence| confidence.to_string())),
    ]
}

/// A field of the header: bars and backslashes are escaped.
fn head(text: &str) -> String {
    plain(text).replace('\\', "\\\\").replace('|', "\\|")
}

/// A value: backslashes and equal signs are escaped.
fn extension(text: &str) -> String {
    plain(text).replace('\\', "\\\\").replace('=', "\\=")
}

/// Events have no control characters; one that came from elsewhere must not begin a line of its own.
fn plain(text: &str) -> String {
    text.replace(char::is_control, " ")
}
