//! What Prometheus is told.
//!
//! In: a [`Snapshot`] that the agent gathers for each scrape. Out: OpenMetrics text ([`render`], a pure function), and the
//! small server that hands it out ([`http`]). Every family is listed once, in `families.rs`, with name, help and labels;
//! `docs/metrics.md` is made of that list. Label values come from closed lists and the configuration, so the number of
//! series is bounded. Never here: counting (the kernel and the other rooms do), state between scrapes.
//!
//! To add a family: an entry in `families.rs`, a field of [`Snapshot`], a line in `page.rs`, then
//! `UPDATE=1 cargo test -p enforcer metrics`.

mod families;
pub mod http;
mod latency;
mod page;

use std::time::Duration;

use enforcer_common::{Counter, Reason, Verdict};

pub use latency::Latency;
pub use page::render;

use crate::spool::SpoolCounts;
use crate::wire::{Attachment, Drift, EventTotals, FilterReport, MapFill, PolicyCounts, ServiceRequests};

/// Everything that is exported, at one moment.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Snapshot {
    /// This program.
    pub build: Build,
    /// The kernel's counters. Without a verdict where one reason can have several.
    pub counters: Vec<(Reason, Option<Verdict>, Counter)>,
    /// Requests by service and verdict.
    pub services: Vec<ServiceRequests>,
    /// Decisions meant and decisions held.
    pub decisions: PolicyCounts,
    /// Allowlist entries.
    pub allowed: u64,
    /// How full the maps are.
    pub maps: Vec<MapFill>,
    /// The event stream.
    pub events: EventTotals,
    /// Where the programs hang.
    pub attachments: Vec<Attachment>,
    /// True: everything passes.
    pub bypass: bool,
    /// What is left of the lease; `None` when decisions hold without an agent.
    pub lease: Option<Lease>,
    /// What the comparison with the kernel found.
    pub drift: Drift,
    /// Orders refused because a map was full.
    pub orders_refused: u64,
    /// From the arrival of a decision to its enforcement.
    pub enforcement: Latency,
    /// The inventory.
    pub apis: ApiCounts,
    /// Filters and findings.
    pub findings: FindingCounts,
    /// Modules that the center publishes, by state.
    pub published: Vec<(&'static str, u64)>,
    /// Events on their way to the center.
    pub spool: SpoolCounts,
    /// CrowdSec.
    pub crowdsec: CrowdSecCounts,
}

/// How large the inventory is.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ApiCounts {
    /// Endpoints of each service.
    pub endpoints: Vec<(String, u64)>,
    /// Calls that found no room, by what had none.
    pub forgotten: Vec<(&'static str, u64)>,
    /// Calls that could not be read.
    pub unread: u64,
}

/// What filters did.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct FindingCounts {
    /// New ones.
    pub new: u64,
    /// Those that gave way.
    pub forgotten: u64,
    /// Decisions that they led to.
    pub decided: u64,
    /// Calls and signs without room.
    pub lost: u64,
    /// How each filter does.
    pub filters: Vec<FilterReport>,
}

/// What came from CrowdSec.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct CrowdSecCounts {
    /// Subjects that it has banned.
    pub wanted: u64,
    /// Those of them on which another decision stands.
    pub behind_local: u64,
    /// Decisions that mean nothing here or found no room, by why.
    pub left_out: Vec<(&'static str, u64)>,
    /// When it last answered.
    pub last: Option<enforcer_policy::Moment>,
}

/// This program.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Build {
    /// Its release.
    pub version: String,
    /// The layout of its maps.
    pub abi: u32,
}

impl Default for Build {
    fn default() -> Self {
        Self { version: env!("CARGO_PKG_VERSION").to_owned(), abi: enforcer_common::ABI_VERSION }
    }
}

/// How long the kernel goes on without an agent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lease {
    /// A whole lease.
    pub length: Duration,
    /// What is left of it.
    pub left: Duration,
}

#[cfg(test)]
mod tests;
