//! `cargo xtask demo`: the whole of it on real traffic.
//!
//! In: root on a Linux host. Out: the demo's own account. Never here: the demo; it is `enforcer-demo` of the tests crate.

use std::process::Command;

use crate::{steps, task_build, task_setup};

/// How to show it.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Leave it running until Ctrl-C, and print how to look at it
    #[arg(long)]
    keep: bool,
}

/// Runs the task.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    task_setup::require_root("to make network namespaces and to load kernel programs")?;
    task_setup::ensure()?;
    task_build::beside_us(&["enforcer", DEMO])?;
    let mut demo = Command::new(steps::sibling(DEMO)?);
    demo.args(arguments.keep.then_some("--keep")).env("ENFORCER_BIN", steps::sibling("enforcer")?);
    steps::execute(&mut demo)
}

const DEMO: &str = "enforcer-demo";
