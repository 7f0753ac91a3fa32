//! Homes: where in the tables the networks of a stratum lie that hold an address, and which of them they are.
use super::filter::Spread;
use super::fold;
use crate::{Geometry, Halves, Prefix};

/// The stratum of single addresses.
pub const HOST: u32 = 32;

/// The stratum of a network; [`HOST`] for a single address. A network of length 0 has none and counts as length 1.
#[inline(always)]
pub const fn stratum_of(prefix: Prefix) -> u32 {
    match prefix.length() {
        128 => HOST,
        0 => 0,
        length => (length as u32 - 1) / 4,
    }
}

/// Where the networks of one home live.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Home {
    /// What a slot is compared with: 32 bits for IPv4, 64 for IPv6.
    pub tag: u64,
    /// IPv6: 32 bits more.
    pub check: u32,
    /// First bucket; the second is its neighbour `bucket ^ 1`.
    pub bucket: u32,
}

/// The home of `address` in `stratum`.
#[inline(always)]
pub const fn home_of(address: Halves, stratum: u32, geometry: &Geometry) -> Home {
    if address.is_v4() {
        home4(address, stratum, geometry)
    } else if stratum == HOST {
        host6(address, geometry)
    } else {
        home6(address, stratum, geometry)
    }
}

/// IPv4: the home's bits, then a one, then zeros: one number for every home of every stratum.
#[inline(always)]
const fn home4(address: Halves, stratum: u32, geometry: &Geometry) -> Home {
    let low = address.low as u32;
    if stratum == HOST {
        return Home { tag: low as u64, check: 0, bucket: Spread::of(address, geometry).bucket4(geometry) };
    }
    let shift = (127 - stratum * 4) & 31;
    let tag = ((low >> shift) << shift) | (1 << (shift - 1));
    let spread = fold((tag as u64 | (stratum as u64) << 32) ^ geometry.key.0[1]);
    Home { tag: tag as u64, check: 0, bucket: (spread >> 20) as u32 & geometry.mask4 }
}

/// The home of a single IPv6 address: the digest of all its bits, moved aside from those of networks.
#[inline(always)]
pub const fn host6(address: Halves, geometry: &Geometry) -> Home {
    digest6(address, 1 << 63, geometry)
}

/// IPv6 networks: the digest of the home's bits, then a one, then zeros.
#[inline(always)]
const fn home6(address: Halves, stratum: u32, geometry: &Geometry) -> Home {
    let bits = stratum * 4 + 1;
    let Halves { mut high, mut low } = address.masked(bits);
    if bits < 64 {
        high |= 1 << (63 - bits);
    } else {
        low |= 1 << ((127 - bits) & 63);
    }
    digest6(Halves { high, low }, 0, geometry)
}

/// A keyed digest, so that nobody outside can make an address that looks like a listed one, or fill a bucket: NH (Black and
/// others, UMAC, 1999) under two independent keys, the first for the tag, the second for bucket and check.
///
/// What is certain: any two different messages have the same tag under one key in 2^32. It is not a pseudo-random function,
/// and need not be: nobody sees a digest.
#[inline(always)]
const fn digest6(message: Halves, aside: u64, geometry: &Geometry) -> Home {
    let [first, second] = geometry.digest;
    let tag = nh(message, first).wrapping_add(aside);
    let second = nh(message, second);
    // 0 and 1 mark free slots.
    let tag = if tag < 2 { tag + 2 } else { tag };
    Home { tag, check: (second >> 32) as u32, bucket: (fold(second) >> 32) as u32 & geometry.mask6 }
}

#[inline(always)]
const fn nh(message: Halves, key: [u32; 4]) -> u64 {
    let [a, b, c, d] = key;
    let high = times((message.high >> 32) as u32, a, message.high as u32, b);
    let low = times((message.low >> 32) as u32, c, message.low as u32, d);
    high.wrapping_add(low)
}

#[inline(always)]
const fn times(one: u32, key: u32, other: u32, other_key: u32) -> u64 {
    (one.wrapping_add(key) as u64).wrapping_mul(other.wrapping_add(other_key) as u64)
}

/// The nodes of its home that hold `address`, one bit each.
#[inline(always)]
pub const fn nodes_of(address: Halves, stratum: u32) -> u32 {
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
    (8 | below_home(prefix.address().halves(), stratum)) >> (3 - depth)
}

/// The three bits after the home's.
#[inline(always)]
const fn below_home(address: Halves, stratum: u32) -> u32 {
    let end = stratum * 4 + 4;
    let word = if end <= 64 { address.high >> (64 - end) } else { address.low >> ((128 - end) & 63) };
    word as u32 & 7
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{Address, SipKey};

    pub(in crate::source) const GEOMETRY: Geometry =
        Geometry { key: SipKey([3, 5]), mask4: 0xff, mask6: 0xff, digest: [[9, 8, 7, 6], [0xfffe, 4, 3, 2]] };

    /// A probe for `address` finds the slot of `prefix`.
    fn found(prefix: Prefix, address: Address) -> bool {
        let stratum = stratum_of(prefix);
        home_of(prefix.address().halves(), stratum, &GEOMETRY) == home_of(address.halves(), stratum, &GEOMETRY)
            && nodes_of(address.halves(), stratum) >> node_of(prefix) & 1 == 1
    }

    pub(in crate::source) fn any_address() -> impl Strategy<Value = Address> {
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
    }
}
