//! Why the desk does not make a change.
//!
//! In: what is in the way. Out: an error, in words. Never here: what to do about it (`api/problem.rs`).
use enforcer_policy::Refusal;
use enforcer_policy::plan::{Guard, Lockout};
use enforcer_policy::revision::MOST_DECISIONS;

use super::{Desk, Proposal};

/// Why a change is not made.
#[derive(Debug, thiserror::Error)]
pub enum DeskError {
    /// The decision may not be made.
    #[error("{0}")]
    Refused(#[from] Refusal),
    /// Somebody would be cut off.
    #[error("{0} would be cut off")]
    Lockout(String),
    /// There would be more decisions than hosts take.
    #[error("there would be {0} decisions, and hosts take {MOST_DECISIONS}")]
    Full(usize),
    /// A policy is on trial, or none is.
    #[error("{0}")]
    Trial(String),
    /// A rollout is on, or none is, or it makes no sense.
    #[error("{0}")]
    Rollout(String),
    /// It waits for a second person.
    #[error("proposal {} waits for a second person", .0.id)]
    Proposed(Box<Proposal>),
    /// As many wait as may.
    #[error("{0} proposals wait already")]
    ManyWait(u64),
    /// There is no such proposal.
    #[error("no proposal {0} is open")]
    NoProposal(u64),
    /// A proposal of somebody else.
    #[error("the proposal is {0}'s")]
    NotTheirs(String),
    /// Nobody is a second person beside themselves.
    #[error("{0} has made this proposal, and somebody else must approve it")]
    SamePerson(String),
    /// The policy has changed under a proposal.
    #[error("proposal {0} is stale: {1}")]
    Stale(u64, String),
    /// The center itself fails.
    #[error("{0:#}")]
    Failed(#[from] anyhow::Error),
}

/// Nobody whom no decision should is cut off, or that is meant.
pub(super) fn not_cut_off(lockouts: &[Lockout], forced: bool) -> Result<(), DeskError> {
    match lockouts.first() {
        Some(first) if !forced => Err(DeskError::Lockout(format!("{} ({})", first.address, first.whose))),
        Some(_) | None => Ok(()),
    }
}

impl Desk {
    /// Whom no decision may cut off: what hosts say that their traffic depends on.
    pub fn guard(&self) -> anyhow::Result<Guard> {
        let mut guard = Guard::default();
        for host in self.store.hosts("", MOST_HOSTS)? {
            for gateway in host.ack.into_iter().flat_map(|ack| ack.gateways) {
                guard.add(gateway.into(), &format!("gateway or center of {}", host.name));
            }
        }
        Ok(guard)
    }
}

/// Hosts that are asked: no center has more.
const MOST_HOSTS: usize = 10_000;
