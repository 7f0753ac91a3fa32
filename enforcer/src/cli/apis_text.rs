//! How APIs look in tables. In: reports. Out: text. Never here: where they come from.
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use enforcer_insight::inventory::DriftKind;
use enforcer_policy::Moment;

use super::table::{Grid, Mood, clean, grouped, maybe, number, right, span, state, time, word};
use crate::wire::{
    ApiConsumers, ApiField, ApiLine, ApiOwner, ApiReport, ApiService, ApiSpread, ApisReport, DriftReport,
};

/// A score from here on is worth a look, and from there a hurry.
const DOUBTFUL: u8 = 20;
const BAD: u8 = 50;

/// One line for each endpoint, and one for each service about what is no endpoint.
pub(super) fn list(report: &ApisReport, now: Moment, colour: bool) -> String {
    let titles =
        ["SERVICE", "METHOD", "PATH", ">CALLS", ">REFUSED", ">ERRORS", ">CLIENTS", "AUTH", ">P95", "LAST", ">RISK"];
    let mut grid = Grid::new(&titles, colour);
    for line in &report.endpoints {
        grid.row([
            word(&line.service),
            word(&line.method),
            word(&line.path),
            number(line.calls),
            number(line.refused),
            number(line.errors),
            number(line.clients),
            word(line.auth.join(",")),
            right(line.first_byte_p95_micros.map_or_else(|| "-".to_owned(), micros)),
            maybe(line.last.map(|last| ago(last, now))),
            risk(line.risk),
        ]);
    }
    let mut text = if report.endpoints.is_empty() { "no APIs were called\n".to_owned() } else { grid.text() };
    report.services.iter().filter_map(rest).for_each(|rest| text += &rest);
    for service in &report.services {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{}: {}", clean(&service.name), answered(&service.owners));
    }
    text
}

/// Who answers for a service.
fn answered(owners: &[ApiOwner]) -> String {
    if owners.is_empty() {
        return "who answers is not known: no socket of this network namespace listens on its ports".to_owned();
    }
    let each: Vec<String> = owners.iter().map(owner).collect();
    format!("answered by {}", each.join("; "))
}

/// The process, what it belongs to, where it listens.
fn owner(owner: &ApiOwner) -> String {
    let process = owner.process.as_deref().unwrap_or("a process that may not be looked at");
    let pod = owner.pod.as_ref().map(|pod| format!("pod {pod}"));
    let container = owner.container.as_ref().map(|container| format!("container {}", short(container)));
    let parts = [owner.unit.clone(), container, pod, Some(format!("user {}", owner.user))];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    clean(&format!("{process} ({}) on {}", parts.join(", "), owner.address))
}

/// As much of a container's id as its runtime shows.
fn short(container: &str) -> &str {
    let (runtime, id) = container.split_once(':').unwrap_or(("", container));
    let hex = id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    container.get(..runtime.len() + 13).filter(|_| hex).unwrap_or(container)
}

/// What of a service is in no endpoint; nothing when everything is.
fn rest(service: &ApiService) -> Option<String> {
    let unmatched: Vec<String> =
        service.unmatched.iter().map(|(status, count)| format!("{} x {status}", grouped(*count))).collect();
    let forgotten: Vec<String> = service
        .forgotten
        .iter()
        .map(|(limit, count)| format!("{} over the limit of {limit}", grouped(*count)))
        .collect();
    let unanswered = (service.unanswered > 0).then(|| format!("{} without an answer", grouped(service.unanswered)));
    let parts = [unmatched, forgotten, unanswered.into_iter().collect()].concat();
    (!parts.is_empty()).then(|| format!("{}: calls of no endpoint: {}\n", clean(&service.name), parts.join(", ")))
}

/// One endpoint in all detail.
pub(super) fn show(report: &ApiReport, now: Moment, colour: bool) -> String {
    let line = &report.endpoint;
    let mut text = format!("{} {} of {}\n", clean(&line.method), clean(&line.path), clean(&line.service));
    for (name, value) in facts(report, now) {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  {name:<12} {value}");
    }
    for reason in &report.risk {
        let _ = writeln!(text, "  {:>12} {}", format!("+{}", reason.points), reason.why);
    }
    for (title, fields) in [("QUERY", &report.query), ("REQUEST", &report.request), ("ANSWER", &report.answer)] {
        if !fields.is_empty() {
            let _ = write!(text, "\n{}", table(title, fields, colour));
        }
    }
    text
}

