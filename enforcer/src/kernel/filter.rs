//! The writer of gate and filter: the other half of `enforcer_common`'s `source::filter`.
//!
//! They only ever gain marks, before the entry that needs them, so readers miss nothing. What was taken off keeps its marks
//! until a sweep; that comes with the next comparison, so marks cannot pile up. A filter that fills is doubled: each word is
//! copied to the place that half of its entries get, which needs no list of them, and the sweep clears the other half.
use std::sync::atomic::{AtomicU64, Ordering};

use enforcer_common::{FILTER_LOAD, Geometry, Mark, Prefix, WIDE_WORDS, gate_mask, marks_of};

use super::mapped::Mapped;

/// Words for cells that a new filter begins with.
pub(super) const FIRST: u32 = 64;

/// Words for cells that so many entries may need.
pub(super) fn words(entries: u32) -> u32 {
    (entries / FILTER_LOAD).next_power_of_two().max(FIRST)
}

/// The mapped gate and filter.
pub(super) struct Filter {
    words: Mapped,
    gate: Mapped,
    geometry: Geometry,
    /// Words for cells in use, minus one: what readers go by.
    mask: u32,
    /// Marks set in them, at most.
    marks: u64,
    is_stale: bool,
}

impl Filter {
    /// Of the words that the kernel holds. Nothing is known of what another agent left there: the first sweep finds out.
    pub(super) fn new(words: Mapped, gate: Mapped, geometry: Geometry, mask: u32) -> Self {
        Self { words, gate, geometry, mask, marks: 0, is_stale: true }
    }

    /// Marks `prefix`, so that readers look further.
    pub(super) fn mark(&mut self, prefix: Prefix) {
        for (opened, mark) in marks_of(prefix, &self.geometry, self.mask) {
            set(self.words.words(), mark);
            if let Some(opened) = opened {
                set(self.gate.words(), opened);
            }
            self.marks += weight(mark);
        }
    }

    /// When it is full and can grow: doubles what is in use, and gives the mask that readers may go by from now on.
    /// The writer goes on with the old one until [`Self::follow`].
    pub(super) fn grown(&self) -> Option<u32> {
        let cells = &self.words.words()[WIDE_WORDS as usize..];
        let words = self.mask as usize + 1;
        if self.marks < words as u64 * u64::from(FILTER_LOAD) || 2 * words > cells.len() {
            return None;
        }
        let mask = self.mask << 1 | 1;
        double(cells, words);
        if gate_mask(mask) != gate_mask(self.mask) {
            double(self.gate.words(), gate_mask(self.mask) as usize + 1);
        }
        Some(mask)
    }

    /// Goes by the mask that readers were given.
    pub(super) fn follow(&mut self, mask: u32) {
        self.mask = mask;
        self.is_stale = true;
    }

    /// Notes that some marks may be nobody's any more.
    pub(super) fn stale(&mut self) {
        self.is_stale = true;
    }

    /// True when a sweep would clear marks: until then some packets are looked up in vain.
    pub(super) fn is_stale(&self) -> bool {
        self.is_stale
    }

    /// Clears the marks that no entry of `prefixes`, which are all there are, needs.
    pub(super) fn sweep(&mut self, prefixes: impl Iterator<Item = Prefix>) {
        let mut wanted = vec![0_u64; WIDE_WORDS as usize + self.mask as usize + 1];
        let mut opened = vec![0_u64; gate_mask(self.mask) as usize + 1];
        self.marks = 0;
        for (gate, mark) in prefixes.flat_map(|prefix| marks_of(prefix, &self.geometry, self.mask)) {
            wanted[mark.word as usize] |= mark.bits;
            if let Some(gate) = gate {
                opened[gate.word as usize] |= gate.bits;
            }
            self.marks += weight(mark);
        }
        rewrite(self.words.words(), &wanted);
        rewrite(self.gate.words(), &opened);
        self.is_stale = false;
    }
}

fn set(words: &[AtomicU64], mark: Mark) {
    let word = &words[mark.word as usize];
    if !word.load(Ordering::Relaxed) & mark.bits != 0 {
        word.fetch_or(mark.bits, Ordering::Release);
    }
}

/// Copies the first `count` words behind themselves.
fn double(words: &[AtomicU64], count: usize) {
    let (lower, upper) = words.split_at(count);
    for (from, to) in lower.iter().zip(upper) {
        to.store(from.load(Ordering::Relaxed), Ordering::Release);
    }
}

fn rewrite(words: &[AtomicU64], wanted: &[u64]) {
    for (word, wanted) in words.iter().zip(wanted) {
        if word.load(Ordering::Relaxed) != *wanted {
            word.store(*wanted, Ordering::Release);
        }
    }
}

/// What a mark counts towards the next doubling: the bits of wide networks have words of their own.
fn weight(mark: Mark) -> u64 {
    u64::from(mark.word >= WIDE_WORDS)
}
