//! What a row of records amounts to.
//!
//! In: the bytes of a journal. Out: the state after its last whole record, and how much of it still matters. Never here:
//! files.
use std::collections::BTreeMap;
use std::sync::Arc;

use enforcer_common::Prefix;
use enforcer_policy::{Allowed, Decision, DecisionId, Subject};

use super::frame::{Frames, HEADER};
use super::tally::Tally;
use super::{Record, Recovered, form};

/// What a journal holds.
#[derive(Default)]
pub(super) struct Scan {
    /// The state after the last whole record; nothing torn yet.
    pub(super) recovered: Recovered,
    /// Whole records.
    pub(super) records: u64,
    /// Where the last of them ends.
    pub(super) end: u64,
    /// What lay between them and could not be read: from, until.
    pub(super) damaged: Vec<(usize, usize)>,
    /// How much of them still matters.
    pub(super) tally: Tally,
    /// An older agent wrote them.
    pub(super) older: bool,
}

/// A record that is whole and means nothing, and where it begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Foreign(pub(super) u64);

/// Reads the records of a journal that has its header, up to the last that is whole.
pub(super) fn scan(bytes: &[u8]) -> Result<Scan, Foreign> {
    let mut replay = Replay::default();
    let mut frames = Frames::new(bytes);
    let mut records = 0;
    let mut start = HEADER.len();
    let mut damaged = Vec::new();
    loop {
        let Some(payload) = frames.next() else {
            // An end that was torn has nothing behind it; a damaged disk has.
            let from = frames.offset();
            if !frames.resume() {
                break;
            }
            damaged.push((from, frames.offset()));
            start = frames.offset();
            continue;
        };
        let record = form::read(payload).ok_or(Foreign(start as u64))?;
        replay.take(record, (frames.offset() - start) as u64);
        start = frames.offset();
        records += 1;
    }
    let (recovered, tally) = replay.finish();
    Ok(Scan { recovered, records, end: start as u64, damaged, tally, older: false })
}

/// The state while records are taken in.
#[derive(Default)]
struct Replay {
    /// Those that speak of decisions.
    records: Vec<Record>,
    /// All that ever happened to ids; sorted once at the end. Ids are nearly in order already, so this is a good deal faster
    /// than a map, and nothing is built for what a later record has undone.
    events: Vec<Event>,
    allowed: BTreeMap<Prefix, Allowed>,
    bypass: bool,
    put_bytes: u64,
    puts: u64,
}

/// Something happened to an id: where the record stands that says what, and which of its items. Ordered by id, then time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Event {
    id: DecisionId,
    record: usize,
    item: usize,
}

impl Replay {
    /// Takes in the next record, which has `bytes` in the file.
    fn take(&mut self, record: Record, bytes: u64) {
        match record {
            Record::Allow(allowed) => {
                self.count(1, bytes);
                self.allowed.insert(allowed.prefix, allowed);
            }
            Record::Disallow(prefix) => {
                self.allowed.remove(&prefix);
            }
            Record::Bypass(on) => self.bypass = on,
            Record::Put(_) | Record::PutMany { .. } | Record::Remove(_) | Record::RemoveMany(_) => {
                self.happened(&record, bytes);
                self.records.push(record);
            }
        }
    }

    fn happened(&mut self, record: &Record, bytes: u64) {
        let at = self.records.len();
        let event = |(item, id)| Event { id, record: at, item };
        match record {
            Record::Put(decision) => {
                self.count(1, bytes);
                self.events.push(event((0, decision.id)));
            }
            Record::PutMany { items, .. } => {
                self.count(items.len(), bytes);
                self.events.extend(items.iter().map(|(id, _)| *id).enumerate().map(event));
            }
            Record::Remove(id) => self.events.push(event((0, *id))),
            Record::RemoveMany(ids) => self.events.extend(ids.iter().copied().enumerate().map(event)),
            Record::Allow(_) | Record::Disallow(_) | Record::Bypass(_) => {}
        }
    }

    /// The state after the last record.
    fn finish(mut self) -> (Recovered, Tally) {
        self.events.sort_unstable();
        let newest = self.events.last().map_or(DecisionId(0), |event| event.id);
        let mut decisions = Vec::with_capacity(self.events.len());
        let last_of_each = self.events.chunk_by(|one, next| one.id == next.id).filter_map(<[Event]>::last);
        decisions.extend(last_of_each.filter_map(|event| self.decision(*event)));
        let live_items = (decisions.len() + self.allowed.len()) as u64;
        let live_bytes = self.put_bytes.saturating_mul(live_items) / self.puts.max(1);
        let allowed = self.allowed.into_values().collect();
        let recovered = Recovered { decisions, allowed, bypass: self.bypass, torn: None };
        (recovered, Tally { live_bytes, live_items, newest })
    }

    /// What an event made; `None` when it took away.
    fn decision(&self, event: Event) -> Option<Decision> {
        match self.records.get(event.record)? {
            Record::Put(decision) => Some(decision.clone()),
            Record::PutMany { note, scope, action, until, items } => {
                let (id, prefix) = *items.get(event.item)?;
                let (note, scope) = (Arc::clone(note), scope.clone());
                let (action, until) = (*action, *until);
                Some(Decision { id, subject: Subject::Ip(prefix), scope, action, rate: None, until, note })
            }
            Record::Remove(_) | Record::RemoveMany(_) | Record::Allow(_) | Record::Disallow(_) | Record::Bypass(_) => {
                None
            }
        }
    }

    fn count(&mut self, puts: usize, bytes: u64) {
        self.puts += puts as u64;
        self.put_bytes += bytes;
    }
}
