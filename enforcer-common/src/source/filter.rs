//! Gate and filter: a bit, then a word, that tell whether an address needs a look into the tables at all.
//!
//! Both speak of a **cell**: an IPv4 /24, an IPv6 /48. The **gate** has one bit for each cell with an entry, whatever that is. Long
//! lists leave it a few bits for each entry, so that it stays in the processor's own cache, which it may have to share; most
//! clean addresses go no further. The **filter** is a Bloom filter whose bits for one cell lie in one word, about eight entries to
//! a word: of the clean addresses that reach it, one in thirty is looked up in vain. Short lists use few words of both: they
//! double as they fill (see the agent's `kernel::filter`).
//!
//! They never say no to what is listed. They may say yes to what was taken off, until the agent sweeps them.
use super::fold;
use super::home::{HOST, stratum_of};
use crate::{Geometry, Halves, Prefix};

/// The first words of the filter hold a bit for each IPv4 /20, then as many bits for IPv6 /32s.
pub const WIDE_WORDS: u32 = 2 * WIDE_EACH;
const WIDE_EACH: u32 = 1 << 14;

/// Entries for each further word: with more, too many clean addresses are looked up; with fewer, too much of it is not in
/// the cache.
pub const FILTER_LOAD: u32 = 8;

/// Words up to which the gate grows with the filter: what a processor keeps close at hand.
const GATE_CLOSE: u32 = 1 << 14;
/// Beyond, the gate has one word for so many of the filter.
const GATE_SHARE: u32 = 4;

/// Words of the gate in use, minus one, while `mask + 1` words for cells are.
pub const fn gate_mask(mask: u32) -> u32 {
    let words = mask / GATE_SHARE + 1;
    if mask < GATE_CLOSE {
        mask
    } else if words < GATE_CLOSE {
        GATE_CLOSE - 1
    } else {
        words - 1
    }
}

/// Strata of networks no wider than a cell or eight of them: IPv4 /21 and IPv6 /45 and longer.
const NARROW4: u32 = 0xe000_0000;
const NARROW6: u32 = 0xffff_f800;
/// Strata of IPv6 networks of /24 and shorter. They would fill the filter, so it is not asked for them.
const ALWAYS6: u32 = 0x3f;

/// Bits to set in a word of the filter, or to ask for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mark {
    /// Which word.
    pub word: u32,
    /// Which bits.
    pub bits: u64,
}

/// The /24 or /48 of an address, as a keyed hash.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cell(u64);

impl Cell {
    /// Of an address.
    #[inline(always)]
    pub const fn of(address: Halves, geometry: &Geometry) -> Self {
        let cell = if address.is_v4() { address.low >> 8 } else { address.high >> 16 };
        Self(fold(cell ^ geometry.key.0[0]))
    }

    /// Its word, while `mask + 1` words for cells are in use.
    #[inline(always)]
    pub const fn word(self, mask: u32) -> u32 {
        WIDE_WORDS + ((self.0 >> 20) as u32 & mask)
    }

    /// Its bit of the gate, while `mask + 1` words of that are in use.
    #[inline(always)]
    pub const fn gate(self, mask: u32) -> Mark {
        Mark { word: (self.0 >> 20) as u32 & mask, bits: 1 << (self.0 >> 40 & 63) }
    }

    /// The bits that any network in it sets.
    #[inline(always)]
    pub const fn networks(self) -> u64 {
        three_bits(self.0)
    }

    /// The bits that networks of one stratum set besides.
    #[inline(always)]
    pub const fn stratum(self, stratum: u32) -> u64 {
        let dice = (self.0 as u32 >> 4).wrapping_add(stratum.wrapping_mul(0x9e5));
        1 << (dice & 63) | 1 << (dice >> 6 & 63)
    }
}

/// A keyed hash of a whole address: its bits in the filter, and its IPv4 bucket.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Spread(u64);

impl Spread {
    /// Of an address.
    #[inline(always)]
    pub const fn of(address: Halves, geometry: &Geometry) -> Self {
        Self(fold(address.low ^ address.high << 40 ^ geometry.key.0[1]))
    }

