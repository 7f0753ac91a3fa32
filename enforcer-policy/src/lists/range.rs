//! Ranges, `203.0.113.4-203.0.113.9`, as the networks that are exactly them.
//!
//! In: text. Out: an iterator of networks, the lowest first. Never here: what surrounds a range in a line.
use enforcer_common::{Address, Prefix};

use crate::parse_prefix;

/// All addresses from one to another, of one family.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Range {
    first: u128,
    last: u128,
}

/// The networks of a range, the lowest first.
#[derive(Clone, Debug)]
pub struct Networks {
    /// The first address that is still to come; `None` after the last one.
    next: Option<u128>,
    last: u128,
}

impl Range {
    /// Reads `FIRST-LAST`, with or without blanks; nothing when it is no range.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (first, last) = text.split_once('-')?;
        let (first, last) = (host(first)?, host(last)?);
        let (low, high) = (number(first), number(last));
        (first.is_v4() == last.is_v4() && low <= high).then_some(Self { first: low, last: high })
    }
}

impl IntoIterator for Range {
    type Item = Prefix;
    type IntoIter = Networks;

    fn into_iter(self) -> Networks {
        Networks { next: Some(self.first), last: self.last }
    }
}

impl Iterator for Networks {
    type Item = Prefix;

    /// The widest network that begins at the next address and ends within the range.
    fn next(&mut self) -> Option<Prefix> {
        let first = self.next?;
        let aligned = first.trailing_zeros();
        // All 2^128 addresses: there is no range of them, since it would hold both families.
        let fits = self.last.abs_diff(first).checked_add(1).map_or(127, u128::ilog2);
        let bits = aligned.min(fits);
        let network = Prefix::new(Address::v6(first.to_be_bytes()), u8::try_from(128 - bits).unwrap_or(128));
        self.next = first.checked_add(1 << bits).filter(|next| *next <= self.last);
        Some(network)
    }
}

/// An address as a number, in the one canonical form.
pub(super) fn number(address: Address) -> u128 {
    u128::from_be_bytes(*address.octets())
}

/// A single address.
fn host(text: &str) -> Option<Address> {
    let text = text.trim_ascii();
    let found = parse_prefix(text).ok()?;
    (!text.contains('/')).then(|| found.address())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn networks(text: &str) -> Vec<String> {
        Range::parse(text).into_iter().flatten().map(|network| network.to_string()).collect()
    }

    #[test]
    fn a_range_is_the_fewest_networks_that_are_it() {
        assert_eq!(networks("198.18.0.0-198.19.255.255"), ["198.18.0.0/15"]);
        assert_eq!(networks("203.0.113.4 - 203.0.113.9"), ["203.0.113.4/30", "203.0.113.8/31"]);
        assert_eq!(networks("203.0.113.9-203.0.113.9"), ["203.0.113.9"]);
        assert_eq!(networks("255.255.255.254-255.255.255.255"), ["255.255.255.254/31"]);
        assert_eq!(networks("0.0.0.0-255.255.255.255"), ["0.0.0.0/0"]);
        assert_eq!(networks("2001:db8::-2001:db8::2"), ["2001:db8::/127", "2001:db8::2"]);
        assert_eq!(
            networks("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff").len(),
            1
        );
    }

    #[test]
    fn what_is_no_range_is_none() {
        for text in ["", "-", "1.2.3.4", "1.2.3.4-", "1.2.3.9-1.2.3.4", "1.2.3.4/32-1.2.3.9", "1.2.3.4-2001:db8::1"] {
            assert_eq!(Range::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn networks_follow_one_another_from_first_to_last(a in any::<u32>(), b in any::<u32>()) {
            let (low, high) = (a.min(b), a.max(b));
            let text = format!("{}-{}", std::net::Ipv4Addr::from(low), std::net::Ipv4Addr::from(high));
            let mut next = u64::from(low);
            for network in Range::parse(&text).unwrap() {
                prop_assert_eq!(network.address(), Address::v4(u32::try_from(next).unwrap().to_be_bytes()));
                next += 1 << (128 - network.length());
            }
            prop_assert_eq!(next, u64::from(high) + 1);
        }
    }
}
