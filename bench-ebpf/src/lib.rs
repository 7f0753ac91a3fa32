//! Which addresses are on the lists, and which ones packets come from: one function for the list writer and the generator.
//!
//! In: a seed and a number. Out: an address or a network, never twice the same, spread over all public addresses. Never
//! here: a list in memory; the kernel program computes the n-th entry like the program that wrote the file.
#![cfg_attr(not(test), no_std)]
#![expect(
    clippy::cast_possible_truncation,
    clippy::inline_always,
    reason = "halves of numbers are meant, and a verifier reads one function where the source has one"
)]

/// What a stream of packets looks like. It crosses the border as [`Plan::words`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Plan {
    /// Of the lists.
    pub seed: u64,
    /// Where sources come from.
    pub shape: Shape,
    /// The first entry.
    pub first: u32,
    /// How many entries, each as likely as the others.
    pub count: u32,
    /// Sum of the IPv4 header's other words, for its checksum.
    pub sum: u64,
    /// Interface to send to.
    pub interface: u32,
}

/// Where the sources of packets come from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shape {
    /// Single IPv4 addresses.
    Hosts4,
    /// Addresses inside IPv4 networks.
    Networks4,
    /// Addresses beside IPv4 networks, in the same /24. Of networks that fill theirs: addresses in another one.
    Beside4,
    /// IPv6: even entries are addresses, odd ones a /64.
    Mixed6,
}

/// An IPv4 network.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Network4 {
    /// Its first address.
    pub base: u32,
    /// Its length.
    pub length: u32,
}

impl Plan {
    /// As it lies in the map.
    pub const fn words(&self) -> [u64; 6] {
        let range = (self.first as u64) << 32 | self.count as u64;
        [self.seed, self.shape as u64, range, self.sum, self.interface as u64, 0]
    }

    /// Reads what [`Self::words`] wrote.
    #[inline(always)]
    pub const fn from_words(words: &[u64; 6]) -> Self {
        let [seed, shape, range, sum, interface, _] = *words;
        let shape = match shape {
            0 => Shape::Hosts4,
            1 => Shape::Networks4,
            2 => Shape::Beside4,
            _ => Shape::Mixed6,
        };
        Self { seed, shape, first: (range >> 32) as u32, count: range as u32, sum, interface: interface as u32 }
    }

    /// A source of IPv4 packets, by a throw of dice.
    #[inline(always)]
    pub const fn source4(&self, dice: u64) -> u32 {
        let (index, low) = self.pick(dice);
        match self.shape {
            Shape::Networks4 => {
                let network = network4(self.seed, index);
                network.base | low & network.host_bits()
            }
            Shape::Beside4 => {
                let network = network4(self.seed, index);
                if network.length == 24 {
                    network4(self.seed, index + self.count).base
                } else {
                    (network.base | low & network.host_bits()) ^ 1 << (32 - network.length)
                }
            }
            Shape::Hosts4 | Shape::Mixed6 => host4(self.seed, index),
        }
    }

    /// A source of IPv6 packets, by a throw of dice: upper and lower half.
    #[inline(always)]
    pub const fn source6(&self, dice: u64) -> (u64, u64) {
        let (index, _) = self.pick(dice);
        let (high, low) = host6(self.seed, index);
        if is_network6(index) { (high, dice) } else { (high, low) }
    }

    #[inline(always)]
    const fn pick(&self, dice: u64) -> (u32, u32) {
        let index = self.first + (((dice >> 32) * self.count as u64) >> 32) as u32;
        (index, dice as u32)
    }
}

impl Network4 {
    #[inline(always)]
    const fn host_bits(self) -> u32 {
        if self.length >= 32 { 0 } else { u32::MAX >> self.length }
    }
}

/// The next throw.
#[inline(always)]
pub const fn throw(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mix(*state)
}

/// The n-th single IPv4 address, for up to 3.7 thousand million.
#[inline(always)]
pub const fn host4(seed: u64, index: u32) -> u32 {
    scatter(seed, start(index, 24), 32)
}

