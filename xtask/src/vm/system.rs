//! A small Debian for guests: systemd, dpkg, little else. In: Debian's archive. Out: a folder in the user's cache, made once. Never
//! here: anything of ours; that is added for each guest.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Context as _;

use crate::{apt, steps::execute};

/// The folder of the system.
pub(super) fn get() -> anyhow::Result<PathBuf> {
    let cache = enforcer_ebpf_build::tools_root().context("neither ENFORCER_TOOLS, XDG_CACHE_HOME nor HOME is set")?;
    let folder = cache.join("systems").join(RELEASE);
    if !folder.exists() {
        let part = cache.join("systems").join(format!("{RELEASE}.part"));
        drop(fs::remove_dir_all(&part));
        fs::create_dir_all(cache.join("systems"))?;
        make(&part).context("a Debian for guests can't be made")?;
        fs::rename(&part, &folder)?;
    }
    Ok(folder)
}

fn make(folder: &Path) -> anyhow::Result<()> {
    let missing = apt::missing(&["mmdebstrap"]);
    if !missing.is_empty() {
        println!("== installing {}", missing.join(" "));
        apt::install(&missing)?;
    }
    println!("== making a Debian for guests (some two minutes, once)");
    let mut make = Command::new("mmdebstrap");
    make.args(["--variant=minbase", "--format=directory", "--quiet"]).arg(format!("--include={PACKAGES}"));
    // What is unpacked into memory at each boot had better be small.
    for unused in ["/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/i18n/*"] {
        make.arg(format!("--dpkgopt=path-exclude={unused}"));
    }
    make.arg("--customize-hook=rm -rf \"$1\"/var/lib/apt/lists/* \"$1\"/var/cache/apt/*");
    execute(make.arg(RELEASE).arg(folder))
}

const RELEASE: &str = "bookworm";
const PACKAGES: &str = "systemd,systemd-sysv,iproute2,libgcc-s1";
