//! What the acts stand on. In: a kernel that has just started. Out: file systems, modules, a cable between two namespaces.
//! Never here: anything of the agent.

use std::{
    fs::{self, File},
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
    for (kind, target) in MOUNTS {
        fs::create_dir_all(target).with_context(|| format!("failed to make {target}"))?;
        mount(Some(kind), target, Some(kind), MsFlags::empty(), None::<&str>)
            .with_context(|| format!("failed to mount {target}"))?;
    }
    cable()
}

/// The cable alone, where the system has the rest.
pub(crate) fn cable() -> anyhow::Result<()> {
    // What the kernel says of each module would come between our lines.
    fs::write("/proc/sys/kernel/printk", "1")?;
    modules()?;
    CABLE.iter().try_for_each(|arguments| ip(arguments))
}

/// In the order of their names; none of them needs another.
fn modules() -> anyhow::Result<()> {
    for entry in fs::read_dir("/modules")?.flatten() {
        let module = File::open(entry.path())?;
        finit_module(&module, c"", ModuleInitFlags::empty())
            .with_context(|| format!("failed to load {}", entry.path().display()))?;
    }
    Ok(())
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

const CABLE: [&str; 8] = [
    "link set lo up",
    "netns add outside",
    "link add inside type veth peer name outside netns outside",
    "addr add 10.9.0.1/24 dev inside",
    "link set inside up",
    "-n outside addr add 10.9.0.2/24 dev outside",
    "-n outside link set outside up",
    "-n outside link set lo up",
];
