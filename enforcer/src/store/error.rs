//! What can go wrong with files, each with the file and what to do.
//!
//! In: errors of the file system. Out: [`StoreError`]. Never here: recovery.
use std::io;
use std::path::{Path, PathBuf};

/// Why something could not be stored or read back.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A record could not be put into bytes.
    #[error("failed to encode a record")]
    Encode(#[source] postcard::Error),
    /// A record that is whole could not be understood.
    #[error(
        "{path} holds a record at byte {offset} that is whole but means nothing to this version: start the version that \
         wrote it, or move the file aside to begin without decisions"
    )]
    Foreign {
        /// The journal.
        path: PathBuf,
        /// Where the record begins.
        offset: u64,
    },
    /// The file does not begin as a journal does.
    #[error(
        "{path} does not begin like a journal: it was damaged or is another file; restore it from a backup, or move it \
         aside to begin without decisions"
    )]
    Header {
        /// The journal.
        path: PathBuf,
    },
    /// The system refused.
    #[error("failed to {operation} {path}: {source}")]
    Io {
        /// What was tried.
        operation: &'static str,
        /// On which file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Others can read the secret.
    #[error(
        "{path} can be read by others (mode {mode:03o}): run `chmod 600 {path}`, and replace it if they may have read it"
    )]
    KeyExposed {
        /// The key's file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// The secret is not one.
    #[error(
        "{path} is not an identity key: it must hold 32 hexadecimal digits, not all zero; copy it again from the host it \
         came from, or remove it to have a new one made (decisions about devices then no longer match)"
    )]
    KeyMalformed {
        /// The key's file.
        path: PathBuf,
    },
    /// Another agent works in the directory.
    #[error("{path} is in use by another agent: stop it first, or choose another state_dir")]
    Locked {
        /// The lock.
        path: PathBuf,
    },
    /// An earlier write failed in a way that leaves the end of the file unknown.
    #[error(
        "{path} cannot be appended to since an earlier write failed: make room or repair the disk; the agent rewrites it"
    )]
    Suspect {
        /// The journal.
        path: PathBuf,
    },
    /// One record is larger than can be read back.
    #[error("a record of {bytes} bytes is too large: at most {limit}; write it in parts")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The most.
        limit: usize,
    },
    /// The file was written by a later version.
    #[error("{path} has format {found}, and this version reads {known}: start the version that wrote it")]
    Version {
        /// The journal.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// Ours.
        known: u32,
    },
}

impl StoreError {
    /// Names the operation and the file of a system's refusal.
    pub(super) fn io(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { operation, path, source }
    }
}
