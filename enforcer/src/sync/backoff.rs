//! When to try again: later each time, and never with all the others at once.
use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

/// Time between tries.
#[derive(Default)]
pub(super) struct Backoff {
    tries: u32,
    random: RandomState,
    draws: u64,
}

impl Backoff {
    /// It worked.
    pub(super) const fn reset(&mut self) {
        self.tries = 0;
    }

    /// A random part, half at least, of a span that doubles with each try.
    pub(super) fn next(&mut self) -> Duration {
        let span = FIRST.saturating_mul(1 << self.tries.min(16)).min(LAST);
        self.tries = self.tries.saturating_add(1);
        self.draws += 1;
        let part = u32::try_from(self.random.hash_one(self.draws) % 1000).unwrap_or(0);
        span / 2 + span / 2 * part / 1000
    }
}

const FIRST: Duration = Duration::from_millis(250);
const LAST: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_their_end_and_differ() {
        let (mut one, mut two) = (Backoff::default(), Backoff::default());
        let waits: Vec<Duration> = (0..20).map(|_| one.next()).collect();
        assert!(waits[0] >= FIRST / 2 && waits[0] <= FIRST);
        assert!(waits[19] >= LAST / 2 && waits[19] <= LAST);
        assert_ne!(waits, (0..20).map(|_| two.next()).collect::<Vec<_>>());
        one.reset();
        assert!(one.next() <= FIRST);
    }
}
