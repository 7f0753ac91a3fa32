//! A change, and what there was where it changes something.
//!
//! In: a content and a delta, now; the content later. Out: what of it is no longer as it was. Never here: why it waits (proposals, rollouts).
//! What it costs depends on the change alone.
use std::sync::Arc;

use anyhow::Context as _;
use enforcer_policy::revision::{Content, Delta, Entry};
use enforcer_policy::{DecisionId, Moment};

use super::index::Index;
use crate::store::Packed;

/// The change, and what it would replace.
#[derive(Clone, Debug, Default)]
pub(super) struct Change {
    /// What it does.
    pub(super) forward: Delta,
    /// What was there: the entries that it changes or ends, the ids that it brings, and the base if it brings one.
    pub(super) before: Delta,
}

impl Change {
    /// What this delta changes.
    pub(super) fn of(content: &Content, forward: Delta) -> Self {
        let put = |entry: &Arc<Entry>| content.entry(entry.decision.id).cloned();
        let mut before = Delta { base: forward.base.as_ref().map(|_| content.base().clone()), ..Delta::default() };
        before.put.extend(forward.put.iter().filter_map(put));
        before.put.extend(forward.remove.iter().filter_map(|id| content.entry(*id)).cloned());
        let is_new = |id: &DecisionId| content.entry(*id).is_none();
        before.remove = forward.put.iter().map(|entry| entry.decision.id).filter(is_new).collect();
        Self { forward, before }
    }

    /// Both, as they are kept.
    pub(super) fn packed(&self) -> anyhow::Result<(Packed, Packed)> {
        Ok((self.forward.pack()?, self.before.pack()?))
    }

    /// The same again.
    pub(super) fn unpacked((forward, plain): &Packed, (before, before_plain): &Packed) -> anyhow::Result<Self> {
        let read = |bytes: &[u8], plain| Delta::unpack(bytes, plain).context("a change in the store is damaged");
        Ok(Self { forward: read(forward, *plain)?, before: read(before, *before_plain)? })
    }

    /// The first thing that somebody else has changed meanwhile where this would change it, in words.
    pub(super) fn disturbed(&self, content: &Content, index: &Index, now: Moment) -> Option<String> {
        if self.before.base.as_ref().is_some_and(|base| base != content.base()) {
            return Some("services, filters, groups or the allowlist are no longer as they were".to_owned());
        }
        let other = |held: &&Arc<Entry>| match content.entry(held.decision.id) {
            Some(present) => present != *held,
            None => !is_over(held, now),
        };
        if let Some(held) = self.before.put.iter().find(other) {
            return Some(format!("the decision on {} was changed or ended", held.decision.subject));
        }
        let taken = |entry: &&Arc<Entry>| {
            let is_new = content.entry(entry.decision.id).is_none();
            let there = index.on(&entry.decision.subject, &entry.decision.scope);
            there.is_some_and(|id| is_new || id != entry.decision.id)
        };
        let taken = self.forward.put.iter().find(taken);
        taken.map(|entry| format!("somebody has decided on {} meanwhile", entry.decision.subject))
    }

    /// What there is to do now: without what has come to its end by itself.
    pub(super) fn due(&self, content: &Content, now: Moment) -> Delta {
        let mut due = self.forward.clone();
        due.put.retain(|entry| !is_over(entry, now));
        due.remove.retain(|id| content.entry(*id).is_some());
        due
    }
}

/// Whether its own end has come.
pub(super) fn is_over(entry: &Entry, now: Moment) -> bool {
    entry.decision.until.is_some_and(|until| until <= now)
}
