//! A bounded table that forgets what was touched longest ago. In: digests as keys. Out: values. Never here: iteration in an order
//! that hashing chose: what is walked is walked from the newest to the oldest.
use std::collections::HashMap;

use super::seed::BuildPlain;

/// A bounded table. A look that may change an entry makes it the newest.
pub struct Book<V> {
    slots: Vec<Slot<V>>,
    places: HashMap<u64, u32, BuildPlain>,
    newest: u32,
    oldest: u32,
    limit: u32,
    forgotten: u64,
}

struct Slot<V> {
    key: u64,
    newer: u32,
    older: u32,
    value: V,
}

impl<V> Book<V> {
    /// For at most `limit` entries, at least one. Memory is taken as entries come.
    pub fn new(limit: usize) -> Self {
        let limit = u32::try_from(limit).unwrap_or(NONE - 1).clamp(1, NONE - 1);
        Self { slots: Vec::new(), places: HashMap::default(), newest: NONE, oldest: NONE, limit, forgotten: 0 }
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// True when there are none.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Entries that gave way to newer ones.
    pub const fn forgotten(&self) -> u64 {
        self.forgotten
    }

    /// Bytes held, without what values hold elsewhere.
    pub fn held_bytes(&self) -> usize {
        // Tables keep an eighth free, and double. What they say of their capacity shrinks with what was taken out.
        let places = (self.slots.len() * 8 / 7).next_power_of_two();
        self.slots.capacity() * size_of::<Slot<V>>() + places * PLACE
    }

    /// An entry, without touching it.
    pub fn peek(&self, key: u64) -> Option<&V> {
        self.places.get(&key).map(|at| &self.slots[*at as usize].value)
    }

    /// An entry, if there is one; it becomes the newest.
    pub fn find(&mut self, key: u64) -> Option<&mut V> {
        let at = *self.places.get(&key)?;
        self.renew(at);
        Some(&mut self.slots[at as usize].value)
    }

    /// All entries, the newest first.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &V)> {
        let follow = |at: &u32| Some(self.slots.get(*at as usize)?.older);
        let order = std::iter::successors(Some(self.newest), follow);
        order.map_while(|at| self.slots.get(at as usize)).map(|slot| (slot.key, &slot.value))
    }

    /// An entry, made by `new` if there is none; it becomes the newest, and the oldest gives way when there is no room.
    pub fn entry_with(&mut self, key: u64, new: impl FnOnce() -> V) -> &mut V {
        if let Some(at) = self.places.get(&key).copied() {
            self.renew(at);
            return &mut self.slots[at as usize].value;
        }
        let at = self.room(key, new());
        self.places.insert(key, at);
        &mut self.slots[at as usize].value
    }

    /// A place for a new entry, in front of all others.
    fn room(&mut self, key: u64, value: V) -> u32 {
        let slot = Slot { key, newer: NONE, older: NONE, value };
        let count = u32::try_from(self.slots.len()).unwrap_or(NONE);
        let at = if count < self.limit {
            self.slots.push(slot);
            count
        } else {
            let at = self.oldest;
            self.unlink(at);
            self.forgotten += 1;
            let old = std::mem::replace(&mut self.slots[at as usize], slot);
            self.places.remove(&old.key);
            at
        };
        self.link(at);
        at
    }

    fn renew(&mut self, at: u32) {
        if self.newest != at {
            self.unlink(at);
            self.link(at);
        }
    }

    fn unlink(&mut self, at: u32) {
        let Slot { newer, older, .. } = self.slots[at as usize];
        match self.slots.get_mut(newer as usize) {
            Some(slot) => slot.older = older,
            None => self.newest = older,
        }
        match self.slots.get_mut(older as usize) {
            Some(slot) => slot.newer = newer,
            None => self.oldest = newer,
        }
    }

    fn link(&mut self, at: u32) {
        let before = std::mem::replace(&mut self.newest, at);
        if let Some(slot) = self.slots.get_mut(before as usize) {
            slot.newer = at;
        } else {
            self.oldest = at;
        }
        let slot = &mut self.slots[at as usize];
        (slot.newer, slot.older) = (NONE, before);
    }
}

impl<V: Default> Book<V> {
    /// An entry, the default one if there is none.
    pub fn entry(&mut self, key: u64) -> &mut V {
        self.entry_with(key, V::default)
    }
}

/// No slot has this number.
const NONE: u32 = u32::MAX;
/// Bytes of a place in the hash table: a key, a number, and a control byte.
const PLACE: usize = size_of::<(u64, u32)>() + 1;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_longest_untouched_gives_way() {
        let mut book = Book::<u32>::new(2);
        *book.entry(1) = 10;
        *book.entry(2) = 20;
        assert_eq!(book.find(1), Some(&mut 10), "a touch");
        *book.entry(3) = 30;
        assert_eq!((book.peek(1), book.peek(2), book.peek(3)), (Some(&10), None, Some(&30)));
        assert_eq!((book.len(), book.forgotten()), (2, 1));
        assert_eq!(book.iter().map(|(key, _)| key).collect::<Vec<_>>(), [3, 1]);
    }

    #[test]
    fn memory_stops_growing_at_the_limit() {
        let mut book = Book::<[u64; 4]>::new(1000);
        (0..1000).for_each(|key| book.entry(key)[0] = key);
        let full = book.held_bytes();
        (0..100_000).for_each(|key| book.entry(key)[0] = key);
        assert_eq!((book.len(), book.held_bytes()), (1000, full));
        assert!(full < 1000 * 200, "{full}");
    }

    proptest! {
        /// Against a list that does the same slowly.
        #[test]
        fn it_behaves_like_a_list(keys in prop::collection::vec((0_u64..12, any::<bool>()), 0..200)) {
            let (mut book, mut list) = (Book::<u32>::new(5), Vec::<u64>::new());
            for (key, add) in keys {
                let held = list.iter().position(|held| *held == key);
                prop_assert_eq!(book.peek(key).is_some(), held.is_some());
                if add || held.is_some() {
                    held.map(|at| list.remove(at));
                    list.insert(0, key);
                    list.truncate(5);
                }
                if add { book.entry(key); } else { book.find(key); }
                prop_assert_eq!(book.iter().map(|(key, _)| key).collect::<Vec<_>>(), list.clone());
            }
        }
    }
}
