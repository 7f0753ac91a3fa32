//! The body of a delivery: a whole content, or the difference of two.
//!
//! In: entries. Out: bytes in one form only, packed; or the flaw that bytes have. Never here: signatures: whoever calls
//! [`Delta::unpack`] has checked one over these very bytes.
//!
//! Ids are strictly ascending, and every note is written once, so that a list of a million addresses carries its reason once.
use std::collections::HashMap;
use std::sync::Arc;

use enforcer_common::{Action, Rate};
use serde::{Deserialize, Serialize};

use super::content::{Content, Entry};
use super::flaw::Flaw;
use crate::document::Base;
use crate::{Decision, DecisionId, Moment, Note, Scope, Subject};

/// What makes one content into another.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Delta {
    /// Everything but the decisions, when any of it changed.
    pub base: Option<Base>,
    /// Decisions that came or changed.
    pub put: Vec<Arc<Entry>>,
    /// Decisions that went.
    pub remove: Vec<DecisionId>,
}

#[derive(Serialize, Deserialize)]
struct Written {
    base: Option<Base>,
    notes: Vec<(Note, Vec<String>, bool)>,
    put: Vec<Line>,
    remove: Vec<DecisionIdForm>,
}

/// A decision whose note is the one of this number.
#[derive(Serialize, Deserialize)]
struct Line {
    id: u64,
    subject: Subject,
    scope: Scope,
    #[serde(with = "crate::serial")]
    action: Action,
    #[serde(with = "crate::serial")]
    rate: Option<Rate>,
    until: Option<Moment>,
    note: u32,
}

type DecisionIdForm = u64;

/// More decisions than any center may hold.
pub const MOST_DECISIONS: usize = 4_000_000;
/// Bytes of an unpacked body at most.
pub(super) const LONGEST_PLAIN: usize = 512 << 20;
/// Fast and good enough: what repeats is already written once.
const LEVEL: u8 = 3;

impl Delta {
    /// The content as a delta from nothing.
    pub fn snapshot(content: &Content) -> Self {
        Self { base: Some(content.base().clone()), put: content.entries().cloned().collect(), remove: Vec::new() }
    }

    /// True when it changes nothing.
    pub fn is_empty(&self) -> bool {
        self.base.is_none() && self.put.is_empty() && self.remove.is_empty()
    }

    /// The delta that does what this and then `later` does.
    #[must_use]
    pub fn then(self, later: Self) -> Self {
        let mut put: std::collections::BTreeMap<_, _> =
            self.put.into_iter().map(|one| (one.decision.id, one)).collect();
        let mut remove: std::collections::BTreeSet<_> = self.remove.into_iter().collect();
        for id in later.remove {
            put.remove(&id);
            remove.insert(id);
        }
        for entry in later.put {
            remove.remove(&entry.decision.id);
            put.insert(entry.decision.id, entry);
        }
        Self { base: later.base.or(self.base), put: put.into_values().collect(), remove: remove.into_iter().collect() }
    }

    /// Its packed bytes, and how many they are unpacked.
    pub fn pack(&self) -> Result<(Vec<u8>, usize), Flaw> {
        let mut plain = postcard::to_stdvec(&Written::of(self)).map_err(|_unwritable| Flaw::Malformed)?;
        plain.extend(self.base.as_ref().map_or_else(Vec::new, Base::terms));
        if plain.len() > LONGEST_PLAIN {
            return Err(Flaw::TooLarge);
        }
        Ok((miniz_oxide::deflate::compress_to_vec(&plain, LEVEL), plain.len()))
    }

    /// Reads packed bytes that become exactly `length` bytes.
    pub fn unpack(packed: &[u8], length: usize) -> Result<Self, Flaw> {
        if length > LONGEST_PLAIN {
            return Err(Flaw::TooLarge);
        }
        let plain =
            miniz_oxide::inflate::decompress_to_vec_with_limit(packed, length).map_err(|_broken| Flaw::Malformed)?;
        if plain.len() != length {
            return Err(Flaw::Malformed);
        }
        let (written, rest) = postcard::take_from_bytes::<Written>(&plain).map_err(|_form| Flaw::Malformed)?;
        written.with_terms(rest)?.read()
    }
}

impl Written {
    fn of(delta: &Delta) -> Self {
        let mut put: Vec<&Arc<Entry>> = delta.put.iter().collect();
        put.sort_by_key(|entry| entry.decision.id);
        let mut remove: Vec<u64> = delta.remove.iter().map(|id| id.0).collect();
        remove.sort_unstable();
        let (mut notes, mut known) = (Vec::new(), HashMap::new());
        let lines = put.into_iter().map(|entry| {
            let key = (&*entry.decision.note, &entry.groups, entry.written);
            let note = *known.entry(key).or_insert_with(|| {
                notes.push((key.0.clone(), key.1.clone(), key.2));
                u32::try_from(notes.len() - 1).unwrap_or(u32::MAX)
            });
            Line::of(&entry.decision, note)
        });
        let lines = lines.collect();
        Self { base: delta.base.clone(), notes, put: lines, remove }
    }

    /// What came after the first form stands behind it.
    fn with_terms(mut self, bytes: &[u8]) -> Result<Self, Flaw> {
        if !bytes.is_empty() {
            let base = self.base.take().and_then(|base| base.with_terms(bytes));
            self.base = Some(base.ok_or(Flaw::NotCanonical)?);
        }
        Ok(self)
    }

    fn read(self) -> Result<Delta, Flaw> {
        let ascending =
            self.put.is_sorted_by(|one, two| one.id < two.id) && self.remove.is_sorted_by(|one, two| one < two);
        if !ascending {
            return Err(Flaw::NotCanonical);
        }
        if self.put.len() > MOST_DECISIONS {
            return Err(Flaw::TooLarge);
        }
        let notes: Vec<_> =
            self.notes.into_iter().map(|(note, groups, written)| (Arc::new(note), groups, written)).collect();
        let put = self.put.into_iter().map(|line| {
            let (note, groups, written) = notes.get(line.note as usize).ok_or(Flaw::Malformed)?;
            Ok(Arc::new(Entry { decision: line.decision(note), groups: groups.clone(), written: *written }))
        });
        let remove = self.remove.into_iter().map(DecisionId).collect();
        Ok(Delta { base: self.base, put: put.collect::<Result<_, Flaw>>()?, remove })
    }
}

impl Line {
    fn of(decision: &Decision, note: u32) -> Self {
        let Decision { id, subject, scope, action, rate, until, note: _ } = decision;
        let (subject, scope) = (subject.clone(), scope.clone());
        Self { id: id.0, subject, scope, action: *action, rate: *rate, until: *until, note }
    }

    fn decision(self, note: &Arc<Note>) -> Decision {
        let Self { id, subject, scope, action, rate, until, note: _ } = self;
        Decision { id: DecisionId(id), subject, scope, action, rate, until, note: Arc::clone(note) }
    }
}
