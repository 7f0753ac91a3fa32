//! The source tables: how a million addresses and networks of both families are found with one or two cache misses.
//!
//! ```text
//! address -> summary: 2 bits per IPv4 /24 (or hashed IPv6 /48) -> 00: clean, done
//!                     bit 0: single addresses below -> probe stratum HOST
//!                     bit 1: networks touch it      -> probe every stratum in use
//! probe   -> home bucket (64 bytes), its neighbour when that is full, the spill trie when both are
//! ```
//!
//! A **stratum** is a group of four prefix lengths `4s+1 ..= 4s+4`; single addresses have their own, [`HOST`]. All networks
//! of a stratum that share their first `4s+1` bits share a **home**: one probe answers for four lengths. Within the home a
//! network is one of 15 **nodes** (heap numbering of a binary tree of depth four). An IPv4 slot holds the whole home, so a
//! match is exact; an IPv6 slot holds a 64-bit keyed digest of it.
use crate::address::masked;
use crate::{Address, Geometry, Prefix, Sip};

/// Cells of the summary, two bits each.
pub const CELLS: usize = 1 << 24;

/// The stratum of single addresses.
pub const HOST: u32 = 32;

/// IPv6 networks shorter than this are not in the summary: they would fill it. Their strata are always probed.
const SUMMARY_BITS6: u32 = 45;
const SHORT6: u32 = (1 << ((SUMMARY_BITS6 - 1) / 4)) - 1;

/// One element of the summary: where it is, and where in it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Cell(u32);

impl Cell {
    /// Set when single addresses lie in the cell.
    pub const HOSTS: u64 = 1;
    /// Set when networks touch the cell.
    pub const NETWORKS: u64 = 2;

    /// Index of the 64-bit word.
    #[inline(always)]
    pub const fn word(self) -> u32 {
        self.0 >> 5
    }

    /// Bits to shift that word.
    #[inline(always)]
    pub const fn shift(self) -> u32 {
        (self.0 & 31) * 2
    }
}

/// The cell of an address. IPv4: its /24. IPv6: a digest of its /48, shared with whatever else lands there.
#[inline(always)]
pub const fn cell_of(address: Address, geometry: &Geometry) -> Cell {
    if address.is_v4() {
        Cell(address.low() as u32 >> 8)
    } else {
        Cell((mix((address.high() >> 16) ^ geometry.key.0[0]) >> 40) as u32)
    }
}

/// All cells that `prefix` touches, by any address inside each of them. Empty for networks that the summary leaves out.
pub fn cells_of(prefix: Prefix, geometry: &Geometry) -> impl Iterator<Item = Cell> {
    let (covered, width) =
        if prefix.is_v4() { (u32::from(prefix.length()), 120_u32) } else { (u32::from(prefix.length()), 48) };
    let listed = prefix.is_v4() || covered >= SUMMARY_BITS6;
    let count = if listed { 1_u64 << width.saturating_sub(covered) } else { 0 };
    let geometry = *geometry;
    (0..count).map(move |at| {
        let (high, low) = (prefix.address().high(), prefix.address().low());
        let address = if prefix.is_v4() {
            Address::from_halves(high, low | at << 8)
        } else {
            Address::from_halves(high | at << 16, low)
        };
        cell_of(address, &geometry)
    })
}

/// The stratum of a network; [`HOST`] for a single address. A network of length 0 has none and counts as length 1.
#[inline(always)]
pub const fn stratum_of(prefix: Prefix) -> u32 {
    match prefix.length() {
        128 => HOST,
        0 => 0,
        length => (length as u32 - 1) / 4,
    }
}

/// The network strata to probe for an address, of those `in_use`, by the bits of its cell.
#[inline(always)]
pub const fn strata_to_probe(v4: bool, in_use: u32, cell_bits: u64) -> u32 {
    if cell_bits & Cell::NETWORKS != 0 {
        in_use
    } else if v4 {
        0
    } else {
        in_use & SHORT6
    }
}

