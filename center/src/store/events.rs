//! Events of hosts, in a file of their own, so that a flood of them never makes policy wait.
//!
//! In: batches, as hosts send them: at least once. Out: each once, numbered; pages; cursors of exports. Never here: what an event
//! means. Bounded: past [`MOST`] the oldest go; whoever has not read them sees it by the numbers.
use std::path::Path;

use enforcer_policy::{Event, EventKind, Moment};
use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior, params};
use serde::{Deserialize, Serialize};

use super::{PATIENCE, StoreError, moment, number, stored};
use crate::clock;

/// Events that are kept.
pub const MOST: u64 = 2_000_000;
/// Lives of one host that are told apart.
const LIVES: i64 = 8;

/// The events.
pub struct EventStore {
    connection: Connection,
    most: u64,
}

/// An event that is kept.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct KeptEvent {
    /// The center's own number: 1, 2, 3, ... over all hosts.
    pub number: u64,
    /// Which host told it.
    pub host: String,
    /// The life of that host that `sequence` counts within; empty for what the center adds.
    pub spool: String,
    /// When it arrived.
    pub received: Moment,
    /// The event.
    #[serde(flatten)]
    pub event: Event,
}

/// A batch of a host.
#[derive(Clone, Debug, Deserialize)]
pub struct Batch {
    /// The host's life.
    pub spool: String,
    /// The number before the first of that life.
    pub after: u64,
    /// Events, oldest first.
    pub events: Vec<Event>,
}

/// Which events.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Behind this number.
    pub after: u64,
    /// At most so many.
    pub limit: usize,
    /// Only of this host.
    pub host: Option<String>,
    /// Only of this kind.
    pub kind: Option<EventKind>,
    /// Only on this service.
    pub service: Option<String>,
    /// Only from this time on.
    pub since: Option<Moment>,
}

impl EventStore {
    /// Opens the file; makes it when it is not there.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let connection = Connection::open(path)?;
        connection.busy_timeout(PATIENCE)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
        match found {
            0 => connection.execute_batch(include_str!("events.sql"))?,
            VERSION => {}
            found => return Err(StoreError::Version { found, ours: VERSION }),
        }
        Ok(Self { connection, most: MOST })
    }

    /// The same, with another bound.
    #[must_use]
    pub fn bounded(mut self, most: u64) -> Self {
        self.most = most;
        self
    }

    /// Counts what is new of a batch, and tells up to where everything of that life is here. What the host could not keep becomes a
    /// gap of its own. All of it, or nothing.
    pub fn take(&mut self, host: &str, batch: Batch) -> Result<u64, StoreError> {
        let most = self.most;
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let now = clock::now();
        let query = "SELECT last FROM spools WHERE host = ? AND spool = ?";
        let known = transaction.query_row(query, params![host, batch.spool], |row| number(row, 0)).optional()?;
        // A life that was forgotten may have events here still: none counts twice.
        let query = "SELECT coalesce(max(sequence), 0) FROM events WHERE host = ? AND spool = ?";
        let kept = || transaction.query_row(query, params![host, batch.spool], |row| number(row, 0));
        let mut last = known.map_or_else(|| kept().map(|kept| kept.max(batch.after)), Ok)?;
        let before = last;
        for event in batch.events {
            if event.sequence <= last {
                continue;
            }
            if event.sequence > last + 1 {
                insert(&transaction, host, "", now, &gap(now, last + 1, event.sequence - 1, "by the host"))?;
            }
            last = event.sequence;
            insert(&transaction, host, &batch.spool, now, &event.clipped())?;
        }
        if known.is_none() || last != before {
            note(&transaction, host, &batch.spool, last, now)?;
            // Numbers have no holes: this is the bound.
            transaction
                .execute("DELETE FROM events WHERE number <= (SELECT max(number) FROM events) - ?", [stored(most)?])?;
        }
        transaction.commit()?;
        Ok(last)
    }

    /// Adds events of the center itself.
    pub fn add(&mut self, host: &str, events: Vec<Event>) -> Result<(), StoreError> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let now = clock::now();
        events.into_iter().try_for_each(|event| insert(&transaction, host, "", now, &event.clipped()))?;
        Ok(transaction.commit()?)
    }

    /// A page, oldest first.
    pub fn page(&self, wanted: &Wanted) -> Result<Vec<KeptEvent>, StoreError> {
        let query = "SELECT number, host, spool, received, body FROM events WHERE number > ?1 \
             AND (?2 IS NULL OR host = ?2) AND (?3 IS NULL OR kind = ?3) \
             AND (?4 IS NULL OR json_extract(body, '$.service') = ?4) \
             AND (?5 IS NULL OR json_extract(body, '$.time') >= ?5) ORDER BY number LIMIT ?6";
        let mut statement = self.connection.prepare_cached(query)?;
        let kind = wanted.kind.map(EventKind::name);
        let since = wanted.since.map(|since| stored(since.0)).transpose()?;
        let (after, limit) = (stored(wanted.after)?, stored(wanted.limit as u64)?);
        let rows = statement.query_map(params![after, wanted.host, kind, wanted.service, since, limit], kept)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The greatest number; 0 when there is none.
    pub fn last(&self) -> Result<u64, StoreError> {
        Ok(self.connection.query_row("SELECT coalesce(max(number), 0) FROM events", [], |row| number(row, 0))?)
    }

    /// Up to where an export has brought events; none for one that never did.
    pub fn cursor(&self, export: &str) -> Result<Option<u64>, StoreError> {
        let query = "SELECT number FROM cursors WHERE export = ?";
        Ok(self.connection.query_row(query, [export], |row| number(row, 0)).optional()?)
    }

    /// An export has brought all up to this number.
    pub fn keep_cursor(&mut self, export: &str, reached: u64) -> Result<(), StoreError> {
        let query = "INSERT INTO cursors (export, number) VALUES (?, ?) \
             ON CONFLICT (export) DO UPDATE SET number = excluded.number";
        self.connection.execute(query, params![export, stored(reached)?])?;
        Ok(())
    }
}

