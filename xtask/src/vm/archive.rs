//! The guest's only file system: an archive that the kernel unpacks into memory.
//!
//! In: programs of this host. Out: a file in the kernel's `newc` form, with the libraries they need. Never here: a shell,
//! or a distribution; the fewer parts a guest has, the more surely a failure is ours.

use std::{
    fs,
    io::Write as _,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Context as _;

use crate::steps::{execute, sibling};

/// What goes into every guest, ready to be packed.
pub(crate) struct Programs {
    /// Names in the guest, and contents.
    files: Vec<(String, Vec<u8>)>,
}

impl Programs {
    /// Those that were built, and `ip`. The same builds that the namespace suite runs: no second compilation, and what passes
    /// here has passed there.
    pub(crate) fn collect(folder: &Path) -> anyhow::Result<Self> {
        fs::create_dir_all(folder)?;
        let ip = ["/usr/sbin/ip", "/usr/bin/ip", "/sbin/ip", "/bin/ip"].map(PathBuf::from);
        let ip = ip.into_iter().find(|ip| ip.exists()).context("there is no `ip` here (Debian: iproute2)")?;
        let programs = [("init", sibling("enforcer-vm")?), ("bin/enforcer", sibling("enforcer")?), ("bin/ip", ip)];
        let mut files = Vec::new();
        for (name, program) in programs {
            for library in libraries(&program)? {
                let inside = library.trim_start_matches('/').to_owned();
                if files.iter().all(|(name, _)| *name != inside) {
                    files.push((inside, fs::read(&library)?));
                }
            }
            files.push((name.to_owned(), stripped(&program, &folder.join("stripped"))?));
        }
        Ok(Self { files })
    }

    /// Packs them with these modules.
    pub(crate) fn pack(&self, modules: &Path, target: &Path) -> anyhow::Result<()> {
        let mut archive = Archive::default();
        archive.folder("modules");
        for (name, contents) in &self.files {
            archive.file(name, contents);
        }
        for entry in fs::read_dir(modules)?.flatten() {
            archive.file(&format!("modules/{}", entry.file_name().display()), &fs::read(entry.path())?);
        }
        fs::write(target, archive.end()).with_context(|| format!("failed to write {}", target.display()))
    }
}

/// What the program is linked to, the loader included: lines like `libc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x7f..)`.
pub(super) fn libraries(program: &Path) -> anyhow::Result<Vec<String>> {
    let output = Command::new("ldd").arg(program).output().context("failed to start ldd")?;
    let lines = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok(lines.split_whitespace().filter(|word| word.starts_with('/')).map(str::to_owned).collect())
}

/// Without what a debugger would read: the emulated processor unpacks every byte.
pub(super) fn stripped(program: &Path, target: &Path) -> anyhow::Result<Vec<u8>> {
    execute(Command::new("strip").arg("-o").arg(target).arg(program))?;
    fs::read(target).with_context(|| format!("failed to read {}", target.display()))
}

/// An archive that grows.
#[derive(Default)]
pub(super) struct Archive {
    bytes: Vec<u8>,
    folders: Vec<String>,
}

impl Archive {
    /// A folder of this host with all that is in it, with owners and modes.
    pub(super) fn tree(&mut self, root: &Path) -> anyhow::Result<()> {
        let mut folders = vec![root.to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in
                fs::read_dir(&folder).with_context(|| format!("failed to read {}", folder.display()))?.flatten()
            {
                let (path, facts) = (entry.path(), entry.path().symlink_metadata()?);
                let name = path.strip_prefix(root)?.display().to_string();
                if facts.is_symlink() {
                    let target = fs::read_link(&path)?.display().to_string();
                    self.owned(&name, &facts, target.as_bytes());
                } else if facts.is_dir() {
                    self.folders.push(name.clone());
                    self.owned(&name, &facts, &[]);
                    folders.push(path);
                } else if facts.is_file() {
                    self.owned(&name, &facts, &fs::read(&path)?);
                }
                // Devices are made by the guest.
            }
        }
        Ok(())
    }

    fn owned(&mut self, name: &str, facts: &fs::Metadata, contents: &[u8]) {
        self.entry(name, facts.mode(), [facts.uid(), facts.gid()], contents);
    }

    /// A folder, and those above it.
    pub(super) fn folder(&mut self, name: &str) {
        if let Some((above, _)) = name.rsplit_once('/') {
            self.folder(above);
        }
        if !self.folders.iter().any(|known| known == name) {
            self.folders.push(name.to_owned());
            self.entry(name, FOLDER, ROOT, &[]);
        }
    }

    /// A program or a file, and the folders above it.
    pub(super) fn file(&mut self, name: &str, contents: &[u8]) {
        if let Some((above, _)) = name.rsplit_once('/') {
            self.folder(above);
        }
        self.entry(name, PROGRAM, ROOT, contents);
    }

    /// All of it.
    pub(super) fn end(mut self) -> Vec<u8> {
        self.entry("TRAILER!!!", 0, ROOT, &[]);
        self.bytes
    }

    /// The header is a magic number and thirteen numbers: inode, mode, owner, group, links, time, size, device (two),
    /// special device (two), length of the name, checksum. Name and contents end on multiples of four.
    fn entry(&mut self, name: &str, mode: u32, [owner, group]: [u32; 2], contents: &[u8]) {
        self.bytes.extend_from_slice(b"070701");
        for number in
            [0, mode as usize, owner as usize, group as usize, 1, 0, contents.len(), 0, 0, 0, 0, name.len() + 1, 0]
        {
            // Writing to memory cannot fail.
            let _ = write!(self.bytes, "{number:08x}");
        }
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.push(0);
        self.align();
        self.bytes.extend_from_slice(contents);
        self.align();
    }

    fn align(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

const ROOT: [u32; 2] = [0, 0];
const FOLDER: u32 = 0o04_0755;
const PROGRAM: u32 = 0o10_0755;

#[cfg(test)]
mod tests {
    use super::Archive;

    #[test]
    fn folders_come_before_their_files_and_once() {
        let mut archive = Archive::default();
        archive.file("lib/a/one", b"12345");
        archive.file("lib/a/two", b"");
        assert_eq!(archive.folders, ["lib", "lib/a"]);
        let bytes = archive.end();
        assert_eq!((bytes.len() % 4, &bytes[..6]), (0, &b"070701"[..]));
    }
}
