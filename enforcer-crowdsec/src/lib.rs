//! CrowdSec: what its local API says, as a set of subjects and their ends; and alerts to it. Agent and center speak with it through this crate.
//!
//! ```text
//! bouncer  client (X-Api-Key) -> stream (JSON -> items and ids) -> book (ids -> subjects, ends) -> wishes -> ledger of a host, desk of a center
//! machine  findings, as JSON -> machine (login, token) -> /v1/alerts
//! ```
//! In: answers of a CrowdSec local API; alerts. Out: [`Wish`]es: this subject until then, or no longer. Never here: a ledger, a kernel, a clock for
//! policy, what an alert is made of. Facts of the protocol that shape this crate: decisions come by id and overlap on one value; deletes come
//! again; arrays may be null; a list that a failing database cut short looks complete.
#![forbid(unsafe_code)]

mod book;
mod client;
mod line;
mod machine;
mod stream;

pub use book::{Book, Refused, Wish};
pub use client::Client;
pub use line::Place;
pub use machine::Machine;
pub use stream::{Answer, Ignored, Item, StreamError, Who};

/// Why CrowdSec could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum CrowdSecError {
    /// It said no.
    #[error("CrowdSec answered {0}: is the key of this bouncer right?")]
    Answer(u16),
    /// It does not let this machine in.
    #[error(
        "CrowdSec answered {0} to the login: is this machine registered (cscli machines add), and its password right?"
    )]
    Login(u16),
    /// It does not take an alert.
    #[error("CrowdSec answered {0} to an alert: {1}")]
    Alert(u16, String),
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
