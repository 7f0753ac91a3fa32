//! The spool: events on their way to the center, on this host's disk.
//!
//! In: events. Out: the same, oldest first, until the center has them. Never here: the network, the clock, a wait: a push is one
//! write to a file, and what a crash of the machine may take is only what came after the last sync. Bounded: past `most` bytes the
//! oldest go, and are counted; the center sees the gap in the numbers.
//!
//! ```text
//! <state>/spool/id                       random, and the number it begins with; numbers count within it
//! <state>/spool/00000000000000000001     events from number 1 on: length, checksum, number, JSON for each
//! ```
mod segment;

use std::collections::VecDeque;
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use enforcer_policy::Event;

use segment::Segment;
pub use segment::{Piece, read_after};

/// Why the spool cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot {operation} {}: {source}", path.display())]
pub struct SpoolError {
    operation: &'static str,
    path: PathBuf,
    source: io::Error,
}

/// How the spool is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SpoolCounts {
    /// Events that the center has not got.
    pub waiting: u64,
    /// Bytes on disk.
    pub bytes: u64,
    /// Bytes that there may be.
    pub most: u64,
    /// Events that were given up since the start: no room, or a disk that refused them.
    pub dropped: u64,
    /// Events that the center has got since the start.
    pub delivered: u64,
}

/// The spool.
#[derive(Debug)]
pub struct Spool {
    folder: PathBuf,
    id: String,
    /// The first number that belongs to the id.
    begins: u64,
    most: u64,
    segments: VecDeque<Segment>,
    next: u64,
    delivered_to: u64,
    dropped: u64,
    delivered: u64,
    unsynced: bool,
}

impl Spool {
    /// In a folder, which is made; what lies there is taken up. `id` is used where there is none yet.
    pub fn open(folder: &Path, most: u64, id: &str) -> Result<Self, SpoolError> {
        let failed = |operation, path: &Path| {
            let path = path.to_owned();
            move |source| SpoolError { operation, path, source }
        };
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed("make", folder))?;
        let segments = Segment::all(folder).map_err(failed("read", folder))?;
        let path = folder.join(ID);
        let known = fs::read_to_string(&path).ok().filter(|_| !segments.is_empty()).and_then(|text| parse(&text));
        let (id, begins) = known.unwrap_or_else(|| (id.to_owned(), 1));
        keep(folder, &id, begins).map_err(failed("write", &path))?;
        let next = segments.back().map_or(1, Segment::next);
        let delivered_to = segments.front().map_or(next, Segment::first) - 1;
        let folder = folder.to_owned();
        let mut spool =
            Self { folder, id, begins, most, segments, next, delivered_to, dropped: 0, delivered: 0, unsynced: false };
        if spool.segments.is_empty() {
            spool.begin(next).map_err(failed("write", &spool.folder.clone()))?;
        }
        Ok(spool)
    }

    /// Adds an event. What cannot be kept leaves a gap in the numbers, and is counted.
    pub fn push(&mut self, event: Event) {
        let number = self.next;
        self.next += 1;
        let json = serde_json::to_vec(&Event { sequence: number, ..event.clipped() }).unwrap_or_default();
        if self.write(number, &json).is_err() {
            self.dropped += 1;
        }
    }

    fn write(&mut self, number: u64, json: &[u8]) -> io::Result<()> {
        if self.segments.back().is_none_or(|tail| tail.bytes() >= self.segment_bytes()) {
            self.begin(number)?;
        }
        let tail = self.segments.back_mut().ok_or(io::ErrorKind::NotFound)?;
        tail.append(number, json)?;
        self.unsynced = true;
        while self.bytes() > self.most && self.segments.len() > 1 {
            self.give_up_oldest();
        }
        Ok(())
    }

    /// Bytes of one file: the unit in which the oldest go.
    fn segment_bytes(&self) -> u64 {
        (self.most / 16).clamp(1 << 14, 1 << 20)
    }

    fn begin(&mut self, first: u64) -> io::Result<()> {
        self.segments.push_back(Segment::create(&self.folder, first)?);
        Ok(())
    }

    fn give_up_oldest(&mut self) {
        let Some(oldest) = self.segments.pop_front() else { return };
        self.dropped += oldest.events_after(self.delivered_to);
        self.delivered_to = self.delivered_to.max(oldest.next() - 1);
        oldest.remove();
    }

    /// The center has all up to `last`. One that has more than there ever was here knows an older life of this host: the spool
    /// begins a new one, and sends again what it still has.
    pub fn settle(&mut self, last: u64, fresh: &str) {
        if last >= self.next {
            tracing::warn!(
                last,
                next = self.next,
                "the center has events that this host does not know; counting begins anew"
            );
            fresh.clone_into(&mut self.id);
            self.begins = self.delivered_to + 1;
            if let Err(error) = keep(&self.folder, &self.id, self.begins) {
                tracing::warn!(%error, "the id of the spool was not kept");
            }
            return;
        }
        let after = self.delivered_to;
        self.delivered_to = after.max(last);
        let got = self.segments.iter().map(|segment| segment.events_between(after, self.delivered_to)).sum::<u64>();
        self.delivered += got;
        while self.segments.len() > 1 && self.segments.front().is_some_and(|one| one.next() <= self.delivered_to + 1) {
            if let Some(oldest) = self.segments.pop_front() {
                oldest.remove();
            }
        }
    }

    /// Where the next events to send lie; none when the center has all. Read with [`read_after`], without holding the spool.
    pub fn waiting(&self) -> Option<(PathBuf, u64)> {
        let holds = |segment: &&Segment| segment.events_after(self.delivered_to) > 0;
        self.segments.iter().find(holds).map(|segment| (segment.path().to_owned(), self.delivered_to))
    }

    /// What must be synced so that all that was pushed outlives the machine; none when nothing is new.
    pub fn unsynced(&mut self) -> Option<Arc<File>> {
        let new = std::mem::take(&mut self.unsynced);
        self.segments.back().filter(|_| new).map(Segment::file)
    }

    /// Its id, and the number before the first of that id.
    pub fn id(&self) -> (&str, u64) {
        (&self.id, self.begins - 1)
    }

    /// How it is.
    pub fn counts(&self) -> SpoolCounts {
        let waiting = self.segments.iter().map(|segment| segment.events_after(self.delivered_to)).sum();
        let Self { most, dropped, delivered, .. } = *self;
        SpoolCounts { waiting, bytes: self.bytes(), most, dropped, delivered }
    }

    fn bytes(&self) -> u64 {
        self.segments.iter().map(Segment::bytes).sum()
    }
}

fn keep(folder: &Path, id: &str, begins: u64) -> io::Result<()> {
    let new = folder.join("id.new");
    fs::write(&new, format!("{id} {begins}"))?;
    fs::rename(new, folder.join(ID))
}

fn parse(text: &str) -> Option<(String, u64)> {
    let (id, begins) = text.split_once(' ')?;
    let sound = id.len() == 16 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    let begins = begins.parse().ok().filter(|begins| *begins > 0)?;
    sound.then(|| (id.to_owned(), begins))
}

const ID: &str = "id";

#[cfg(test)]
mod tests;
