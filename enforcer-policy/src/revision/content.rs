//! What a revision says: the small part as a whole, and the decisions one by one.
//!
//! In: a snapshot, then deltas. Out: the digest that heads carry, and what each delta changes. Never here: signatures; who may
//! change what.
use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::body::Delta;
use super::digest::Digest;
use super::leaves::Leaves;
use crate::document::Base;
use crate::{Decision, DecisionId};

/// A decision, and on which hosts.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Entry {
    /// The decision; its id is the same on every host.
    pub decision: Decision,
    /// Groups of hosts, in order and each once; none means every host.
    pub groups: Vec<String>,
    /// It stands in a policy file: the next `apply` of files may end it. Others only end by their own name.
    pub written: bool,
}

/// The whole policy of one revision.
#[derive(Clone, Debug, Default)]
pub struct Content {
    base: Base,
    entries: BTreeMap<DecisionId, Arc<Entry>>,
    leaves: Leaves,
    base_digest: Option<Digest>,
}

impl Entry {
    /// The digest of its one written form.
    pub fn leaf(&self) -> Digest {
        // A decision in memory can always be written.
        let bytes = postcard::to_stdvec(self).unwrap_or_default();
        Digest::of("enforcer decision v1", &[&bytes])
    }

    /// The source that keeps it; none for what people or files have decided.
    pub fn source(&self) -> Option<&str> {
        self.decision.note.source().filter(|_| !self.written)
    }

    /// Whether it is for a host of these groups.
    pub fn is_for(&self, groups: &[String]) -> bool {
        self.groups.is_empty() || self.groups.iter().any(|group| groups.contains(group))
    }
}

impl Content {
    /// From its parts.
    pub fn new(base: Base, entries: impl IntoIterator<Item = Entry>) -> Self {
        let mut content = Self { base, ..Self::default() };
        entries.into_iter().for_each(|entry| drop(content.put(Arc::new(entry))));
        content
    }

    /// Everything but the decisions.
    pub const fn base(&self) -> &Base {
        &self.base
    }

    /// The decisions, oldest id first.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = &Arc<Entry>> {
        self.entries.values()
    }

    /// Those after an id.
    pub fn entries_after(&self, after: Option<DecisionId>) -> impl Iterator<Item = &Arc<Entry>> {
        let from = after.map_or(DecisionId(0), |id| DecisionId(id.0.saturating_add(1)));
        self.entries.range(from..).map(|(_, entry)| entry)
    }

    /// One decision.
    pub fn entry(&self, id: DecisionId) -> Option<&Arc<Entry>> {
        self.entries.get(&id)
    }

    /// How many decisions there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// True when there is no decision.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// What heads carry. Cheap after a small change.
    pub fn digest(&mut self) -> Digest {
        let base = *self.base_digest.get_or_insert_with(|| {
            let bytes = self.base.bytes();
            Digest::of("enforcer base v1", &[&bytes])
        });
        let count = (self.entries.len() as u64).to_be_bytes();
        Digest::of("enforcer content v1", &[&base.0, &count, &self.leaves.root().0])
    }

    /// The digest of the decisions alone: what a host that holds all of them reads back.
    pub fn decisions_digest(&mut self) -> Digest {
        self.leaves.root()
    }

    /// Makes the change, and gives the one that undoes it.
    pub fn apply(&mut self, delta: Delta) -> Delta {
        let mut undo = Delta::default();
        if let Some(base) = delta.base {
            undo.base = Some(std::mem::replace(&mut self.base, base));
            self.base_digest = None;
        }
        for id in delta.remove {
            undo.put.extend(self.take(id));
        }
        for entry in delta.put {
            let id = entry.decision.id;
            match self.put(entry) {
                Some(replaced) => undo.put.push(replaced),
                None => undo.remove.push(id),
            }
        }
        undo
    }

    /// What makes this content into `other`.
    pub fn delta_to(&self, other: &Self) -> Delta {
        let changed = |entry: &&Arc<Entry>| self.entry(entry.decision.id).is_none_or(|held| held != *entry);
        Delta {
            base: (self.base != other.base).then(|| other.base.clone()),
            put: other.entries().filter(changed).cloned().collect(),
            remove: self.entries.keys().filter(|id| !other.entries.contains_key(id)).copied().collect(),
        }
    }

    fn put(&mut self, entry: Arc<Entry>) -> Option<Arc<Entry>> {
        let id = entry.decision.id;
        self.leaves.put(id, entry.leaf());
        self.entries.insert(id, entry)
    }

    fn take(&mut self, id: DecisionId) -> Option<Arc<Entry>> {
        self.leaves.take(id);
        self.entries.remove(&id)
    }
}
