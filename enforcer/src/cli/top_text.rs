//! One picture of `top`.
//!
//! In: two snapshots. Out: text: totals, reasons by rate, services, maps, the latest events. Counters that went back
//! (the maps were made anew) count from zero. Never here: the terminal.
use std::fmt::Write as _;

use enforcer_common::{Reason, Verdict};

use super::events;
use super::status::{count, maps};
use super::table::{Grid, grouped, number, right, time, word};
use crate::wire::{ReasonCount, ServiceRequests, TopReport, VerdictCount};

/// Latest events shown.
const RECENT: usize = 8;

/// The whole picture.
pub(super) fn picture(before: &TopReport, after: &TopReport, colour: bool) -> String {
    let millis = u64::try_from(before.at.until(after.at).as_millis()).unwrap_or(u64::MAX).max(1);
    let rates = Rates { before, after, millis };
    let mut text = rates.head();
    text.push_str(&rates.reasons(colour));
    if !after.services.is_empty() {
        text.push('\n');
        text.push_str(&rates.services(colour));
    }
    if let Some(maps) = maps(&after.maps, colour) {
        text.push('\n');
        text.push_str(&maps);
    }
    if !after.recent.is_empty() {
        text.push_str("\nLATEST EVENTS\n");
        let skip = after.recent.len().saturating_sub(RECENT);
        for event in after.recent.iter().skip(skip) {
            text.push_str(&events::line(event));
            text.push('\n');
        }
    }
    text
}

struct Rates<'a> {
    before: &'a TopReport,
    after: &'a TopReport,
    millis: u64,
}

impl Rates<'_> {
    fn head(&self) -> String {
        let after = self.after;
        let state = if after.bypass { "BYPASS ON: everything passes" } else { "enforcing" };
        let mut text = format!("enforcer top  {}  {} cpus  {state}\n", time(after.at), after.cpus);
        for (layer, what) in [("packet", "packets"), ("request", "requests"), ("stream", "segments")] {
            let (all, refused) = self.layer(layer);
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{what:<8}  {:>12}/s, refused {:>12}/s", grouped(all), grouped(refused));
        }
        let events = after.events;
        let _ = writeln!(text, "events    {} seen, {} lost\n", grouped(events.seen), grouped(events.lost));
        text
    }

    /// Everything and what was refused of one layer, per second.
    fn layer(&self, layer: &str) -> (u64, u64) {
        let of_layer = self.after.reasons.iter().filter(|reason| reason.layer == layer);
        of_layer.fold((0, 0), |(all, refused), reason| {
            let rate = self.reason(reason).0;
            (all + rate, if refuses(reason.reason) { refused + rate } else { refused })
        })
    }

    /// Count and bits of one reason, per second.
    fn reason(&self, after: &ReasonCount) -> (u64, u64) {
        let before = self.before.reasons.iter().find(|known| known.reason == after.reason);
        let (count, bytes) = before.map_or((0, 0), |before| (before.count, before.bytes));
        (self.per_second(count, after.count), self.per_second(bytes, after.bytes).saturating_mul(8))
    }

    fn per_second(&self, before: u64, after: u64) -> u64 {
        let grown = u128::from(after.checked_sub(before).unwrap_or(after));
        u64::try_from(grown * 1000 / u128::from(self.millis)).unwrap_or(u64::MAX)
    }

    fn reasons(&self, colour: bool) -> String {
        let mut rows: Vec<(&ReasonCount, u64, u64)> = self
            .after
            .reasons
            .iter()
            .filter(|reason| reason.count > 0)
            .map(|reason| (reason, self.reason(reason).0, self.reason(reason).1))
            .collect();
        rows.sort_by_key(|(reason, rate, _)| (std::cmp::Reverse((*rate, reason.count)), reason.reason));
        let mut grid = Grid::new(&["REASON", "LAYER", ">PER SECOND", ">MBIT/S", ">TOTAL"], colour);
        for (reason, rate, bits) in rows {
            let megabits = format!("{}.{}", grouped(bits / 1_000_000), bits / 100_000 % 10);
            grid.row([
                word(reason.reason.name()),
                word(&reason.layer),
                number(rate),
                right(megabits),
                number(reason.count),
            ]);
        }
        grid.text()
    }

    fn services(&self, colour: bool) -> String {
        let titles = ["SERVICE", ">PASS/S", ">OBSERVE/S", ">LIMIT/S", ">DENY/S", ">RESET/S", ">DROP/S", ">TOTAL"];
        let mut grid = Grid::new(&titles, colour);
        for service in &self.after.services {
            let mut cells = vec![word(&service.name)];
            cells.extend(Verdict::ALL.iter().map(|verdict| number(self.service(service, *verdict))));
            cells.push(number(service.requests.iter().map(|known| known.count).sum()));
            grid.cells(cells);
        }
        grid.text()
    }

    fn service(&self, after: &ServiceRequests, verdict: Verdict) -> u64 {
        let before = self.before.services.iter().find(|known| known.name == after.name);
        let before: &[VerdictCount] = before.map_or(&[], |before| &before.requests);
        self.per_second(count(before, verdict), count(&after.requests, verdict))
    }
}

/// True for the reasons that stand for something refused.
const fn refuses(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::BlockedSource
            | Reason::BlockedFlow
            | Reason::BlockedDevice
            | Reason::BlockedSession
            | Reason::BlockedUser
            | Reason::BlockedApikey
            | Reason::BlockedForwarded
            | Reason::OverLimit
            | Reason::AmbiguousDenied
            | Reason::Conflict
            | Reason::StrictRefused
            | Reason::RefusedRemainder
            | Reason::RefusalFailed
    )
}
