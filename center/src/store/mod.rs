//! The embedded store: one SQLite file. The only room with SQL.
//!
//! In: values of the center. Out: rows, durable when a call returns. Never here: what they mean. Several processes may hold the
//! file (the command line beside the running center): every writing call is one immediate transaction.
//!
//! Where several centers share a store, each has such a file, and follows one log (`shared`): a transaction is a record there before it is
//! committed here.
mod acts;
mod apis;
mod audit;
mod events;
mod hosts;
mod modules;
mod proposals;
mod replies;
mod revisions;
mod rollout;
mod shared;
mod snapshot;
mod tokens;
mod trial;
mod writing;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use enforcer_policy::Moment;
use rusqlite::{Connection, TransactionBehavior};

use crate::log::{Log, LogError};

pub use apis::{ApiStore, Known as KnownApis, Mark};
pub use audit::{AuditEntry, Broken};
pub use events::{Batch, EventStore, KeptEvent, MOST as MOST_EVENTS, Wanted, gap};
pub use hosts::{Ack, Held, Host, Said, Skipped, Traffic};
pub use modules::{HostTold, ModuleStore, Published};
pub use proposals::ProposalRow;
pub use replies::ReplyRow;
pub use revisions::{Along, Row};
pub use rollout::RolloutRow;
pub use snapshot::{SnapshotFile, SnapshotRow};
pub use tokens::{Enrolment, Role, Token, is_source};
pub use trial::TrialRow;
use writing::Writing;

/// A change, packed, and its bytes when it is unpacked.
pub type Packed = (Vec<u8>, usize);

/// What the store could not do.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// SQLite says no.
    #[error("the store: {0}")]
    Sql(#[from] rusqlite::Error),
    /// A number that SQLite cannot hold, or a value that nobody wrote.
    #[error("the store holds {0}, which means nothing")]
    Meaningless(&'static str),
    /// A file beside it.
    #[error("{path}: {source}", path = path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// Of another version.
    #[error("the store is of version {found}, and this program reads {ours}: use the program that made it, or upgrade")]
    Version {
        /// In the file.
        found: i64,
        /// Of this program.
        ours: i64,
    },
    /// The log that it shares with other replicas says no.
    #[error("{0}")]
    Log(#[from] LogError),
    /// Another replica has changed the policy meanwhile: what was planned must be planned anew.
    #[error("another center has changed the policy meanwhile")]
    Overtaken,
}

/// The store.
pub struct Store {
    connection: Connection,
    path: PathBuf,
    /// Who writes. SQLite itself has writers ask again after a while, and none knows when its turn comes.
    pen: Arc<Mutex<()>>,
    log: Option<Arc<Log>>,
    /// What of others is known to whoever plans changes of policy with this; none for those who do not.
    basis: Option<u64>,
}

impl Store {
    /// Opens the file; makes it when it is not there.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let store = Self::file(path)?;
        match store.follows()? {
            Some(name) => Err(LogError::Needed(name).into()),
            None => Ok(store),
        }
    }

    fn file(path: &Path) -> Result<Self, StoreError> {
        let connection = connection(path)?;
        let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
        let missing = usize::try_from(found).ok().and_then(|found| STEPS.get(found..));
        let missing =
            missing.ok_or(StoreError::Version { found, ours: i64::try_from(STEPS.len()).unwrap_or(i64::MAX) })?;
        connection.execute_batch(&missing.concat())?;
        Ok(Self { connection, path: path.to_owned(), pen: Arc::default(), log: None, basis: None })
    }

    /// Another connection to the same file, for whoever must not wait until this one is free. Both write in turns.
    pub fn beside(&self) -> Result<Self, StoreError> {
        let (pen, log) = (Arc::clone(&self.pen), self.log.clone());
        Ok(Self { connection: connection(&self.path)?, path: self.path.clone(), pen, log, basis: None })
    }

    /// One transaction, begun as a writer so that nothing it has read changes before it writes.
    fn write<T>(&mut self, work: impl Fn(&Writing<'_>) -> Result<T, StoreError>) -> Result<T, StoreError> {
        self.write_as(Kind::Other, work)
    }

    /// The same, of what policy depends on: others who plan changes must know of it.
    fn write_policy<T>(&mut self, work: impl Fn(&Writing<'_>) -> Result<T, StoreError>) -> Result<T, StoreError> {
        self.write_as(Kind::Policy, work)
    }

    fn write_as<T>(
        &mut self,
        kind: Kind,
        work: impl Fn(&Writing<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let pen = Arc::clone(&self.pen);
        // Who panicked has written all or nothing.
        let _held = pen.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(log) = self.log.clone() {
            return self.write_shared(&log, kind, work);
        }
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let value = work(&Writing::alone(&transaction))?;
        transaction.commit()?;
        Ok(value)
    }
}

/// What a transaction is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Policy,
    Other,
}

fn connection(path: &Path) -> Result<Connection, StoreError> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(PATIENCE)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", "ON")?;
    Ok(connection)
}

fn stored(number: u64) -> Result<i64, StoreError> {
    i64::try_from(number).map_err(|_wide| StoreError::Meaningless("a number past its end"))
}

fn number(row: &rusqlite::Row<'_>, index: usize) -> rusqlite::Result<u64> {
    let value: i64 = row.get(index)?;
    Ok(u64::try_from(value).unwrap_or(0))
}

fn moment(row: &rusqlite::Row<'_>, index: usize) -> rusqlite::Result<Moment> {
    number(row, index).map(Moment)
}

const PATIENCE: Duration = Duration::from_secs(5);
/// Milliseconds after which what a host told is of the past.
const MONTH: u64 = 30 * 24 * 3_600_000;
/// What each version brought: the first one its tables, each later one what came with it.
const STEPS: [&str; 7] = [
    include_str!("schema.sql"),
    include_str!("trials.sql"),
    include_str!("reported.sql"),
    include_str!("found.sql"),
    include_str!("proposals.sql"),
    include_str!("rollout.sql"),
    include_str!("log.sql"),
];

#[cfg(test)]
mod tests;
