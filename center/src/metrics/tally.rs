//! What the center counts as it goes.
//!
//! In: things that happened. Out: how many. Never here: anything that is kept over a restart.
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Counters that all requests share.
#[derive(Default)]
pub(crate) struct Tally {
    watching: AtomicU64,
    /// Hosts that waited at once, at most: when all get a delivery at once, few of them wait.
    most_watching: AtomicU64,
    totals: Mutex<Totals>,
    /// The last revision, and when it was published.
    published: Mutex<Option<(u64, Instant)>>,
}

/// What was counted since the start.
#[derive(Clone, Debug, Default)]
pub(crate) struct Totals {
    pub(crate) watching: u64,
    pub(crate) published: u64,
    pub(crate) deliveries: u64,
    pub(crate) delivered_bytes: u64,
    pub(crate) kept: u64,
    pub(crate) refused: u64,
    pub(crate) lost: u64,
    pub(crate) events: u64,
    /// Finished and stopped.
    pub(crate) rollouts: [u64; 2],
    pub(crate) reached: Latency,
}

/// A host that waits for news, until dropped.
pub(crate) struct Watching<'t>(&'t Tally);

/// A histogram: 1 ms to 30 s, the range in which hosts hear of a decision.
#[derive(Clone, Debug, Default)]
pub(crate) struct Latency {
    counts: [u64; BOUNDS.len() + 1],
    sum: Duration,
}

impl Tally {
    /// A revision is on the disk, and on its way.
    pub(crate) fn publish(&self, number: u64) {
        self.totals().published += 1;
        *self.published.lock().unwrap_or_else(PoisonError::into_inner) = Some((number, Instant::now()));
    }

    /// A host got a delivery.
    pub(crate) fn deliver(&self, bytes: usize) {
        let mut totals = self.totals();
        totals.deliveries += 1;
        totals.delivered_bytes += bytes as u64;
    }

    /// A host's word is kept. `reached`: it has this revision now, and had it not before.
    pub(crate) fn keep(&self, reached: Option<u64>, refused: bool) {
        let published = *self.published.lock().unwrap_or_else(PoisonError::into_inner);
        let mut totals = self.totals();
        if refused {
            totals.refused += 1;
        } else {
            totals.kept += 1;
        }
        if let Some((number, at)) = published
            && reached == Some(number)
        {
            totals.reached.observe(at.elapsed());
        }
    }

    /// A host's word could not be kept.
    pub(crate) fn lose(&self) {
        self.totals().lost += 1;
    }

    /// Events were taken.
    pub(crate) fn take(&self, events: usize) {
        self.totals().events += events as u64;
    }

    /// The desk has told this of a rollout.
    pub(crate) fn end_rollout(&self, what: &str) {
        let [finished, stopped] = &mut self.totals().rollouts;
        match what {
            "rollout_finished" => *finished += 1,
            "rollout_stopped" => *stopped += 1,
            _ => {}
        }
    }

    /// A host begins to wait.
    pub(crate) fn watch(&self) -> Watching<'_> {
        let now = self.watching.fetch_add(1, Ordering::Relaxed) + 1;
        self.most_watching.fetch_max(now, Ordering::Relaxed);
        Watching(self)
    }

    /// How many have waited at once, at most.
    pub(crate) fn most_watching(&self) -> u64 {
        self.most_watching.load(Ordering::Relaxed)
    }

    /// All counts.
    pub(crate) fn read(&self) -> Totals {
        Totals { watching: self.watching.load(Ordering::Relaxed), ..self.totals().clone() }
    }

    fn totals(&self) -> MutexGuard<'_, Totals> {
        self.totals.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Watching<'_> {
    fn drop(&mut self) {
        self.0.watching.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Latency {
    /// Counts one.
    pub(crate) fn observe(&mut self, took: Duration) {
        let seconds = took.as_secs_f64();
        let at = BOUNDS.iter().position(|bound| seconds <= *bound).unwrap_or(BOUNDS.len());
        if let Some(count) = self.counts.get_mut(at) {
            *count += 1;
        }
        self.sum = self.sum.saturating_add(took);
    }

    /// All of them together in seconds, how many, and bound and count of each bucket.
    pub(super) fn parts(&self) -> (f64, u64, Vec<(f64, u64)>) {
        let buckets = BOUNDS.into_iter().chain([f64::INFINITY]).zip(self.counts).collect();
        (self.sum.as_secs_f64(), self.counts.iter().sum(), buckets)
    }
}

/// Upper bounds in seconds.
const BOUNDS: [f64; 13] = [0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0];
