//! One digest of many decisions that stays cheap when one of them changes.
//!
//! In: leaves, put and taken away. Out: their root. Never here: what a leaf says. A leaf lies in the bucket of its id's lowest
//! bits, which are random; a change hashes its own bucket and the row of buckets again, whatever else there is.
use std::collections::BTreeMap;

use super::digest::{Digest, Hasher};
use crate::DecisionId;

/// Leaves by id.
#[derive(Clone, Debug)]
pub struct Leaves {
    buckets: Vec<Bucket>,
    len: usize,
}

#[derive(Clone, Default, Debug)]
struct Bucket {
    leaves: BTreeMap<DecisionId, Digest>,
    /// `None` after a change.
    digest: Option<Digest>,
}

impl Default for Leaves {
    fn default() -> Self {
        Self { buckets: vec![Bucket::default(); BUCKETS], len: 0 }
    }
}

impl Leaves {
    /// Adds or replaces a leaf, and gives the one it replaces.
    pub fn put(&mut self, id: DecisionId, leaf: Digest) -> Option<Digest> {
        let bucket = self.bucket(id);
        bucket.digest = None;
        let replaced = bucket.leaves.insert(id, leaf);
        self.len += usize::from(replaced.is_none());
        replaced
    }

    /// Takes a leaf away.
    pub fn take(&mut self, id: DecisionId) -> Option<Digest> {
        let bucket = self.bucket(id);
        let taken = bucket.leaves.remove(&id)?;
        bucket.digest = None;
        self.len -= 1;
        Some(taken)
    }

    /// How many there are.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// True when there are none.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The digest of all of them, whatever the order they came in.
    pub fn root(&mut self) -> Digest {
        let mut hasher = Hasher::new("enforcer leaves v1");
        let filled = self.buckets.iter_mut().enumerate().filter(|(_, bucket)| !bucket.leaves.is_empty());
        for (index, bucket) in filled {
            hasher.part(&(index as u64).to_be_bytes());
            hasher.part(&bucket.digest().0);
        }
        hasher.finish()
    }

    fn bucket(&mut self, id: DecisionId) -> &mut Bucket {
        #[expect(clippy::cast_possible_truncation, reason = "only the lowest bits are looked at")]
        let index = id.0 as usize % BUCKETS;
        &mut self.buckets[index]
    }
}

impl Bucket {
    fn digest(&mut self) -> Digest {
        *self.digest.get_or_insert_with(|| {
            let mut hasher = Hasher::new("enforcer bucket v1");
            for (id, leaf) in &self.leaves {
                hasher.part(&id.0.to_be_bytes());
                hasher.part(&leaf.0);
            }
            hasher.finish()
        })
    }
}

/// A power of two: with a million decisions a bucket has a thousand.
const BUCKETS: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_root_tells_sets_apart_and_forgets_their_history(
            ids in proptest::collection::btree_map(any::<u64>(), any::<[u8; 32]>(), 0..40),
            gone in proptest::collection::vec(any::<u64>(), 0..10),
        ) {
            let (mut forward, mut backward) = (Leaves::default(), Leaves::default());
            for (id, leaf) in &ids {
                forward.put(DecisionId(*id), Digest(*leaf));
            }
            let root = forward.root();
            for id in gone.iter().filter(|id| !ids.contains_key(id)) {
                backward.put(DecisionId(*id), Digest::default());
            }
            for (id, leaf) in ids.iter().rev() {
                backward.put(DecisionId(*id), Digest(*leaf));
            }
            for id in gone.iter().filter(|id| !ids.contains_key(id)) {
                backward.root();
                backward.take(DecisionId(*id));
            }
            prop_assert_eq!(backward.root(), root);
            prop_assert_eq!(backward.len(), ids.len());
            if let Some(id) = ids.keys().next() {
                forward.take(DecisionId(*id));
                prop_assert_ne!(forward.root(), root);
            }
        }
    }
}
