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
    let begun = {
        let mut desk = lock(desk);
        let number = desk.number;
        desk.deliveries.try_at(number);
        number
    };
    let put = copy(desk);
    let Some(Whole { number, head, delta, changed, signer, file }) = whole(desk, begun, put)? else { return Ok(()) };
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

/// All entries, slice by slice.
fn copy(desk: &Mutex<Desk>) -> Vec<Arc<Entry>> {
    let mut all: Vec<Arc<Entry>> = Vec::new();
    loop {
        let after: Option<DecisionId> = all.last().map(|entry| entry.decision.id);
        let slice: Vec<_> = lock(desk).content.entries_after(after).take(SLICE).cloned().collect();
        if slice.is_empty() {
            return all;
        }
        all.extend(slice);
    }
}

/// The content of the present revision; none before the first.
fn whole(desk: &Mutex<Desk>, begun: u64, put: Vec<Arc<Entry>>) -> anyhow::Result<Option<Whole>> {
    let desk = lock(desk);
    let number = desk.number;
    if number == 0 {
        return Ok(None);
    }
    ensure!(number - begun <= SPAN, "too much was published meanwhile");
    let later = if number == begun { Delta::default() } else { desk.changes(begun)? };
    let (head, changed, decisions) = (desk.head(number)?, desk.deliveries.since(), desk.content.len());
    let (signer, file, base) = (Arc::clone(&desk.signer), desk.store.snapshot_file(), desk.content.base().clone());
    drop(desk);
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
