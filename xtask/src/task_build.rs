//! `cargo xtask build`: the kernel programs, the agent and the center.
//!
//! In: a complete toolchain (see `setup`). Out: the program's path. Never here: another way to build; this is
//! `cargo build` with the settings a user wants.

use std::path::PathBuf;

use anyhow::Context as _;

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
    let program = if arguments.debug { debug()? } else { release()? };
    println!("built {}", program.display());
    Ok(())
}

/// Builds programs in the profile and the folder of this one. All packages are selected, not only those of the programs,
/// so that the tests share the dependencies.
pub(crate) fn beside_us(programs: &[&str]) -> anyhow::Result<()> {
    let selected = programs.iter().flat_map(|program| ["--bin", *program]);
    steps::execute(cargo().args(["build", "--workspace"]).args(selected))
}

fn debug() -> anyhow::Result<PathBuf> {
    beside_us(&["enforcer", "enforcer-center"])?;
    steps::sibling("enforcer")
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
    let debug = steps::sibling("enforcer")?;
    let target = debug.ancestors().nth(2).context("programs lie in a folder of the target folder")?;
    Ok(target.join("release/enforcer"))
}
