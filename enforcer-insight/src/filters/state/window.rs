//! Windows of time, and steps of counts. In: moments, counts. Out: has a window turned, was a step reached. Never here: clocks.
use std::time::Duration;

use enforcer_policy::Moment;

/// A window that opens with the first thing in it, so that nobody can lie in wait for its edge.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Window(Moment);

impl Window {
    /// True when what was counted belongs to a window that is over: then a new one begins now. Time that runs backwards by more
    /// than a window begins a new one, too.
    pub fn turn(&mut self, now: Moment, length: Duration) -> bool {
        let over = now.until(self.0) > length || self.0.until(now) >= length;
        if over {
            self.0 = now;
        }
        over
    }

    /// When it opened.
    pub const fn since(self) -> Moment {
        self.0
    }
}

/// Lets a growing count pass at a first value and at each doubling: what goes on for long is not told each time.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Steps(u32);

impl Steps {
    /// True when `count` is a step: `first`, or twice what passed last.
    pub fn reach(&mut self, count: u32, first: u32) -> bool {
        let reached = count >= first.max(self.0).max(1);
        if reached {
            self.0 = count.saturating_mul(2);
        }
        reached
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_opens_with_what_comes_first() {
        let (mut window, minute) = (Window::default(), Duration::from_mins(1));
        assert!(window.turn(Moment(1_000_000), minute), "the first");
        assert!(!window.turn(Moment(1_059_999), minute) && window.turn(Moment(1_060_000), minute));
        assert_eq!(window.since(), Moment(1_060_000));
        assert!(!window.turn(Moment(1_059_000), minute), "calls are joined a little out of order");
        assert!(window.turn(Moment(900_000), minute), "the clock was set back");
    }

    #[test]
    fn steps_double() {
        let mut steps = Steps::default();
        let passed: Vec<u32> = (1..100).filter(|count| steps.reach(*count, 10)).collect();
        assert_eq!(passed, [10, 20, 40, 80]);
        assert!(!Steps::default().reach(0, 0));
    }
}
