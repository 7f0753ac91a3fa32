//! A tree of files as it will be installed. In: files of the repository, output of programs. Out: the tree on disk. Never here: what
//! belongs into it.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, ensure};

use crate::steps::execute;

/// A tree.
pub(super) struct Tree {
    root: PathBuf,
    workspace: PathBuf,
}

impl Tree {
    /// An empty one.
    pub(super) fn new(root: &Path, workspace: &Path) -> Self {
        Self { root: root.to_owned(), workspace: workspace.to_owned() }
    }

    /// Its root.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// A program, without what a debugger would read.
    pub(super) fn program(&self, from: &Path, to: &str) -> anyhow::Result<()> {
        let target = self.place(to)?;
        execute(Command::new("strip").arg("-o").arg(&target).arg(from))?;
        set_mode(&target, 0o755)
    }

    /// A script of the repository.
    pub(super) fn script(&self, from: &str, to: &str) -> anyhow::Result<()> {
        let target = self.place(to)?;
        fs::copy(self.workspace.join(from), &target).with_context(|| format!("failed to copy {from}"))?;
        set_mode(&target, 0o755)
    }

    /// A file of the repository, or a folder with all its files.
    pub(super) fn copy(&self, from: &str, to: &str) -> anyhow::Result<()> {
        let source = self.workspace.join(from);
        if source.is_dir() {
            for entry in fs::read_dir(&source).with_context(|| format!("failed to read {from}"))? {
                let name = entry?.file_name().to_string_lossy().into_owned();
                self.copy(&format!("{from}/{name}"), &format!("{to}/{name}"))?;
            }
            return Ok(());
        }
        self.write(to, &fs::read(&source).with_context(|| format!("failed to read {from}"))?)
    }

    /// What a program prints.
    pub(super) fn output(&self, program: &Path, arguments: &[&str], to: &str) -> anyhow::Result<()> {
        let output = Command::new(program).args(arguments).output().context("failed to start a built program")?;
        let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(output.status.success(), "{} {}: {complaint}", program.display(), arguments.join(" "));
        self.write(to, &output.stdout)
    }

    /// The manual pages of a program, compressed.
    pub(super) fn pages(&self, program: &Path, to: &str) -> anyhow::Result<()> {
        let folder = self.place(&format!("{to}/x"))?.with_file_name("");
        execute(Command::new(program).args(["man", "--dir"]).arg(&folder))?;
        let mut pages: Vec<PathBuf> = fs::read_dir(&folder)?.flatten().map(|entry| entry.path()).collect();
        pages.sort();
        ensure!(!pages.is_empty(), "{} has no manual", program.display());
        pages.iter().try_for_each(|page| set_mode(page, 0o644))?;
        execute(Command::new("gzip").args(["-9", "--no-name", "--force"]).args(&pages))
    }

    /// A file with these contents.
    pub(super) fn write(&self, to: &str, contents: &[u8]) -> anyhow::Result<()> {
        let target = self.place(to)?;
        fs::write(&target, contents).with_context(|| format!("failed to write {}", target.display()))?;
        set_mode(&target, 0o644)
    }

    /// All files but those for dpkg, by their paths from the root, in order.
    pub(super) fn files(&self) -> anyhow::Result<Vec<String>> {
        let (mut folders, mut found) = (vec![self.root.clone()], Vec::new());
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder)?.flatten() {
                let path = entry.path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    found.push(path.strip_prefix(&self.root)?.display().to_string());
                }
            }
        }
        found.retain(|path| !path.starts_with("DEBIAN/"));
        found.sort();
        Ok(found)
    }

    /// Where a file will be; its folder is made. Whatever the builder's umask says, everybody can read it.
    fn place(&self, to: &str) -> anyhow::Result<PathBuf> {
        let target = self.root.join(to);
        let folder = target.parent().unwrap_or(&self.root);
        fs::create_dir_all(folder).with_context(|| format!("failed to make {}", folder.display()))?;
        for folder in folder.ancestors().take_while(|folder| folder.starts_with(&self.root)) {
            set_mode(folder, 0o755)?;
        }
        Ok(target)
    }
}

fn set_mode(path: &Path, mode: u32) -> anyhow::Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
        .with_context(|| format!("failed to set the mode of {}", path.display()))
}
