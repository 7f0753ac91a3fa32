//! The ledger read in pieces, and counted.
//!
//! In: what is asked for. Out: plain answers that cross the socket. Never here: how they are found.
use enforcer_common::SubjectKind;
use serde::{Deserialize, Serialize};

use super::row::Row;
use crate::{Decision, DecisionId, Scope};

/// Which decisions are wanted; the default is all.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Filter {
    /// Only this kind.
    #[serde(with = "crate::serial")]
    pub kind: Option<SubjectKind>,
    /// Only this scope; of a service, its endpoints too.
    pub scope: Option<Scope>,
}

impl Filter {
    pub(super) fn admits(&self, row: &Row) -> bool {
        self.kind.is_none_or(|kind| kind == row.kind()) && self.scope.as_ref().is_none_or(|scope| row.is_within(scope))
    }
}

/// Some decisions, oldest id first.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Page {
    /// The decisions.
    pub decisions: Vec<Decision>,
    /// What to ask for next; `None` at the end.
    pub next: Option<DecisionId>,
}

/// How many decisions there are.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Counts {
    /// On addresses and networks.
    pub addresses: usize,
    /// On devices.
    pub devices: usize,
    /// On flows.
    pub flows: usize,
    /// On sessions.
    pub sessions: usize,
    /// On users.
    pub users: usize,
    /// On partners' keys.
    pub apikeys: usize,
}

impl Counts {
    /// Of one kind.
    pub const fn of(self, kind: SubjectKind) -> usize {
        match kind {
            SubjectKind::Device => self.devices,
            SubjectKind::Flow => self.flows,
            SubjectKind::Ip => self.addresses,
            SubjectKind::Session => self.sessions,
            SubjectKind::User => self.users,
            SubjectKind::ApiKey => self.apikeys,
        }
    }

    /// Of all kinds.
    pub const fn total(self) -> usize {
        self.addresses + self.devices + self.flows + self.sessions + self.users + self.apikeys
    }
}
