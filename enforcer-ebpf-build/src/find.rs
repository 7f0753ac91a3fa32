//! Which compiler can build `core` for BPF on this host.
//!
//! In: rustup's nightly, Debian's packages, the linker. Out: the three programs of a [`Toolchain`], or a [`Missing`] whose
//! text is the instruction to follow. Never here: a guess; every compiler is asked for its version and its source is
//! looked at.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::{COMPILER_PACKAGES, LINKER_LLVM, LINKER_PACKAGES, LINKER_VERSION, linker::Linker};

/// Everything that one build of the kernel programs runs.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Toolchain {
    /// What to call it when telling a person.
    pub name: String,
    /// The `cargo` that belongs to `rustc`.
    pub cargo: PathBuf,
    /// The compiler; its sysroot holds the source of `core`.
    pub rustc: PathBuf,
    /// `bpf-linker`.
    pub linker: PathBuf,
}

/// What is not there. Its text says how to get it.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{}", self.instructions())]
pub struct Missing {
    /// No compiler carries the source of `core`.
    pub compiler: bool,
    /// No `bpf-linker` runs.
    pub linker: bool,
    /// A nightly was passed over because the linker doesn't read code of its LLVM.
    pub too_new: Option<u32>,
}

/// The compiler and linker to use. A rustup nightly comes first, so that people with one need no packages.
pub fn find() -> Result<Toolchain, Missing> {
    let linker = Linker::find();
    let newest = linker.as_ref().map_or(Some(LINKER_LLVM), |linker| linker.llvm);
    let nightly = nightly();
    let too_new = nightly.as_ref().map(|nightly| nightly.llvm).filter(|llvm| newest.is_some_and(|most| *llvm > most));
    let compiler = if too_new.is_some() { debian() } else { nightly.or_else(debian) };
    match (compiler, linker) {
        (Some(compiler), Some(linker)) => {
            Ok(Toolchain { name: compiler.name, cargo: compiler.cargo, rustc: compiler.rustc, linker: linker.path })
        }
        (compiler, linker) => Err(Missing { compiler: compiler.is_none(), linker: linker.is_none(), too_new }),
    }
}

impl Missing {
    fn instructions(&self) -> String {
        let mut lines = vec!["the kernel programs can't be compiled on this host:".to_owned()];
        if let Some(llvm) = self.too_new {
            lines.push(format!("  rustup's nightly has LLVM {llvm}; bpf-linker reads LLVM {LINKER_LLVM} and older"));
        }
        if self.compiler {
            lines.push("  no Rust compiler with the source of `core`; install one of".to_owned());
            lines.push(format!("    apt-get install {}", COMPILER_PACKAGES.join(" ")));
            lines.push("    rustup toolchain install nightly --component rust-src".to_owned());
        }
        if self.linker {
            lines.push("  no bpf-linker; install it with".to_owned());
            lines.push(format!("    apt-get install {}", LINKER_PACKAGES.join(" ")));
            lines.push(format!("    {}", install_line()));
        }
        lines.push("  or let `cargo xtask setup` (Debian 12, as root) install all of it".to_owned());
        lines.join("\n")
    }
}

/// What `cargo xtask setup` runs, for people who would rather do it by hand.
fn install_line() -> String {
    let root = crate::linker_root().map_or_else(String::new, |root| format!(" --root {}", root.display()));
    format!(
        "LLVM_PREFIX=/usr/lib/llvm-{LINKER_LLVM} cargo install bpf-linker --version {LINKER_VERSION} \
         --no-default-features --features llvm-{LINKER_LLVM} --locked{root}"
    )
}

struct Compiler {
    name: String,
    cargo: PathBuf,
    rustc: PathBuf,
    llvm: u32,
}

/// rustup's nightly, asked through rustup so that its own settings count. It must not start a download.
fn nightly() -> Option<Compiler> {
    let mut rustup = Command::new("rustup");
    rustup.args(["run", "nightly", "rustc", "--print", "sysroot"]).env("RUSTUP_AUTO_INSTALL", "0");
    let sysroot = PathBuf::from(answer(&mut rustup)?.trim());
    inspect(&sysroot, &sysroot.join("bin"), "rustup nightly")
}

/// Debian 12's own Rust, which lives beside rustup's and behind it on the PATH.
fn debian() -> Option<Compiler> {
    let root = Path::new("/usr");
    inspect(root, &root.join("bin"), "Debian").filter(|compiler| minor(&compiler.name) >= Some(OLDEST_MINOR))
}

fn inspect(sysroot: &Path, bin: &Path, origin: &str) -> Option<Compiler> {
    let (rustc, cargo) = (bin.join("rustc"), bin.join("cargo"));
    let complete = sysroot.join("lib/rustlib/src/rust/library/core/src/lib.rs").is_file() && cargo.is_file();
    if !complete {
        return None;
    }
    let version = answer(Command::new(&rustc).arg("-vV"))?;
    let field = |name: &str| version.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    let llvm = field("LLVM version:")?.split('.').next()?.parse().ok()?;
    Some(Compiler { name: format!("{origin} {}", field("release:")?), cargo, rustc, llvm })
}

/// 96 of `Debian 1.96.0`.
fn minor(name: &str) -> Option<u32> {
    name.split_once("1.")?.1.split('.').next()?.parse().ok()
}

fn answer(command: &mut Command) -> Option<String> {
    for name in crate::compile::inherited() {
        command.env_remove(name);
    }
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// aya-ebpf and the edition need no more than this; older ones have not been tried.
const OLDEST_MINOR: u32 = 96;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_names_every_missing_part_and_only_those() {
        let nothing = Missing { compiler: true, linker: true, too_new: None }.to_string();
        assert!(nothing.contains("apt-get install rustc-web cargo-web rust-web-src"), "{nothing}");
        assert!(nothing.contains("apt-get install llvm-22-dev"), "{nothing}");
        assert!(nothing.contains("cargo install bpf-linker --version 0.13.0"), "{nothing}");
        assert!(nothing.contains("cargo xtask setup"), "{nothing}");

        let linker = Missing { compiler: false, linker: true, too_new: None }.to_string();
        assert!(!linker.contains("rustc-web"), "{linker}");

        let newer = Missing { compiler: true, linker: false, too_new: Some(23) }.to_string();
        assert!(newer.contains("LLVM 23") && !newer.contains("cargo install"), "{newer}");
    }

    #[test]
    fn the_minor_version_is_read_from_the_name() {
        assert_eq!(minor("Debian 1.96.0"), Some(96));
        assert_eq!(minor("Debian 2.0"), None);
    }
}
