//! One file of the spool.
//!
//! In: numbered events. Out: the same, and how many; a torn end is cut off when the file is opened. Never here: which file goes when.
use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A file of events.
#[derive(Debug)]
pub(super) struct Segment {
    path: PathBuf,
    file: Arc<File>,
    first: u64,
    bytes: u64,
    /// Stretches of numbers without a gap: first and last.
    runs: Vec<(u64, u64)>,
}

/// Events to send, as they stand in the file.
#[derive(Debug, Default)]
pub struct Piece {
    /// JSON, one after the other.
    pub events: Vec<Vec<u8>>,
    /// The number of the last.
    pub last: u64,
}

impl Segment {
    /// A new one, whose first event will have this number.
    pub(super) fn create(folder: &Path, first: u64) -> io::Result<Self> {
        let path = folder.join(format!("{first:020}"));
        let file = options().create(true).truncate(true).open(&path)?;
        Ok(Self { path, file: Arc::new(file), first, bytes: 0, runs: Vec::new() })
    }

    /// All in a folder, oldest first.
    pub(super) fn all(folder: &Path) -> io::Result<VecDeque<Self>> {
        let mut firsts = Vec::new();
        for entry in fs::read_dir(folder)? {
            let name = entry?.file_name();
            firsts.extend(name.to_str().filter(|name| name.len() == 20).and_then(|name| name.parse::<u64>().ok()));
        }
        firsts.sort_unstable();
        firsts.into_iter().map(|first| Self::open(folder, first.max(1))).collect()
    }

    fn open(folder: &Path, first: u64) -> io::Result<Self> {
        let path = folder.join(format!("{first:020}"));
        let kept = fs::read(&path)?;
        let file = options().open(&path)?;
        let mut segment = Self { path, file: Arc::new(file), first, bytes: 0, runs: Vec::new() };
        let mut frames = Frames(&kept);
        for (number, _) in frames.by_ref() {
            segment.note(number);
        }
        segment.bytes = (kept.len() - frames.0.len()) as u64;
        segment.file.set_len(segment.bytes)?;
        Ok(segment)
    }

    /// Adds an event. When that fails, the file is as it was.
    pub(super) fn append(&mut self, number: u64, json: &[u8]) -> io::Result<()> {
        let payload = [&number.to_le_bytes()[..], json].concat();
        let length = u32::try_from(payload.len()).map_err(|_long| io::ErrorKind::FileTooLarge)?.to_le_bytes();
        let frame = [&length[..], &checksum(length, &payload).to_le_bytes(), &payload].concat();
        if let Err(error) = self.file.write_all_at(&frame, self.bytes) {
            // What was written of it is cut off at the next start, too.
            let _ = self.file.set_len(self.bytes);
            return Err(error);
        }
        self.bytes += frame.len() as u64;
        self.note(number);
        Ok(())
    }

    fn note(&mut self, number: u64) {
        match self.runs.last_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            _ => self.runs.push((number, number)),
        }
    }

    pub(super) const fn first(&self) -> u64 {
        self.first
    }

    /// One more than its last number.
    pub(super) fn next(&self) -> u64 {
        self.runs.last().map_or(self.first, |(_, last)| last + 1)
    }

    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn file(&self) -> Arc<File> {
        Arc::clone(&self.file)
    }

    /// How many have a greater number than `after`.
    pub(super) fn events_after(&self, after: u64) -> u64 {
        self.events_between(after, u64::MAX)
    }

    /// How many have a greater number than `after`, and none greater than `to`.
    pub(super) fn events_between(&self, after: u64, to: u64) -> u64 {
        let within =
            |(first, last): &(u64, u64)| ((*last).min(to) + 1).saturating_sub((*first).max(after.saturating_add(1)));
        self.runs.iter().map(within).sum()
    }

    /// Becomes another one, with a file that refuses what is written.
    #[cfg(test)]
    pub(super) fn stand_in(&mut self, file: File, other: &Self) {
        let (path, runs) = (other.path.clone(), other.runs.clone());
        *self = Self { path, file: Arc::new(file), first: other.first, bytes: other.bytes, runs };
    }

    /// Its events are no longer needed.
    pub(super) fn remove(&self) {
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::warn!(%error, path = %self.path.display(), "a file of the spool could not be removed");
        }
    }
}

/// Events of a file with a greater number than `after`: at most `most`, and no more bytes than one past `bytes`.
pub fn read_after(path: &Path, after: u64, most: usize, bytes: usize) -> io::Result<Piece> {
    let kept = fs::read(path)?;
    let mut piece = Piece { events: Vec::new(), last: after };
    let mut size = 0;
    for (number, json) in Frames(&kept).skip_while(|(number, _)| *number <= after) {
        if piece.events.len() == most || size > bytes {
            break;
        }
        size += json.len();
        piece.events.push(json.to_vec());
        piece.last = number;
    }
    Ok(piece)
}

/// The whole frames of a file; afterwards it holds what is no whole one.
struct Frames<'b>(&'b [u8]);

impl<'b> Iterator for Frames<'b> {
    type Item = (u64, &'b [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (length, rest) = self.0.split_first_chunk()?;
        let (sum, rest) = rest.split_first_chunk()?;
        let (payload, rest) = rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
        if u32::from_le_bytes(*sum) != checksum(*length, payload) {
            return None;
        }
        let (number, json) = payload.split_first_chunk()?;
        self.0 = rest;
        Some((u64::from_le_bytes(*number), json))
    }
}

fn checksum(length: [u8; 4], payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&length);
    hasher.update(payload);
    hasher.finalize()
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600);
    options
}