/// The words for events that are missing.
pub fn gap(now: Moment, first: u64, last: u64, whose: &str) -> Event {
    let count = last + 1 - first;
    let message = format!("events {first} to {last} were given up {whose}: there was no room for them");
    let severity = Some("medium".to_owned());
    Event { count: Some(count), severity, ..Event::new(EventKind::Gap, now, "lost", message) }
}

fn insert(
    transaction: &Transaction<'_>,
    host: &str,
    spool: &str,
    now: Moment,
    event: &Event,
) -> Result<(), StoreError> {
    let body = serde_json::to_string(event).map_err(|_unwritable| StoreError::Meaningless("an event"))?;
    let sequence = (event.sequence > 0).then(|| stored(event.sequence)).transpose()?;
    let mut statement = transaction
        .prepare_cached("INSERT INTO events (host, spool, sequence, received, kind, body) VALUES (?, ?, ?, ?, ?, ?)")?;
    statement.execute(params![host, spool, sequence, stored(now.0)?, event.kind.name(), body])?;
    Ok(())
}

/// How far a host's life is counted. Lives that nobody has heard of for longest are forgotten.
fn note(transaction: &Transaction<'_>, host: &str, spool: &str, last: u64, now: Moment) -> Result<(), StoreError> {
    transaction.execute(
        "INSERT INTO spools (host, spool, last, seen) VALUES (?, ?, ?, ?) \
         ON CONFLICT (host, spool) DO UPDATE SET last = excluded.last, seen = excluded.seen",
        params![host, spool, stored(last)?, stored(now.0)?],
    )?;
    transaction.execute(
        "DELETE FROM spools WHERE host = ?1 AND spool NOT IN \
         (SELECT spool FROM spools WHERE host = ?1 ORDER BY seen DESC, spool = ?2 DESC LIMIT ?3)",
        params![host, spool, LIVES],
    )?;
    Ok(())
}

fn kept(row: &rusqlite::Row<'_>) -> rusqlite::Result<KeptEvent> {
    let body: String = row.get(4)?;
    Ok(KeptEvent {
        number: number(row, 0)?,
        host: row.get(1)?,
        spool: row.get(2)?,
        received: moment(row, 3)?,
        event: serde_json::from_str(&body).unwrap_or_default(),
    })
}

const VERSION: i64 = 1;
