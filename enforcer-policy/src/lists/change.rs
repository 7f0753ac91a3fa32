//! Whether a list that has become much smaller or larger is believed.
//!
//! In: how large it is now, each time it is read. Out: yes, or why not. Never here: what it holds; the clock: time is counted in readings.
//!
//! Feeds break: an empty file, half a file, an error page, somebody else's test data. A list that has changed beyond its bounds is
//! not believed, and what it said before stays. Said again often enough it is (then it is no accident), or at once when a person
//! says so. An empty list is never believed by being repeated: a feed that is dead says the same thing each time.
use enforcer_common::Prefix;
use serde::{Deserialize, Serialize};

/// How large a list is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Size {
    /// Networks.
    pub networks: u64,
    /// IPv4 addresses in them.
    pub addresses: u64,
}

impl Size {
    /// With one more network.
    #[must_use]
    pub const fn with(self, network: Prefix) -> Self {
        let more = if network.is_v4() { 1 << (128 - network.length()) } else { 0 };
        Self { networks: self.networks + 1, addresses: self.addresses + more }
    }
}

/// How much a list may change from one reading to the next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bounds {
    /// Percent by which it may shrink.
    pub shrink: u32,
    /// Percent by which it may grow.
    pub grow: u32,
    /// Changes of up to so many networks are always believed: a short list doubles easily.
    pub floor: u64,
    /// Readings in a row that make a change believed.
    pub again: u32,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { shrink: 30, grow: 100, floor: 50, again: 3 }
    }
}

/// Why a list is not believed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Doubt {
    /// It has no networks.
    #[error("it is empty, and no list is believed to be: look at it, then accept the change, or remove the list")]
    Empty,
    /// It has grown.
    #[error("it has grown from {from} to {to} {what}, by more than {bound} %: {}", mend(*left))]
    Grown {
        /// Networks or addresses.
        what: &'static str,
        /// How many there were.
        from: u64,
        /// How many there are.
        to: u64,
        /// The bound.
        bound: u32,
        /// Readings until it is believed.
        left: u32,
    },
    /// It has shrunk.
    #[error("it has shrunk from {from} to {to} {what}, by more than {bound} %: {}", mend(*left))]
    Shrunk {
        /// Networks or addresses.
        what: &'static str,
        /// How many there were.
        from: u64,
        /// How many there are.
        to: u64,
        /// The bound.
        bound: u32,
        /// Readings until it is believed.
        left: u32,
    },
}

/// What is believed of one list.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Trust {
    /// The last size that was believed; none of a list that was never read.
    accepted: Option<Size>,
    /// A size that was not, and how many times in a row it was read.
    doubted: Option<(Size, u32)>,
}

impl Trust {
    /// Of a list that was last of this size.
    pub const fn of(accepted: Option<Size>) -> Self {
        Self { accepted, doubted: None }
    }

    /// The last size that was believed.
    pub const fn accepted(&self) -> Option<Size> {
        self.accepted
    }

    /// Whether a list of this size is believed. Each call is one reading.
    pub fn judge(&mut self, size: Size, bounds: &Bounds) -> Result<(), Doubt> {
        if size.networks == 0 && self.accepted.is_none_or(|accepted| accepted.networks > 0) {
            self.doubted = None;
            return Err(Doubt::Empty);
        }
        let Some(doubt) = self.accepted.and_then(|before| beyond(before, size, bounds)) else {
            self.accept(size);
            return Ok(());
        };
        let before = self.doubted.filter(|(known, _)| beyond(*known, size, bounds).is_none());
        let times = before.map_or(1, |(_, times)| times + 1);
        if times >= bounds.again {
            self.accept(size);
            return Ok(());
        }
        self.doubted = Some((size, times));
        Err(doubt.after(bounds.again - times))
    }

    /// Believes a size that a person has vouched for, be it none.
    pub const fn accept(&mut self, size: Size) {
        *self = Self { accepted: Some(size), doubted: None };
    }
}

impl Doubt {
    const fn after(self, readings: u32) -> Self {
        match self {
            Self::Empty => Self::Empty,
            Self::Grown { what, from, to, bound, .. } => Self::Grown { what, from, to, bound, left: readings },
            Self::Shrunk { what, from, to, bound, .. } => Self::Shrunk { what, from, to, bound, left: readings },
        }
    }
}

