//! The snapshot: the whole policy of one revision, put together while the desk goes on working.
//!
//! In: the desk, locked for a moment at a time. Out: the snapshot on disk, and ready for hosts. Never here: a lock for as long as there are
//! decisions.
//!
//! Slices are copied one after the other, each as it is at that moment; what the desk published meanwhile is then laid over them. An
//! entry that changed after its slice was copied stands in one of those changes, and one that did not is right already.
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::ensure;
use enforcer_policy::DecisionId;
use enforcer_policy::revision::{Delta, Entry, Kind, Signed, Signer, deliver_packed};

use super::{Desk, SPAN};
use crate::store::{SnapshotFile, SnapshotRow};

/// A content that was put together, and whose.
struct Whole {
    number: u64,
    head: Signed,
    delta: Delta,
    /// Decisions that had changed since the snapshot before.
    changed: usize,
    signer: Arc<Signer>,
    file: SnapshotFile,
}

/// Takes one. It takes seconds where there are a million decisions.
pub fn take_snapshot(desk: &Mutex<Desk>) -> anyhow::Result<()> {
    let copied = copy(desk)?;
    let Some(Whole { number, head, delta, changed, signer, file }) = whole(desk, copied)? else { return Ok(()) };
    let (body, plain) = delta.pack()?;
    drop(delta);
    let row = SnapshotRow { number, head: head.hash(), body, plain };
    if let Err(error) = file.keep(&row) {
        tracing::warn!(%error, "the snapshot could not be kept; the next start takes longer");
    }
    let frame = deliver_packed(&signer, Kind::Snapshot, 0, &[head], &(row.body, row.plain))?;
    lock(desk).deliveries.keep(number, frame.into(), changed);
    Ok(())
}

/// Entries as they were when their slice was copied, and what was published since the first.
struct Copied {
    put: Vec<Arc<Entry>>,
    later: Delta,
    /// The last revision that `later` holds.
    number: u64,
}

impl Copied {
    /// Lays the next revisions over the ones before, as many as one delta spans.
    fn follow(&mut self, desk: &Desk) -> anyhow::Result<()> {
        let more = desk.changes(self.number)?;
        self.later = std::mem::take(&mut self.later).then(more);
        self.number = desk.number.min(self.number + SPAN);
        Ok(())
    }
}

/// All entries, slice by slice. However fast others publish, it keeps up with them.
fn copy(desk: &Mutex<Desk>) -> anyhow::Result<Copied> {
    let mut copied = {
        let mut desk = lock(desk);
        let number = desk.number;
        desk.deliveries.try_at(number);
        Copied { put: Vec::new(), later: Delta::default(), number }
    };
    loop {
        let desk = lock(desk);
        if desk.number - copied.number >= SPAN / 2 {
            copied.follow(&desk)?;
            continue;
        }
        let after: Option<DecisionId> = copied.put.last().map(|entry| entry.decision.id);
        let slice: Vec<_> = desk.content.entries_after(after).take(SLICE).cloned().collect();
        drop(desk);
        if slice.is_empty() {
            return Ok(copied);
        }
        copied.put.extend(slice);
    }
}

/// The content of the present revision; none before the first.
fn whole(desk: &Mutex<Desk>, mut copied: Copied) -> anyhow::Result<Option<Whole>> {
    let desk = lock(desk);
    let number = desk.number;
    if number == 0 {
        return Ok(None);
    }
    while copied.number < number {
        copied.follow(&desk)?;
    }
    let (head, changed, decisions) = (desk.head(number)?, desk.deliveries.since(), desk.content.len());
    let (signer, file, base) = (Arc::clone(&desk.signer), desk.store.snapshot_file(), desk.content.base().clone());
    drop(desk);
    let Copied { put, later, .. } = copied;
    let mut delta = Delta { put, ..Delta::default() };
    if !later.is_empty() {
        delta = delta.then(later);
    }
    (delta.base, delta.remove) = (Some(base), Vec::new());
    ensure!(delta.put.len() == decisions, "the snapshot holds {} of {decisions} decisions", delta.put.len());
    Ok(Some(Whole { number, head, delta, changed, signer, file }))
}

/// A change is one step: who panicked has left the desk whole.
fn lock(desk: &Mutex<Desk>) -> MutexGuard<'_, Desk> {
    desk.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Entries that are copied at a time: a fraction of a millisecond.
const SLICE: usize = 4096;
