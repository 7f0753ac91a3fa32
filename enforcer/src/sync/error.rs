//! What can go wrong between a host and its center.
use std::io;
use std::path::{Path, PathBuf};

use enforcer_policy::revision::Flaw;

/// Why the line does not work.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    /// The center said no.
    #[error("the center answered {status}: {detail}")]
    Answer {
        /// The HTTP status.
        status: u16,
        /// Its words.
        detail: String,
    },
    /// A file of the enrolment.
    #[error("cannot {operation} {}: {source}", path.display())]
    File {
        /// What was tried.
        operation: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A delivery is refused.
    #[error("a revision was refused: {0}")]
    Flaw(#[from] Flaw),
    /// A file, token or address that means nothing.
    #[error("{0} is not what it should be")]
    Meaningless(&'static str),
    /// No connection.
    #[error("no connection to the center: {0}")]
    Unreachable(String),
}

impl SyncError {
    /// A failed operation on a file.
    pub(crate) fn file(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { operation, path, source }
    }

    /// A connection that was not made, or broke.
    pub(crate) fn line(error: impl std::fmt::Display) -> Self {
        Self::Unreachable(error.to_string())
    }
}
