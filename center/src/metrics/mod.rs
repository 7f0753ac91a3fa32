//! What Prometheus is told of the center.
//!
//! In: a [`Snapshot`] that `api/metrics.rs` gathers for each scrape; what [`Tally`] counted. Out: OpenMetrics text ([`render`]). Every
//! family is listed once, in `families.rs`; `docs/center-metrics.md` is made of that list. Series are bounded by the hosts and exports
//! that there are. Never here: SQL, the desk, names of decisions or people.
//!
//! To add a family: an entry in `families.rs`, a field of [`Snapshot`], a line in `page.rs`, then
//! `UPDATE=1 cargo test -p enforcer-center metrics`.
mod families;
mod page;
mod tally;

use crate::sources::SourceState;
pub(crate) use page::render;
pub(crate) use tally::{Tally, Totals};

/// Everything that is exported, at one moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Snapshot {
    /// The present revision.
    pub(crate) revision: u64,
    /// Decisions in it.
    pub(crate) decisions: u64,
    /// The revision of the latest snapshot; 0 without one.
    pub(crate) taken: u64,
    /// Changes that wait for a second person.
    pub(crate) proposals: u64,
    /// Stages of a rollout that are out.
    pub(crate) rollout_stage: u64,
    /// All hosts.
    pub(crate) hosts: Vec<HostFigures>,
    /// What was counted since the start.
    pub(crate) totals: Totals,
    /// The number of the last event.
    pub(crate) last_event: u64,
    /// Name, cursor and whether it works, of each export.
    pub(crate) exports: Vec<(String, u64, bool)>,
    /// All sources, by name.
    pub(crate) sources: Vec<(String, SourceState)>,
    /// Modules that are published, and that wait.
    pub(crate) modules: [u64; 2],
    /// Hosts that have a module, by how it is there.
    pub(crate) module_hosts: Vec<(&'static str, u64)>,
    /// Bytes of each file.
    pub(crate) files: Vec<(&'static str, u64)>,
}

/// One host.
#[derive(Clone, Debug, Default)]
pub(crate) struct HostFigures {
    /// Its name.
    pub(crate) name: String,
    /// As `GET /hosts` says it.
    pub(crate) state: &'static str,
    /// The revision that it has acknowledged.
    pub(crate) number: u64,
    /// When it was last heard of, in seconds; 0 for never.
    pub(crate) seen: f64,
    /// Decisions that it could not enforce.
    pub(crate) failed: u64,
}

#[cfg(test)]
mod tests;
