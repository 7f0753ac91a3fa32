//! `status`: one page that says whether all is well.
//!
//! In: a [`StatusReport`]. Out: text. Ends with [`Exit::Nothing`] where kernel and policy differ. Never here: rates (`top`).
use std::fmt::Write as _;

use enforcer_common::Verdict;
use enforcer_policy::Moment;

use super::args::Globals;
use super::client::Client;
use super::failure::Failure;
use super::out::Out;
use super::table::{Grid, Mood, clean, grouped, maybe, number, right, span, state, word};
use crate::wire::{CenterReport, Exit, MapFill, PublishedReport, Request, ServiceReport, StatusReport, VerdictCount};

/// `status`.
pub(super) fn status(globals: &Globals, out: &mut Out) -> Result<Exit, Failure> {
    let report: Box<StatusReport> = Client::open(globals)?.call(&Request::Status)?;
    let colour = out.colour;
    out.report(&*report, |report| text(report, super::now(), colour))?;
    Ok(if report.drift.differences > 0 { Exit::Nothing } else { Exit::Done })
}

/// The whole page.
pub(super) fn text(report: &StatusReport, now: Moment, colour: bool) -> String {
    let mut text = facts(report, now, colour);
    let sections = [
        attachments(report, colour),
        services(&report.services, colour),
        published(&report.published, now, colour),
        maps(&report.maps, colour),
    ];
    for section in sections.into_iter().flatten() {
        text.push('\n');
        text.push_str(&section);
    }
    for (at, problem) in report.problems.iter().enumerate() {
        // Writing to a string cannot fail.
        let _ = write!(text, "{}- {}", if at == 0 { "\nProblems:\n" } else { "\n" }, clean(problem));
    }
    text
}

fn facts(report: &StatusReport, now: Moment, colour: bool) -> String {
    let (enforcing, mood) = match (report.bypass, report.problems.is_empty()) {
        (true, _) => ("no: bypass is on, everything passes (enforcer bypass off)", Mood::Bad),
        (false, true) => ("yes", Mood::Good),
        (false, false) => ("yes, with problems (below)", Mood::Doubtful),
    };
    let up = span(report.started.until(now));
    let mut grid = Grid::new(&["", ""], colour);
    grid.row([word("enforcing"), state(enforcing, mood)]);
    grid.row([word("agent"), word(format!("{}, pid {}, up {up}, abi {}", report.version, report.pid, report.abi))]);
    grid.row([word("config"), word(&report.config_path)]);
    grid.row([word("agent lost"), word(&report.lost_agent)]);
    grid.row([word("decisions"), word(decisions(report))]);
    grid.row([word("allowed"), word(grouped(report.allowed))]);
    let events = format!("{} seen, {} lost", grouped(report.events.seen), grouped(report.events.lost));
    grid.row([word("events"), word(events)]);
    grid.row([word("kernel"), kernel(report, now)]);
    if let Some(center) = &report.center {
        grid.row([word("center"), state_of(center)]);
    }
    grid.body()
}

/// `ip 12, device 3 of 4 installed, flow 0`.
fn decisions(report: &StatusReport) -> String {
    let installed =
        |kind| report.decisions.installed.iter().find(|held| held.kind == kind).map_or(0, |held| held.count);
    let parts = report.decisions.intended.iter().map(|wanted| {
        let (name, held) = (wanted.kind.name(), installed(wanted.kind));
        if held == wanted.count {
            format!("{name} {}", grouped(held))
        } else {
            format!("{name} {} of {} installed", grouped(held), grouped(wanted.count))
        }
    });
    parts.collect::<Vec<_>>().join(", ")
}

fn kernel(report: &StatusReport, now: Moment) -> comfy_table::Cell {
    let drift = &report.drift;
    let Some(at) = drift.last_check else { return word("not compared yet") };
    let (differences, repaired) = (grouped(drift.differences), grouped(drift.repaired));
    let noun = if drift.differences == 1 { "difference" } else { "differences" };
    let text = format!("compared {} ago: {differences} {noun}; {repaired} repaired so far", span(at.until(now)));
    state(&text, if drift.differences == 0 { Mood::Good } else { Mood::Bad })
}

