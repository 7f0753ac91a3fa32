//! `bpf-linker`: where it is kept, and whether it runs.
//!
//! In: the environment. Out: a [`Linker`] that answered when asked for its version. Never here: building one; that is
//! `cargo xtask setup`.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// The release of `bpf-linker` that the project installs.
pub const LINKER_VERSION: &str = "0.13.0";

/// The LLVM that release is built on here. It reads no code from a newer one.
pub const LINKER_LLVM: u32 = 22;

/// A linker that runs.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Linker {
    /// The program.
    pub path: PathBuf,
    /// The newest LLVM whose code it reads, where that is known: for one found on the PATH it is not.
    pub llvm: Option<u32>,
}

impl Linker {
    /// The linker `cargo xtask setup` installed, or else one on the PATH.
    pub fn find() -> Option<Self> {
        let installed = linker_root().map(|root| Self { path: root.join("bin").join(NAME), llvm: Some(LINKER_LLVM) });
        installed.filter(|linker| runs(&linker.path)).or_else(on_path)
    }
}

/// The folder that `cargo install --root` fills: one in the tools' folder, named by the version.
pub fn linker_root() -> Option<PathBuf> {
    Some(tools_root()?.join(format!("{NAME}-{LINKER_VERSION}")))
}

/// Where the project keeps what outlives a target folder: `$ENFORCER_TOOLS`, or `enforcer` in the user's cache.
pub fn tools_root() -> Option<PathBuf> {
    folder("ENFORCER_TOOLS")
        .or_else(|| folder("XDG_CACHE_HOME").map(|cache| cache.join("enforcer")))
        .or_else(|| folder("HOME").map(|home| home.join(".cache/enforcer")))
}

fn folder(variable: &str) -> Option<PathBuf> {
    env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from)
}

fn on_path() -> Option<Linker> {
    let path = env::var_os("PATH")?;
    let found = env::split_paths(&path).map(|folder| folder.join(NAME)).find(|program| runs(program))?;
    Some(Linker { path: found, llvm: None })
}

/// A file is not enough: the linker loads LLVM when it starts, and that package may be gone.
fn runs(program: &Path) -> bool {
    program.is_file()
        && Command::new(program)
            .arg("--version")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
}

const NAME: &str = "bpf-linker";
