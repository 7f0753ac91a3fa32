//! The folder on bpffs: made, mounted when needed, and swapped whole.
use std::ffi::CString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use super::KernelError;

/// `BPF_FS_MAGIC` of the kernel's `magic.h`.
const BPF_FS: i64 = 0xcafe_4a11;

/// Where bpffs is mounted on most hosts.
const USUAL: &str = "/sys/fs/bpf";

/// Makes sure `path` is a folder on bpffs, mounting one over it when it is not.
pub fn prepare(path: &Path) -> Result<(), KernelError> {
    let usual = Path::new(USUAL);
    // Where the init system has not mounted it, nothing can be made below: sysfs only has the empty folder.
    if path.starts_with(usual) && usual.is_dir() && !is_bpffs(usual)? {
        mount(usual)?;
    }
    make(path)?;
    if !is_bpffs(path)? {
        mount(path)?;
    }
    recover(path)?;
    make(&path.join("links"))
}

/// Where the current maps are pinned.
pub(super) fn maps(bpffs: &Path) -> PathBuf {
    bpffs.join("maps")
}

/// An empty folder for a new set of maps.
pub(super) fn fresh_maps(bpffs: &Path) -> Result<PathBuf, KernelError> {
    let path = bpffs.join("maps-new");
    remove(&path)?;
    make(&path)?;
    Ok(path)
}

/// Makes the new set the current one.
pub(super) fn swap_maps(bpffs: &Path) -> Result<(), KernelError> {
    let (current, new, old) = (maps(bpffs), bpffs.join("maps-new"), bpffs.join("maps-old"));
    remove(&old)?;
    if current.exists() {
        rename(&current, &old)?;
    }
    rename(&new, &current)?;
    remove(&old)
}

/// Removes a folder of pins.
pub(super) fn remove(path: &Path) -> Result<(), KernelError> {
    match fs::remove_dir_all(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => Err(failed("remove", path, source)),
        _ => Ok(()),
    }
}

/// Removes one pin.
pub(super) fn unpin(path: &Path) -> Result<(), KernelError> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => Err(failed("remove", path, source)),
        _ => Ok(()),
    }
}

/// The names of the pins in a folder; none when it does not exist.
pub(super) fn pins(path: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(path) else { return Vec::new() };
    entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect()
}

/// Ends a swap that a crash cut in two.
fn recover(bpffs: &Path) -> Result<(), KernelError> {
    let (current, new, old) = (maps(bpffs), bpffs.join("maps-new"), bpffs.join("maps-old"));
    if !current.exists() && new.exists() && old.exists() {
        rename(&new, &current)?;
    }
    remove(&old)
}

pub(super) fn make(path: &Path) -> Result<(), KernelError> {
    fs::create_dir_all(path).map_err(|source| failed("create", path, source))
}

fn rename(from: &Path, to: &Path) -> Result<(), KernelError> {
    fs::rename(from, to).map_err(|source| failed("rename", from, source))
}

pub(super) fn is_bpffs(path: &Path) -> Result<bool, KernelError> {
    let name = text(path)?;
    // SAFETY: `statfs` is plain data, for which zero is valid.
    let mut facts: libc::statfs = unsafe { std::mem::zeroed() };
    // SAFETY: a terminated string, and a struct on the stack that is written.
    if unsafe { libc::statfs(name.as_ptr(), &raw mut facts) } != 0 {
        return Err(failed("look at", path, io::Error::last_os_error()));
    }
    Ok(facts.f_type == BPF_FS)
}

fn mount(path: &Path) -> Result<(), KernelError> {
    let name = text(path)?;
    let kind = c"bpf".as_ptr();
    // SAFETY: terminated strings; no data.
    let done = unsafe { libc::mount(kind, name.as_ptr(), kind, 0, c"mode=0700".as_ptr().cast()) };
    if done == 0 { Ok(()) } else { Err(failed("mount bpffs on", path, io::Error::last_os_error())) }
}

fn text(path: &Path) -> Result<CString, KernelError> {
    CString::new(path.as_os_str().as_bytes()).map_err(|source| failed("use", path, source.into()))
}

fn failed(step: &'static str, path: &Path, source: io::Error) -> KernelError {
    KernelError::Bpffs { step, path: path.to_owned(), source }
}
