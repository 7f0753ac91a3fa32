//! What filters cost on their thread. In: two clocks. Out: nanoseconds that the thread has had a processor. Never here: budgets.
use std::time::Instant;

use enforcer_insight::filters::Meter;

use crate::kernel::thread_time;

/// Time that a thread has worked. A busy host takes the processor away for longer than most filters need, which is not their fault.
///
/// The exact clock costs a call of the system, so short times are taken from the clock on the wall.
#[derive(Debug)]
pub(super) struct WorkMeter {
    begin: Instant,
    /// The clock on the wall at the last reading.
    wall: u64,
    /// What this meter has told last.
    told: u64,
    /// What both said when the exact clock was asked last.
    asked: (u64, u64),
}

/// Nanoseconds that may be work as well as waiting.
const SHORT: u64 = 20_000;

impl WorkMeter {
    /// For the calling thread.
    pub(super) fn new() -> Self {
        Self { begin: Instant::now(), wall: 0, told: 0, asked: (thread_time(), 0) }
    }
}

impl Meter for WorkMeter {
    fn nanos(&mut self) -> u64 {
        let wall = u64::try_from(self.begin.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let passed = wall.saturating_sub(std::mem::replace(&mut self.wall, wall));
        if passed < SHORT {
            self.told += passed;
            return self.told;
        }
        let (exact, (then, told)) = (thread_time(), self.asked);
        self.told = self.told.max(told + exact.saturating_sub(then));
        self.asked = (exact, self.told);
        self.told
    }
}

#[cfg(test)]
mod tests {
    use std::hint::black_box;
    use std::time::Duration;

    use super::*;

    /// Works for so long, by the clock of the thread.
    fn work(nanos: u64) {
        let begin = thread_time();
        while thread_time() - begin < nanos {
            black_box((0..100).sum::<u64>());
        }
    }

    #[test]
    fn work_counts_and_waiting_does_not() {
        let mut meter = WorkMeter::new();
        let begin = meter.nanos();
        std::thread::sleep(Duration::from_millis(30));
        let slept = meter.nanos() - begin;
        assert!(slept < 10_000_000, "{slept} ns for sleeping");
        let before = meter.nanos();
        work(20_000_000);
        let worked = meter.nanos() - before;
        assert!((19_000_000..40_000_000).contains(&worked), "{worked} ns for 20 ms");
    }

    #[test]
    fn many_short_times_add_up() {
        let mut meter = WorkMeter::new();
        let (begin, own) = (meter.nanos(), thread_time());
        for _ in 0..2_000 {
            work(5_000);
            meter.nanos();
        }
        let (told, own) = (meter.nanos() - begin, thread_time() - own);
        assert!(told.abs_diff(own) < own / 2, "{told} ns told of {own}");
    }
}
