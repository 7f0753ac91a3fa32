//! When to try again: later each time, and never with all the others at once.
//!
//! A center that knows how many hosts it has says over how long a time they shall come back. Then each host waits for a random part of
//! that, and tries again each time it has passed: whenever the center is back, its hosts come evenly over that time, however long it was
//! away. Waits that grow would bring them in waves, since all of them began at the same moment.
use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

/// Time between tries.
#[derive(Default)]
pub(super) struct Backoff {
    tries: u32,
    /// Connections that failed since the last one that was made.
    failed: u32,
    random: RandomState,
    draws: u64,
    spread: Option<Duration>,
}

impl Backoff {
    /// It worked.
    pub(super) const fn reset(&mut self) {
        self.tries = 0;
        self.failed = 0;
    }

    /// There is a connection; what the center says to us is another matter. When it breaks, it breaks for all hosts at once.
    pub(super) const fn connected(&mut self) {
        self.failed = 0;
    }

    /// The center says over how long a time its hosts shall come back.
    pub(super) fn spread(&mut self, spread: Duration) {
        self.spread = Some(spread.clamp(FIRST, LAST));
    }

    /// After a connection that failed: a random part of what the center wants, then all of it each time, and more seldom when it has been
    /// away for long. Without the center's word, as [`Self::grown`].
    pub(super) fn next(&mut self) -> Duration {
        let Some(spread) = self.spread else { return self.grown() };
        let period = if self.failed < SOON { spread } else { spread.max(SELDOM) };
        let begins = self.failed == 0 || self.failed == SOON;
        let part = if begins { self.part() } else { 1000 };
        self.failed = self.failed.saturating_add(1);
        period * part / 1000
    }

    /// A random part, half at least, of a span that doubles with each try: after a center's no, which need not be heard often.
    pub(super) fn grown(&mut self) -> Duration {
        let span = FIRST.saturating_mul(1 << self.tries.min(16)).min(LAST);
        self.tries = self.tries.saturating_add(1);
        span / 2 + span / 2 * self.part() / 1000
    }

    /// Whether nothing has failed since it last worked.
    pub(super) const fn is_fresh(&self) -> bool {
        self.tries == 0 && self.failed == 0
    }

    /// Of a thousand.
    fn part(&mut self) -> u32 {
        self.draws += 1;
        u32::try_from(self.random.hash_one(self.draws) % 1000).unwrap_or(0)
    }
}

const FIRST: Duration = Duration::from_millis(250);
const LAST: Duration = Duration::from_secs(30);
/// Tries until a center has been away for long, and the time between them from then on.
const SOON: u32 = 20;
const SELDOM: Duration = Duration::from_secs(10);

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

    /// Whenever a center is back, hosts come evenly over the time it has named.
    #[test]
    fn hosts_come_back_evenly_however_long_the_center_was_away() {
        for (away, over) in [(0, 4), (3, 4), (60, 4), (300, 10)].map(|(away, over)| (Duration::from_secs(away), over)) {
            let mut parts = vec![0; over];
            for _ in 0..1000 {
                let mut backoff = Backoff::default();
                backoff.spread(Duration::from_secs(4));
                // One that was back for a moment draws again.
                backoff.next();
                backoff.connected();
                let mut at = backoff.next();
                while at < away {
                    at += backoff.next();
                }
                let part = at.saturating_sub(away).as_secs();
                parts[usize::try_from(part).unwrap()] += 1;
            }
            let mean = 1000 / over;
            assert!(parts.iter().all(|hosts| (mean / 2..mean * 3 / 2).contains(hosts)), "{away:?}: {parts:?}");
        }
        let mut backoff = Backoff::default();
        backoff.spread(Duration::from_hours(1));
        assert!(backoff.next() <= LAST && backoff.next() == LAST, "no center keeps a host away for long");
    }
}
