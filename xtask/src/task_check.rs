//! `cargo xtask check`: what every change must pass before it is looked at.
//!
//! In: the sources. Out: every failure, listed at the end. Never here: mending them.

use anyhow::bail;

use crate::{
    steps::{Steps, cargo},
    task_setup,
};

/// Runs the task.
pub(crate) fn run() -> anyhow::Result<()> {
    task_setup::ensure()?;
    let mut steps = Steps::default();
    add_to(&mut steps);
    steps.report();
    match steps.failures() {
        0 => Ok(()),
        failures => bail!("{failures} of the checks failed"),
    }
}

/// Runs the checks as steps of a longer task.
pub(crate) fn add_to(steps: &mut Steps) {
    steps.run("format", cargo().args(["fmt", "--all", "--", "--check"]));
    steps.run("clippy", cargo().args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]));
}
