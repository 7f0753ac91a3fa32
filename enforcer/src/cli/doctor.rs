//! `doctor`: what this kernel can do for Enforcer, and what to do about the rest.
//!
//! In: the agent room's checks; no agent has to run. Out: a table; [`Exit::Failed`] when something is missing. Never here: the checks.
use std::fmt::Write as _;

use super::args::Globals;
use super::failure::Failure;
use super::local::load;
use super::out::Out;
use super::table::{Grid, Mood, clean, state, word};
use crate::wire::{CheckState, DoctorReport, Exit};

/// `doctor`.
pub(super) fn doctor(globals: &Globals, out: &mut Out) -> Result<Exit, Failure> {
    let report = crate::agent::doctor(&load(globals)?);
    let colour = out.colour;
    out.report(&report, |report| text(report, colour))?;
    Ok(match report.worst() {
        CheckState::Ok | CheckState::Degraded => Exit::Done,
        CheckState::Missing => Exit::Failed,
    })
}

/// The checks, then one sentence.
pub(super) fn text(report: &DoctorReport, colour: bool) -> String {
    let mut grid = Grid::new(&["CHECK", "STATE", "FOUND"], colour);
    for check in &report.checks {
        let mood = match check.state {
            CheckState::Ok => Mood::Good,
            CheckState::Degraded => Mood::Doubtful,
            CheckState::Missing => Mood::Bad,
        };
        grid.row([word(&check.name), state(check.state.name(), mood), word(&check.detail)]);
    }
    let mut text = grid.text();
    for check in &report.checks {
        if let Some(mend) = &check.mend {
            // Writing to a string cannot fail.
            let _ = write!(text, "\n{}: {}", clean(&check.name), clean(mend));
        }
    }
    text + "\n\n" + verdict(report.worst()) + "\n"
}

const fn verdict(worst: CheckState) -> &'static str {
    match worst {
        CheckState::Ok => "This host can do everything.",
        CheckState::Degraded => "This host can do everything; what is degraded is slower or shows less.",
        CheckState::Missing => "What is missing must be mended before enforcer run.",
    }
}