fn facts(report: &ApiReport, now: Moment) -> Vec<(&'static str, String)> {
    let line = &report.endpoint;
    let (times, sizes) =
        (|spread| spread_of(spread, micros), |spread| spread_of(spread, |bytes| format!("{} B", grouped(bytes))));
    vec![
        ("calls", calls(line, now)),
        ("statuses", counts(&report.statuses)),
        ("credentials", counts(&report.auth)),
        ("callers", consumers(report.consumers)),
        ("first byte", times(report.first_byte_micros)),
        ("whole", times(report.whole_micros)),
        ("requests", [sizes(report.request_bytes), counts(&report.request_types)].join("; ")),
        ("answers", [sizes(report.answer_bytes), counts(&report.answer_types)].join("; ")),
        ("data", data(report)),
        ("served", answered(&report.owners)),
        ("risk", format!("{} of 100", line.risk)),
    ]
}

fn calls(line: &ApiLine, now: Moment) -> String {
    let since = line.first.map_or_else(|| "-".to_owned(), time);
    let last = line.last.map_or_else(|| "-".to_owned(), |last| ago(last, now));
    let (calls, refused, open) = (grouped(line.calls), grouped(line.refused), grouped(line.open));
    format!("{calls} since {since}, the last {last}; {refused} refused; {open} served without credentials")
}

fn counts<K: ToString>(counts: &BTreeMap<K, u64>) -> String {
    let each = counts.iter().map(|(name, count)| format!("{} x {}", grouped(*count), clean(&name.to_string())));
    Some(each.collect::<Vec<_>>().join(", ")).filter(|text| !text.is_empty()).unwrap_or_else(|| "-".to_owned())
}

fn consumers(who: ApiConsumers) -> String {
    let all = [
        (who.clients, "clients"),
        (who.devices, "devices"),
        (who.sessions, "sessions"),
        (who.users, "users"),
        (who.keys, "keys"),
    ];
    let known = all.iter().filter(|(count, _)| *count > 0);
    known.map(|(count, name)| format!("{name}: {}", grouped(*count))).collect::<Vec<_>>().join(", ")
}

fn spread_of(spread: Option<ApiSpread>, one: impl Fn(u64) -> String) -> String {
    let all = |spread: ApiSpread| format!("{} (95 %: {}, 99 %: {})", one(spread.p50), one(spread.p95), one(spread.p99));
    spread.map_or_else(|| "-".to_owned(), all)
}

fn data(report: &ApiReport) -> String {
    let each = report
        .data
        .iter()
        .map(|data| clean(&format!("{} x {} in {} {}", grouped(data.count), data.class, data.place, data.field)));
    Some(each.collect::<Vec<_>>().join(", ")).filter(|text| !text.is_empty()).unwrap_or_else(|| "-".to_owned())
}

fn table(title: &str, fields: &[ApiField], colour: bool) -> String {
    let mut grid = Grid::new(&[title, "TYPES", ">SEEN"], colour);
    for field in fields {
        let name = if field.name.is_empty() { "(all of it)" } else { &field.name };
        grid.row([word(name), word(field.types.join(", ")), number(field.seen)]);
    }
    grid.text()
}

/// One line for each difference.
pub(super) fn drift(report: &DriftReport, colour: bool) -> String {
    let (endpoints, operations) = (grouped(report.endpoints), grouped(report.operations));
    if report.differences.is_empty() {
        return format!("no difference: {endpoints} endpoints, {operations} operations\n");
    }
    let mut grid = Grid::new(&["DIFFERENCE", "METHOD", "PATH", "FIELD", "SPECIFIED", "SEEN"], colour);
    for one in &report.differences {
        let mood = match one.kind {
            DriftKind::MissingAuth | DriftKind::Shadow => Mood::Bad,
            DriftKind::ChangedType | DriftKind::Deprecated | DriftKind::Undocumented | DriftKind::Zombie => {
                Mood::Doubtful
            }
        };
        grid.row([
            state(one.kind.name(), mood),
            word(&one.method),
            word(&one.path),
            maybe(one.field.as_ref()),
            maybe(one.specified.as_ref()),
            maybe(one.seen.as_ref()),
        ]);
    }
    grid.text() + &format!("{} differences: {endpoints} endpoints, {operations} operations\n", report.differences.len())
}

pub(super) fn risk(score: u8) -> comfy_table::Cell {
    let mood = match score {
        0..DOUBTFUL => Mood::Good,
        DOUBTFUL..BAD => Mood::Doubtful,
        BAD.. => Mood::Bad,
    };
    state(&score.to_string(), mood).set_alignment(comfy_table::CellAlignment::Right)
}

fn micros(micros: u64) -> String {
    span(Duration::from_micros(micros))
}

pub(super) fn ago(moment: Moment, now: Moment) -> String {
    format!("{} ago", span(moment.until(now)))
}
