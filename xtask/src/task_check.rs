//! `cargo xtask check`: what every change must pass before it is looked at.
//!
//! In: the sources. Out: every failure, listed at the end. Never here: mending them.

use std::process::Command;

use anyhow::bail;

use crate::{
    steps::{self, Steps, cargo},
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
    shipped(steps);
}

/// What is shipped and is no program: rules of Prometheus.
fn shipped(steps: &mut Steps) {
    let promtool = |words: &[&str]| {
        let mut command = Command::new("promtool");
        command.args(words).current_dir(steps::workspace().join("deploy/prometheus"));
        command
    };
    steps.run("rules", &mut promtool(&["check", "rules", "recording.yml", "alerts.yml"]));
    steps.run("every alert fires and clears", &mut promtool(&["test", "rules", "tests.yml"]));
}
