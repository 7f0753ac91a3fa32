//! Filters and findings, as they are told. In: what the agent knows of them. Out: flat records. Never here: raw identities.
use enforcer_insight::filters::{Entry, Status};
use enforcer_insight::findings::{Exception, Finding};
use enforcer_policy::{DecisionId, Moment};
use serde::{Deserialize, Serialize};

use super::shape;

/// How one filter does on one service.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct FilterReport {
    /// The filter.
    pub filter: String,
    /// Of a module; none for what comes with the agent.
    pub version: Option<String>,
    /// What it does, in one line.
    pub title: String,
    /// The risk it answers first, of the OWASP API Security Top 10.
    pub risk: String,
    /// Where it runs.
    pub service: String,
    /// `observe` or `enforce`.
    pub mode: String,
    /// Why it does not run.
    pub stopped: Option<String>,
    /// Calls and ticks that it was shown.
    pub calls: u64,
    /// Nanoseconds for all of them.
    pub total_nanos: u64,
    /// Nanoseconds for the worst.
    pub worst_nanos: u64,
    /// Signs that it raised.
    pub signs: u64,
    /// Bytes that it holds.
    pub held_bytes: u64,
    /// What it would still know if there were more room.
    pub forgotten: u64,
}

impl FilterReport {
    /// From what the runner says.
    pub fn new(status: &Status, entry: Option<&Entry>) -> Self {
        let spent = status.spent;
        Self {
            filter: status.filter.to_string(),
            version: entry.and_then(|entry| entry.version.as_ref()).map(ToString::to_string),
            title: entry.map(|entry| entry.title.to_string()).unwrap_or_default(),
            risk: entry.map(|entry| entry.risk.name().to_owned()).unwrap_or_default(),
            service: status.service.to_string(),
            mode: status.mode.name().to_owned(),
            stopped: status.stopped.map(|why| why.to_string()),
            calls: spent.calls,
            total_nanos: spent.nanos,
            worst_nanos: spent.worst,
            signs: spent.signs,
            held_bytes: status.held_bytes as u64,
            forgotten: status.forgotten,
        }
    }
}

/// A module that the center publishes.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PublishedReport {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Of its bytes.
    pub digest: String,
    /// `loaded`, `refused` or `stopped`.
    pub state: String,
    /// Why it is not loaded.
    pub why: String,
    /// Since when it is so.
    #[serde(with = "shape")]
    pub since: Moment,
}

/// A finding, and what it has led to.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct FindingReport {
    /// The finding.
    #[serde(flatten)]
    pub finding: Finding,
    /// The decision that it led to last; it may have ended.
    pub decision: Option<DecisionId>,
}

/// Findings, the latest first.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct FindingsPage {
    /// As many as were asked for.
    pub findings: Vec<FindingReport>,
    /// How many there are.
    pub total: u64,
    /// What was said to be all right.
    pub exceptions: Vec<Exception>,
}
