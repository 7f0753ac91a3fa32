//! What the acts stand on. In: a kernel that has just started. Out: file systems, modules, a cable between two namespaces.
//! Never here: anything of the agent.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, ensure};
use nix::{
    kmod::{ModuleInitFlags, finit_module},
    mount::{MsFlags, mount},
};

/// This end of the cable, where the server is.
pub(crate) const INSIDE: &str = "10.9.0.1";
/// The other end, where requests come from.
pub(crate) const OUTSIDE: &str = "10.9.0.2";
/// The namespace of the other end.
pub(crate) const OUTSIDE_SPACE: &str = "/run/netns/outside";

/// Sets the stage.
pub(crate) fn set() -> anyhow::Result<()> {
    mounts()?;
    cable()
}

/// A stage for those who bring their own cables.
pub(crate) fn bare() -> anyhow::Result<()> {
    mounts()?;
    hush()?;
    modules()?;
    ip(LOOPBACK)
}

fn mounts() -> anyhow::Result<()> {
    for (kind, target) in MOUNTS {
        fs::create_dir_all(target).with_context(|| format!("failed to make {target}"))?;
        mount(Some(kind), target, Some(kind), MsFlags::empty(), None::<&str>)
            .with_context(|| format!("failed to mount {target}"))?;
    }
    Ok(())
}

/// The cable alone, where the system has the rest.
pub(crate) fn cable() -> anyhow::Result<()> {
    hush()?;
    modules()?;
    CABLE.iter().try_for_each(|arguments| ip(arguments))
}

/// What the kernel says of each module would come between our lines.
fn hush() -> anyhow::Result<()> {
    Ok(fs::write("/proc/sys/kernel/printk", "1")?)
}

/// All of them; what needs another one is tried again behind it.
fn modules() -> anyhow::Result<()> {
    let mut left: Vec<PathBuf> = fs::read_dir("/modules")?.flatten().map(|entry| entry.path()).collect();
    while !left.is_empty() {
        let before = left.len();
        let mut why = None;
        left.retain(|module| load(module).inspect_err(|error| why = Some(error.to_string())).is_err());
        ensure!(left.len() < before, "failed to load {}: {}", left[0].display(), why.unwrap_or_default());
    }
    Ok(())
}

fn load(module: &Path) -> anyhow::Result<()> {
    Ok(finit_module(&File::open(module)?, c"", ModuleInitFlags::empty())?)
}

fn ip(arguments: &str) -> anyhow::Result<()> {
    let output = Command::new("/bin/ip").args(arguments.split(' ')).output().context("failed to start ip")?;
    ensure!(output.status.success(), "`ip {arguments}`: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

const MOUNTS: [(&str, &str); 6] = [
    ("devtmpfs", "/dev"),
    ("proc", "/proc"),
    ("sysfs", "/sys"),
    ("bpf", "/sys/fs/bpf"),
    ("tmpfs", "/run"),
    ("tmpfs", "/tmp"),
];

const LOOPBACK: &str = "link set lo up";

const CABLE: [&str; 8] = [
    LOOPBACK,
    "netns add outside",
    "link add inside type veth peer name outside netns outside",
    "addr add 10.9.0.1/24 dev inside",
    "link set inside up",
    "-n outside addr add 10.9.0.2/24 dev outside",
    "-n outside link set outside up",
    "-n outside link set lo up",
];