fn state_of(center: &CenterReport) -> comfy_table::Cell {
    let line = if center.connected { "connected" } else { "not connected, what is in force stays" };
    let CenterReport { host, revision, decisions, not_in_force, .. } = center;
    let (decisions, not) = (grouped(*decisions), grouped(*not_in_force));
    let text =
        format!("{line}, as {}: revision {revision}, {decisions} decisions held, {not} not in force here", clean(host));
    state(&text, if center.connected { Mood::Good } else { Mood::Doubtful })
}

fn attachments(report: &StatusReport, colour: bool) -> Option<String> {
    let mut grid = Grid::new(&["INTERFACE", "HOOK", "MODE"], colour);
    for attachment in &report.attachments {
        let slow = attachment.mode == "generic" || attachment.mode == "clsact";
        let mode = state(&clean(&attachment.mode), if slow { Mood::Doubtful } else { Mood::Good });
        grid.row([word(&attachment.interface), word(&attachment.hook), mode]);
    }
    (!report.attachments.is_empty()).then(|| grid.text())
}

fn services(services: &[ServiceReport], colour: bool) -> Option<String> {
    let titles = ["SERVICE", "FROM", "PORTS", "INTERFACES", "MODE"];
    let verdicts = [">PASS", ">OBSERVE", ">LIMIT", ">DENY", ">RESET", ">DROP"];
    let mut grid = Grid::new(&[&titles[..], &verdicts].concat(), colour);
    for service in services {
        let ports: Vec<String> = service.ports.iter().map(ToString::to_string).collect();
        let (ports, interfaces) = (ports.join(","), service.interfaces.join(","));
        let mut cells =
            vec![word(&service.name), word(&service.from), word(ports), word(interfaces), word(&service.mode)];
        cells.extend(Verdict::ALL.iter().map(|verdict| number(count(&service.requests, *verdict))));
        grid.cells(cells);
    }
    (!services.is_empty()).then(|| grid.text())
}

/// Modules that the center publishes.
fn published(modules: &[PublishedReport], now: Moment, colour: bool) -> Option<String> {
    let mut grid = Grid::new(&["PUBLISHED", "VERSION", "STATE", "SINCE", "WHY"], colour);
    for module in modules {
        let mood = if module.state == "loaded" { Mood::Good } else { Mood::Doubtful };
        let (since, why) = (span(module.since.until(now)), Some(&module.why).filter(|why| !why.is_empty()));
        grid.row([
            word(&module.name),
            word(&module.version),
            state(&clean(&module.state), mood),
            word(since),
            maybe(why),
        ]);
    }
    (!modules.is_empty()).then(|| grid.text())
}

/// Requests with one verdict.
pub(super) fn count(requests: &[VerdictCount], verdict: Verdict) -> u64 {
    requests.iter().find(|known| known.verdict == verdict).map_or(0, |known| known.count)
}

/// How full the maps are.
pub(super) fn maps(maps: &[MapFill], colour: bool) -> Option<String> {
    let mut grid = Grid::new(&["MAP", ">USED", ">CAPACITY", ">FILL"], colour);
    for map in maps {
        let percent = percent(map.used, map.capacity);
        let mood = match percent {
            0..80 => Mood::Good,
            80..95 => Mood::Doubtful,
            _ => Mood::Bad,
        };
        let fill = state(&format!("{percent}%"), mood).set_alignment(comfy_table::CellAlignment::Right);
        grid.row([word(&map.map), right(grouped(map.used)), right(grouped(map.capacity)), fill]);
    }
    (!maps.is_empty()).then(|| grid.text())
}

/// Of a hundred; a map without room is full.
fn percent(used: u64, capacity: u64) -> u64 {
    let percent = u128::from(used) * 100;
    percent.checked_div(u128::from(capacity)).map_or(100, |percent| u64::try_from(percent).unwrap_or(u64::MAX))
}
