//! The writer of the filter of identities: the other half of `enforcer_common`'s `named`.
//!
//! It gains marks before the entries that need them, so readers miss nothing. What was taken off keeps its marks until the
//! next comparison, which looks at every entry anyway.
use std::sync::atomic::Ordering;

use enforcer_common::named_mark;

use super::mapped::Mapped;

/// The mapped filter; its words are a power of two.
pub(super) struct Named(Mapped);

/// What a filter should hold.
pub(super) struct Wanted(Vec<u64>);

impl Named {
    /// Of the words that the kernel holds.
    pub(super) fn new(words: Mapped) -> Self {
        Self(words)
    }

    /// Marks a digest, so that readers look it up.
    pub(super) fn mark(&self, digest: u64) {
        let words = self.0.words();
        let mark = named_mark(digest, mask(words.len()));
        words[mark.word as usize].fetch_or(mark.bits, Ordering::Release);
    }

    /// No marks, for as many words.
    pub(super) fn nothing(&self) -> Wanted {
        Wanted(vec![0; self.0.words().len()])
    }

    /// Clears the marks that are nobody's any more, and sets those that somebody else has cleared.
    pub(super) fn replace(&self, wanted: &Wanted) {
        for (word, wanted) in self.0.words().iter().zip(&wanted.0) {
            if word.load(Ordering::Relaxed) != *wanted {
                word.store(*wanted, Ordering::Release);
            }
        }
    }
}

impl Wanted {
    /// Adds a digest.
    pub(super) fn mark(&mut self, digest: u64) {
        let mark = named_mark(digest, mask(self.0.len()));
        self.0[mark.word as usize] |= mark.bits;
    }
}

#[expect(clippy::cast_possible_truncation, reason = "sized by a number of 32 bits")]
fn mask(words: usize) -> u32 {
    (words - 1) as u32
}
