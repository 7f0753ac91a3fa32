//! A sign of life of filters. In: which filter begins and ends. Out: the same, for a watcher on another thread. Never here: time,
//! threads.
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// What filters are doing now. The runner writes it, a supervisor reads it: when nothing changes for long while a filter is at
/// work, that filter loops.
#[derive(Debug, Default)]
pub struct Pulse {
    /// Turns so far: odd while a filter is at work.
    turns: AtomicU64,
    /// Whoever runs filters is not waited for any more.
    abandoned: AtomicBool,
}

impl Pulse {
    /// The turn of the filter at work; `None` when none is. Each time a filter is called is another turn.
    pub fn at_work(&self) -> Option<u64> {
        let turns = self.turns.load(Ordering::Acquire);
        (turns % 2 == 1).then_some(turns)
    }

    /// Tells whoever still runs that it is not waited for: it stops at the end of its filter, should that come.
    pub fn abandon(&self) {
        self.abandoned.store(true, Ordering::Release);
    }

    /// True when it is not waited for.
    pub fn is_abandoned(&self) -> bool {
        self.abandoned.load(Ordering::Acquire)
    }

    /// A filter begins or ends. Only one thread does this, so no exchange is needed.
    pub(super) fn turn(&self) {
        self.turns.store(self.turns.load(Ordering::Relaxed) + 1, Ordering::Release);
    }
}
