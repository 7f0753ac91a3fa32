//! The store room: what must outlive the agent.
//!
//! In: [`Record`]s of what was decided. Out: after a restart, the decisions, the allowlist and the bypass switch as they were,
//! and an honest account of what a crash has cost; and the secret of the identity digests. Never here: the clock (an expired
//! decision comes back as it was written), the ledger's rules, the kernel.
//!
//! ```text
//! <state_dir>/lock            held while the agent runs
//! <state_dir>/journal         header, then records; only ever appended to, or replaced whole
//! <state_dir>/journal.new     a replacement that is being written
//! <state_dir>/journal.torn-1  what could not be read of a journal, kept for people
//! ```
//!
//! To add a record: a variant at the end of [`Record`] and of `Stored` in `form.rs`, its meaning in `replay.rs`, and a higher
//! `VERSION` in `frame.rs`, because older agents cannot read it.
mod error;
mod form;
mod frame;
mod journal;
mod key;
mod replay;
mod snapshot;
mod tally;
mod tape;

use std::path::PathBuf;
use std::sync::Arc;

use enforcer_common::Prefix;
use enforcer_policy::{Action, Allowed, Decision, DecisionId, Moment, Note, Scope};

pub use error::StoreError;
pub use journal::Journal;
pub use key::identity_key;
pub use snapshot::snapshot;

/// One change of what was decided.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Record {
    /// A decision was made or changed; the one with the same id is replaced.
    Put(Decision),
    /// Many decisions on addresses or networks that share everything but that.
    PutMany {
        /// Why.
        note: Arc<Note>,
        /// Where.
        scope: Scope,
        /// What happens.
        action: Action,
        /// When they end; `None` is never.
        until: Option<Moment>,
        /// Who, and under which id.
        items: Vec<(DecisionId, Prefix)>,
    },
    /// A decision was taken back or has ended.
    Remove(DecisionId),
    /// Many were.
    RemoveMany(Vec<DecisionId>),
    /// An allowlist entry was made or changed.
    Allow(Allowed),
    /// An allowlist entry was taken away or has ended.
    Disallow(Prefix),
    /// Enforcement was switched off (`true`) or on.
    Bypass(bool),
}

/// What the journal said when it was opened.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Recovered {
    /// By id, so oldest first.
    pub decisions: Vec<Decision>,
    /// By network.
    pub allowed: Vec<Allowed>,
    /// True when enforcement was switched off.
    pub bypass: bool,
    /// What could not be read, if anything.
    pub torn: Option<Torn>,
}

/// A part of a journal that could not be read: its end after a crash while writing, or anything on a damaged disk.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Torn {
    /// Records before it (and behind it, see `inside`), all of them used.
    pub kept_records: u64,
    /// Places inside where records cannot be read, though there are whole ones behind them: something decided there is missing, or
    /// something that was ended there stands again.
    pub inside: usize,
    /// Bytes that could not be used.
    pub lost_bytes: u64,
    /// Where those bytes are kept.
    pub saved_as: PathBuf,
}

#[cfg(test)]
mod tests;
