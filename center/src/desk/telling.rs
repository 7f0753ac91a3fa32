//! What the desk says of its own doings.
//!
//! In: changes. Out: events, and lines for the audit log; tokens are masked. Never here: who listens.
use enforcer_policy::plan::Plan;
use enforcer_policy::revision::Entry;
use enforcer_policy::{Event, EventKind};

use super::Desk;
use crate::clock;

impl Desk {
    /// What is to be told of this desk's own doings since the last call.
    pub fn take_told(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.told)
    }

    /// One thing that this desk has done.
    pub(super) fn tell(&mut self, what: &str, severity: &str, message: String) {
        let severity = Some(severity.to_owned());
        self.told.push(Event { severity, ..Event::new(EventKind::Notice, clock::now(), what, message) });
    }
}

/// A plan for the audit log.
pub(super) fn counted(plan: &Plan) -> String {
    let counts = plan.counts;
    format!("{} added, {} changed, {} removed", counts.added, counts.changed, counts.removed)
}

/// A decision for the audit log; tokens are masked.
pub(super) fn told(entry: &Entry, of: usize) -> String {
    let decision = &entry.decision;
    let (kind, subject, scope) = (decision.subject.kind().name(), &decision.subject, &decision.scope);
    let others = if of > 1 { format!(" and {} more", of - 1) } else { String::new() };
    format!("{} {kind} {subject} in {scope}{others} ({})", decision.action.name(), decision.id)
}
