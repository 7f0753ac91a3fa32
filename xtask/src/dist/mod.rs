//! What is handed out. In: built programs, `deploy/`. Out: packages and a tarball. Never here: building programs.
//!
//! To add a file to a package: a line of its list in `contents.rs`.

mod contents;
mod deb;
mod tree;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Context as _;

pub(crate) use contents::Programs;
use contents::{PACKAGES, Package};
use tree::Tree;

use crate::steps::{execute, workspace};

/// Makes all of it; the paths of what was made.
pub(crate) fn all(programs: &Programs, version: &str, folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut made = Vec::new();
    for package in &PACKAGES {
        made.push(one(package, programs, version, folder)?);
    }
    made.push(tarball(version, folder)?);
    Ok(made)
}

/// The agent's package alone.
pub(crate) fn agent(programs: &Programs, version: &str, folder: &Path) -> anyhow::Result<PathBuf> {
    one(&PACKAGES[0], programs, version, folder)
}

fn one(package: &Package, programs: &Programs, version: &str, folder: &Path) -> anyhow::Result<PathBuf> {
    let staged = folder.join("staged").join(package.name);
    drop(fs::remove_dir_all(&staged));
    let tree = Tree::new(&staged, &workspace());
    package.fill(&tree, programs).with_context(|| format!("failed to put {} together", package.name))?;
    deb::build(package, &tree, version, folder)
}

/// Both trees as they are installed, without what only dpkg needs.
fn tarball(version: &str, folder: &Path) -> anyhow::Result<PathBuf> {
    let name = format!("enforcer-{version}-linux-amd64");
    let made = folder.join(format!("{name}.tar.gz"));
    let mut tar = Command::new("tar");
    // gzip would write the time of day.
    tar.args([
        "--create",
        "--use-compress-program=gzip --no-name",
        "--sort=name",
        "--owner=0",
        "--group=0",
        "--numeric-owner",
        "--exclude=DEBIAN",
    ]);
    tar.arg(format!("--mtime=@{}", epoch()?)).arg(format!("--transform=s,^\\.,{name},")).arg("--file").arg(&made);
    // One folder after the other: their contents do not overlap.
    let staged = folder.join("staged");
    for package in &PACKAGES {
        tar.arg("--directory").arg(staged.join(package.name)).arg(".");
    }
    execute(&mut tar)?;
    Ok(made)
}

/// When the commit was made: the same sources make the same packages.
fn epoch() -> anyhow::Result<String> {
    if let Ok(given) = std::env::var("SOURCE_DATE_EPOCH") {
        return Ok(given);
    }
    let mut git = Command::new("git");
    let output =
        git.args(["log", "-1", "--format=%ct"]).current_dir(workspace()).output().context("failed to start git")?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
