//! Debian packages: which are missing, and installing them without starting a service.
//!
//! In: package names. Out: the packages on the system. Never here: a package nobody named, or a running service left
//! behind; this host's nginx, Prometheus and NATS are none of our business, the tests start their own.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context as _, bail};

use crate::steps::execute;

/// Those of `wanted` that are not installed. On a system without dpkg that is all of them.
pub(crate) fn missing(wanted: &[&'static str]) -> Vec<&'static str> {
    let query = Command::new("dpkg-query").args(["-W", "-f", "${db:Status-Status} ${Package}\n"]).args(wanted).output();
    let installed = query.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    let is_there = |package: &str| installed.lines().any(|line| line.strip_prefix("installed ") == Some(package));
    wanted.iter().copied().filter(|package| !is_there(package)).collect()
}

/// Installs `packages`, without what they merely recommend.
pub(crate) fn install(packages: &[&str]) -> anyhow::Result<()> {
    if Command::new("apt-get").arg("--version").stdout(Stdio::null()).status().is_err() {
        bail!("there is no apt-get here; install what these Debian packages hold: {}", packages.join(" "));
    }
    let _quiet = NoServices::declare()?;
    execute(apt().arg("update").arg("--quiet=2"))?;
    execute(apt().args(["install", "--yes", "--quiet=2", "--no-install-recommends"]).args(packages))?;
    for (_, service) in SERVICES.iter().filter(|(package, _)| packages.contains(package)) {
        // Debian also enables it for the next boot. Without systemd there is nothing to switch off.
        let disabled = Command::new("systemctl").args(["disable", "--quiet", service]).stderr(Stdio::null()).status();
        drop(disabled);
    }
    Ok(())
}

/// Unpacks a package into a folder, complete or not at all; none of its scripts runs.
pub(crate) fn unpack(package: &str, place: &Path) -> anyhow::Result<()> {
    let new = place.with_extension("new");
    drop(fs::remove_dir_all(&new));
    fs::create_dir_all(&new).with_context(|| format!("failed to make {}", new.display()))?;
    execute(Command::new("apt-get").args(["download", "--quiet=2", package]).current_dir(&new))?;
    let found = fs::read_dir(&new)?.flatten().find(|entry| entry.path().extension().is_some_and(|end| end == "deb"));
    let archive = found.with_context(|| format!("apt-get downloaded no {package}"))?.path();
    execute(Command::new("dpkg-deb").arg("-x").arg(&archive).arg(&new))?;
    fs::remove_file(&archive)?;
    fs::rename(&new, place).with_context(|| format!("failed to make {}", place.display()))
}

fn apt() -> Command {
    let mut apt = Command::new("apt-get");
    apt.args(["-o", "DPkg::Lock::Timeout=300"]).env("DEBIAN_FRONTEND", "noninteractive");
    apt
}

/// While it lives, package scripts may not start services. An administrator's own rule is put back afterwards.
struct NoServices {
    had_one: bool,
}

impl NoServices {
    fn declare() -> anyhow::Result<Self> {
        let guard = Self { had_one: set_aside()? };
        fs::write(POLICY, "#!/bin/sh\n# Written by `cargo xtask setup` while it installs packages.\nexit 101\n")
            .and_then(|()| fs::set_permissions(POLICY, fs::Permissions::from_mode(0o755)))
            .with_context(|| format!("failed to write {POLICY}"))?;
        Ok(guard)
    }
}

impl Drop for NoServices {
    fn drop(&mut self) {
        let restored = if self.had_one { fs::rename(SAVED, POLICY) } else { fs::remove_file(POLICY) };
        if let Err(error) = restored {
            eprintln!("{POLICY} could not be put back: {error}");
        }
    }
}

/// Keeps an administrator's rule, and says whether there is one. Where an earlier setup was killed, it has been set aside
/// already, and the one in its place is ours.
fn set_aside() -> anyhow::Result<bool> {
    if Path::new(SAVED).exists() {
        return Ok(true);
    }
    match fs::rename(POLICY, SAVED) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error).with_context(|| format!("failed to set {POLICY} aside")),
    }
}

/// Packages that bring a service of the same host, and its name.
const SERVICES: [(&str, &str); 3] =
    [("nats-server", "nats-server"), ("nginx-light", "nginx"), ("prometheus", "prometheus")];
/// Debian's hook for "may this service be started now?"; 101 is no.
const POLICY: &str = "/usr/sbin/policy-rc.d";
const SAVED: &str = "/usr/sbin/policy-rc.d.before-enforcer-setup";