fn mend(left: u32) -> String {
    let look = "look at it, then accept the change";
    match left {
        1 => format!("{look}, or wait until it was read so once more"),
        2..=9 => format!("{look}, or wait until it was read so {left} more times"),
        _ => look.to_owned(),
    }
}

/// How a list has changed beyond its bounds; nothing when it has not.
fn beyond(before: Size, now: Size, bounds: &Bounds) -> Option<Doubt> {
    let networks = ("networks", before.networks, now.networks, bounds.floor);
    // One network may be many addresses: the floor there is as many /24.
    let addresses = ("IPv4 addresses", before.addresses, now.addresses, bounds.floor.saturating_mul(256));
    [networks, addresses].into_iter().find_map(|(what, from, to, floor)| {
        let percent = u128::from(from.abs_diff(to)) * 100;
        let over = |bound: u32| from.abs_diff(to) > floor && percent > u128::from(from) * u128::from(bound);
        let (shrink, grow, left) = (bounds.shrink, bounds.grow, bounds.again);
        if to < from && over(shrink) {
            Some(Doubt::Shrunk { what, from, to, bound: shrink, left })
        } else if to > from && over(grow) {
            Some(Doubt::Grown { what, from, to, bound: grow, left })
        } else {
            None
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds { shrink: 30, grow: 100, floor: 50, again: 3 };

    fn size(networks: u64) -> Size {
        Size { networks, addresses: networks }
    }

    fn trusting(networks: u64) -> Trust {
        Trust::of(Some(size(networks)))
    }

    #[test]
    fn small_changes_are_believed_and_great_ones_are_not() {
        assert_eq!(Trust::default().judge(size(1_000_000), &BOUNDS), Ok(()), "the first time, anything but nothing");
        for (before, now, believed) in [
            (1000, 700, true),
            (1000, 699, false),
            (1000, 2000, true),
            (1000, 2001, false),
            (10, 60, true),
            (10, 61, false),
            (60, 10, true),
        ] {
            assert_eq!(trusting(before).judge(size(now), &BOUNDS).is_ok(), believed, "{before} {now}");
        }
        let wide = Size { networks: 1001, addresses: 1000 + (1 << 24) };
        assert!(matches!(trusting(1000).judge(wide, &BOUNDS), Err(Doubt::Grown { what: "IPv4 addresses", .. })));
    }

    #[test]
    fn what_is_said_again_is_believed_the_third_time() {
        let mut trust = trusting(1000);
        assert!(matches!(trust.judge(size(300), &BOUNDS), Err(Doubt::Shrunk { from: 1000, to: 300, left: 2, .. })));
        assert!(matches!(trust.judge(size(310), &BOUNDS), Err(Doubt::Shrunk { left: 1, .. })));
        assert_eq!(trust.judge(size(305), &BOUNDS), Ok(()));
        assert_eq!(trust.accepted(), Some(size(305)));
    }

    #[test]
    fn something_else_each_time_is_not_the_same_again() {
        let mut trust = trusting(10_000);
        for networks in [300, 3000, 300, 3000, 300] {
            assert!(trust.judge(size(networks), &BOUNDS).is_err());
        }
        assert!(trust.judge(size(310), &BOUNDS).is_err(), "the second time of about 300");
        assert_eq!(trust.judge(size(9900), &BOUNDS), Ok(()), "back to what it was");
        assert!(trust.judge(size(310), &BOUNDS).is_err(), "and then it counts anew");
    }

    #[test]
    fn an_empty_list_is_only_believed_when_a_person_says_so() {
        let mut trust = trusting(10);
        for _ in 0..10 {
            assert_eq!(trust.judge(size(0), &BOUNDS), Err(Doubt::Empty));
        }
        assert_eq!(Trust::default().judge(size(0), &BOUNDS), Err(Doubt::Empty));
        trust.accept(size(0));
        assert_eq!(trust.judge(size(0), &BOUNDS), Ok(()), "now it is known to be");
        assert_eq!(trust.accepted(), Some(size(0)));
        assert_eq!(trust.judge(size(40), &BOUNDS), Ok(()));
    }
}
