//! `cargo xtask check`: what every change must pass before it is looked at.
//!
//! In: the sources. Out: every failure, listed at the end. Never here: mending them.

use std::{
    ffi::OsString,
    path::PathBuf,
    process::{Command, Stdio},
};

use anyhow::bail;

use crate::{
    steps::{self, Steps, cargo},
    task_setup,
};

/// Runs the task.
pub(crate) fn run() -> anyhow::Result<()> {
    task_setup::ensure()?;
    let mut steps = Steps::default();
    steps.run("clippy", cargo().args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]));
    add_quick_to(&mut steps);
    steps.report();
    match steps.failures() {
        0 => Ok(()),
        failures => bail!("{failures} of the checks failed"),
    }
}

/// All but clippy, as steps of a longer task.
pub(crate) fn add_quick_to(steps: &mut Steps) {
    steps.run("format", cargo().args(["fmt", "--all", "--", "--check"]));
    crates(steps);
    shipped(steps);
}

/// The variables with which any compilation of ours is one by clippy, which refuses what it would warn of: what `cargo clippy` sets for
/// itself. So a task that compiles everything anyway need not do it twice.
pub(crate) fn while_compiling() -> Vec<(&'static str, OsString)> {
    let driver = PathBuf::from(cargo().get_program()).with_file_name("clippy-driver");
    vec![("RUSTC_WORKSPACE_WRAPPER", driver.into()), ("CLIPPY_ARGS", REFUSED.into())]
}

/// `-D warnings`, as `cargo clippy` hands it on.
const REFUSED: &str = "-D__CLIPPY_HACKERY__warnings__CLIPPY_HACKERY__";

/// Crates of others. Advisories come from the network, and change without a change of ours.
fn crates(steps: &mut Steps) {
    let mut version = cargo();
    version.args(["deny", "--version"]).stdout(Stdio::null()).stderr(Stdio::null());
    if version.status().is_ok_and(|status| status.success()) {
        steps.run("licences, bans, sources", cargo().args(["deny", "check", "licenses", "bans", "sources"]));
    } else {
        Steps::skip("licences, bans, sources", "cargo-deny is not installed (cargo install cargo-deny --locked)");
    }
}

/// Vagrant is large: it is asked where somebody has it.
fn machines(steps: &mut Steps) {
    let mut version = Command::new("vagrant");
    version.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
    if version.status().is_ok_and(|status| status.success()) {
        let mut validate = Command::new("vagrant");
        validate.args(["validate", "--ignore-provider"]).current_dir(steps::workspace().join("deploy/vagrant"));
        // It keeps notes beside the file otherwise.
        steps.quietly(
            "machines of Vagrant",
            validate.env("VAGRANT_DOTFILE_PATH", std::env::temp_dir().join("enforcer-vagrant")),
        );
    } else {
        Steps::skip("machines of Vagrant", "vagrant is not installed (apt-get install vagrant)");
    }
}

/// What is shipped and is no program: rules of Prometheus, units of systemd.
fn shipped(steps: &mut Steps) {
    let promtool = |words: &[&str]| {
        let mut command = Command::new("promtool");
        command.args(words).current_dir(steps::workspace().join("deploy/prometheus"));
        command
    };
    steps.run("rules", &mut promtool(&["check", "rules", "recording.yml", "alerts.yml"]));
    steps.run("every alert fires and clears", &mut promtool(&["test", "rules", "tests.yml"]));
    let compose = steps::workspace().join("deploy/compose/prometheus.yml");
    steps.quietly("prometheus.yml of the containers", promtool(&["check", "config", "--syntax-only"]).arg(compose));
    machines(steps);
    for (unit, most) in [("enforcer", "28"), ("enforcer-center", "20")] {
        let mut exposure = Command::new("systemd-analyze");
        exposure.args(["security", "--offline=yes", "--no-pager", "--threshold", most]);
        exposure.arg(steps::workspace().join(format!("deploy/systemd/{unit}.service")));
        steps.quietly(&format!("{unit}.service is exposed at most {most} of 100"), &mut exposure);
    }
}