    /// The bits that the address sets in the word of its cell.
    #[inline(always)]
    pub const fn bits(self) -> u64 {
        three_bits(self.0)
    }

    /// The first bucket of the address in stratum [`HOST`]; IPv4 only.
    #[inline(always)]
    pub const fn bucket4(self, geometry: &Geometry) -> u32 {
        (self.0 >> 20) as u32 & geometry.mask4
    }
}

/// The upper 18 bits of a hash as three bits of a word.
#[inline(always)]
const fn three_bits(hash: u64) -> u64 {
    1 << (hash >> 46 & 63) | 1 << (hash >> 52 & 63) | 1 << (hash >> 58)
}

/// The strata of `in_use` that the words of cells tell of.
#[inline(always)]
pub const fn narrow(v4: bool, in_use: u32) -> u32 {
    in_use & if v4 { NARROW4 } else { NARROW6 }
}

/// The strata of `in_use` that the filter does not tell of.
#[inline(always)]
pub const fn always(v4: bool, in_use: u32) -> u32 {
    if v4 { 0 } else { in_use & ALWAYS6 }
}

/// What an address has to ask for the strata between those two. IPv4: its /20. IPv6: a digest of its /32.
#[inline(always)]
pub const fn wide_mark(address: Halves, geometry: &Geometry) -> Mark {
    let (first, block) = if address.is_v4() {
        (0, address.low >> 12)
    } else {
        (WIDE_EACH, fold(address.high >> 32 ^ geometry.key.0[0]) >> 44)
    };
    Mark { word: first + ((block >> 6) as u32 & (WIDE_EACH - 1)), bits: 1 << (block & 63) }
}

/// What the filter holds if networks of `stratum` may hold `address`; nothing when it does not tell of that stratum.
pub const fn mark_of(address: Halves, stratum: u32, geometry: &Geometry, mask: u32) -> Option<Mark> {
    let (v4, cell) = (address.is_v4(), Cell::of(address, geometry));
    let word = cell.word(mask);
    if stratum == HOST {
        Some(Mark { word, bits: Spread::of(address, geometry).bits() })
    } else if narrow(v4, 1 << stratum) != 0 {
        Some(Mark { word, bits: cell.networks() | cell.stratum(stratum) })
    } else if always(v4, 1 << stratum) != 0 {
        None
    } else {
        Some(wide_mark(address, geometry))
    }
}

