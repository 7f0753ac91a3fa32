//! A store that several centers share: each has a file of its own, and all follow one log.
//!
//! In: transactions of this replica; records of all. Out: the same rows everywhere. Never here: the network (`log`), what rows mean.
//!
//! A transaction is carried out here, offered to the log as the record after the last one that this file has applied, and committed only
//! when it is that. When somebody was faster, it is rolled back, their records are applied, and it is begun anew; what was
//! planned on policy that has changed is planned anew by whoever planned it ([`StoreError::Overtaken`]). Up to where the file has
//! applied stands in the same transaction: a replica that was killed between the log and its own disk finds its own record in the log.
use std::path::Path;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use enforcer_policy::revision::Signed;
use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior, params};

use super::writing::repeat;
use super::{Kind, STEPS, Store, StoreError, Writing, number, stored};
use crate::log::{Appended, Body, Log, LogError, Origin, Read, Record};

/// Where a file is in the log.
struct Place {
    name: String,
    applied: u64,
    hash: [u8; 32],
    /// The last record of somebody else that changed policy.
    others: u64,
}

impl Store {
    /// Opens the file as one that follows this log; joins or begins the log when it does not yet.
    pub fn open_shared(path: &Path, log: Arc<Log>) -> Result<Self, StoreError> {
        let mut store = Self { log: Some(log), ..Self::file(path)? };
        let Some(name) = store.follows()? else {
            store.join()?;
            return Ok(store);
        };
        let named = store.log.as_ref().map_or("", |log| log.name()).to_owned();
        if name != named {
            return Err(LogError::Other { ours: name, named }.into());
        }
        match store.still_follows().and_then(|()| store.catch_up()) {
            // Hosts are served with what is here.
            Err(StoreError::Log(error @ (LogError::Away(_) | LogError::Unknown(_)))) => {
                tracing::warn!(%error, "starting with what is here; changes must wait for the log");
                Ok(store)
            }
            caught_up => caught_up.map(|()| store),
        }
    }

    /// The log that it shares.
    pub const fn log(&self) -> Option<&Arc<Log>> {
        self.log.as_ref()
    }

    /// The last record of somebody else that changed policy; none where nobody shares the store.
    pub fn others(&self) -> Result<Option<u64>, StoreError> {
        if self.log.is_none() {
            return Ok(None);
        }
        Ok(place(&self.connection)?.map(|place| place.others))
    }

    /// Up to which record this file has applied the log; none where nobody shares the store.
    pub fn applied(&self) -> Result<Option<u64>, StoreError> {
        Ok(place(&self.connection)?.map(|place| place.applied))
    }

    /// What of others is known to whoever plans with this.
    pub const fn basis(&self) -> Option<u64> {
        self.basis
    }

    /// Whoever plans with this knows of others up to here; a change that was planned on less is refused.
    pub const fn plan_on(&mut self, basis: Option<u64>) {
        self.basis = basis;
    }

    /// Applies what others have written. Nobody who writes waits while the log is asked.
    pub fn catch_up(&mut self) -> Result<(), StoreError> {
        let Some(log) = self.log.clone() else { return Ok(()) };
        let pen = Arc::clone(&self.pen);
        loop {
            let read = self.next_of(&log)?;
            if read.is_empty() {
                return Ok(());
            }
            let _held = pen.lock().unwrap_or_else(PoisonError::into_inner);
            self.apply(read)?;
        }
    }