/// Where the networks of one home live.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Home {
    /// What a slot is compared with: 32 bits for IPv4, 64 for IPv6.
    pub tag: u64,
    /// First bucket; the second is its neighbour `bucket ^ 1`.
    pub bucket: u32,
}

/// The home of `address` in `stratum`.
#[inline(always)]
pub const fn home_of(address: Address, stratum: u32, geometry: &Geometry) -> Home {
    if address.is_v4() { home4(address.low() as u32, stratum, geometry) } else { home6(address, stratum, geometry) }
}

/// IPv4: the home's bits, then a one, then zeros: one number for every home of every stratum.
#[inline(always)]
const fn home4(address: u32, stratum: u32, geometry: &Geometry) -> Home {
    let tag = if stratum == HOST {
        address
    } else {
        let shift = (127 - stratum * 4) & 31;
        ((address >> shift) << shift) | (1 << (shift - 1))
    };
    let spread = mix((tag as u64 | (stratum as u64) << 32) ^ geometry.key.0[1]);
    Home { tag: tag as u64, bucket: (spread >> 32) as u32 & geometry.mask4 }
}

/// IPv6: a keyed digest, so that nobody can make an address that looks like another.
#[inline(always)]
const fn home6(address: Address, stratum: u32, geometry: &Geometry) -> Home {
    let bits = if stratum == HOST { 128 } else { stratum * 4 + 1 };
    let (high, low) = masked(address, bits);
    let digest = Sip::new(geometry.key).word(high).word(low).finish(stratum as u64, 17);
    // 0 and 1 mark free slots.
    let tag = if digest < 2 { digest + 2 } else { digest };
    Home { tag, bucket: (tag >> 32) as u32 & geometry.mask6 }
}

/// The nodes of its home that hold `address`, one bit each.
#[inline(always)]
pub const fn nodes_of(address: Address, stratum: u32) -> u32 {
    if stratum == HOST {
        return 1;
    }
    let below = below_home(address, stratum);
    1 << 1 | 1 << (2 | below >> 2) | 1 << (4 | below >> 1) | 1 << (8 | below)
}

/// The node of a network in its home; 0 for a single address.
#[inline(always)]
pub const fn node_of(prefix: Prefix) -> u32 {
    let stratum = stratum_of(prefix);
    if stratum == HOST {
        return 0;
    }
    let depth = (prefix.length() as u32).saturating_sub(stratum * 4 + 1);
    (8 | below_home(prefix.address(), stratum)) >> (3 - depth)
}

/// The three bits after the home's.
#[inline(always)]
const fn below_home(address: Address, stratum: u32) -> u32 {
    let end = stratum * 4 + 4;
    let word = if end <= 64 { address.high() >> (64 - end) } else { address.low() >> ((128 - end) & 63) };
    word as u32 & 7
}

/// Strata of IPv4 (canonical lengths 97 to 127).
pub const fn group_mask4() -> u32 {
    0xff00_0000
}

/// What a source decision says, in 32 bits: node (4), observe (1), expiry (27: seconds of the monotonic clock, modulo).
///
/// The window of the expiry is two years either way, far more than a decision may last. Zero marks a free slot.
#[repr(transparent)]
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SourceRule(u32);

const UNTIL_BITS: u32 = 27;
const UNTIL_MASK: u32 = (1 << UNTIL_BITS) - 1;
const OBSERVE_BIT: u32 = 1 << UNTIL_BITS;

impl SourceRule {
    /// Longest time a decision on a source may last, seconds: two years.
    pub const MAX_SECONDS: u64 = 2 * 365 * 24 * 3600;

    /// `until` in monotonic nanoseconds, rounded up to the second; [`crate::UNTIL_NEVER`] stays.
    pub const fn new(observe: bool, until: u64) -> Self {
        let seconds = if until == crate::UNTIL_NEVER {
            UNTIL_MASK
        } else {
            let whole = until.div_ceil(1_000_000_000) as u32 & UNTIL_MASK;
            if whole == 0 || whole == UNTIL_MASK { 1 } else { whole }
        };
        Self(seconds | if observe { OBSERVE_BIT } else { 0 })
    }

