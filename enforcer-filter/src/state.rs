//! What a filter remembers, and how little of it. In: keys, counts, times. Out: a bounded table, windows, steps. Never here: raw values:
//! keep keys and counts.
use std::collections::BTreeMap;

/// A bounded table: what was touched longest ago gives way.
#[derive(Clone, Debug)]
pub struct Table<K, V> {
    entries: BTreeMap<K, (u64, V)>,
    order: BTreeMap<u64, K>,
    touches: u64,
    limit: usize,
}

impl<K: Ord + Copy, V> Table<K, V> {
    /// For at most `limit` entries, at least one.
    pub fn new(limit: usize) -> Self {
        Self { entries: BTreeMap::new(), order: BTreeMap::new(), touches: 0, limit: limit.max(1) }
    }

    /// An entry, made by `new` if there is none; it becomes the newest.
    pub fn entry_with(&mut self, key: K, new: impl FnOnce() -> V) -> &mut V {
        self.touches += 1;
        let touch = self.touches;
        if let Some((before, _)) = self.entries.get(&key) {
            self.order.remove(before);
        } else if self.entries.len() >= self.limit
            && let Some((_, oldest)) = self.order.pop_first()
        {
            self.entries.remove(&oldest);
        }
        self.order.insert(touch, key);
        let entry = self.entries.entry(key).or_insert_with(|| (touch, new()));
        entry.0 = touch;
        &mut entry.1
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// True when there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

impl<K: Ord + Copy, V: Default> Table<K, V> {
    /// An entry, the default one if there is none; it becomes the newest.
    pub fn entry(&mut self, key: K) -> &mut V {
        self.entry_with(key, V::default)
    }
}

/// Room for one, until it is started.
impl<K: Ord + Copy, V> Default for Table<K, V> {
    fn default() -> Self {
        Self::new(1)
    }
}

/// A window of time that opens with the first thing in it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Window(u64);

impl Window {
    /// True when what was counted belongs to a window that is over: then a new one begins now. All in milliseconds.
    pub fn turn(&mut self, now: u64, length: u64) -> bool {
        let over = now.saturating_sub(self.0) >= length || self.0.saturating_sub(now) > length;
        if over {
            self.0 = now;
        }
        over
    }
}

/// Lets a growing count pass at a first value and at each doubling.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Steps(u32);

impl Steps {
    /// True when `count` is a step: `first`, or twice what passed last.
    pub fn reach(&mut self, count: u32, first: u32) -> bool {
        let reached = count >= first.max(self.0).max(1);
        if reached {
            self.0 = count.saturating_mul(2);
        }
        reached
    }
}
