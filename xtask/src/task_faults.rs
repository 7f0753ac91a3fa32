//! `cargo xtask faults`: each fault injected under traffic, five sums made after each; with `--cycles`, a million probes of each kind.
//!
//! In: root on a Linux host. Out: the table of the suite (`docs/FAULTS.md`). Never here: the suite; it is `enforcer-faults` of the tests
//! crate. Besides agent and center, an agent of a later map layout is built, which the suite upgrades to and back from.

use std::process::Command;

use crate::{
    apt,
    steps::{self, cargo},
    task_build, task_setup,
};

/// Which faults, and how often.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// How often each fault is injected
    #[arg(long, value_name = "N", default_value_t = 1)]
    times: usize,
    /// Only these faults
    #[arg(long, value_name = "NAME,..")]
    only: Option<String>,
    /// Kill, restart and upgrade the agent so often under a million probes of each kind, instead
    #[arg(long, value_name = "N")]
    cycles: Option<usize>,
    /// Print the names of all faults
    #[arg(long)]
    list: bool,
}

/// Runs the task.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let mut faults = suite()?;
    let ahead = steps::target()?.join("ahead");
    let later = ["build", "--package", "enforcer", "--bin", "enforcer", "--target-dir"];
    steps::execute(cargo().args(later).arg(&ahead).env("ENFORCER_ABI_AHEAD", "1"))?;
    faults.env("ENFORCER_AHEAD_BIN", ahead.join("debug/enforcer"));
    faults.args(["--times", &arguments.times.to_string()]).args(arguments.list.then_some("--list"));
    faults.args(arguments.only.iter().flat_map(|names| ["--only", names]));
    faults.args(arguments.cycles.iter().flat_map(|cycles| ["--cycles".to_owned(), cycles.to_string()]));
    steps::execute(&mut faults)
}

/// The suite, built, with all it needs.
pub(crate) fn suite() -> anyhow::Result<Command> {
    task_setup::require_root("to make network namespaces and to load kernel programs")?;
    task_setup::ensure()?;
    let missing = apt::missing(&TOOLS);
    if !missing.is_empty() {
        println!("== installing {}", missing.join(" "));
        apt::install(&missing)?;
    }
    task_build::beside_us(&["enforcer", "enforcer-center", FAULTS])?;
    let mut faults = Command::new(steps::sibling(FAULTS)?);
    faults.env("ENFORCER_BIN", steps::sibling("enforcer")?);
    Ok(faults)
}

const FAULTS: &str = "enforcer-faults";
/// What faults are injected with.
const TOOLS: [&str; 3] = ["faketime", "python3-minimal", "strace"];
