//! Inventories of hosts, and what people said of endpoints, in a file of their own.
//!
//! In: packed inventories, the last one of each host; marks. Out: rows. Never here: what an inventory says. Hosts that were not heard of for a month are
//! forgotten.
use std::path::Path;

use enforcer_policy::Moment;
use rusqlite::{Connection, params};
use serde::Serialize;

use super::{MONTH, PATIENCE, StoreError, moment, stored};

/// Endpoints that bear a mark.
const MOST_MARKS: u64 = 100_000;

/// The inventories.
pub struct ApiStore {
    connection: Connection,
}

/// What a host knows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Known {
    /// The host.
    pub host: String,
    /// When it told.
    pub received: Moment,
    /// Its inventory.
    pub packed: Vec<u8>,
}

/// What somebody said of an endpoint.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Mark {
    /// Its service.
    pub service: String,
    /// Its method.
    pub method: String,
    /// Its path, parameters in braces.
    pub path: String,
    /// `reviewed`, `accepted` or `unwanted`.
    pub mark: String,
    /// Who.
    pub author: String,
    /// When.
    pub time: Moment,
    /// Why.
    pub comment: String,
    /// How it looked then.
    #[serde(skip)]
    pub likeness: u64,
}

impl ApiStore {
    /// Opens the file; makes it when it is not there.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let connection = Connection::open(path)?;
        connection.busy_timeout(PATIENCE)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
        match found {
            0 => connection.execute_batch(include_str!("apis.sql"))?,
            VERSION => {}
            found => return Err(StoreError::Version { found, ours: VERSION }),
        }
        Ok(Self { connection })
    }

    /// A host tells what it knows, in place of what it knew.
    pub fn keep(&mut self, known: &Known) -> Result<(), StoreError> {
        let received = stored(known.received.0)?;
        self.connection.execute(
            "INSERT INTO inventories (host, received, packed) VALUES (?, ?, ?) \
             ON CONFLICT (host) DO UPDATE SET received = excluded.received, packed = excluded.packed",
            params![known.host, received, known.packed],
        )?;
        let past = stored(known.received.0.saturating_sub(MONTH))?;
        self.connection.execute("DELETE FROM inventories WHERE received < ?", [past])?;
        Ok(())
    }

    /// A host is none of ours any more.
    pub fn forget(&mut self, host: &str) -> Result<(), StoreError> {
        self.connection.execute("DELETE FROM inventories WHERE host = ?", [host])?;
        Ok(())
    }

    /// What all hosts know.
    pub fn all(&self) -> Result<Vec<Known>, StoreError> {
        let mut statement =
            self.connection.prepare_cached("SELECT host, received, packed FROM inventories ORDER BY host")?;
        let rows = statement
            .query_map([], |row| Ok(Known { host: row.get(0)?, received: moment(row, 1)?, packed: row.get(2)? }))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Marks an endpoint; false when there are too many marks.
    pub fn mark(&mut self, mark: &Mark) -> Result<bool, StoreError> {
        let changed = self.connection.execute(
            "INSERT INTO marks (service, method, path, mark, author, time, comment, likeness) \
             SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8 WHERE (SELECT count(*) FROM marks) < ?9 \
             OR EXISTS (SELECT 1 FROM marks WHERE service = ?1 AND method = ?2 AND path = ?3) \
             ON CONFLICT (service, method, path) DO UPDATE SET mark = excluded.mark, author = excluded.author, \
             time = excluded.time, comment = excluded.comment, likeness = excluded.likeness",
            params![
                mark.service,
                mark.method,
                mark.path,
                mark.mark,
                mark.author,
                stored(mark.time.0)?,
                mark.comment,
                format!("{:016x}", mark.likeness),
                stored(MOST_MARKS)?,
            ],
        )?;
        Ok(changed > 0)
    }

    /// Takes a mark off; false when there was none.
    pub fn unmark(&mut self, service: &str, method: &str, path: &str) -> Result<bool, StoreError> {
        let query = "DELETE FROM marks WHERE service = ? AND method = ? AND path = ?";
        Ok(self.connection.execute(query, [service, method, path])? > 0)
    }

    /// All marks.
    pub fn marks(&self) -> Result<Vec<Mark>, StoreError> {
        let query = "SELECT service, method, path, mark, author, time, comment, likeness FROM marks ORDER BY service, path, method";
        let mut statement = self.connection.prepare_cached(query)?;
        let rows = statement.query_map([], |row| {
            let likeness: String = row.get(7)?;
            Ok(Mark {
                service: row.get(0)?,
                method: row.get(1)?,
                path: row.get(2)?,
                mark: row.get(3)?,
                author: row.get(4)?,
                time: moment(row, 5)?,
                comment: row.get(6)?,
                likeness: u64::from_str_radix(&likeness, 16).unwrap_or_default(),
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

const VERSION: i64 = 1;
