//! How long things took, in buckets.
//!
//! In: spans of time. Out: counts per bucket. Never here: a clock.
use std::time::Duration;

/// A histogram with fixed bounds: 100 us to 10 s, the range in which a decision reaches the kernel.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Latency {
    /// One per bound of [`BOUNDS`], and one for what took longer.
    counts: [u64; BOUNDS.len() + 1],
    sum: Duration,
}

/// Upper bounds in seconds.
const BOUNDS: [f64; 16] =
    [0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

impl Latency {
    /// Counts one.
    pub fn observe(&mut self, took: Duration) {
        let seconds = took.as_secs_f64();
        let at = BOUNDS.iter().position(|bound| seconds <= *bound).unwrap_or(BOUNDS.len());
        if let Some(count) = self.counts.get_mut(at) {
            *count += 1;
        }
        self.sum = self.sum.saturating_add(took);
    }

    /// How many were counted.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// All of them together, in seconds.
    pub(super) fn sum(&self) -> f64 {
        self.sum.as_secs_f64()
    }

    /// Bound and count of each bucket, not accumulated.
    pub(super) fn buckets(&self) -> Vec<(f64, u64)> {
        BOUNDS.into_iter().chain([f64::INFINITY]).zip(self.counts).collect()
    }
}
