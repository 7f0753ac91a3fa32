//! What a slot says of a network, and what that means to a packet at a given moment.

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

    /// Bits below those of the node.
    pub(super) const NODE_SHIFT: u32 = UNTIL_BITS + 1;

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
        Self(self.0 & (OBSERVE_BIT | UNTIL_MASK) | node << Self::NODE_SHIFT)
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
        self.0 >> Self::NODE_SHIFT
    }

    /// True when it only observes.
    #[inline(always)]
    pub const fn observes(self) -> bool {
        self.0 & OBSERVE_BIT != 0
    }

    /// True when its time never comes: nobody has to look at a clock.
    #[inline(always)]
    pub const fn is_forever(self) -> bool {
        self.0 & UNTIL_MASK == UNTIL_MASK
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
        if self.is_forever() {
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

#[cfg(test)]
mod tests {
    use super::*;

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
