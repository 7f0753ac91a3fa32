//! How much of a journal still matters, without an index of its records.
//!
//! In: each record as it is appended. Out: when rewriting is worth it. Never here: files. It is an estimate: a decision whose
//! id is not later than all before it replaces one, and what is removed had the average size. A rewrite makes it exact.
use enforcer_policy::DecisionId;

use super::Record;

/// The account; at first of an empty journal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Tally {
    /// Bytes of the records that still say something.
    pub(super) live_bytes: u64,
    /// Decisions and allowlist entries in them.
    pub(super) live_items: u64,
    /// The highest id so far.
    pub(super) newest: DecisionId,
}

impl Default for Tally {
    fn default() -> Self {
        Self { live_bytes: 0, live_items: 0, newest: DecisionId(0) }
    }
}

impl Tally {
    /// Of a journal of `bytes` that holds `live` and nothing else.
    pub(super) fn of(live: &[Record], bytes: u64) -> Self {
        let mut tally = Self { live_bytes: bytes, ..Self::default() };
        for record in live {
            match record {
                Record::Put(decision) => tally.count(decision.id),
                Record::PutMany { items, .. } => items.iter().for_each(|(id, _)| tally.count(*id)),
                Record::Allow(_) => tally.live_items += 1,
                Record::Remove(_) | Record::RemoveMany(_) | Record::Disallow(_) | Record::Bypass(_) => {}
            }
        }
        tally
    }

    /// Takes a record of `bytes` into account.
    pub(super) fn take(&mut self, record: &Record, bytes: u64) {
        match record {
            Record::Put(decision) => self.put(std::iter::once(decision.id), 1, bytes),
            Record::PutMany { items, .. } => self.put(items.iter().map(|(id, _)| *id), items.len() as u64, bytes),
            Record::Remove(_) | Record::Disallow(_) => self.remove(1),
            Record::RemoveMany(ids) => self.remove(ids.len() as u64),
            // Whether an entry is new is not known. They are few: taken for replaced, they bring a rewrite forward at most.
            Record::Allow(_) | Record::Bypass(_) => {}
        }
    }

    /// True when a file of `size` bytes holds more that is over than that matters, and enough of it.
    pub(super) fn is_mostly_dead(&self, size: u64) -> bool {
        let dead = size.saturating_sub(self.live_bytes);
        dead > self.live_bytes && dead > WORTH_IT
    }

    fn count(&mut self, id: DecisionId) {
        self.live_items += 1;
        self.newest = self.newest.max(id);
    }

    fn put(&mut self, ids: impl Iterator<Item = DecisionId>, count: u64, bytes: u64) {
        // Ids grow with time. Compared with what came before the record, because ids of one moment are in no order.
        let before = self.newest;
        let mut new = 0;
        for id in ids {
            new += u64::from(id > before);
            self.newest = self.newest.max(id);
        }
        self.live_items += new;
        self.live_bytes += bytes.saturating_mul(new) / count.max(1);
    }

    fn remove(&mut self, count: u64) {
        let average = self.live_bytes / self.live_items.max(1);
        self.live_items = self.live_items.saturating_sub(count);
        self.live_bytes = self.live_bytes.saturating_sub(average.saturating_mul(count));
    }
}

/// Less than this is not worth a rewrite.
const WORTH_IT: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use enforcer_common::{Address, Prefix};
    use enforcer_policy::{Action, Moment, Note, Origin, Scope};
    use std::sync::Arc;

    fn many(ids: std::ops::Range<u64>) -> Record {
        let note = Note { reason: String::new(), origin: Origin::List, approved_by: String::new(), created: Moment(0) };
        let items = ids.map(|id| (DecisionId(id), Prefix::host(Address::v4([10, 0, 0, 1])))).collect();
        Record::PutMany { note: Arc::new(note), scope: Scope::All, action: Action::Drop, until: None, items }
    }

    #[test]
    fn extending_what_is_there_again_and_again_is_found_out() {
        let mut tally = Tally::default();
        tally.take(&many(1..1001), 600_000);
        assert_eq!((tally.live_bytes, tally.live_items), (600_000, 1000));
        tally.take(&many(1..1001), 600_000);
        assert!(!tally.is_mostly_dead(1_200_000));
        tally.take(&many(1..1001), 600_000);
        assert_eq!((tally.live_bytes, tally.live_items), (600_000, 1000));
        assert!(tally.is_mostly_dead(1_800_000));
    }

    #[test]
    fn what_is_removed_is_dead() {
        let mut tally = Tally::default();
        tally.take(&many(1..1001), 3_000_000);
        tally.take(&Record::RemoveMany((1..600).map(DecisionId).collect()), 5000);
        assert!(tally.is_mostly_dead(3_005_000));
        tally.take(&Record::RemoveMany((1..10_000).map(DecisionId).collect()), 5000);
        assert_eq!((tally.live_bytes, tally.live_items), (0, 0));
    }

    #[test]
    fn a_small_file_is_left_alone() {
        assert!(!Tally::default().is_mostly_dead(WORTH_IT));
    }

    #[test]
    fn after_a_rewrite_all_is_live() {
        let tally = Tally::of(&[many(50..60), many(1..5)], 500);
        assert_eq!(tally, Tally { live_bytes: 500, live_items: 14, newest: DecisionId(59) });
    }
}
