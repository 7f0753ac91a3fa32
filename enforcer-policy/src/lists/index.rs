//! Which of many networks one network touches, in a few steps.
//!
//! In: networks. Out: the number of one that holds the network in question, or lies in it. Never here: what they stand for.
//!
//! Two networks are either apart, or one holds the other. So it is enough to know how far those reach that begin before a
//! network, and where the next one begins: two binary searches, however many millions of lines are asked for.
use enforcer_common::Prefix;

use super::range::number;

/// Networks, to be asked.
#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    /// First addresses, in order, and whose they are.
    starts: Vec<(u128, usize)>,
    /// Beside each: the last address of the one that reaches farthest up to there, and its number.
    reach: Vec<(u128, usize)>,
}

/// How a network touches another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Touch {
    /// It holds this one, and more.
    Holds(usize),
    /// It is this one, or lies in it.
    Within(usize),
}

impl Index {
    pub(super) fn of(networks: &[Prefix]) -> Self {
        let mut order: Vec<usize> = (0..networks.len()).collect();
        order.sort_by_key(|number| networks[*number]);
        let mut index = Self::default();
        for at in order {
            let (first, last) = ends(networks[at]);
            index.starts.push((first, at));
            let farthest = index.reach.last().copied().filter(|(reach, _)| *reach >= last).unwrap_or((last, at));
            index.reach.push(farthest);
        }
        index
    }

    /// What a network touches; the widest that holds it, when several do.
    pub(super) fn touched(&self, network: Prefix) -> Option<Touch> {
        let (first, last) = ends(network);
        let after = self.starts.partition_point(|(start, _)| *start <= first);
        let before = after.checked_sub(1).and_then(|at| self.reach.get(at));
        if let Some((reach, at)) = before.filter(|(reach, _)| *reach >= first) {
            return Some(if *reach >= last { Touch::Within(*at) } else { Touch::Holds(*at) });
        }
        self.starts.get(after).filter(|(start, _)| *start <= last).map(|(_, at)| Touch::Holds(*at))
    }
}

/// The first and the last address.
fn ends(network: Prefix) -> (u128, u128) {
    let first = number(network.address());
    let host = u128::MAX.checked_shr(u32::from(network.length())).unwrap_or(0);
    (first, first | host)
}

#[cfg(test)]
mod tests {
    use super::*;
    use enforcer_common::Address;
    use proptest::prelude::*;

    /// Few bits, so that networks meet.
    fn network() -> impl Strategy<Value = Prefix> {
        (any::<u8>(), 116_u8..=128).prop_map(|(low, length)| Prefix::new(Address::v4([203, 0, 113, low]), length))
    }

    proptest! {
        #[test]
        fn it_says_what_looking_at_all_says(held in proptest::collection::vec(network(), 0..8), asked in network()) {
            let overlaps = held.iter().any(|one| one.overlaps(asked));
            match Index::of(&held).touched(asked) {
                None => prop_assert!(!overlaps),
                Some(Touch::Within(at)) => prop_assert!(held[at].contains(asked.address()) && held[at].length() <= asked.length()),
                Some(Touch::Holds(at)) => {
                    prop_assert!(asked.contains(held[at].address()) && asked.length() < held[at].length());
                    prop_assert!(held.iter().all(|one| !one.contains(asked.address()) || one.length() > asked.length()));
                }
            }
        }
    }
}
