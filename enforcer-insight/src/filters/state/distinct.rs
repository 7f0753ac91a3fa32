//! How many different things there were, in a fixed number of bits. In: digests. Out: a count that is right to a few percent.
//! Never here: the things.
//!
//! A digest sets one of `64 * N` bits. While `k` of `m` are set, a new thing meets a clear bit with the chance `(m - k) / m`, so a
//! bit that becomes set stands for `m / (m - k)` things. The sum of these is the count; it needs no logarithm.

/// A count of distinct things in `64 * N` bits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Distinct<const N: usize> {
    bits: [u64; N],
    set: u32,
    /// In parts of 256.
    sum: u32,
}

impl<const N: usize> Default for Distinct<N> {
    fn default() -> Self {
        Self { bits: [0; N], set: 0, sum: 0 }
    }
}

impl<const N: usize> Distinct<N> {
    #[expect(clippy::cast_possible_truncation, reason = "a few words")]
    const BITS: u32 = 64 * N as u32;

    /// Takes a thing; true when it is one that was surely not there before.
    pub fn add(&mut self, digest: u64) -> bool {
        // Keys of tables are digests with a few bits changed: the product spreads what differs only there.
        let at = ((digest.wrapping_mul(SPREAD) >> 32) * u64::from(Self::BITS)) >> 32;
        let Some(word) = self.bits.get_mut((at / 64) as usize) else { return false };
        let bit = 1 << (at % 64);
        let new = *word & bit == 0;
        if new {
            *word |= bit;
            self.sum += 256 * Self::BITS / (Self::BITS - self.set);
            self.set += 1;
        }
        new
    }

    /// Takes a thing, if there is one.
    pub fn add_known(&mut self, digest: Option<u64>) {
        if let Some(digest) = digest {
            self.add(digest);
        }
    }

    /// How many there were. Full, it stays where it is: about `m * ln m`.
    pub const fn count(&self) -> u32 {
        self.sum / 256
    }
}

/// Odd, and its bits look random: the golden ratio in 64 bits.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filters::state::Seed;

    #[test]
    fn counts_are_right_to_a_tenth() {
        let seed = Seed::new([1, 2]);
        for (count, slack) in [(10_u32, 1), (50, 5), (200, 20), (1000, 100), (3000, 300)] {
            let mut small = Distinct::<16>::default();
            (0..3 * count).for_each(|thing| small.add_known(Some(seed.words(u64::from(thing % count), 7))));
            assert!(small.count().abs_diff(count) <= slack, "{count}: {}", small.count());
        }
    }

    #[test]
    fn a_full_one_does_not_overflow() {
        let (seed, mut full) = (Seed::new([1, 2]), Distinct::<4>::default());
        (0..1_000_000).for_each(|thing| full.add_known(Some(seed.words(thing, 7))));
        assert_eq!(full.set, 256);
        assert!((1500..1600).contains(&full.count()), "{}", full.count());
    }
}
