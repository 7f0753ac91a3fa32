//! What filters may cost. In: nanoseconds and bytes. Out: why one must stop, if it must. Never here: clocks.
use serde::{Deserialize, Serialize};

/// Tells how much time went by, for cost accounts. Its zero does not matter.
pub trait Meter {
    /// Nanoseconds, never less than before.
    fn nanos(&mut self) -> u64;
}

impl<F: FnMut() -> u64> Meter for F {
    fn nanos(&mut self) -> u64 {
        self()
    }
}

/// What one filter on one service may cost.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Budget {
    /// Nanoseconds of a single call or tick that are too many, at the [`Budget::STRIKES`]th time within [`Budget::CALLS`] calls: a busy
    /// host may take the processor away for as long, now and then.
    pub worst: u64,
    /// Nanoseconds of a call on average, over [`Budget::CALLS`] calls.
    pub mean: u64,
    /// Bytes held.
    pub bytes: usize,
    /// Bytes that all filters of all services hold together: past it, the largest is stopped.
    pub together: usize,
}

impl Default for Budget {
    /// A quarter of a second; 200 microseconds; 64 MiB; 1 GiB together.
    fn default() -> Self {
        Self { worst: 250_000_000, mean: 200_000, bytes: 64 << 20, together: 1 << 30 }
    }
}

impl Budget {
    /// Calls over which the average is taken.
    pub const CALLS: u64 = 1_000;
    /// Calls that took too long, before the filter is stopped.
    pub const STRIKES: u32 = 3;
    /// Calls after which memory is asked for.
    pub(super) const ASKS: u64 = 256;
}

/// What a filter has cost.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Spent {
    /// Calls and ticks.
    pub calls: u64,
    /// Nanoseconds in all of them.
    pub nanos: u64,
    /// Nanoseconds in the worst.
    pub worst: u64,
    /// Signs raised.
    pub signs: u64,
}

/// Why a filter was stopped.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum Stopped {
    /// It did not come back.
    #[error("it did not come back and was given up")]
    Looped,
    /// It broke the rules of modules: it said what its manifest does not name, or handed over a place outside of its memory.
    #[error("it broke the rules of modules")]
    Misspoke,
    /// It asked for more memory than a module may have.
    #[error("it asked for {bytes} bytes of memory")]
    OutOfMemory {
        /// How much it would have had.
        bytes: usize,
    },
    /// It used up what a module may do in one call or tick, or in many together.
    #[error("it did more than the {steps} steps it may")]
    OutOfSteps {
        /// How many it may.
        steps: u64,
    },
    /// It panicked.
    #[error("it panicked")]
    Panicked,
    /// It held too much.
    #[error("it held {bytes} bytes")]
    TooLarge {
        /// How much.
        bytes: usize,
    },
    /// It took too long.
    #[error("it took {nanos} ns for a call")]
    TooSlow {
        /// How long, on average or once.
        nanos: u64,
    },
    /// A module gave up, as after a panic of its own.
    #[error("it trapped")]
    Trapped,
}
