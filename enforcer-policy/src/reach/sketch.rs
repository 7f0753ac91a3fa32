//! Distinct things, of which only some are kept: those whose digest ends in enough zeros.
//!
//! In: digests under a key that nobody outside knows. Out: how many different ones there were. Never here: what they are digests of.
use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::Estimate;

/// Digests of different things.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sketch {
    /// Zeros that a digest must end in to be kept: one in `2^level` is.
    level: u32,
    /// So many there were at least.
    seen: u64,
    #[serde(serialize_with = "written", deserialize_with = "read")]
    kept: BTreeSet<u64>,
}

/// Digests that a sketch may come with.
pub const LARGEST: usize = 512;
const DIGITS: usize = 16;

impl Sketch {
    /// Of digests that were seen; all there were when `level` is 0, else all that end in so many zeros and perhaps others.
    pub fn new(level: u32, digests: impl IntoIterator<Item = u64>) -> Self {
        let mut kept: BTreeSet<u64> = digests.into_iter().collect();
        let seen = kept.len() as u64;
        kept.retain(|digest| digest.trailing_zeros() >= level);
        Self { level, seen, kept }
    }

    /// With no more than so many digests.
    #[must_use]
    pub fn at_most(mut self, most: usize) -> Self {
        while self.kept.len() > most.max(1) {
            self.raise(self.level + 1);
        }
        self
    }

    /// Adds what was seen elsewhere: the coarser of both says how fine the result is.
    pub fn merge(&mut self, mut other: Self) {
        let level = self.level.max(other.level);
        self.raise(level);
        other.raise(level);
        self.kept.append(&mut other.kept);
        self.seen = self.seen.max(other.seen).max(self.kept.len() as u64);
    }

    /// How many different ones there were.
    pub fn estimate(&self) -> Estimate {
        Estimate::distinct(self.kept.len() as u64, self.seen, self.level)
    }

    fn raise(&mut self, level: u32) {
        self.level = level;
        self.kept.retain(|digest| digest.trailing_zeros() >= level);
    }
}

/// All in one text: a list of numbers would be half as long again.
fn written<S: Serializer>(kept: &BTreeSet<u64>, serializer: S) -> Result<S::Ok, S::Error> {
    let text = kept.iter().fold(String::with_capacity(kept.len() * DIGITS), |mut text, digest| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{digest:016x}");
        text
    });
    serializer.serialize_str(&text)
}

fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeSet<u64>, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.len() > LARGEST * DIGITS {
        return Err(de::Error::custom("a sketch holds at most 512 digests"));
    }
    let (digests, rest) = text.as_bytes().as_chunks::<DIGITS>();
    let digest = |digits: &[u8; DIGITS]| crate::model::hex(std::str::from_utf8(digits).ok()?);
    let read: Option<BTreeSet<u64>> = digests.iter().map(digest).collect();
    read.filter(|_| rest.is_empty())
        .ok_or_else(|| de::Error::custom("digests are 16 lower-case hexadecimal digits each"))
}
