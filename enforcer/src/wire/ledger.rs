//! Decisions and allowlist entries as they leave the agent.
//!
//! In: entries of the policy's ledger. Out: the same as flat records of text and times. Tokens appear masked.
//! Never here: digests of tokens, raw values.
use enforcer_common::{Action, AllowKind, Prefix, Rate, SubjectKind};
use enforcer_policy::{Allowed, Decision, DecisionId, Moment, Origin};
use serde::{Deserialize, Serialize};

use super::shape;

/// One decision.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DecisionReport {
    /// Its name for life.
    pub id: DecisionId,
    /// What it is about.
    #[serde(with = "shape")]
    pub kind: SubjectKind,
    /// Who: a network, a flow, or a masked token.
    pub subject: String,
    /// The service; `None` means all.
    pub service: Option<String>,
    /// The endpoint of it, such as `GET /accounts/{}`; `None` means all.
    pub endpoint: Option<String>,
    /// What happens.
    #[serde(with = "shape")]
    pub action: Action,
    /// How many requests may pass; only with `limit`.
    #[serde(with = "enforcer_policy::serial")]
    pub rate: Option<Rate>,
    /// When it ends; `None` is never.
    #[serde(with = "shape")]
    pub until: Option<Moment>,
    /// Why.
    pub reason: String,
    /// Where it came from.
    pub origin: Origin,
    /// Who is answerable for it.
    pub approved_by: String,
    /// When it was made.
    #[serde(with = "shape")]
    pub created: Moment,
}

impl From<&Decision> for DecisionReport {
    fn from(decision: &Decision) -> Self {
        let note = &decision.note;
        Self {
            id: decision.id,
            kind: decision.subject.kind(),
            subject: decision.subject.to_string(),
            service: decision.scope.service().map(str::to_owned),
            endpoint: decision.scope.endpoint().map(|endpoint| endpoint.place()),
            action: decision.action,
            rate: decision.rate,
            until: decision.until,
            reason: note.reason.clone(),
            origin: note.origin,
            approved_by: note.approved_by.clone(),
            created: note.created,
        }
    }
}

/// One entry of the allowlist.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AllowedEntry {
    /// The network.
    #[serde(with = "shape")]
    pub network: Prefix,
    /// How far it reaches.
    #[serde(with = "shape")]
    pub kind: AllowKind,
    /// When it ends; `None` is never.
    #[serde(with = "shape")]
    pub until: Option<Moment>,
    /// Why.
    pub reason: String,
    /// Where it came from.
    pub origin: Origin,
    /// Who is answerable for it.
    pub approved_by: String,
    /// When it was made.
    #[serde(with = "shape")]
    pub created: Moment,
}

impl From<&Allowed> for AllowedEntry {
    fn from(allowed: &Allowed) -> Self {
        let note = &allowed.note;
        Self {
            network: allowed.prefix,
            kind: allowed.kind,
            until: allowed.until,
            reason: note.reason.clone(),
            origin: note.origin,
            approved_by: note.approved_by.clone(),
            created: note.created,
        }
    }
}

/// What a request did to a decision or an allowlist entry.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// It is new.
    Added,
    /// It now does something else.
    Changed,
    /// It lasts longer.
    Extended,
    /// It is gone.
    Removed,
    /// It ends earlier.
    Shortened,
    /// It was so already.
    Unchanged,
}

impl Change {
    /// The word for people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Changed => "changed",
            Self::Extended => "extended",
            Self::Removed => "removed",
            Self::Shortened => "shortened",
            Self::Unchanged => "unchanged",
        }
    }
}

impl From<enforcer_policy::Change> for Change {
    fn from(change: enforcer_policy::Change) -> Self {
        use enforcer_policy::Change as Policy;
        match change {
            Policy::Added => Self::Added,
            Policy::Changed => Self::Changed,
            Policy::Extended => Self::Extended,
            Policy::Shortened => Self::Shortened,
            Policy::Unchanged => Self::Unchanged,
        }
    }
}
