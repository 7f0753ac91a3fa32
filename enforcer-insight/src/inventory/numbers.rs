//! Numbers that are kept of many: a histogram, and how many different there were. In: values, one by one. Out: quantiles and
//! estimates. Joining two is the same as having seen all. Never here: what was counted.
use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// How often values of which size were seen: four buckets for each doubling, so that a value is known to a quarter of itself.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Histogram(BTreeMap<u8, u64>);

impl Histogram {
    /// Takes a value.
    pub fn note(&mut self, value: u64) {
        *self.0.entry(bucket(value)).or_default() += 1;
    }

    /// How many values there were.
    pub fn count(&self) -> u64 {
        self.0.values().sum()
    }

    /// What `percent` of the values do not exceed, to a quarter of it; nothing when there are none.
    pub fn quantile(&self, percent: u64) -> Option<u64> {
        let wanted = self.count().saturating_mul(percent).div_ceil(100).max(1);
        let mut below = 0;
        let reached = self.0.iter().find(|(_, count)| {
            below += **count;
            below >= wanted
        });
        reached.map(|(bucket, _)| highest(*bucket))
    }

    /// Takes all of another's.
    pub(super) fn merge(&mut self, other: &Self) {
        other.0.iter().for_each(|(bucket, count)| *self.0.entry(*bucket).or_default() += count);
    }
}

fn bucket(value: u64) -> u8 {
    let Some(log) = value.checked_ilog2().filter(|log| *log >= 2) else {
        return u8::try_from(value).unwrap_or(u8::MAX);
    };
    let quarter = (value >> (log - 2)) & 3;
    u8::try_from(u64::from(log - 1) * 4 + quarter).unwrap_or(u8::MAX)
}

/// The highest value of a bucket.
fn highest(bucket: u8) -> u64 {
    let (bucket, next) = (u64::from(bucket), u64::from(bucket) + 1);
    if bucket < 3 {
        return bucket;
    }
    let shift = u32::try_from(next / 4 - 1).unwrap_or(u32::MAX);
    (4 + next % 4).checked_shl(shift).filter(|value| value >> shift == 4 + next % 4).map_or(u64::MAX, |value| value - 1)
}

/// How many different digests were seen: exactly up to [`Distinct::EXACT`], then to about 6 %.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Distinct {
    /// All of them.
    Few(BTreeSet<u64>),
    /// The most leading zeros in each of 256 parts of them.
    Many(Vec<u8>),
}

impl Distinct {
    /// How many are kept as they are.
    pub const EXACT: usize = 24;
    const PARTS: usize = 256;

    /// Takes a digest, whose bits must be as good as chance.
    pub fn note(&mut self, digest: u64) {
        match self {
            Self::Few(few) => {
                few.insert(digest);
                if few.len() > Self::EXACT {
                    let few = std::mem::take(few);
                    *self = Self::Many(vec![0; Self::PARTS]);
                    for digest in few {
                        self.note(digest);
                    }
                }
            }
            Self::Many(parts) => {
                let zeros = u8::try_from((digest << 8 | 0x80).leading_zeros()).unwrap_or(u8::MAX) + 1;
                if let Some(part) = parts.get_mut(usize::from(digest.to_be_bytes()[0])) {
                    *part = zeros.max(*part);
                }
            }
        }
    }

    /// How many different ones there were.
    pub fn estimate(&self) -> u64 {
        match self {
            Self::Few(few) => few.len() as u64,
            Self::Many(parts) => estimate(parts),
        }
    }

    /// Takes all of another's.
    pub(super) fn merge(&mut self, other: Self) {
        match (&mut *self, other) {
            (_, Self::Few(few)) => few.into_iter().for_each(|digest| self.note(digest)),
            (Self::Few(_), mut many @ Self::Many(_)) => {
                std::mem::swap(self, &mut many);
                self.merge(many);
            }
            (Self::Many(mine), Self::Many(others)) => {
                mine.iter_mut().zip(others).for_each(|(mine, other)| *mine = other.max(*mine));
            }
        }
    }

    /// False for what no digests can have made; a state that was read is to be checked.
    pub(super) fn is_sound(&self) -> bool {
        match self {
            Self::Few(few) => few.len() <= Self::EXACT,
            Self::Many(parts) => parts.len() == Self::PARTS && parts.iter().all(|zeros| *zeros <= 57),
        }
    }
}

impl Default for Distinct {
    fn default() -> Self {
        Self::Few(BTreeSet::new())
    }
}

/// `HyperLogLog`, with counting of empty parts while there are many.
#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an estimate")]
fn estimate(parts: &[u8]) -> u64 {
    let count = parts.len() as f64;
    let sum: f64 = parts.iter().map(|zeros| (-f64::from(*zeros)).exp2()).sum();
    let raw = 0.7213 / (1.0 + 1.079 / count) * count * count / sum;
    let empty = parts.iter().filter(|zeros| **zeros < 1).count();
    let found = if raw <= 2.5 * count && empty > 0 { count * (count / empty as f64).ln() } else { raw };
    found.round() as u64
}

#[cfg(test)]
mod tests {
    use enforcer_common::{SipKey, siphash};
    use proptest::prelude::*;

    use super::*;

    fn distinct(numbers: impl IntoIterator<Item = u64>) -> Distinct {
        let mut distinct = Distinct::default();
        numbers.into_iter().for_each(|n| distinct.note(siphash(SipKey([1, 2]), &n.to_le_bytes())));
        distinct
    }

    #[test]
    fn buckets_hold_what_they_say() {
        for value in (0..5000).chain([u64::MAX, u64::MAX / 2, 1 << 40]) {
            let top = highest(bucket(value));
            assert!(top >= value && bucket(top) == bucket(value), "{value} {top}");
            assert!(top - value <= value / 4 + 1, "{value} {top}");
        }
    }

    #[test]
    fn quantiles_are_near() {
        let mut histogram = Histogram::default();
        (1..=1000).for_each(|value| histogram.note(value));
        let at = |percent| histogram.quantile(percent).unwrap();
        assert!((500..625).contains(&at(50)) && (950..1190).contains(&at(95)) && at(100) >= 1000);
        assert_eq!((histogram.count(), Histogram::default().quantile(50)), (1000, None));
    }

    #[test]
    fn few_are_exact_and_many_are_near() {
        for many in [0, 1, 24, 25, 100, 1000, 30_000] {
            let found = distinct((0..many).chain(0..many)).estimate();
            assert!(found.abs_diff(many) <= many / 6 && (many > 24 || found == many), "{many} {found}");
        }
    }

    proptest! {
        #[test]
        fn joined_is_the_same_as_seen_together(one in prop::collection::vec(0_u64..60, 0..60), two in prop::collection::vec(0_u64..60, 0..60)) {
            let mut joined = distinct(one.clone());
            joined.merge(distinct(two.clone()));
            prop_assert!(joined.is_sound());
            prop_assert_eq!(joined, distinct(one.into_iter().chain(two)));
        }
    }
}
