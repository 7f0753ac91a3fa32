//! Finds what is needed to compile the kernel programs, and compiles them.
//!
//! In: the environment (`$ENFORCER_TOOLS`, `$XDG_CACHE_HOME`, `$HOME`, `$PATH`, rustup) and the workspace's folder.
//! Out: a [`Toolchain`] or the words that say what to install ([`Missing`]); the path of the object file. Never here:
//! installing anything, network access of our own, output (`cargo`'s own progress goes to standard error).
//!
//! `core` has to be compiled for BPF, so a compiler that carries its library's source is needed: a rustup nightly with
//! `rust-src`, or else Debian's. Both are driven through the same three paths, so nothing else depends on which it is.
#![forbid(unsafe_code)]

mod compile;
mod find;
mod linker;

pub use compile::{BuildError, build, build_package};
pub use find::{Missing, Toolchain, find};
pub use linker::{LINKER_LLVM, LINKER_VERSION, Linker, linker_root, tools_root};

/// The package and the binary that hold the kernel programs.
pub const PACKAGE: &str = "enforcer-ebpf";

/// Debian's packages of a compiler that carries the source of `core`.
pub const COMPILER_PACKAGES: [&str; 3] = ["rustc-web", "cargo-web", "rust-web-src"];

/// Debian's packages that `bpf-linker` is built with.
pub const LINKER_PACKAGES: [&str; 4] = ["llvm-22-dev", "libpolly-22-dev", "zlib1g-dev", "libzstd-dev"];
