//! Whether what was sampled over a long run stays flat.
//!
//! In: samples in their order. Out: the medians of the middle and of the last third, and whether the last is no more than a slack above the
//! other. Never here: what the samples are of. The first third is left out: caches fill, allocators take what they will need.

/// By how much the last third may exceed the middle one.
#[derive(Clone, Copy, Debug)]
pub struct Slack {
    /// In parts of the middle one.
    pub percent: u64,
    /// And so much besides.
    pub plus: u64,
}

/// The medians of two thirds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Thirds {
    /// Of the second.
    pub middle: u64,
    /// Of the third.
    pub last: u64,
}

impl Thirds {
    /// Of so many samples; nothing of so few that a median says nothing.
    pub fn of(samples: &[u64]) -> Option<Self> {
        let third = samples.len() / 3;
        let (rest, last) = samples.split_at_checked(samples.len() - third)?;
        let (_, middle) = rest.split_at_checked(rest.len() - third)?;
        (third >= FEWEST).then(|| Self { middle: median(middle), last: median(last) })
    }

    /// The most that the last third may be.
    pub fn most(self, slack: Slack) -> u64 {
        self.middle + self.middle * slack.percent / 100 + slack.plus
    }

    /// Whether it is no more.
    pub fn is_flat(self, slack: Slack) -> bool {
        self.last <= self.most(slack)
    }
}

/// The one in the middle; of none it is zero.
pub fn median(samples: &[u64]) -> u64 {
    let mut sorted = samples.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied().unwrap_or(0)
}

/// Samples of a third.
const FEWEST: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;

    const SLACK: Slack = Slack { percent: 2, plus: 3 };

    fn is_flat(sample: impl Fn(u64) -> u64) -> bool {
        let samples: Vec<u64> = (0..90).map(sample).collect();
        Thirds::of(&samples).expect("enough").is_flat(SLACK)
    }

    #[test]
    fn what_warms_up_swings_and_stays_is_flat() {
        assert!(is_flat(|_| 1000));
        assert!(is_flat(|at| 1000 + at % 7), "it swings");
        assert!(is_flat(|at| 500 + at.min(29) * 20), "it warms up");
        assert!(is_flat(|at| if at % 10 == 0 { 5000 } else { 1000 }), "peaks are no growth");
        assert!(is_flat(|at| 1000 - at), "it shrinks");
    }

    #[test]
    fn what_grows_is_found() {
        assert!(!is_flat(|at| 1000 + at), "3 in 100 from third to third");
        assert!(!is_flat(|at| if at < 70 { 1000 } else { 1100 }), "it jumps late");
        assert!(!is_flat(|at| 10 + at / 5), "few, and more every time");
        assert!(is_flat(|at| 1000 + at / 3), "1 in 100 is within the slack");
    }

    #[test]
    fn few_samples_say_nothing() {
        assert_eq!(Thirds::of(&[1; 14]), None);
        assert_eq!(Thirds::of(&[1; 15]), Some(Thirds { middle: 1, last: 1 }));
        assert_eq!(Thirds::of(&[]), None);
    }
}
