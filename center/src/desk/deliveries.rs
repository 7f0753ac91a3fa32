//! Deliveries: what brings a host from its revision to a newer one.
//!
//! In: the revision a host has. Out: bytes, made once and shared by all who ask for the same. Never here: a pass over everything for
//! one host: whoever needs the whole policy gets the latest snapshot, and what came after it with the next question.
//!
//! ```text
//! one behind     the stored change, framed
//! some behind    the stored changes, made one
//! far, or new    the snapshot of revision S <= present, made beside (see `snapshot.rs`); then as above
//! ```
use std::collections::HashMap;

use anyhow::Context as _;
use axum::body::Bytes;
use enforcer_policy::revision::{Delta, Kind, Known, Signed, deliver_delta, deliver_packed, deliver_snapshot, path};

use super::{Desk, SPAN};

/// What all hosts are told of.
#[derive(Clone, Debug, Default)]
pub struct News {
    /// The present revision.
    pub known: Known,
    /// The one before it.
    pub before: Known,
    /// What leads from that to this.
    pub delivery: Option<Bytes>,
}

/// Deliveries that are ready, and how far the snapshot is behind.
#[derive(Default)]
pub(super) struct Deliveries {
    /// To the present revision, by the one they begin at.
    ready: HashMap<u64, Bytes>,
    latest: Option<Latest>,
    /// Decisions that changed since the latest snapshot.
    changed: usize,
    /// Where a snapshot was last tried.
    tried: u64,
}

/// The latest snapshot.
#[derive(Clone)]
pub(super) struct Latest {
    number: u64,
    /// For hosts that have nothing.
    frame: Bytes,
    /// For the few that have something, by what they have.
    others: Vec<(u64, Bytes)>,
}

impl Deliveries {
    /// A revision was read at the start.
    pub(super) fn count(&mut self, delta: &Delta) {
        self.changed = self.changed.saturating_add(size(delta));
    }

    /// A revision was published.
    pub(super) fn changed(&mut self, delta: &Delta) {
        self.ready.clear();
        self.count(delta);
    }

    /// The latest snapshot.
    pub(super) const fn latest(&self) -> Option<&Latest> {
        self.latest.as_ref()
    }

    /// Decisions that changed since it.
    pub(super) const fn since(&self) -> usize {
        self.changed
    }

    /// A snapshot was made of revision `number`; `changed` decisions had changed by then.
    pub(super) fn keep(&mut self, number: u64, frame: Bytes, changed: usize) {
        self.latest = Some(Latest { number, frame, others: Vec::new() });
        self.changed -= changed.min(self.changed);
        self.tried = number;
    }

    /// One is tried at this revision; when it fails, the next try is not at once.
    pub(super) const fn try_at(&mut self, number: u64) {
        self.tried = number;
    }
}

impl Desk {
    /// What brings a host from its revision, which is one of ours and older, to a newer one; `None` when a snapshot must be taken first.
    pub fn delivery(&mut self, from: u64, whole: bool) -> anyhow::Result<Option<Bytes>> {
        let behind = self.number - from;
        let must = from == 0 || behind > SPAN;
        let wants = whole && self.snapshot_after(from);
        if !(must || wants) {
            return self.delta(from).map(Some);
        }
        if self.content.len() <= SMALL {
            return self.small(from).map(Some);
        }
        if !self.snapshot_after(from) || self.deliveries.changed > FRESH {
            return Ok(None);
        }
        self.snapshot_from(from).map(Some)
    }

    /// The present revision, with what leads to it from the one before.
    pub fn news(&mut self) -> anyhow::Result<News> {
        // After a start at a snapshot of the present revision, the one before is not known.
        let follows = self.number > 1 && self.before.number + 1 == self.number;
        let delivery = follows.then(|| self.delta(self.before.number)).transpose()?;
        Ok(News { known: self.known(), before: self.before, delivery })
    }

    /// The revision of the latest snapshot; 0 without one.
    pub fn snapshot_number(&self) -> u64 {
        self.deliveries.latest.as_ref().map_or(0, |latest| latest.number)
    }

    /// Whether it is time for a snapshot: many revisions or much change since the last.
    pub fn snapshot_is_due(&self) -> bool {
        let deliveries = &self.deliveries;
        let last = deliveries.latest.as_ref().map_or(0, |latest| latest.number).max(deliveries.tried);
        let revisions = self.number - last.min(self.number);
        let much = deliveries.changed > FRESH.max(self.content.len() / 2) && last < self.number;
        revisions >= SNAPSHOTS || much
    }

