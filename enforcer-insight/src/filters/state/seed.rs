//! Digests of what is only compared. In: bytes, words. Out: 64 keyed bits. Never here: where the key comes from.
//!
//! The key is the caller's: nobody outside can aim at a table's places, and what is held says nothing about what it was.
use std::hash::{BuildHasherDefault, Hasher};

use enforcer_common::{Sip, SipKey, siphash};

/// The key of all digests that filters hold.
#[derive(Clone, Copy)]
pub struct Seed(SipKey);

impl Seed {
    /// From 128 secret bits. The same bits and the same calls give the same findings.
    pub const fn new(key: [u64; 2]) -> Self {
        Self(SipKey(key))
    }

    /// The digest of bytes.
    pub fn bytes(&self, bytes: &[u8]) -> u64 {
        siphash(self.0, bytes)
    }

    /// The digest of two words.
    pub const fn words(&self, one: u64, two: u64) -> u64 {
        Sip::new(self.0).word(one).word(two).finish(0, 16)
    }
}

/// Tables are keyed by digests, which are as good as random: hashing them again would double the price of a look.
#[derive(Clone, Copy, Default)]
pub(super) struct Plain(u64);

/// Builds [`Plain`].
pub(super) type BuildPlain = BuildHasherDefault<Plain>;

impl Hasher for Plain {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().fold(self.0, |hash, byte| (hash.rotate_left(8)) ^ u64::from(*byte));
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = word;
    }
}
