//! How decisions and allowlist entries look in tables.
//!
//! In: reports. Out: text. Never here: where they come from.
use enforcer_policy::Moment;

use super::table::{Grid, clean, end, maybe, time, word};
use crate::wire::{AllowedEntry, DecisionReport, Word as _};

/// One line per decision; without titles on the pages after the first.
pub(super) fn table(decisions: &[DecisionReport], now: Moment, titles: bool, colour: bool) -> String {
    let mut grid = Grid::new(&["ID", "KIND", "SUBJECT", "WHERE", "ACTION", "ENDS", "BY", "REASON"], colour);
    for decision in decisions {
        grid.row([
            word(decision.id.to_string()),
            word(decision.kind.name()),
            word(&decision.subject),
            word(scope(decision).unwrap_or_else(|| "all".to_owned())),
            word(action(decision)),
            word(end(decision.until, now)),
            maybe(filled(&decision.approved_by)),
            maybe(filled(&decision.reason)),
        ]);
    }
    if titles { grid.text() } else { grid.body() }
}

/// One line per allowlist entry.
pub(super) fn allowlist(entries: &[AllowedEntry], now: Moment, colour: bool) -> String {
    let mut grid = Grid::new(&["NETWORK", "AS", "ENDS", "FROM", "BY", "REASON"], colour);
    for entry in entries {
        grid.row([
            word(entry.network.to_string()),
            word(entry.kind.word()),
            word(end(entry.until, now)),
            word(entry.origin.name()),
            maybe(filled(&entry.approved_by)),
            maybe(filled(&entry.reason)),
        ]);
    }
    grid.text()
}

/// One decision in a sentence: `deny device AB…YZ on pay until 2026-01-01 00:00:00Z (0192abcdef012345)`.
pub(super) fn sentence(decision: &DecisionReport) -> String {
    let place = scope(decision).map_or_else(|| "everywhere".to_owned(), |scope| format!("on {scope}"));
    let until = decision.until.map_or_else(|| "until unblocked".to_owned(), |until| format!("until {}", time(until)));
    clean(&format!(
        "{} {} {} {place} {until} ({})",
        action(decision),
        decision.kind.name(),
        decision.subject,
        decision.id
    ))
}

/// Service or endpoint, as `--scope` takes it; `None` is everywhere.
fn scope(decision: &DecisionReport) -> Option<String> {
    let service = decision.service.as_deref()?;
    Some(decision.endpoint.as_ref().map_or_else(|| service.to_owned(), |place| format!("{service}:{place}")))
}

/// The action, with its rate: `limit 60/m burst 3`.
fn action(decision: &DecisionReport) -> String {
    let name = decision.action.name();
    decision.rate.map_or_else(|| name.to_owned(), |rate| format!("{name} {}/m burst {}", rate.per_minute, rate.burst))
}

fn filled(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}
