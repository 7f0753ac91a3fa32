//! What a module has used. In: steps and bytes, from the thread it runs on. Out: the same, for whoever asks on another. Never here:
//! bounds.
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Written by instances, read by others.
#[derive(Debug, Default)]
pub struct Gauge {
    calls: AtomicU64,
    steps: AtomicU64,
    worst: AtomicU64,
    memory: AtomicU64,
    last: Mutex<Option<String>>,
}

/// What a gauge shows.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Reading {
    /// Calls and ticks.
    pub calls: u64,
    /// Steps of all of them.
    pub steps: u64,
    /// Steps of the worst.
    pub worst: u64,
    /// Bytes of memory, at most.
    pub memory: u64,
    /// Why it was stopped, in the words of the interpreter.
    pub halted: Option<String>,
}

impl Gauge {
    /// What it shows now.
    pub fn read(&self) -> Reading {
        let load = |one: &AtomicU64| one.load(Ordering::Relaxed);
        let halted = self.last.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (calls, steps) = (load(&self.calls), load(&self.steps));
        Reading { calls, steps, worst: load(&self.worst), memory: load(&self.memory), halted }
    }

    pub(crate) fn count(&self, steps: u64) {
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.steps.fetch_add(steps, Ordering::Relaxed);
        self.worst.fetch_max(steps, Ordering::Relaxed);
    }

    pub(crate) fn hold(&self, bytes: usize) {
        self.memory.fetch_max(bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn halt(&self, why: String) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(why);
    }
}