    /// At the start: the snapshot on disk, when it is one of this history.
    pub(super) fn begin_at_snapshot(&mut self) -> anyhow::Result<()> {
        let Some(row) = self.store.snapshot_file().read() else { return Ok(()) };
        let Some(head) = self.store.head(row.number)?.map(Signed::from_bytes).filter(|head| head.hash() == row.head)
        else {
            tracing::warn!(number = row.number, "the snapshot is of another history; starting without it");
            return Ok(());
        };
        let Ok(whole) = Delta::unpack(&row.body, row.plain) else { return Ok(()) };
        self.content.apply(whole);
        (self.number, self.hash) = (row.number, row.head);
        let frame = deliver_packed(&self.signer, Kind::Snapshot, 0, &[head], &(row.body, row.plain))?;
        self.deliveries.keep(row.number, frame.into(), 0);
        Ok(())
    }

    /// What changed after a revision.
    pub(super) fn changes(&self, from: u64) -> anyhow::Result<Delta> {
        let rows = self.store.revisions(from, usize::try_from(SPAN)?)?;
        let deltas = rows.iter().map(|row| Ok(Delta::unpack(&row.delta, row.plain)?));
        deltas.collect::<anyhow::Result<Vec<_>>>().map(|deltas| deltas.into_iter().fold(Delta::default(), Delta::then))
    }

    fn delta(&mut self, from: u64) -> anyhow::Result<Bytes> {
        if let Some(ready) = self.deliveries.ready.get(&from) {
            return Ok(ready.clone());
        }
        let heads = self.descent(self.number, from)?;
        let bytes = if from + 1 == self.number {
            let row =
                self.store.revisions(from, 1)?.pop().with_context(|| format!("revision {} is gone", self.number))?;
            deliver_packed(&self.signer, Kind::Delta, from, &heads, &(row.delta, row.plain))?
        } else {
            deliver_delta(&self.signer, from, &heads, &self.changes(from)?)?
        };
        Ok(self.ready(from, bytes))
    }

    /// Everything, of the present revision.
    fn small(&mut self, from: u64) -> anyhow::Result<Bytes> {
        // Kept under the numbers past the end.
        if let Some(ready) = self.deliveries.ready.get(&(u64::MAX - from)) {
            return Ok(ready.clone());
        }
        let heads = self.descent(self.number, from)?;
        let bytes = deliver_snapshot(&self.signer, from, &heads, &Delta::snapshot(&self.content))?;
        Ok(self.ready(u64::MAX - from, bytes))
    }

    fn ready(&mut self, place: u64, bytes: Vec<u8>) -> Bytes {
        let bytes = Bytes::from(bytes);
        self.deliveries.ready.insert(place, bytes.clone());
        bytes
    }

    /// Whether there is a snapshot that is newer than this, and from which a delta leads on.
    fn snapshot_after(&self, from: u64) -> bool {
        let latest = self.deliveries.latest.as_ref();
        latest.is_some_and(|latest| latest.number > from && self.number - latest.number <= SPAN)
    }

    fn snapshot_from(&mut self, from: u64) -> anyhow::Result<Bytes> {
        let Some(latest) = &self.deliveries.latest else { anyhow::bail!("there is no snapshot") };
        let found = latest.others.iter().find(|(other, _)| *other == from).map(|(_, frame)| frame);
        let found = if from == 0 { Some(&latest.frame) } else { found };
        if let Some(frame) = found {
            return Ok(frame.clone());
        }
        let number = latest.number;
        let row = self.store.snapshot_file().read().filter(|row| row.number == number);
        let row = row.context("the snapshot cannot be read; it is made anew after the next changes")?;
        let heads = self.descent(number, from)?;
        let frame = deliver_packed(&self.signer, Kind::Snapshot, from, &heads, &(row.body, row.plain))?;
        let frame = Bytes::from(frame);
        if let Some(latest) = &mut self.deliveries.latest {
            latest.others.truncate(OTHERS - 1);
            latest.others.insert(0, (from, frame.clone()));
        }
        Ok(frame)
    }

    /// Heads from one revision down to an older one.
    fn descent(&self, target: u64, from: u64) -> anyhow::Result<Vec<Signed>> {
        path(target, from).into_iter().map(|number| self.head(number)).collect()
    }
}

fn size(delta: &Delta) -> usize {
    delta.put.len() + delta.remove.len()
}

/// Revisions between snapshots.
const SNAPSHOTS: u64 = 200;
/// Decisions that may have changed since a snapshot that is handed out.
const FRESH: usize = 20_000;
/// So few decisions need no snapshot.
const SMALL: usize = 1000;
/// Frames of one snapshot for hosts that have something: few are that far behind.
const OTHERS: usize = 4;
