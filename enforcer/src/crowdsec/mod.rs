//! CrowdSec as a source of decisions: what its local API says, as a set of subjects and their ends.
//!
//! ```text
//! client (HTTP, X-Api-Key) -> stream (JSON -> items and ids) -> book (ids -> subjects, ends) -> changes -> the agent's ledger
//! ```
//! In: answers of a CrowdSec local API. Out: [`Wish`]es: this subject until then, or no longer. Never here: the ledger, the kernel, the
//! clock. Facts of the protocol that shape this room: decisions come by id and overlap on one value; deletes come again; arrays may be
//! null; a list that a failing database cut short looks complete.
mod book;
mod client;
mod stream;

pub use book::{Book, Refused, Wish};
pub use client::Client;
pub use stream::{Answer, Ignored, Item, StreamError, Who};

/// Why CrowdSec could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum CrowdSecError {
    /// It said no.
    #[error("CrowdSec answered {0}: is the key of this bouncer right?")]
    Answer(u16),
    /// A file that is needed cannot be read.
    #[error("cannot read {path}: {source}")]
    File {
        /// The file.
        path: String,
        /// Why not.
        source: std::io::Error,
    },
    /// The answer is none.
    #[error("{0}")]
    Stream(#[from] StreamError),
    /// No connection, or a broken one.
    #[error("no connection to CrowdSec: {0}")]
    Unreachable(String),
}

impl CrowdSecError {
    fn line(error: impl std::fmt::Display) -> Self {
        Self::Unreachable(error.to_string())
    }
}