    /// Whether the last record that was applied here is still what the log has there, and opens.
    fn still_follows(&self) -> Result<(), StoreError> {
        let (Some(log), Some(place)) = (&self.log, place(&self.connection)?) else { return Ok(()) };
        match log.read(place.applied.saturating_sub(1)) {
            Ok(read) if read.first().is_some_and(|first| first.hash == place.hash) => Ok(()),
            Ok(_) => Err(LogError::Diverged(place.applied).into()),
            // It is too old to be kept; the next one tells.
            Err(LogError::Begins { begins, .. }) if begins == place.applied + 1 => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// The log that the file follows.
    pub(super) fn follows(&self) -> Result<Option<String>, StoreError> {
        Ok(place(&self.connection)?.map(|place| place.name))
    }

    /// One transaction of ours; the pen is held.
    pub(super) fn write_shared<T>(
        &mut self,
        log: &Log,
        kind: Kind,
        work: impl Fn(&Writing<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let begun = Instant::now();
        loop {
            if let Some(value) = self.try_shared(log, kind, &work)? {
                return Ok(value);
            }
            self.follow(log)?;
            if begun.elapsed() > CROWD {
                return Err(LogError::Crowded.into());
            }
        }
    }

    /// One try; none when somebody was faster.
    fn try_shared<T>(
        &mut self,
        log: &Log,
        kind: Kind,
        work: &impl Fn(&Writing<'_>) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        let basis = self.basis;
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let place = place(&transaction)?.ok_or(StoreError::Meaningless("no place in its log"))?;
        if kind == Kind::Policy && basis.is_some_and(|basis| basis != place.others) {
            return Err(StoreError::Overtaken);
        }
        let writing = Writing::shared(&transaction);
        let value = work(&writing)?;
        let writes = writing.written();
        if writes.is_empty() {
            return Ok(Some(value));
        }
        let record =
            Record { tables: TABLES, before: place.hash, policy: kind == Kind::Policy, body: Body::Wrote(writes) };
        let Appended::Next(hash) = log.append(place.applied, &record)? else { return Ok(None) };
        // From here on it has happened, whatever becomes of this file.
        let kept = Place { applied: place.applied + 1, hash, ..place }.keep(&transaction);
        let kept = kept.and_then(|()| Ok(transaction.commit()?));
        log.tell();
        kept.map_err(|error| LogError::Unknown(error.to_string()))?;
        Ok(Some(value))
    }

    /// Applies records until there are no more; the pen is held.
    fn follow(&mut self, log: &Log) -> Result<(), StoreError> {
        loop {
            let read = self.next_of(log)?;
            if read.is_empty() {
                return Ok(());
            }
            self.apply(read)?;
        }
    }

    fn next_of(&self, log: &Log) -> Result<Vec<Read>, StoreError> {
        Ok(log.read(place(&self.connection)?.map_or(0, |place| place.applied))?)
    }

    fn apply(&mut self, read: Vec<Read>) -> Result<(), StoreError> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let place = place(&transaction)?.ok_or(StoreError::Meaningless("no place in its log"))?;
        read.into_iter().try_fold(place, |place, read| place.apply(&transaction, read))?.keep(&transaction)?;
        Ok(transaction.commit()?)
    }

    /// Begins the log with this file, or finds that it begins with a file like this.
    fn join(&mut self) -> Result<(), StoreError> {
        let Some(log) = self.log.clone() else { return Ok(()) };
        let pen = Arc::clone(&self.pen);
        let _held = pen.lock().unwrap_or_else(PoisonError::into_inner);
        log.make()?;
        let origin = self.origin()?;
        let record = Record { tables: TABLES, before: [0; 32], policy: false, body: Body::Begins(origin) };
        let hash = match log.append(0, &record)? {
            Appended::Next(hash) => hash,
            Appended::Late => begins_with(&log, &origin)?,
        };
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        Place { name: log.name().to_owned(), applied: 1, hash, others: 0 }.keep(&transaction)?;
        transaction.commit()?;
        self.follow(&log)
    }

    fn origin(&self) -> Result<Origin, StoreError> {
        let query = "SELECT number, hash FROM audit ORDER BY number DESC LIMIT 1";
        let audit = self.connection.query_row(query, [], |row| Ok((number(row, 0)?, row.get(1)?))).optional()?;
        let last = self.last_revision()?;
        let head = self.head(last)?.map_or([0; 32], |head| Signed::from_bytes(head).hash().0);
        Ok(Origin { audit: audit.unwrap_or_default(), revision: (last, head) })
    }
}

impl Place {
    /// After the next record.
    fn apply(self, transaction: &Transaction<'_>, read: Read) -> Result<Self, StoreError> {
        let Read { place, hash, record } = read;
        // Another process may have applied it meanwhile to the same file.
        if place <= self.applied {
            return Ok(self);
        }
        if record.tables > TABLES {
            return Err(LogError::Newer(place).into());
        }
        let Body::Wrote(writes) = &record.body else { return Err(LogError::Diverged(place).into()) };
        let follows = place == self.applied + 1 && record.before == self.hash;
        if !follows || !repeat(transaction, writes)? {
            return Err(LogError::Diverged(place).into());
        }
        let others = if record.policy { place } else { self.others };
        Ok(Self { applied: place, hash, others, ..self })
    }

    fn keep(&self, transaction: &Transaction<'_>) -> Result<(), StoreError> {
        let query = "INSERT OR REPLACE INTO log (one, name, applied, hash, others) VALUES (1, ?, ?, ?, ?)";
        let values = params![self.name, stored(self.applied)?, self.hash, stored(self.others)?];
        transaction.prepare_cached(query)?.execute(values)?;
        Ok(())
    }
}

fn place(connection: &Connection) -> Result<Option<Place>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT name, applied, hash, others FROM log")?;
    let row = statement.query_row([], |row| {
        Ok(Place { name: row.get(0)?, applied: number(row, 1)?, hash: row.get(2)?, others: number(row, 3)? })
    });
    Ok(row.optional()?)
}

/// The hash of the first record, when it is of a store like this.
fn begins_with(log: &Log, origin: &Origin) -> Result<[u8; 32], LogError> {
    let stranger = || LogError::Stranger(log.name().to_owned());
    let first = match log.read(0) {
        Ok(read) => read.into_iter().next().ok_or_else(stranger)?,
        Err(LogError::Begins { .. }) => return Err(stranger()),
        Err(error) => return Err(error),
    };
    if first.record.body == Body::Begins(*origin) { Ok(first.hash) } else { Err(stranger()) }
}

/// The version of the tables.
#[expect(clippy::cast_possible_truncation, reason = "a handful")]
const TABLES: u32 = STEPS.len() as u32;
/// How long others may be faster each time.
const CROWD: Duration = Duration::from_secs(20);
