//! What can go wrong at the door to the kernel.
use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// A failed step, with the place it failed at.
#[derive(Debug, Error)]
pub enum KernelError {
    /// A folder on bpffs could not be made or read.
    #[error("failed to {step} {}: {source}", path.display())]
    Bpffs {
        /// What was tried.
        step: &'static str,
        /// Where.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The object could not be loaded.
    #[error("failed to load the kernel programs: {0}")]
    Load(#[source] Box<aya::EbpfError>),
    /// A program was refused by the kernel.
    #[error("the kernel refused the program {program}: {reason}")]
    Program {
        /// Which.
        program: &'static str,
        /// The end of the verifier's log, or the error.
        reason: String,
    },
    /// A map is missing or of another kind than expected.
    #[error("the map {map} cannot be used: {reason}")]
    Map {
        /// Which.
        map: &'static str,
        /// Why.
        reason: String,
    },
    /// A map has no room left.
    #[error("the map {map} is full: {limit} entries (raise limits.{key} in the configuration and restart the agent)")]
    Full {
        /// Which.
        map: &'static str,
        /// Entries it can hold.
        limit: u64,
        /// The setting to raise.
        key: &'static str,
    },
    /// A program could not be attached.
    #[error("failed to attach {hook} to {interface}: {reason}")]
    Attach {
        /// `xdp` or `tc`.
        hook: &'static str,
        /// The interface.
        interface: String,
        /// Why not.
        reason: String,
    },
    /// A system call failed.
    #[error("failed to {step}: {source}")]
    System {
        /// What was tried.
        step: &'static str,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

impl KernelError {
    /// The last system call's error, with what was tried.
    pub(super) fn last(step: &'static str) -> Self {
        Self::System { step, source: io::Error::last_os_error() }
    }
}
