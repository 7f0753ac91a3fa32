//! The latest whole content, in a file beside the store.
//!
//! In: a packed content and whose it is. Out: the same, at a start. Never here: anything that a center cannot do without: a snapshot
//! that is missing, damaged or of another history only makes a start slower.
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use enforcer_policy::revision::Digest;

use super::{Store, StoreError};

/// The content of one revision.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SnapshotRow {
    /// Whose.
    pub number: u64,
    /// The hash of that revision's head: two histories may have the same numbers.
    pub head: Digest,
    /// Packed.
    pub body: Vec<u8>,
    /// Bytes of that when it is unpacked.
    pub plain: usize,
}

impl SnapshotRow {
    fn digest(&self) -> Digest {
        let (number, plain) = (self.number.to_be_bytes(), (self.plain as u64).to_be_bytes());
        Digest::of("enforcer snapshot v1", &[&number, &self.head.0, &plain, &self.body])
    }

    fn write(&self, mut file: &File) -> io::Result<()> {
        file.write_all(MAGIC)?;
        file.write_all(&self.digest().0)?;
        file.write_all(&self.number.to_be_bytes())?;
        file.write_all(&self.head.0)?;
        file.write_all(&(self.plain as u64).to_be_bytes())?;
        file.write_all(&self.body)?;
        file.sync_all()
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let (digest, rest) = bytes.strip_prefix(MAGIC)?.split_first_chunk::<32>()?;
        let (number, rest) = rest.split_first_chunk::<8>()?;
        let (head, rest) = rest.split_first_chunk::<32>()?;
        let (plain, body) = rest.split_first_chunk::<8>()?;
        let plain = usize::try_from(u64::from_be_bytes(*plain)).ok()?;
        let row = Self { number: u64::from_be_bytes(*number), head: Digest(*head), body: body.to_vec(), plain };
        (row.digest() == Digest(*digest)).then_some(row)
    }
}

/// Where the snapshot of a store lies. It takes nobody's turn at writing.
#[derive(Clone, Debug)]
pub struct SnapshotFile(PathBuf);

impl Store {
    /// Where its snapshot lies.
    pub fn snapshot_file(&self) -> SnapshotFile {
        SnapshotFile(self.path.with_file_name("snapshot"))
    }
}

impl SnapshotFile {
    /// Replaces it, completely or not at all.
    pub fn keep(&self, row: &SnapshotRow) -> Result<(), StoreError> {
        let (path, new) = (&self.0, self.0.with_extension("new"));
        let write = || {
            let options = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new);
            row.write(&options?)?;
            fs::rename(&new, path)
        };
        write().map_err(|source| StoreError::File { path: path.clone(), source })
    }

    /// The snapshot, if there is a whole one.
    pub fn read(&self) -> Option<SnapshotRow> {
        let row = SnapshotRow::read(&fs::read(&self.0).ok()?);
        if row.is_none() {
            tracing::warn!(path = %self.0.display(), "the snapshot is damaged; the start takes longer without it");
        }
        row
    }
}

const MAGIC: &[u8] = b"ENFS\0\x01";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_snapshot_is_one() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("center.db")).unwrap();
        let file = store.snapshot_file();
        assert_eq!(file.read(), None);
        let row = SnapshotRow { number: 7, head: Digest([3; 32]), body: vec![1, 2, 3], plain: 9 };
        file.keep(&row).unwrap();
        assert_eq!(file.read(), Some(row));
        let whole = fs::read(&file.0).unwrap();
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 1;
            assert_eq!(SnapshotRow::read(&damaged), None, "byte {at}");
            assert_eq!(SnapshotRow::read(&whole[..at]), None, "the first {at} bytes");
        }
    }
}
