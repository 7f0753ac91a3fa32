//! Buckets: one cache line of slots each, and how it is searched. What fits into none lies in the spill trie.
use super::rule::{Outcome, SourceRule};
use crate::Address;

/// Eight IPv4 slots: tag in the upper half, rule in the lower. One cache line, each slot written by one store.
///
/// Slots are taken from the first on and never become empty again, so the last one tells whether all were ever needed.
#[repr(C, align(64))]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bucket4 {
    /// Zero is empty, and so are all behind it; 1 << 32 was freed.
    pub slots: [u64; 8],
}

/// Four IPv6 slots: tag, then check and rule. The tag is written last and cleared first.
#[repr(C, align(64))]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bucket6 {
    /// Tag 0 is empty, tag 1 was freed.
    pub slots: [[u64; 2]; 4],
}

/// Key of the spill trie: bits first (host order), as the kernel wants it.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SpillKey {
    /// Canonical prefix length.
    pub bits: u32,
    /// The network.
    pub address: Address,
}

/// Value of the spill trie.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct SpillRule {
    /// What it says.
    pub rule: u32,
    /// The entry's own length, so that a search can go on with the next shorter one.
    pub bits: u32,
}

impl Bucket4 {
    /// The rule of a single address; zero when it is not here. All slots are compared: what a search costs does not depend on
    /// where the address lies, and the neighbour is asked for by one look at the last slot.
    #[inline(always)]
    pub fn host(&self, tag: u32) -> SourceRule {
        let wanted = u64::from(tag) << 32;
        let mut found = 0;
        for slot in self.slots {
            found |= if_host(slot ^ wanted);
        }
        SourceRule::from_raw(found as u32)
    }

    /// True when more entries of this home may lie in the neighbour.
    #[inline(always)]
    pub const fn is_full(&self) -> bool {
        self.slots[7] != 0
    }

    /// What the networks (or the address) of this tag say of an address in these nodes.
    #[inline(always)]
    pub fn scan(&self, tag: u32, nodes: u32, now: u32) -> Outcome {
        let mut outcome = Outcome::FULL;
        for slot in self.slots {
            if slot == 0 {
                return Outcome(outcome.0 & !Outcome::FULL.0);
            }
            let rule = SourceRule::from_raw(slot as u32);
            if (slot >> 32) as u32 == tag && rule.raw() != 0 && nodes >> rule.node() & 1 == 1 {
                outcome = outcome.and(rule.outcome(now));
                if outcome.has(Outcome::REFUSE) {
                    return outcome;
                }
            }
        }
        outcome
    }
}

impl Bucket6 {
    /// The rule of a single address; zero when it is not here.
    #[inline(always)]
    pub fn host(&self, tag: u64, check: u32) -> SourceRule {
        let wanted = u64::from(check) << 32;
        let mut found = 0;
        for [held, raw] in self.slots {
            found |= if_host(raw ^ wanted) & if_zero(held ^ tag);
        }
        SourceRule::from_raw(found as u32)
    }

    /// True when more entries of this home may lie in the neighbour.
    #[inline(always)]
    pub const fn is_full(&self) -> bool {
        self.slots[3][0] != 0
    }

    /// What the networks (or the address) of this tag and check say of an address in these nodes.
    #[inline(always)]
    pub fn scan(&self, tag: u64, check: u32, nodes: u32, now: u32) -> Outcome {
        let mut outcome = Outcome::FULL;
        for [held, raw] in self.slots {
            if held == 0 {
                return Outcome(outcome.0 & !Outcome::FULL.0);
            }
            let rule = SourceRule::from_raw(raw as u32);
            if held == tag && (raw >> 32) as u32 == check && nodes >> rule.node() & 1 == 1 {
                outcome = outcome.and(rule.outcome(now));
                if outcome.has(Outcome::REFUSE) {
                    return outcome;
                }
            }
        }
        outcome
    }
}

/// Of a slot less what it is compared with: the rule if all the rest is zero, node included; otherwise zero.
#[inline(always)]
const fn if_host(apart: u64) -> u64 {
    apart & if_zero(apart >> SourceRule::NODE_SHIFT)
}

/// All bits if `word` is zero, otherwise none.
#[inline(always)]
const fn if_zero(word: u64) -> u64 {
    ((word | word.wrapping_neg()) >> 63).wrapping_sub(1)
}

const _: () = assert!(size_of::<Bucket4>() == 64);
const _: () = assert!(size_of::<Bucket6>() == 64);
const _: () = assert!(size_of::<SpillKey>() == 20);
const _: () = assert!(size_of::<SpillRule>() == 8);

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: SourceRule = SourceRule::new(true, 77_000_000_000);
    const FREED: u64 = 1 << 32;

    #[test]
    fn a_single_address_is_found_in_every_slot() {
        for slot in 0..8 {
            let mut bucket = Bucket4 { slots: [FREED; 8] };
            bucket.slots[slot] = 7 << 32 | u64::from(RULE.raw());
            assert_eq!(bucket.host(7), RULE);
            assert_eq!(bucket.host(8).raw(), 0);
        }
        for slot in 0..4 {
            let mut bucket = Bucket6 { slots: [[1, 0]; 4] };
            bucket.slots[slot] = [u64::MAX, 5 << 32 | u64::from(RULE.raw())];
            assert_eq!(bucket.host(u64::MAX, 5), RULE);
            assert_eq!(bucket.host(u64::MAX, 4).raw(), 0);
            assert_eq!(bucket.host(u64::MAX - 1, 5).raw(), 0);
        }
    }

    #[test]
    fn networks_empty_and_freed_slots_are_no_single_addresses() {
        let network = 7 << 32 | u64::from(RULE.at(9).raw());
        let bucket = Bucket4 { slots: [FREED, network, 0, 0, 0, 0, 0, 0] };
        for address in [0, 1, 7] {
            assert_eq!(bucket.host(address).raw(), 0);
        }
        assert!(!bucket.is_full());
        let bucket = Bucket6 { slots: [[1, 9], [7, u64::from(RULE.at(1).raw())], [8, 5], [0, 0]] };
        assert_eq!(bucket.host(7, 0).raw(), 0);
        assert!(!bucket.is_full());
    }
}
