//! The journal on disk.
//!
//! In: [`Record`]s. Out: the promise that what was committed comes back. Never here: what records mean.
//!
//! Failure contract: what was appended since the last [`Journal::commit`] is there as a whole or, when `append` or `commit`
//! returns an error, not at all. A crash before `commit` returns keeps some of it, always whole records in order.
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::frame::{HEADER, LARGEST, Opening, VERSION, opening, push};
use super::replay::{Foreign, Scan, scan};
use super::tally::Tally;
use super::tape::{Tape, sync_directory};
use super::{Record, Recovered, StoreError, Torn, form, snapshot};

/// The journal of one state directory, locked while this exists.
#[derive(Debug)]
pub struct Journal {
    _lock: File,
    dir: PathBuf,
    tape: Tape,
    /// Framed records that are not in the file yet.
    pending: Vec<u8>,
    tally: Tally,
    committed: Tally,
}

impl Journal {
    /// Opens the journal in `dir`, makes one where there is none, and says what is in it.
    ///
    /// What cannot be read, at the end or between, is moved to a file beside the journal and reported.
    pub fn open(dir: &Path) -> Result<(Self, Recovered), StoreError> {
        DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(StoreError::io("create", dir))?;
        let lock = lock(dir)?;
        forget_new(dir);
        let existing = Tape::open(dir.join(NAME))?;
        let (tape, scan) = match existing {
            None => (begin(dir)?, Scan::default()),
            Some((tape, bytes)) => read(dir, tape, &bytes)?,
        };
        let Scan { recovered, tally, older, damaged, .. } = scan;
        let mut journal = Self { _lock: lock, dir: dir.to_owned(), tape, pending: Vec::new(), tally, committed: tally };
        if older || !damaged.is_empty() {
            // What is damaged must not be met again. And from now on there will be records that older agents cannot read: the header must say so.
            journal.compact(&snapshot(&recovered.decisions, &recovered.allowed, recovered.bypass))?;
        }
        Ok((journal, recovered))
    }

    /// Adds a record; it is safe once [`Self::commit`] has returned.
    pub fn append(&mut self, record: &Record) -> Result<(), StoreError> {
        if self.tape.is_suspect() {
            return Err(StoreError::Suspect { path: self.tape.path().to_owned() });
        }
        let before = self.pending.len();
        frame(record, &mut self.pending)?;
        self.tally.take(record, (self.pending.len() - before) as u64);
        if self.pending.len() >= BUFFER { self.flush() } else { Ok(()) }
    }

    /// Returns when everything appended is on the disk.
    pub fn commit(&mut self) -> Result<(), StoreError> {
        self.flush()?;
        let synced = self.tape.sync();
        self.or_back(synced)?;
        self.committed = self.tally;
        Ok(())
    }

    /// True when more of the file is over than still matters, or when only a new file can be trusted.
    pub fn wants_compaction(&self) -> bool {
        self.tape.is_suspect() || self.tally.is_mostly_dead(self.tape.end() + self.pending.len() as u64)
    }

    /// Replaces the journal by one that holds `live` and nothing else; see [`super::snapshot`].
    ///
    /// `live` must hold what was appended and not yet committed, too. On failure the old journal goes on unchanged.
    pub fn compact(&mut self, live: &[Record]) -> Result<(), StoreError> {
        let mut new = self.tape.sibling(NEW)?;
        fill(&mut new, live).and_then(|()| new.rename(&self.dir.join(NAME))).inspect_err(|_| forget_new(&self.dir))?;
        // From here the name means the new file, whatever comes.
        self.tally = Tally::of(live, new.end());
        self.committed = self.tally;
        self.tape = new;
        self.pending.clear();
        sync_directory(&self.dir)
    }

    /// For tests that fill the disk.
    #[cfg(test)]
    pub(super) fn tape(&mut self) -> &mut Tape {
        &mut self.tape
    }

    fn flush(&mut self) -> Result<(), StoreError> {
        let written = self.tape.write(&self.pending);
        self.pending.clear();
        self.or_back(written)
    }

