//! Whom a decision would have hit: as one host tells it, and as a center adds up what many hosts tell.
//!
//! ```text
//! Question (decisions that somebody thinks of) -> a host's memory of its callers -> Told (sketches) -> merged -> Reached (figures)
//! ```
//! In: digests of callers' identities, and the requests they made. Out: figures that say how far off they may be. Never here: the memory itself
//! (the agent's), who is asked, clocks. A device that came to three hosts is one device, so hosts tell sketches and not sums; all of a fleet
//! choose by the same key, or nothing could be merged.
mod estimate;
mod sketch;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub use estimate::{Crowd, Estimate, Reached};
pub use sketch::{LARGEST, Sketch};

use crate::{Moment, Scope, Subject};

/// Decisions that a host is asked about at once.
pub const MOST_CONSIDERED: usize = 100;

/// Decisions of which a host is asked, and what it may answer with.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Question {
    /// Digests that each sketch may hold.
    pub most: usize,
    /// What is thought of.
    pub decisions: Vec<Considered>,
}

/// A decision that is not made yet.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Considered {
    /// Who would be hit.
    pub subject: Subject,
    /// Where.
    pub scope: Scope,
}

/// What a host says to a question.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// From when on it remembers requests; none when it remembers none.
    pub since: Option<Moment>,
    /// In the order of the question.
    pub told: Vec<Told>,
}

/// What a decision would have hit on one host, or on several.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Told {
    /// Requests.
    pub requests: Estimate,
    /// Devices; none when no request carried one. So the others.
    pub devices: Option<Sketch>,
    /// Sessions.
    pub sessions: Option<Sketch>,
    /// Users.
    pub users: Option<Sketch>,
    /// Keys of partners.
    pub keys: Option<Sketch>,
    /// Client addresses.
    pub addresses: Sketch,
    /// The address with the most behind it.
    pub crowd: Option<Crowd>,
    /// Only a part of the requests was looked at: it was more.
    pub partly: bool,
}

impl Question {
    /// What a host answers of it, so that a center cannot keep it busy.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        self.decisions.truncate(MOST_CONSIDERED);
        self.most = self.most.min(LARGEST);
        self
    }
}

impl Told {
    /// With no sketch of more than so many digests.
    #[must_use]
    pub fn at_most(self, most: usize) -> Self {
        let fewer = |sketch: Option<Sketch>| sketch.map(|sketch| sketch.at_most(most));
        Self {
            devices: fewer(self.devices),
            sessions: fewer(self.sessions),
            users: fewer(self.users),
            keys: fewer(self.keys),
            addresses: self.addresses.at_most(most),
            ..self
        }
    }

    /// Adds what another host tells. Each request came to one host; a device may have come to both.
    pub fn merge(&mut self, other: Self) {
        self.requests = self.requests.plus(other.requests);
        let pairs = [
            (&mut self.devices, other.devices),
            (&mut self.sessions, other.sessions),
            (&mut self.users, other.users),
            (&mut self.keys, other.keys),
        ];
        for (mine, theirs) in pairs {
            match (mine.as_mut(), theirs) {
                (Some(mine), Some(theirs)) => mine.merge(theirs),
                (None, Some(theirs)) => *mine = Some(theirs),
                (_, None) => {}
            }
        }
        self.addresses.merge(other.addresses);
        self.crowd = self.crowd.into_iter().chain(other.crowd).max_by_key(|crowd| crowd.count.about);
        self.partly |= other.partly;
    }

    /// The figures.
    pub fn reached(&self) -> Reached {
        let figure = |sketch: &Option<Sketch>| sketch.as_ref().map(Sketch::estimate);
        Reached {
            requests: self.requests,
            devices: figure(&self.devices),
            sessions: figure(&self.sessions),
            users: figure(&self.users),
            keys: figure(&self.keys),
            addresses: self.addresses.estimate(),
            crowd: self.crowd,
        }
    }
}
