//! A small Debian for guests: one with systemd, for the package, and one with what tests run. In: Debian's archive. Out: a folder in the user's
//! cache, made once. Never here: anything of ours; that is added for each guest.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Context as _;

use crate::{apt, steps::execute};

/// A Debian.
pub(super) struct System {
    /// Its folder in the cache.
    name: &'static str,
    packages: &'static str,
}

/// As a server has it.
pub(super) const SERVER: System = System { name: RELEASE, packages: "systemd,systemd-sysv,iproute2,libgcc-s1" };
/// Without services: with what the namespace suite starts by itself.
pub(super) const TESTS: System = System {
    name: "bookworm-tests",
    packages: "bpftool,curl,ethtool,iproute2,libcap2-bin,libgcc-s1,nftables,nginx-light,procps,python3,rsyslog,tcpdump",
};

/// The folder of the system.
pub(super) fn get(system: &System) -> anyhow::Result<PathBuf> {
    let cache = enforcer_ebpf_build::tools_root().context("neither ENFORCER_TOOLS, XDG_CACHE_HOME nor HOME is set")?;
    let folder = cache.join("systems").join(system.name);
    if !folder.exists() {
        let part = cache.join("systems").join(format!("{}.part", system.name));
        drop(fs::remove_dir_all(&part));
        fs::create_dir_all(cache.join("systems"))?;
        make(system, &part).context("a Debian for guests can't be made")?;
        fs::rename(&part, &folder)?;
    }
    Ok(folder)
}

fn make(system: &System, folder: &Path) -> anyhow::Result<()> {
    let missing = apt::missing(&["mmdebstrap"]);
    if !missing.is_empty() {
        println!("== installing {}", missing.join(" "));
        apt::install(&missing)?;
    }
    println!("== making a Debian for guests (some two minutes, once)");
    let mut make = Command::new("mmdebstrap");
    make.args(["--variant=minbase", "--format=directory", "--quiet"]).arg(format!("--include={}", system.packages));
    // What is unpacked into memory at each boot had better be small.
    for unused in ["/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/i18n/*"] {
        make.arg(format!("--dpkgopt=path-exclude={unused}"));
    }
    make.arg("--customize-hook=rm -rf \"$1\"/var/lib/apt/lists/* \"$1\"/var/cache/apt/*");
    execute(make.arg(RELEASE).arg(folder))
}

const RELEASE: &str = "bookworm";