    /// From the bits of a slot.
    #[inline(always)]
    pub const fn from_raw(raw: u32) -> Self {
        Self(raw)
    }

    /// The bits of a slot.
    #[inline(always)]
    pub const fn raw(self) -> u32 {
        self.0
    }

    /// The same for the network that is `node` of its home.
    #[must_use]
    pub const fn at(self, node: u32) -> Self {
        Self(self.0 & (OBSERVE_BIT | UNTIL_MASK) | node << (UNTIL_BITS + 1))
    }

    /// True when both say the same of a network, up to a second: the wall clock is steered and the kernel's is not.
    pub const fn is_like(self, other: Self) -> bool {
        let ends = (self.0 & UNTIL_MASK, other.0 & UNTIL_MASK);
        let apart = ends.0.wrapping_sub(ends.1).wrapping_add(1) & UNTIL_MASK;
        let forever = (ends.0 == UNTIL_MASK) == (ends.1 == UNTIL_MASK);
        self.observes() == other.observes() && forever && apart <= 2
    }

    /// Which network of the home it speaks of.
    #[inline(always)]
    pub const fn node(self) -> u32 {
        self.0 >> (UNTIL_BITS + 1)
    }

    /// True when it only observes.
    #[inline(always)]
    pub const fn observes(self) -> bool {
        self.0 & OBSERVE_BIT != 0
    }

    /// True when its time is over; `now` in monotonic seconds.
    #[inline(always)]
    pub const fn expired(self, now: u32) -> bool {
        let until = self.0 & UNTIL_MASK;
        let left = until.wrapping_sub(now) & UNTIL_MASK;
        until != UNTIL_MASK && (left == 0 || left > UNTIL_MASK / 2)
    }

    /// Seconds until its time is over; nothing for one that never ends.
    pub const fn seconds_left(self, now: u32) -> Option<u32> {
        if self.0 & UNTIL_MASK == UNTIL_MASK {
            None
        } else if self.expired(now) {
            Some(0)
        } else {
            Some((self.0 & UNTIL_MASK).wrapping_sub(now) & UNTIL_MASK)
        }
    }

    /// What it means at `now`.
    #[inline(always)]
    pub const fn outcome(self, now: u32) -> Outcome {
        if self.expired(now) {
            Outcome::EXPIRED
        } else if self.observes() {
            Outcome::OBSERVE
        } else {
            Outcome::REFUSE
        }
    }
}

/// What the tables say of an address: a set of marks.
#[repr(transparent)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Outcome(pub u32);

impl Outcome {
    /// Nothing.
    pub const CLEAN: Self = Self(0);
    /// An unexpired decision refuses it.
    pub const REFUSE: Self = Self(1);
    /// An unexpired decision observes it.
    pub const OBSERVE: Self = Self(2);
    /// A decision past its expiry matched.
    pub const EXPIRED: Self = Self(4);
    /// The bucket has no free slot: more may lie in the next.
    pub const FULL: Self = Self(8);

    /// True when all marks of `other` are set.
    #[inline(always)]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Both.
    #[inline(always)]
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// Eight IPv4 slots: tag in the upper half, rule in the lower. One cache line, each slot written by one store.
#[repr(C, align(64))]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bucket4 {
    /// Zero is free and ends nothing but the search; 1 << 32 was freed while the neighbour may hold what overflowed.
    pub slots: [u64; 8],
}

