//! Compiles the kernel programs, so that the agent carries them inside.
//!
//! In: the sources of `enforcer-ebpf`, or a finished object named by `ENFORCER_BPF_OBJECT_FILE` (packagers, hosts without
//! a BPF compiler). Out: a copy in `OUT_DIR`, named by `ENFORCER_BPF_OBJECT` at compile time. Never here: an agent
//! without its object; if it can't be built, the build fails and says what to install.
#![forbid(unsafe_code)]

use std::{
    env,
    error::Error,
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

fn main() -> ExitCode {
    match embed() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            for line in describe(error.as_ref()).lines() {
                println!("cargo::error={line}");
            }
            ExitCode::FAILURE
        }
    }
}

fn embed() -> Result<(), Box<dyn Error>> {
    for name in ["ENFORCER_ABI_AHEAD", "ENFORCER_BPF_OBJECT_FILE", "ENFORCER_TOOLS"] {
        println!("cargo::rerun-if-env-changed={name}");
    }
    let object = match env::var_os("ENFORCER_BPF_OBJECT_FILE") {
        Some(file) => given(file.into()),
        None => compile()?,
    };
    let embedded = Path::new(&env::var("OUT_DIR")?).join("enforcer.bpf.o");
    fs::copy(&object, &embedded).map_err(|error| format!("failed to copy {}: {error}", object.display()))?;
    println!("cargo::rustc-env=ENFORCER_BPF_OBJECT={}", embedded.display());
    Ok(())
}

fn given(object: PathBuf) -> PathBuf {
    println!("cargo::rerun-if-changed={}", object.display());
    object
}

fn compile() -> Result<PathBuf, Box<dyn Error>> {
    let manifest_dir = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let workspace = manifest_dir.parent().ok_or("the crate has no folder above it")?;
    for source in SOURCES {
        println!("cargo::rerun-if-changed={}", workspace.join(source).display());
    }
    let toolchain = enforcer_ebpf_build::find()?;
    Ok(enforcer_ebpf_build::build(&toolchain, workspace, &workspace.join("target/bpf"))?)
}

fn describe(error: &dyn Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", describe(source)),
        None => error.to_string(),
    }
}

const SOURCES: [&str; 6] = [
    "Cargo.lock",
    "Cargo.toml",
    "enforcer-common/Cargo.toml",
    "enforcer-common/src",
    "enforcer-ebpf/Cargo.toml",
    "enforcer-ebpf/src",
];