    /// The file takes back what was not committed; so does the account.
    fn or_back(&mut self, result: Result<(), StoreError>) -> Result<(), StoreError> {
        if result.is_err() {
            self.tally = self.committed;
        }
        result
    }
}

/// Takes the lock of the directory.
fn lock(dir: &Path) -> Result<File, StoreError> {
    let path = dir.join(LOCK);
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(StoreError::io("open", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::Locked { path }),
        Err(TryLockError::Error(error)) => Err(StoreError::io("lock", &path)(error)),
    }
}

/// Frees the room of an unfinished replacement; where that fails, the next one replaces it.
fn forget_new(dir: &Path) {
    let _ = fs::remove_file(dir.join(NEW));
}

/// A journal without records, complete before it has its name.
fn begin(dir: &Path) -> Result<Tape, StoreError> {
    let mut tape = Tape::create(dir.join(NEW))?;
    fill(&mut tape, &[])?;
    tape.rename(&dir.join(NAME))?;
    sync_directory(dir)?;
    Ok(tape)
}

/// Writes a whole journal.
fn fill(tape: &mut Tape, records: &[Record]) -> Result<(), StoreError> {
    let mut buffer = HEADER.as_bytes().to_vec();
    for record in records {
        frame(record, &mut buffer)?;
        if buffer.len() >= BUFFER {
            tape.write(&buffer)?;
            buffer.clear();
        }
    }
    tape.write(&buffer)?;
    tape.sync()
}

/// Appends a record in its frame to `out`.
fn frame(record: &Record, out: &mut Vec<u8>) -> Result<(), StoreError> {
    let payload = form::write(record).map_err(StoreError::Encode)?;
    if push(out, &payload) { Ok(()) } else { Err(StoreError::TooLarge { bytes: payload.len(), limit: LARGEST }) }
}

/// Reads an existing journal and moves an unreadable end out of the way.
fn read(dir: &Path, mut tape: Tape, bytes: &[u8]) -> Result<(Tape, Scan), StoreError> {
    let path = tape.path().to_owned();
    match opening(bytes) {
        Opening::Strange => return Err(StoreError::Header { path }),
        Opening::Other(found) => return Err(StoreError::Version { path, found, known: VERSION }),
        Opening::Cut => {
            let mut scan = Scan::default();
            if !bytes.is_empty() {
                scan.recovered.torn = Some(save_tail(dir, 0, bytes)?);
            }
            return Ok((begin(dir)?, scan));
        }
        Opening::Ours | Opening::Older => {}
    }
    let mut scan = scan(bytes).map_err(|Foreign(offset)| StoreError::Foreign { path, offset })?;
    let tail = usize::try_from(scan.end).ok().and_then(|end| bytes.get(end..)).unwrap_or_default();
    let unread: Vec<&[u8]> =
        scan.damaged.iter().filter_map(|(from, until)| bytes.get(*from..*until)).chain([tail]).collect();
    let unread = unread.concat();
    if !unread.is_empty() {
        let torn = save_tail(dir, scan.records, &unread)?;
        scan.recovered.torn = Some(Torn { inside: scan.damaged.len(), ..torn });
    }
    if !tail.is_empty() {
        tape.cut(scan.end)?;
    }
    scan.older = opening(bytes) == Opening::Older;
    Ok((tape, scan))
}

/// Keeps what could not be read in a file of its own.
fn save_tail(dir: &Path, kept_records: u64, tail: &[u8]) -> Result<Torn, StoreError> {
    let names = (1_u32..).map(|number| dir.join(format!("{NAME}.torn-{number}")));
    for path in names {
        let created = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        let mut file = match created {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
            Err(error) => return Err(StoreError::io("create", &path)(error)),
        };
        file.write_all(tail).and_then(|()| file.sync_all()).map_err(StoreError::io("write", &path))?;
        sync_directory(dir)?;
        return Ok(Torn { kept_records, inside: 0, lost_bytes: tail.len() as u64, saved_as: path });
    }
    Err(StoreError::io("create", dir)(io::ErrorKind::AlreadyExists.into()))
}

const NAME: &str = "journal";
const NEW: &str = "journal.new";
const LOCK: &str = "lock";
/// More than this goes to the file before the commit.
const BUFFER: usize = 1 << 20;