/// Four IPv6 slots: tag, then rule (upper half zero). The tag is written last and cleared first.
#[repr(C, align(64))]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bucket6 {
    /// Tag 0 is free, tag 1 was freed.
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
    /// What this bucket says of an address with this tag and these nodes.
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
    /// What this bucket says of an address with this tag and these nodes.
    #[inline(always)]
    pub fn scan(&self, tag: u64, nodes: u32, now: u32) -> Outcome {
        let mut outcome = Outcome::FULL;
        for [held, raw] in self.slots {
            if held == 0 {
                return Outcome(outcome.0 & !Outcome::FULL.0);
            }
            let rule = SourceRule::from_raw(raw as u32);
            if held == tag && nodes >> rule.node() & 1 == 1 {
                outcome = outcome.and(rule.outcome(now));
                if outcome.has(Outcome::REFUSE) {
                    return outcome;
                }
            }
        }
        outcome
    }
}

/// Two rounds of multiply and fold: spreads all bits over the upper half.
#[inline(always)]
const fn mix(word: u64) -> u64 {
    let word = word.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let word = (word ^ word >> 32).wrapping_mul(0xd6e8_feb8_6659_fd93);
    word ^ word >> 32
}

const _: () = assert!(size_of::<Bucket4>() == 64);
const _: () = assert!(size_of::<Bucket6>() == 64);
const _: () = assert!(size_of::<SpillKey>() == 20);
const _: () = assert!(size_of::<SpillRule>() == 8);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SipKey;
    use proptest::prelude::*;

    const GEOMETRY: Geometry = Geometry { key: SipKey([3, 5]), mask4: 0xff, mask6: 0xff };

    /// A probe for `address` finds the slot of `prefix`.
    fn found(prefix: Prefix, address: Address) -> bool {
        let stratum = stratum_of(prefix);
        home_of(prefix.address(), stratum, &GEOMETRY) == home_of(address, stratum, &GEOMETRY)
            && nodes_of(address, stratum) >> node_of(prefix) & 1 == 1
    }

    fn any_address() -> impl Strategy<Value = Address> {
        prop_oneof![any::<[u8; 4]>().prop_map(Address::v4), any::<[u8; 16]>().prop_map(Address::v6)]
    }

    proptest! {
        #[test]
        fn a_probe_finds_exactly_the_networks_that_hold_the_address(
            base in any_address(), length in 1_u8..=128, flip in 0_u32..128, other in any_address(),
        ) {
            let prefix = if base.is_v4() { Prefix::new(base, length.max(97)) } else { Prefix::new(base, length) };
            prop_assume!(prefix.is_v4() || !prefix.contains(Address::v4([0; 4])));
            let near = Address::v6((u128::from_be_bytes(*base.octets()) ^ 1 << flip).to_be_bytes());
            for address in [base, near, other] {
                if address.is_v4() == prefix.is_v4() {
                    prop_assert_eq!(found(prefix, address), prefix.contains(address), "{:?} {:?}", prefix, address);
                }
            }
        }

        #[test]
        fn every_address_of_a_network_lies_in_a_cell_of_the_network(
            base in any_address(), length in 100_u8..=128, at in any::<u64>(),
        ) {
            let prefix = Prefix::new(base, if base.is_v4() { length } else { length - 55 });
            let host_bits = 128 - u32::from(prefix.length());
            let inside = u128::from_be_bytes(*prefix.address().octets()) | u128::from(at) & ((1_u128 << host_bits) - 1);
            let cell = cell_of(Address::v6(inside.to_be_bytes()), &GEOMETRY);
            prop_assert!(cells_of(prefix, &GEOMETRY).any(|c| c == cell));
        }
    }

    #[test]
    fn a_rule_ends_when_its_second_comes_and_never_never_does() {
        let rule = SourceRule::new(false, 10_000_000_001);
        assert!(!rule.expired(10));
        assert!(rule.expired(11));
        assert!(rule.expired(12));
        assert!(!SourceRule::new(false, crate::UNTIL_NEVER).expired(u32::MAX));
    }

    #[test]
    fn the_window_of_expiry_wraps() {
        let wrap = u64::from(UNTIL_MASK) + 100;
        let rule = SourceRule::new(true, wrap * 1_000_000_000);
        assert!(!rule.expired(UNTIL_MASK));
        assert!(rule.expired(u32::try_from(wrap).unwrap()));
        assert!(rule.observes());
    }
}
