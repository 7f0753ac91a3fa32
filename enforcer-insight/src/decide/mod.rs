//! From a finding to a decision. In: findings, what a filter may do on the service, who is never refused, the time. Out: a draft
//! of a decision that may be made by itself, or why it waits for a person. Never here: the ledger, which carries orders out.
//!
//! A decision is made by itself only where all of this holds: the filter enforces on the service; the finding is sure enough and
//! says what would stop it; the subject is nobody that the allowlist or the trusted proxies protect, and no wide network; and
//! there were not too many lately. All else waits.
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use enforcer_policy::document::Mode;
use enforcer_policy::{Action, Moment, Note, Order, Origin, Rate, Scope, Subject};

use crate::findings::Finding;

#[cfg(test)]
mod tests;

/// What may be decided without a person.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Bounds {
    /// The least confidence: 0 to 100.
    pub confidence: u8,
    /// The most decisions in an hour.
    pub per_hour: usize,
    /// The longest a decision lasts.
    pub longest: Duration,
    /// The widest network of IPv4 and of IPv6, by its length as the family counts it.
    pub narrowest: (u8, u8),
}

impl Default for Bounds {
    /// 90 of 100; 200 in an hour; one day; single addresses, and for IPv6 the network of one household.
    fn default() -> Self {
        Self { confidence: 90, per_hour: 200, longest: Duration::from_hours(24), narrowest: (32, 64) }
    }
}

/// Who is never refused: the allowlist, and trusted proxies.
pub trait Guard {
    /// True when a decision on this subject must not be made.
    fn protects(&self, subject: &Subject) -> bool;
}

impl<F: Fn(&Subject) -> bool> Guard for F {
    fn protects(&self, subject: &Subject) -> bool {
        self(subject)
    }
}

/// What happens with a finding.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Course {
    /// It becomes a decision by itself.
    Decide(Draft),
    /// It waits for a person.
    Wait(Why),
}

/// Why a finding waits.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Why {
    /// Nothing is suggested that would stop it without harm to others.
    #[error("no decision would stop it without harm to others")]
    NothingToDecide,
    /// The filter does not enforce on this service.
    #[error("the filter only observes on this service")]
    Observing,
    /// The subject is on the allowlist or a trusted proxy.
    #[error("the subject is on the allowlist or a trusted proxy")]
    Protected,
    /// There were as many decisions in the last hour as may be.
    #[error("{limit} decisions were made by themselves within an hour")]
    TooMany {
        /// The most.
        limit: usize,
    },
    /// Not sure enough.
    #[error("confidence {confidence}, and {needed} is needed")]
    Unsure {
        /// The finding's.
        confidence: u8,
        /// The least.
        needed: u8,
    },
    /// A network that a person has to look at.
    #[error("the network is wider than is decided on without a person")]
    Wide,
}

/// A decision that a finding leads to, without its time and who stands for it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Draft {
    /// Who.
    pub subject: Subject,
    /// Where.
    pub scope: Scope,
    /// What happens.
    pub action: Action,
    /// With [`Action::Limit`] only.
    pub rate: Option<Rate>,
    /// For how long.
    pub lasts: Duration,
    /// Why, with the finding's id.
    pub reason: String,
}

impl Draft {
    /// What a finding leads to, whether or not it may by itself: a person may ask for it. `None` when nothing is suggested.
    pub fn of(finding: &Finding) -> Option<Self> {
        let one = finding.suggestion.clone()?;
        let Finding { filter, kind, service, confidence, id, .. } = finding;
        let reason = format!("{filter}: {kind} on {service}, confidence {confidence} (finding {id})");
        let (subject, scope) = (one.subject, one.scope);
        Some(Self { subject, scope, action: one.action, rate: one.rate, lasts: one.lasts, reason })
    }

    /// The order for the ledger.
    pub fn order(self, origin: Origin, approved_by: &str, now: Moment) -> Order {
        let Self { subject, scope, action, rate, lasts, reason } = self;
        let note = Note { reason, origin, approved_by: approved_by.to_owned(), created: now };
        let until = Some(now.plus(lasts));
        Order { subject, scope, action, rate, until, shorten: false, wide: false, note: Arc::new(note) }
    }
}

/// Decides what may be decided without a person, and keeps count.
#[derive(Clone, Debug, Default)]
pub struct Decider {
    bounds: Bounds,
    made: VecDeque<Moment>,
}

impl Decider {
    /// With these bounds, and none made yet.
    pub const fn new(bounds: Bounds) -> Self {
        Self { bounds, made: VecDeque::new() }
    }

    /// Takes other bounds; what was made still counts.
    pub fn set_bounds(&mut self, bounds: Bounds) {
        self.bounds = bounds;
    }

    /// What happens with a finding now. A draft that comes out counts as made.
    pub fn course(&mut self, finding: &Finding, mode: Mode, guard: &dyn Guard, now: Moment) -> Course {
        match self.judge(finding, mode, guard, now) {
            Ok(draft) => {
                self.made.push_back(now);
                Course::Decide(draft)
            }
            Err(why) => Course::Wait(why),
        }
    }

    fn judge(&mut self, finding: &Finding, mode: Mode, guard: &dyn Guard, now: Moment) -> Result<Draft, Why> {
        let mut draft = Draft::of(finding).ok_or(Why::NothingToDecide)?;
        if mode != Mode::Enforce {
            return Err(Why::Observing);
        }
        let (confidence, needed) = (finding.confidence, self.bounds.confidence);
        if confidence < needed {
            return Err(Why::Unsure { confidence, needed });
        }
        if guard.protects(&draft.subject) {
            return Err(Why::Protected);
        }
        if self.is_wide(&draft.subject) {
            return Err(Why::Wide);
        }
        draft.lasts = draft.lasts.min(self.bounds.longest);
        self.check_count(now).map(|()| draft)
    }

    fn is_wide(&self, subject: &Subject) -> bool {
        let (v4, v6) = self.bounds.narrowest;
        let least = |v4_network: bool| if v4_network { v4.saturating_add(96) } else { v6 };
        subject.network().is_some_and(|network| network.length() < least(network.is_v4()))
    }

    fn check_count(&mut self, now: Moment) -> Result<(), Why> {
        while self.made.front().is_some_and(|made| made.until(now) >= HOUR) {
            self.made.pop_front();
        }
        let limit = self.bounds.per_hour;
        if self.made.len() < limit { Ok(()) } else { Err(Why::TooMany { limit }) }
    }
}

const HOUR: Duration = Duration::from_hours(1);
