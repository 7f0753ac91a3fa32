//! `cargo xtask dist`: what is handed out: Debian packages of agent and center, and a tarball of both.
//!
//! In: the sources, `deploy/`. Out: files in `dist` of the target folder, the same bytes for the same commit. Never here: installing
//! them.

use std::path::PathBuf;

use crate::{
    dist::{self, Programs},
    steps, task_build,
};

/// How to build it.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Compile quickly instead of for speed
    #[arg(long)]
    debug: bool,
}

/// Runs the task.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let programs = Programs::in_folder(&task_build::programs(arguments.debug)?);
    let folder = folder()?;
    for made in dist::all(&programs, VERSION, &folder)? {
        println!("made {}", made.display());
    }
    Ok(())
}

/// Beside the profiles.
fn folder() -> anyhow::Result<PathBuf> {
    Ok(steps::target()?.join("dist"))
}

/// All crates of the workspace have one.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");
