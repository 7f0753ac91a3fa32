//! Rows, found by subject and scope, by id, and by the addresses they hold.
//!
//! In: rows. Out: slots, which stay the same for a row's life. Never here: what an order means, expiry.
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use enforcer_common::{Address, Prefix, SubjectKind};
use hashbrown::HashTable;

use super::Counts;
use super::row::{Keys, Row};
use crate::{DecisionId, Endpoint, Scope, Subject};

/// All rows and their indexes.
#[derive(Default)]
pub(super) struct Table {
    rows: Vec<Option<Row>>,
    free: Vec<u32>,
    by_subject: HashTable<u32>,
    by_id: BTreeMap<DecisionId, u32>,
    keys: Keys,
    lengths4: Lengths,
    lengths6: Lengths,
    counts: Counts,
    /// Endpoints, and how many decisions there are on each.
    endpoints: BTreeMap<Arc<Endpoint>, u32>,
}

impl Table {
    pub(super) fn hash(&self, subject: &Subject, scope: &Scope) -> u64 {
        self.keys.hash(subject, scope)
    }

    pub(super) fn find(&self, hash: u64, subject: &Subject, scope: &Scope) -> Option<u32> {
        let is_it = |slot: &u32| self.row(*slot).is_some_and(|row| row.is_on(subject, scope));
        self.by_subject.find(hash, is_it).copied()
    }

    pub(super) fn slot(&self, id: DecisionId) -> Option<u32> {
        self.by_id.get(&id).copied()
    }

    pub(super) fn row(&self, slot: u32) -> Option<&Row> {
        self.rows.get(slot as usize)?.as_ref()
    }

    pub(super) fn row_mut(&mut self, slot: u32) -> Option<&mut Row> {
        self.rows.get_mut(slot as usize)?.as_mut()
    }

    /// All rows, by slot.
    pub(super) fn slots(&self) -> impl Iterator<Item = (u32, &Row)> {
        (0..).zip(&self.rows).filter_map(|(slot, row)| Some((slot, row.as_ref()?)))
    }

    /// The rows with greater ids than `id`, in their order.
    pub(super) fn after(&self, id: Option<DecisionId>) -> impl Iterator<Item = &Row> {
        let from = id.map_or(Bound::Unbounded, Bound::Excluded);
        self.by_id.range((from, Bound::Unbounded)).filter_map(|(_, slot)| self.row(*slot))
    }

    /// The rows on networks that hold `address`, the narrowest first.
    pub(super) fn covering(&self, address: Address) -> impl Iterator<Item = &Row> {
        let (lengths, shortest) = if address.is_v4() { (&self.lengths4, 96) } else { (&self.lengths6, 0) };
        let in_use = (shortest..=128).rev().filter(|length| lengths.0[usize::from(*length)] > 0);
        in_use.filter_map(move |length| {
            let subject = Subject::Ip(Prefix::new(address, length));
            self.row(self.find(self.hash(&subject, &Scope::All), &subject, &Scope::All)?)
        })
    }

    /// The endpoints that decisions speak of.
    pub(super) fn endpoints(&self) -> impl Iterator<Item = &Arc<Endpoint>> {
        self.endpoints.keys()
    }

    pub(super) const fn counts(&self) -> Counts {
        self.counts
    }

    /// `wanted`, or the one after all others when that is greater: so ids ascend in the order of decisions, even when a
    /// million are made within a millisecond or the clock is set back.
    pub(super) fn next_id(&self, wanted: DecisionId) -> DecisionId {
        match self.last_id().0.checked_add(1) {
            Some(least) => DecisionId(wanted.0.max(least)),
            None => self.vacant(wanted),
        }
    }

    /// `id`, or another when that is taken.
    pub(super) fn vacant(&self, id: DecisionId) -> DecisionId {
        let taken = |id: u64| id == 0 || self.by_id.contains_key(&DecisionId(id));
        if id > self.last_id() || !taken(id.0) {
            return id;
        }
        let mut other = self.last_id().0.wrapping_add(1);
        while taken(other) {
            other = other.wrapping_add(1);
        }
        DecisionId(other)
    }

    fn last_id(&self) -> DecisionId {
        self.by_id.last_key_value().map_or(DecisionId(0), |(last, _)| *last)
    }

    pub(super) fn reserve(&mut self, additional: usize) {
        let Self { rows, by_subject, keys, .. } = self;
        by_subject.reserve(additional, |slot| rehash(rows, *slot, keys));
        rows.reserve(additional);
    }

    /// Adds a row whose id and whose subject and scope, of this `hash`, are not there yet.
    pub(super) fn insert(&mut self, hash: u64, row: Row) -> u32 {
        if let Some(endpoint) = row.endpoint() {
            *self.endpoints.entry(Arc::clone(endpoint)).or_default() += 1;
        }
        let Self { rows, free, by_subject, by_id, keys, .. } = self;
        let id = row.id;
        *counter(&mut self.counts, row.kind()) += 1;
        if let Some(count) = length(&mut self.lengths4, &mut self.lengths6, &row) {
            *count += 1;
        }
        let slot = if let Some(slot) = free.pop() {
            rows[slot as usize] = Some(row);
            slot
        } else {
            rows.push(Some(row));
            last_slot(rows)
        };
        by_id.insert(id, slot);
        by_subject.insert_unique(hash, slot, |slot| rehash(rows, *slot, keys));
        slot
    }

    pub(super) fn remove(&mut self, slot: u32) -> Option<Row> {
        let row = self.rows.get_mut(slot as usize)?.take()?;
        self.free.push(slot);
        self.by_id.remove(&row.id);
        if let Ok(entry) = self.by_subject.find_entry(row.hash(&self.keys), |held| *held == slot) {
            entry.remove();
        }
        *counter(&mut self.counts, row.kind()) -= 1;
        if let Some(count) = length(&mut self.lengths4, &mut self.lengths6, &row) {
            *count -= 1;
        }
        if let Some(endpoint) = row.endpoint() {
            self.leave(endpoint);
        }
        Some(row)
    }

    fn leave(&mut self, endpoint: &Arc<Endpoint>) {
        if let Some(count) = self.endpoints.get_mut(endpoint) {
            *count -= 1;
            if *count == 0 {
                self.endpoints.remove(endpoint);
            }
        }
    }
}

/// How many networks there are of each length.
struct Lengths([u32; 129]);

impl Default for Lengths {
    fn default() -> Self {
        Self([0; 129])
    }
}

fn length<'a>(v4: &'a mut Lengths, v6: &'a mut Lengths, row: &Row) -> Option<&'a mut u32> {
    let network = row.network()?;
    let lengths = if network.is_v4() { v4 } else { v6 };
    lengths.0.get_mut(usize::from(network.length()))
}

const fn counter(counts: &mut Counts, kind: SubjectKind) -> &mut usize {
    match kind {
        SubjectKind::Device => &mut counts.devices,
        SubjectKind::Flow => &mut counts.flows,
        SubjectKind::Ip => &mut counts.addresses,
        SubjectKind::Session => &mut counts.sessions,
        SubjectKind::User => &mut counts.users,
        SubjectKind::ApiKey => &mut counts.apikeys,
    }
}

fn rehash(rows: &[Option<Row>], slot: u32, keys: &Keys) -> u64 {
    rows.get(slot as usize).and_then(Option::as_ref).map_or(0, |row| row.hash(keys))
}

#[expect(clippy::cast_possible_truncation, reason = "memory ends long before: four billion rows are 200 GB")]
const fn last_slot(rows: &[Option<Row>]) -> u32 {
    (rows.len() - 1) as u32
}
