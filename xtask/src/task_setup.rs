//! `cargo xtask setup`: what the project needs beyond rustup, installed once.
//!
//! In: what is on this host. Out: packages, `bpf-linker` in the user's cache, and a compiler that can build the kernel
//! programs. Never here: anything that is already there; a second run only looks.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, bail};
use enforcer_ebpf_build::{COMPILER_PACKAGES, LINKER_LLVM, LINKER_PACKAGES, LINKER_VERSION, Toolchain};

use crate::{apt, steps};

/// Runs the task.
pub(crate) fn run() -> anyhow::Result<()> {
    let toolchain = ensure()?;
    println!("kernel programs are compiled by {}, linked by {}", toolchain.name, toolchain.linker.display());
    Ok(())
}

/// Installs what is missing, and returns the toolchain.
pub(crate) fn ensure() -> anyhow::Result<Toolchain> {
    let found = enforcer_ebpf_build::find();
    let mut packages = apt::missing(&TOOLS);
    if let Err(missing) = &found {
        let needed = [(missing.compiler, &COMPILER_PACKAGES[..]), (missing.linker, &LINKER_PACKAGES[..])];
        packages.extend(needed.iter().filter(|(needed, _)| *needed).flat_map(|(_, names)| apt::missing(names)));
    }
    if !packages.is_empty() {
        let list = packages.join(" ");
        require_root(&format!("to install {list}"))?;
        println!("== installing {list}");
        apt::install(&packages)?;
    }
    unpack_crowdsec()?;
    if let Err(error) = module_target() {
        println!("== {MODULES} cannot be had: {error:#}");
    }
    if let Err(error) = install_schemathesis() {
        println!("== schemathesis cannot be had: {error:#}");
    }
    match found {
        Ok(toolchain) => Ok(toolchain),
        Err(missing) => {
            if missing.linker {
                install_linker()?;
            }
            Ok(enforcer_ebpf_build::find()?)
        }
    }
}

/// CrowdSec is unpacked and not installed: its post-install step registers this machine with a service outside.
fn unpack_crowdsec() -> anyhow::Result<()> {
    unpack("crowdsec")
}

/// The same for its firewall bouncer, which only a benchmark runs.
pub(crate) fn unpack_bouncer() -> anyhow::Result<()> {
    unpack("crowdsec-firewall-bouncer")
}

/// Unpacks a package that has a program of its own name.
fn unpack(package: &'static str) -> anyhow::Result<()> {
    let root = enforcer_ebpf_build::tools_root().context("neither ENFORCER_TOOLS, XDG_CACHE_HOME nor HOME is set")?;
    let place = root.join(package);
    if place.join("usr/bin").join(package).exists() {
        return Ok(());
    }
    println!("== unpacking {package} into {}", place.display());
    apt::unpack(package, &place)
}

/// Whether filters can be compiled that are modules. A compiler without rustup, or without a network, may lack the library.
pub(crate) fn has_module_target() -> bool {
    let mut rustc = Command::new("rustc");
    rustc.args(["--print", "target-libdir", "--target", MODULES]);
    let printed = rustc.output().map(|output| output.stdout).unwrap_or_default();
    let folder = String::from_utf8_lossy(&printed).trim().to_owned();
    !folder.is_empty() && std::path::Path::new(&folder).exists()
}

/// What filters are compiled with that are modules: the tests compile two.
fn module_target() -> anyhow::Result<()> {
    if has_module_target() {
        return Ok(());
    }
    println!("== adding {MODULES} to the compiler");
    steps::execute(Command::new("rustup").args(["target", "add", MODULES]))
}

/// Whether the center's API can be tried against its own document.
pub(crate) fn has_schemathesis() -> bool {
    schemathesis().is_ok_and(|place| place.join("bin/schemathesis").exists())
}

/// An environment of its own for it: nothing of this host's Python is changed. Its program is the last thing that pip installs.
fn install_schemathesis() -> anyhow::Result<()> {
    if has_schemathesis() {
        return Ok(());
    }
    let place = schemathesis()?;
    println!("== installing schemathesis into {} (half a minute)", place.display());
    steps::execute(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&place))?;
    let mut pip = Command::new(place.join("bin/pip"));
    pip.args(["install", "--quiet", "--disable-pip-version-check", "--requirement"]);
    steps::execute(pip.arg(steps::workspace().join("center/tests/schemathesis/requirements.txt")))
}

/// Where it is kept, by its version.
fn schemathesis() -> anyhow::Result<PathBuf> {
    let root = enforcer_ebpf_build::tools_root().context("neither ENFORCER_TOOLS, XDG_CACHE_HOME nor HOME is set")?;
    let pinned = include_str!("../../center/tests/schemathesis/requirements.txt").lines();
    let name = pinned.filter(|line| line.starts_with("schemathesis==")).map(|line| line.replace("==", "-")).next();
    Ok(root.join(name.context("center/tests/schemathesis/requirements.txt does not name schemathesis")?))
}

/// Says that root is needed, and what for.
pub(crate) fn require_root(what_for: &str) -> anyhow::Result<()> {
    if nix::unistd::geteuid().is_root() {
        return Ok(());
    }
    bail!("run this as root {what_for}")
}

fn install_linker() -> anyhow::Result<()> {
    let root = enforcer_ebpf_build::linker_root().context("neither ENFORCER_TOOLS, XDG_CACHE_HOME nor HOME is set")?;
    println!("== installing bpf-linker {LINKER_VERSION} into {} (about a minute)", root.display());
    steps::execute(
        Command::new("cargo")
            .args(["install", "bpf-linker", "--version", LINKER_VERSION, "--locked", "--force"])
            .args(["--no-default-features", "--features", &format!("llvm-{LINKER_LLVM}"), "--root"])
            .arg(&root)
            // Without it the build looks for libLLVM in the wrong folder.
            .env("LLVM_PREFIX", format!("/usr/lib/llvm-{LINKER_LLVM}"))
            .env_remove("CARGO_TARGET_DIR"),
    )
}

/// For which filters are compiled that are modules.
const MODULES: &str = "wasm32-unknown-unknown";

/// What the tests, the demo and the benchmarks run.
const TOOLS: [&str; 17] = [
    "bpftool",
    "curl",
    "ethtool",
    "iproute2",
    "ipset",
    "iputils-ping",
    "libcap2-bin",
    // The log that several centers share.
    "nats-server",
    "nftables",
    "nginx-light",
    // With promtool, which checks and tests the alerts.
    "prometheus",
    // For schemathesis, which comes from Python's registry.
    "python3-venv",
    "qemu-system-x86",
    "rsyslog",
    "tcpdump",
    "wrk",
    "xz-utils",
];
