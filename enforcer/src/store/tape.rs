//! A file that grows at its end and is always valid up to a known point.
//!
//! In: bytes to append. Out: either they are there, or the file is as it was at the last sync. Never here: what the bytes mean.
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::StoreError;

/// The file.
#[derive(Debug)]
pub(super) struct Tape {
    file: File,
    path: PathBuf,
    /// Up to here it is on the disk.
    synced: u64,
    /// Up to here it is written.
    end: u64,
    /// What lies past `synced` is not known any more.
    suspect: bool,
    /// Bytes after which the disk is full.
    #[cfg(test)]
    pub(super) disk: Option<u64>,
}

impl Tape {
    /// A new, empty file in the place of whatever was there, for its owner only.
    pub(super) fn create(path: PathBuf) -> Result<Self, StoreError> {
        let file = options().create(true).truncate(true).open(&path).map_err(StoreError::io("create", &path))?;
        Ok(Self::new(file, path))
    }

    /// A new file beside this one.
    pub(super) fn sibling(&self, name: &str) -> Result<Self, StoreError> {
        let tape = Self::create(self.path.with_file_name(name))?;
        #[cfg(test)]
        let tape = Self { disk: self.disk, ..tape };
        Ok(tape)
    }

    /// An existing file and all that is in it; `None` when there is none.
    pub(super) fn open(path: PathBuf) -> Result<Option<(Self, Vec<u8>)>, StoreError> {
        let mut file = match options().open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(StoreError::io("open", &path)(error)),
        };
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(StoreError::io("read", &path))?;
        let length = bytes.len() as u64;
        Ok(Some((Self { synced: length, end: length, ..Self::new(file, path) }, bytes)))
    }

    fn new(file: File, path: PathBuf) -> Self {
        Self {
            file,
            path,
            synced: 0,
            end: 0,
            suspect: false,
            #[cfg(test)]
            disk: None,
        }
    }

    /// Where the file is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes written.
    pub(super) fn end(&self) -> u64 {
        self.end
    }

    /// True when nothing can be appended any more.
    pub(super) fn is_suspect(&self) -> bool {
        self.suspect
    }

    /// Appends. On failure everything since the last sync is taken back.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        if self.suspect {
            return Err(StoreError::Suspect { path: self.path.clone() });
        }
        let written = self.write_at_end(bytes);
        self.or_back(written, "write")?;
        self.end += bytes.len() as u64;
        Ok(())
    }

    /// Returns when all that was written is on the disk. On failure everything since the last sync is taken back.
    pub(super) fn sync(&mut self) -> Result<(), StoreError> {
        if self.end != self.synced {
            let synced = self.file.sync_data();
            // The system tells of a lost page once, and then takes it for clean: only a new file can be trusted.
            self.suspect |= synced.is_err();
            self.or_back(synced, "sync")?;
            self.synced = self.end;
        }
        Ok(())
    }

    /// Cuts the file to its first `length` bytes.
    pub(super) fn cut(&mut self, length: u64) -> Result<(), StoreError> {
        self.file.set_len(length).and_then(|()| self.file.sync_all()).map_err(StoreError::io("shorten", &self.path))?;
        (self.synced, self.end) = (length, length);
        Ok(())
    }

    /// Gives the file another name, in the place of the file that had it.
    pub(super) fn rename(&mut self, path: &Path) -> Result<(), StoreError> {
        std::fs::rename(&self.path, path).map_err(StoreError::io("replace", path))?;
        path.clone_into(&mut self.path);
        Ok(())
    }

    fn write_at_end(&self, bytes: &[u8]) -> io::Result<()> {
        #[cfg(test)]
        if let Some(disk) = self.disk {
            let room = usize::try_from(disk.saturating_sub(self.end)).unwrap();
            if room < bytes.len() {
                self.file.write_all_at(&bytes[..room], self.end)?;
                return Err(io::ErrorKind::StorageFull.into());
            }
        }
        self.file.write_all_at(bytes, self.end)
    }

    fn or_back(&mut self, result: io::Result<()>, operation: &'static str) -> Result<(), StoreError> {
        result.map_err(|error| {
            self.suspect |= self.file.set_len(self.synced).is_err();
            self.end = self.synced;
            StoreError::io(operation, &self.path)(error)
        })
    }
}

/// Makes the names in a directory last.
pub(super) fn sync_directory(path: &Path) -> Result<(), StoreError> {
    File::open(path).and_then(|directory| directory.sync_all()).map_err(StoreError::io("sync", path))
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600);
    options
}