/// Everything that a network sets: the marks of all the cells (or /20s, or /32s) that it touches, each with the one in the
/// gate that goes with it.
pub fn marks_of(prefix: Prefix, geometry: &Geometry, mask: u32) -> impl Iterator<Item = (Option<Mark>, Mark)> {
    let (first, v4, stratum) = (prefix.address().halves(), prefix.is_v4(), stratum_of(prefix));
    let is_narrow = stratum == HOST || narrow(v4, 1 << stratum) != 0;
    let width = match (v4, is_narrow) {
        (true, true) => 96 + 24,
        (true, false) => 96 + 20,
        (false, true) => 48,
        (false, false) => 32,
    };
    let is_told = stratum == HOST || always(v4, 1 << stratum) == 0;
    let count = if is_told { 1_u64 << u32::saturating_sub(width, u32::from(prefix.length())) } else { 0 };
    let (geometry, gates) = (*geometry, gate_mask(mask));
    (0..count).filter_map(move |at| {
        let block = first.block(at, width);
        let gate = is_narrow.then(|| Cell::of(block, &geometry).gate(gates));
        Some((gate, mark_of(block, stratum, &geometry, mask)?))
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::source::home::tests::{GEOMETRY, any_address};
    use crate::{Address, SipKey};

    const MASK: u32 = 0x3ff;

    proptest! {
        #[test]
        fn the_filter_tells_of_every_address_of_a_network(
            base in any_address(), length in 97_u8..=128, shorter in 0_u8..97, at in any::<u128>(),
        ) {
            let prefix = Prefix::new(base, if base.is_v4() { length } else { length - shorter });
            prop_assume!(prefix.is_v4() == base.is_v4() && prefix.length() > 0);
            let host_bits = 128 - u32::from(prefix.length());
            let inside = u128::from_be_bytes(*prefix.address().octets()) | at & !(u128::MAX << (host_bits % 128));
            let inside = Address::v6(inside.to_be_bytes()).halves();
            prop_assume!(inside.is_v4() == prefix.is_v4());
            if let Some(asked) = mark_of(inside, stratum_of(prefix), &GEOMETRY, MASK) {
                let (mut words, mut gate) = (BTreeMap::new(), BTreeMap::new());
                for (opened, mark) in marks_of(prefix, &GEOMETRY, MASK) {
                    *words.entry(mark.word).or_insert(0) |= mark.bits;
                    if let Some(opened) = opened {
                        *gate.entry(opened.word).or_insert(0) |= opened.bits;
                    }
                }
                prop_assert!(words.get(&asked.word).is_some_and(|word| !word & asked.bits == 0));
                let stratum = stratum_of(prefix);
                let asked = Cell::of(inside, &GEOMETRY).gate(gate_mask(MASK));
                let passes_wide = stratum != HOST && narrow(base.is_v4(), 1 << stratum) == 0;
                prop_assert!(passes_wide || gate.get(&asked.word).is_some_and(|word| word & asked.bits != 0));
            }
        }

        #[test]
        fn a_cell_of_a_filter_twice_as_large_has_the_same_word_or_the_one_behind_the_old_ones(base in any_address()) {
            let cell = Cell::of(base.halves(), &GEOMETRY);
            let (before, after) = (cell.word(MASK), cell.word(MASK << 1 | 1));
            prop_assert!(after == before || after == before + MASK + 1);
        }

        #[test]
        fn the_gate_grows_like_the_filter_or_not_at_all(base in any_address(), power in 6_u32..24) {
            let mask = (1 << power) - 1;
            let (small, large) = (gate_mask(mask), gate_mask(mask << 1 | 1));
            prop_assert!(large == small || large == small << 1 | 1);
            let cell = Cell::of(base.halves(), &GEOMETRY);
            let (before, after) = (cell.gate(small), cell.gate(large));
            prop_assert_eq!(before.bits, after.bits);
            prop_assert!(after.word == before.word || after.word == before.word + small + 1);
        }
    }

    #[test]
    fn one_clean_address_in_thirty_is_looked_up_in_vain() {
        const WORDS: u32 = MASK + 1;
        let mut filter = vec![0_u64; (WIDE_WORDS + WORDS) as usize];
        let geometry = Geometry::new(SipKey([11, 12]), 8, 8);
        let host = |number: u32| Address::v4(number.wrapping_mul(0x9e37_79b1).to_be_bytes());
        for number in 0..WORDS * FILTER_LOAD {
            marks_of(Prefix::host(host(number)), &geometry, MASK).for_each(|(_, m)| filter[m.word as usize] |= m.bits);
        }
        let in_vain = (1..=100_000).filter(|number| {
            let asked = mark_of(host(number + (1 << 24)).halves(), HOST, &geometry, MASK).unwrap();
            !filter[asked.word as usize] & asked.bits == 0
        });
        assert!((2_000..5_000).contains(&in_vain.count()));
    }

    #[test]
    fn four_clean_addresses_in_ten_pass_the_gate_of_a_million() {
        let mask = gate_mask(0x1_ffff);
        let mut gate = vec![0_u64; mask as usize + 1];
        let geometry = Geometry::new(SipKey([11, 12]), 8, 8);
        let asked = |number: u32| {
            Cell::of(Address::v4(number.wrapping_mul(0x9e37_79b1).to_be_bytes()).halves(), &geometry).gate(mask)
        };
        assert_eq!(gate.len() * 8, 256 << 10);
        (0..1_000_000).map(asked).for_each(|mark| gate[mark.word as usize] |= mark.bits);
        let passed =
            (1..=100_000).map(|number| asked(number + (1 << 24))).filter(|m| gate[m.word as usize] & m.bits != 0);
        assert!((34_000..42_000).contains(&passed.count()));
    }
}
