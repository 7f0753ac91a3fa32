//! The filter of identities: one word that tells whether any decision names a digest.
//!
//! Most requests are clean, and the table of decisions is far too large for a processor's cache: two looks into it cost more
//! than reading the whole head. The filter has a word for about eight entries, and one clean digest in thirty is looked up in
//! vain. It says nothing of scopes: a digest that is named anywhere is looked up everywhere.
use crate::{FILTER_LOAD, Mark};

/// Words of a filter for so many entries: a power of two.
pub fn named_words(entries: u32) -> u32 {
    (entries / FILTER_LOAD).next_power_of_two().max(64)
}

/// Where a digest is marked in a filter of `mask + 1` words. Digests are keyed: nobody outside can choose which agree.
#[inline(always)]
pub const fn named_mark(digest: u64, mask: u32) -> Mark {
    let bits = 1 << (digest & 63) | 1 << (digest >> 6 & 63) | 1 << (digest >> 12 & 63);
    Mark { word: (digest >> 32) as u32 & mask, bits }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{SipKey, siphash};

    fn digest(number: u64) -> u64 {
        siphash(SipKey([1, 2]), &number.to_le_bytes())
    }

    #[test]
    fn a_full_filter_misses_nothing_and_says_yes_in_vain_once_in_thirty() {
        const ENTRIES: u32 = 1 << 16;
        let last = named_words(ENTRIES) - 1;
        let mut words = vec![0_u64; last as usize + 1];
        let asked = |number: u64| named_mark(digest(number), last);
        for mark in (0..u64::from(ENTRIES)).map(asked) {
            words[mark.word as usize] |= mark.bits;
        }
        let says_yes = |number: &u64| {
            let mark = asked(*number);
            words[mark.word as usize] & mark.bits == mark.bits
        };
        assert!((0..u64::from(ENTRIES)).all(|number| says_yes(&number)));
        let in_vain = (1 << 32..(1 << 32) + 30_000).filter(says_yes).count();
        assert!(in_vain < 1500, "{in_vain} of 30,000");
    }
}
