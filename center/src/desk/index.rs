//! What the desk must find without looking at every decision.
//!
//! In: a content once, then each change with its undoing. Out: the decision on a subject, decisions whose end has come, fresh ids.
//! Never here: the decisions themselves.
use std::collections::{BTreeMap, BTreeSet, HashMap};

use enforcer_policy::revision::{Content, Delta, Entry};
use enforcer_policy::{DecisionId, Moment, Scope, Subject};

use crate::secret;

/// Whom a decision is on, and where.
type Key = (Subject, Scope);

/// The index.
#[derive(Default)]
pub(super) struct Index {
    by_subject: HashMap<Key, DecisionId>,
    /// By their end.
    ends: BTreeSet<(Moment, DecisionId)>,
    /// By the source that keeps them.
    by_source: BTreeMap<String, BTreeSet<DecisionId>>,
}

impl Index {
    /// Of a whole content.
    pub(super) fn of(content: &Content) -> Self {
        let mut index = Self::default();
        index.by_subject.reserve(content.len());
        content.entries().for_each(|entry| index.put(entry));
        index
    }

    /// The decision on a subject in a scope.
    pub(super) fn on(&self, subject: &Subject, scope: &Scope) -> Option<DecisionId> {
        self.of_key(&(subject.clone(), scope.clone()))
    }

    /// The same.
    pub(super) fn of_key(&self, key: &Key) -> Option<DecisionId> {
        self.by_subject.get(key).copied()
    }

    /// Decisions that are over.
    pub(super) fn over(&self, now: Moment) -> impl Iterator<Item = DecisionId> {
        self.ends.range(..=(now, DecisionId(u64::MAX))).map(|(_, id)| *id)
    }

    /// What a source keeps.
    pub(super) fn of_source(&self, name: &str) -> Option<&BTreeSet<DecisionId>> {
        self.by_source.get(name)
    }

    /// The sources that keep something.
    pub(super) fn sources(&self) -> impl Iterator<Item = &String> {
        self.by_source.keys()
    }

    /// How many subjects there are.
    pub(super) fn len(&self) -> usize {
        self.by_subject.len()
    }

    /// Follows a change.
    pub(super) fn change(&mut self, undo: &Delta, delta: &Delta) {
        undo.put.iter().for_each(|entry| self.take(entry));
        delta.put.iter().for_each(|entry| self.put(entry));
    }

    fn put(&mut self, entry: &std::sync::Arc<Entry>) {
        let decision = &entry.decision;
        self.by_subject.insert(key(entry), decision.id);
        self.ends.extend(decision.until.map(|until| (until, decision.id)));
        if let Some(source) = entry.source() {
            match self.by_source.get_mut(source) {
                Some(held) => drop(held.insert(decision.id)),
                None => drop(self.by_source.insert(source.to_owned(), BTreeSet::from([decision.id]))),
            }
        }
    }

    fn take(&mut self, entry: &std::sync::Arc<Entry>) {
        let decision = &entry.decision;
        self.by_subject.remove(&key(entry));
        if let Some(until) = decision.until {
            self.ends.remove(&(until, decision.id));
        }
        if let Some(source) = entry.source()
            && let Some(held) = self.by_source.get_mut(source)
        {
            held.remove(&decision.id);
            if held.is_empty() {
                self.by_source.remove(source);
            }
        }
    }
}

fn key(entry: &Entry) -> Key {
    (entry.decision.subject.clone(), entry.decision.scope.clone())
}

/// Ids of one change. They follow each other from a random one on, so that no two are the same.
pub(super) struct Drawn {
    next: DecisionId,
    by_subject: HashMap<Key, DecisionId>,
}

impl Drawn {
    /// Ids of this moment.
    pub(super) fn new(now: Moment) -> anyhow::Result<Self> {
        let next = DecisionId::new(now, u32::from_be_bytes(secret::random::<4>()?));
        Ok(Self { next, by_subject: HashMap::new() })
    }

    /// The id of a subject: the same for the same one, else the next that is not taken.
    pub(super) fn id(&mut self, key: Key, is_taken: impl Fn(DecisionId) -> bool) -> DecisionId {
        if let Some(id) = self.by_subject.get(&key) {
            return *id;
        }
        let mut id = self.next;
        while is_taken(id) {
            id = DecisionId(id.0 + 1);
        }
        self.next = DecisionId(id.0 + 1);
        self.by_subject.insert(key, id);
        id
    }
}