/// The n-th IPv4 network, for up to 14 million, each in a /24 of its own: half are /32, three tenths /24, the rest /25 to /31.
#[inline(always)]
pub const fn network4(seed: u64, index: u32) -> Network4 {
    let dice = mix(seed ^ index as u64) as u32;
    let length = match index % 10 {
        0..=4 => 32,
        5..=7 => 24,
        _ => 25 + (dice >> 8) % 7,
    };
    let whole = scatter(seed, start(index, 16), 24) << 8 | dice & 0xff;
    let base = if length == 32 { whole } else { whole & !(u32::MAX >> length) };
    Network4 { base, length }
}

/// The n-th IPv6 entry: upper and lower half. Each lies in a /64 of its own.
#[inline(always)]
pub const fn host6(seed: u64, index: u32) -> (u64, u64) {
    // An odd factor and a fold keep different numbers different.
    let spread = (index as u64 ^ seed << 32).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let high = 0x2000_0000_0000_0000 | (spread ^ spread >> 32) >> 3;
    (high, if is_network6(index) { 0 } else { mix(spread) | 1 })
}

/// Whether the n-th IPv6 entry stands for its whole /64.
#[inline(always)]
pub const fn is_network6(index: u32) -> bool {
    index & 1 == 1
}

/// The n-th block of the public ones, as a number of `below + 8` bits.
#[inline(always)]
const fn start(index: u32, below: u32) -> u32 {
    let octet = index >> below;
    let octet = if octet < 9 {
        octet + 1
    } else if octet < 125 {
        octet + 2
    } else {
        octet + 3
    };
    octet << below | index & ((1 << below) - 1)
}

/// A permutation of the public addresses (or /24s): one of all numbers of that many bits, walked until a public one comes.
#[inline(always)]
const fn scatter(seed: u64, start: u32, bits: u32) -> u32 {
    let mask = u32::MAX >> (32 - bits);
    let mut number = start;
    let mut steps = 0;
    while steps < WALK {
        number ^= seed as u32 & mask;
        number = number.wrapping_mul(0x9e37_79b1) & mask;
        number ^= number >> (bits / 2);
        number = number.wrapping_mul(0x85eb_ca6b) & mask;
        number ^= number >> (bits / 2 - 1);
        if is_public(number >> (bits - 8)) {
            break;
        }
        steps += 1;
    }
    number
}

/// Not this network, private 10/8, loopback, multicast. The rest may be anything here: it never leaves the namespaces.
#[inline(always)]
const fn is_public(octet: u32) -> bool {
    octet != 0 && octet < 224 && octet != 10 && octet != 127
}

#[inline(always)]
const fn mix(word: u64) -> u64 {
    let word = (word ^ word >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ word >> 31
}

/// After so many steps a number that is not public is taken as it is: once in 10 million.
const WALK: u32 = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    const SEED: u64 = 42;
    const MANY: u32 = 1_000_000;

    #[test]
    fn entries_are_public_and_different() {
        let hosts: HashSet<u32> = (0..MANY).map(|index| host4(SEED, index)).collect();
        assert_eq!(hosts.len(), MANY as usize);
        let cells: HashSet<u32> = (0..MANY).map(|index| network4(SEED, index).base >> 8).collect();
        assert_eq!(cells.len(), MANY as usize);
        let halves: HashSet<u64> = (0..MANY).map(|index| host6(SEED, index).0).collect();
        assert_eq!(halves.len(), MANY as usize);
        assert!(hosts.iter().all(|host| is_public(host >> 24)));
    }

    #[test]
    fn sources_lie_inside_or_beside_their_networks() {
        let (mut state, mut plan) = (7, plan(Shape::Networks4));
        for index in 0..1000 {
            let network = network4(SEED, index);
            plan.first = index;
            let dice = throw(&mut state);
            plan.shape = Shape::Networks4;
            assert_eq!(plan.source4(dice) & !network.host_bits(), network.base);
            plan.shape = Shape::Beside4;
            assert_ne!(plan.source4(dice) & !network.host_bits(), network.base);
        }
    }

    #[test]
    fn a_plan_survives_the_border() {
        let plan = Plan { first: 9, count: 77, interface: 3, ..plan(Shape::Mixed6) };
        assert_eq!(Plan::from_words(&plan.words()), plan);
    }

    fn plan(shape: Shape) -> Plan {
        Plan { seed: SEED, shape, first: 0, count: 1, sum: 0xffff, interface: 1 }
    }
}
