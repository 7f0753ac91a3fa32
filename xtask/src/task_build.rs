//! `cargo xtask build`: the kernel programs, the agent and the center.
//!
//! In: a complete toolchain (see `setup`). Out: the program's path. Never here: another way to build; this is
//! `cargo build` with the settings a user wants.

use std::path::PathBuf;

use crate::{
    steps::{self, cargo},
    task_setup,
};

/// What to build.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Compile quickly instead of for speed
    #[arg(long)]
    debug: bool,
}

/// Runs the task.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    task_setup::ensure()?;
    println!("built {}", programs(arguments.debug)?.join("enforcer").display());
    Ok(())
}

/// Builds agent and center, and returns the folder they are in.
pub(crate) fn programs(debug: bool) -> anyhow::Result<PathBuf> {
    if debug {
        beside_us(&["enforcer", "enforcer-center"])?;
        return steps::sibling("");
    }
    release()
}

/// Builds programs in the profile and the folder of this one. All packages are selected, not only those of the programs,
/// so that dependencies are shared.
pub(crate) fn beside_us(programs: &[&str]) -> anyhow::Result<()> {
    let selected = programs.iter().flat_map(|program| ["--bin", *program]);
    steps::execute(cargo().args(["build", "--workspace"]).args(selected))
}

fn release() -> anyhow::Result<PathBuf> {
    steps::execute(cargo().args([
        "build",
        "--release",
        "--package",
        "enforcer",
        "--package",
        "enforcer-center",
        "--bin",
        "enforcer",
        "--bin",
        "enforcer-center",
    ]))?;
    Ok(steps::target()?.join("release"))
}
