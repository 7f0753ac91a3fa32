//! One run of `cargo` for the BPF target.
//!
//! In: a [`Toolchain`], the workspace, a target folder that no other compiler uses. Out: the object's path. Never here:
//! the caller's own cargo settings; a build script runs inside a cargo whose variables name the wrong compiler.

use std::{
    env,
    ffi::OsString,
    io,
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
};

use crate::{PACKAGE, find::Toolchain};

/// Why there is no object.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// `cargo` ran and refused; it has said why on standard error.
    #[error("{toolchain} could not compile {package} for {TARGET} ({status}); its messages are above")]
    Compile {
        /// The compiler's name.
        toolchain: String,
        /// What it compiled.
        package: String,
        /// How cargo ended.
        status: ExitStatus,
    },
    /// `cargo` was content, but the file is not where it should be.
    #[error("{toolchain} compiled {package}, but there is no object at {}", path.display())]
    NoObject {
        /// The compiler's name.
        toolchain: String,
        /// What it compiled.
        package: String,
        /// Where it was looked for.
        path: PathBuf,
    },
    /// `cargo` did not start.
    #[error("failed to start {}", program.display())]
    Start {
        /// The program.
        program: PathBuf,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
}

/// Compiles the kernel programs, and returns where the object lies.
pub fn build(toolchain: &Toolchain, workspace: &Path, target_dir: &Path) -> Result<PathBuf, BuildError> {
    build_package(toolchain, PACKAGE, workspace, target_dir)
}

/// Compiles another package of kernel programs, whose binary has the package's name.
pub fn build_package(
    toolchain: &Toolchain,
    package: &str,
    workspace: &Path,
    target_dir: &Path,
) -> Result<PathBuf, BuildError> {
    let (name, what) = (|| toolchain.name.clone(), || package.to_owned());
    let status = command(toolchain, package, workspace, target_dir)
        .status()
        .map_err(|source| BuildError::Start { program: toolchain.cargo.clone(), source })?;
    if !status.success() {
        return Err(BuildError::Compile { toolchain: name(), package: what(), status });
    }
    let path = target_dir.join(TARGET).join("release").join(package);
    if path.is_file() { Ok(path) } else { Err(BuildError::NoObject { toolchain: name(), package: what(), path }) }
}

fn command(toolchain: &Toolchain, package: &str, workspace: &Path, target_dir: &Path) -> Command {
    let mut cargo = Command::new(&toolchain.cargo);
    for name in inherited() {
        cargo.env_remove(name);
    }
    cargo
        .current_dir(workspace)
        .args(["build", "--release", "--locked", "--package", package, "--bin", package])
        .args(["-Z", "build-std=core", "--target", TARGET, "--target-dir"])
        .arg(target_dir)
        // A stable compiler has the nightly switches; it only has to be told that we know.
        .env("RUSTC_BOOTSTRAP", "1")
        .env("RUSTC", &toolchain.rustc)
        .env("CARGO_ENCODED_RUSTFLAGS", FLAGS.join("\u{1f}"))
        .env("CARGO_TARGET_BPFEL_UNKNOWN_NONE_LINKER", &toolchain.linker)
        .stdin(Stdio::null())
        // Inside a build script, standard output is read by the cargo outside.
        .stdout(Stdio::null());
    cargo
}

/// The variables of the cargo, rustup, rustc or clippy around us that would change what the inner one does.
pub(crate) fn inherited() -> Vec<OsString> {
    env::vars_os().map(|(name, _)| name).filter(|name| name.to_str().is_some_and(is_inherited)).collect()
}

fn is_inherited(name: &str) -> bool {
    let of_cargo = name == "CARGO" || (name.starts_with("CARGO_") && !KEPT.iter().any(|kept| name.starts_with(kept)));
    of_cargo || DROPPED.contains(&name) || DROPPED_FAMILIES.iter().any(|family| name.starts_with(family))
}

/// Where crates come from, and through what.
const KEPT: [&str; 6] =
    ["CARGO_HOME", "CARGO_HTTP_", "CARGO_NET_", "CARGO_REGISTRIES_", "CARGO_REGISTRY_", "CARGO_SOURCE_"];
const DROPPED: [&str; 13] = [
    "CLIPPY_ARGS",
    "CLIPPY_CONF_DIR",
    "DEBUG",
    "HOST",
    // Cargo puts the outer compiler's own libraries in it.
    "LD_LIBRARY_PATH",
    "MAKEFLAGS",
    "MFLAGS",
    "NUM_JOBS",
    "OPT_LEVEL",
    "OUT_DIR",
    "PROFILE",
    "RUSTFLAGS",
    "TARGET",
];
const DROPPED_FAMILIES: [&str; 4] = ["DEP_", "RUSTC", "RUSTDOC", "RUSTUP_TOOLCHAIN"];

/// `--btf` keeps the type information that `debuginfo=2` makes: map definitions and CO-RE are read from it. The third version
/// of the instruction set (kernel 5.1) has 32-bit arithmetic and jumps. Left to its default, the linker turns every clearing
/// and moving of memory, even of three bytes, into a call of a loop over bytes: a third of what a segment costs.
const FLAGS: [&str; 8] = [
    "-C",
    "debuginfo=2",
    "-C",
    "link-arg=--btf",
    "-C",
    "link-arg=--disable-expand-memcpy-in-order",
    "-C",
    "target-cpu=v3",
];
const TARGET: &str = "bpfel-unknown-none";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_of_the_outer_build_are_dropped_and_the_registry_kept() {
        for name in [
            "CARGO",
            "CARGO_BUILD_TARGET",
            "CARGO_ENCODED_RUSTFLAGS",
            "CARGO_MAKEFLAGS",
            "CARGO_MANIFEST_DIR",
            "CARGO_TARGET_DIR",
            "CLIPPY_ARGS",
            "RUSTC",
            "RUSTC_WORKSPACE_WRAPPER",
            "RUSTC_WRAPPER",
            "RUSTFLAGS",
            "RUSTUP_TOOLCHAIN",
        ] {
            assert!(is_inherited(name), "{name} must not reach the inner build");
        }
        for name in
            ["CARGO_HOME", "CARGO_HTTP_CAINFO", "CARGO_NET_OFFLINE", "HOME", "PATH", "RUSTUP_HOME", "https_proxy"]
        {
            assert!(!is_inherited(name), "{name} must reach the inner build");
        }
    }
}
