//! The writer of the source tables: the other half of the layout told in `enforcer_common::source`.
//!
//! One writer, many readers in the kernel that never wait. Every step leaves the tables right for them: an IPv4 slot is one
//! store; an IPv6 slot gets its rule before its tag; the filter and a stratum are marked before the first entry that needs
//! them; a freed slot becomes a tombstone, because a reader ends its search at an empty one.
use std::sync::atomic::{AtomicU64, Ordering};

use enforcer_common::{Geometry, Home, Prefix, SourceRule, home_of, node_of, stratum_of};

use super::filter::Filter;
use super::mapped::Mapped;

const BUCKET_WORDS: usize = 8;
/// Tag of a slot that was freed.
const FREED: u64 = 1;

/// The mapped tables.
pub(super) struct Sources {
    pub(super) filter: Filter,
    pub(super) v4: Mapped,
    pub(super) v6: Mapped,
    pub(super) geometry: Geometry,
    /// Entries in the buckets, by family.
    pub(super) used4: u64,
    pub(super) used6: u64,
}

/// What was found in a slot.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Held {
    /// True for the IPv4 table.
    pub v4: bool,
    /// The home's tag.
    pub tag: u64,
    /// The home's check.
    check: u32,
    /// The rule, with its node.
    pub rule: SourceRule,
    place: usize,
}

/// What became of a wish to put something into a bucket.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Placed {
    Added,
    Replaced,
    /// Both buckets are full.
    NoRoom,
}

impl Held {
    /// True for a slot without an entry: the rule comes first and goes last with IPv4, the tag with IPv6.
    fn is_vacant(&self) -> bool {
        if self.v4 { self.rule.raw() == 0 } else { self.tag <= FREED }
    }
}

impl Sources {
    /// Counts what the tables hold.
    pub(super) fn recount(&mut self) {
        let (mut used4, mut used6) = (0, 0);
        self.each(|held| if held.v4 { used4 += 1 } else { used6 += 1 });
        (self.used4, self.used6) = (used4, used6);
    }

    /// Reads what writing these networks will touch. The reads do not wait for each other, so that a list costs a fraction of
    /// the cache misses that one entry after the other would.
    pub(super) fn warm(&self, prefixes: &[Prefix]) {
        let touch = |prefix: &Prefix| {
            let home = self.home(*prefix);
            let table = if prefix.address().is_v4() { &self.v4 } else { &self.v6 };
            load(table, home.bucket as usize * BUCKET_WORDS)
        };
        std::hint::black_box(prefixes.iter().fold(0, |all, prefix| all ^ touch(prefix)));
    }

    /// Adds an entry or replaces its rule.
    pub(super) fn put(&mut self, prefix: Prefix, rule: SourceRule) -> Placed {
        let (home, rule) = (self.home(prefix), rule.at(node_of(prefix)));
        let v4 = prefix.address().is_v4();
        let place = match self.seek(home, prefix) {
            (Some(held), _) => {
                self.write(Held { rule, ..held });
                return Placed::Replaced;
            }
            (None, None) => return Placed::NoRoom,
            (None, Some(place)) => place,
        };
        self.filter.mark(prefix);
        self.write(Held { v4, tag: home.tag, check: home.check, rule, place });
        if v4 {
            self.used4 += 1;
        } else {
            self.used6 += 1;
        }
        Placed::Added
    }

    /// Takes an entry out; false when there was none. The filter keeps its marks until it is swept.
    pub(super) fn remove(&mut self, prefix: Prefix) -> bool {
        let Some(held) = self.find(prefix) else { return false };
        self.free(held);
        true
    }

    /// Takes out what was found.
    pub(super) fn free(&mut self, held: Held) {
        self.filter.stale();
        if held.v4 {
            self.v4.words()[held.place].store(FREED << 32, Ordering::Release);
            self.used4 -= 1;
        } else {
            self.v6.words()[held.place].store(FREED, Ordering::Release);
            self.used6 -= 1;
        }
    }

    /// The entry of exactly this network.
    pub(super) fn find(&self, prefix: Prefix) -> Option<Held> {
        self.seek(self.home(prefix), prefix).0
    }

    /// Calls `with` for every entry.
    pub(super) fn each(&self, mut with: impl FnMut(Held)) {
        for v4 in [true, false] {
            let (table, step) = if v4 { (&self.v4, 1) } else { (&self.v6, 2) };
            for place in (0..table.words().len()).step_by(step) {
                let held = self.read(v4, place);
                if held.rule.raw() != 0 && !held.is_vacant() {
                    with(held);
                }
            }
        }
    }

    fn home(&self, prefix: Prefix) -> Home {
        home_of(prefix.address().halves(), stratum_of(prefix), &self.geometry)
    }

    /// The entry of exactly this network, and while it has not come, the first slot that can take it. As for readers, the
    /// neighbour counts only when the home has no empty slot left.
    fn seek(&self, home: Home, prefix: Prefix) -> (Option<Held>, Option<usize>) {
        let (v4, node) = (prefix.address().is_v4(), node_of(prefix));
        let mut vacancy = None;
        for bucket in [home.bucket, home.bucket ^ 1] {
            let mut is_full = true;
            for place in slots(v4, bucket) {
                let held = self.read(v4, place);
                is_full = !held.is_vacant() || held.tag == FREED;
                if held.is_vacant() {
                    vacancy = vacancy.or(Some(place));
                } else if held.rule.raw() != 0
                    && (held.tag, held.check) == (home.tag, home.check)
                    && held.rule.node() == node
                {
                    return (Some(held), vacancy);
                }
            }
            if !is_full {
                break;
            }
        }
        (None, vacancy)
    }

    fn read(&self, v4: bool, place: usize) -> Held {
        let (tag, check, rule) = if v4 {
            let slot = load(&self.v4, place);
            (slot >> 32, 0, low_half(slot))
        } else {
            let word = load(&self.v6, place + 1);
            (load(&self.v6, place), low_half(word >> 32), low_half(word))
        };
        Held { v4, tag, check, rule: SourceRule::from_raw(rule), place }
    }

    fn write(&self, held: Held) {
        let rule = u64::from(held.rule.raw());
        if held.v4 {
            self.v4.words()[held.place].store(held.tag << 32 | rule, Ordering::Release);
        } else {
            self.v6.words()[held.place + 1].store(u64::from(held.check) << 32 | rule, Ordering::Release);
            self.v6.words()[held.place].store(held.tag, Ordering::Release);
        }
    }
}

/// The words where the slots of a bucket begin.
fn slots(v4: bool, bucket: u32) -> impl Iterator<Item = usize> {
    let first = bucket as usize * BUCKET_WORDS;
    (first..first + BUCKET_WORDS).step_by(if v4 { 1 } else { 2 })
}

fn load(table: &Mapped, place: usize) -> u64 {
    let word: &AtomicU64 = &table.words()[place];
    word.load(Ordering::Relaxed)
}

#[expect(clippy::cast_possible_truncation, reason = "the lower half is what is meant")]
fn low_half(word: u64) -> u32 {
    word as u32
}
