//! A tree as a Debian package. In: a tree. Out: a file that dpkg installs. Never here: what is in it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, ensure};

use super::{contents::Package, epoch, tree::Tree};
use crate::steps::execute;

/// Writes what dpkg must know, and packs everything.
pub(super) fn build(package: &Package, tree: &Tree, version: &str, folder: &Path) -> anyhow::Result<PathBuf> {
    let files = tree.files()?;
    tree.write("DEBIAN/md5sums", &digests(tree, &files)?)?;
    if !package.conffiles.is_empty() {
        tree.write("DEBIAN/conffiles", format!("{}\n", package.conffiles.join("\n")).as_bytes())?;
    }
    tree.write("DEBIAN/control", control(package, tree, &files, version)?.as_bytes())?;
    let made = folder.join(format!("{}_{version}_amd64.deb", package.name));
    let mut pack = Command::new("dpkg-deb");
    pack.args(["--root-owner-group", "-Zxz", "--build"]).arg(tree.root()).arg(&made);
    execute(pack.env("SOURCE_DATE_EPOCH", epoch()?).stdout(std::process::Stdio::null()))?;
    Ok(made)
}

/// For `dpkg --verify`, which tells what was changed on a host. Conffiles are the administrator's to change.
fn digests(tree: &Tree, files: &[String]) -> anyhow::Result<Vec<u8>> {
    let ours = files.iter().filter(|file| !file.starts_with("etc/"));
    let output =
        Command::new("md5sum").args(ours).current_dir(tree.root()).output().context("failed to start md5sum")?;
    ensure!(output.status.success(), "md5sum: {}", String::from_utf8_lossy(&output.stderr));
    Ok(output.stdout)
}

fn control(package: &Package, tree: &Tree, files: &[String], version: &str) -> anyhow::Result<String> {
    let program = fs::read(tree.root().join("usr/bin").join(package.name))?;
    let size: u64 =
        files.iter().filter_map(|file| tree.root().join(file).metadata().ok()).map(|facts| facts.len()).sum();
    Ok(format!(
        "Package: {}\nVersion: {version}\nArchitecture: amd64\nMaintainer: Enforcer maintainers <maintainers@enforcer.example>\n\
         Section: net\nPriority: optional\nInstalled-Size: {}\nDepends: libc6 (>= {}), libgcc-s1, {}\n\
         Description: {}\n {}\n",
        package.name,
        size.div_ceil(1024),
        libc(&program).context("the program is not linked to glibc")?,
        package.depends,
        package.summary,
        package.description,
    ))
}

/// The newest `GLIBC_2.34` that a program asks for, as a version.
fn libc(program: &[u8]) -> Option<String> {
    let starts =
        program.windows(MARK.len()).enumerate().filter(|(_, bytes)| *bytes == MARK).map(|(at, _)| at + MARK.len());
    let minor = |at: usize| {
        let digits: Vec<u8> = program[at..].iter().copied().take_while(u8::is_ascii_digit).collect();
        String::from_utf8(digits).ok()?.parse::<u32>().ok()
    };
    starts.filter_map(minor).max().map(|minor| format!("2.{minor}"))
}

const MARK: &[u8] = b"GLIBC_2.";

#[cfg(test)]
mod tests {
    use super::libc;

    #[test]
    fn the_newest_glibc_that_is_asked_for_is_found() {
        assert_eq!(libc(b"\0GLIBC_2.2.5\0GLIBC_2.34\0GLIBC_2.9\0").as_deref(), Some("2.34"));
        assert_eq!(libc(b"nothing"), None);
    }
}
