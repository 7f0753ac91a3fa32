//! The embedded store: one SQLite file. The only room with SQL.
//!
//! In: values of the center. Out: rows, durable when a call returns. Never here: what they mean. Several processes may hold the
//! file (the command line beside the running center): every writing call is one immediate transaction.
mod acts;
mod audit;
mod events;
mod hosts;
mod proposals;
mod replies;
mod revisions;
mod rollout;
mod snapshot;
mod tokens;
mod trial;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use enforcer_policy::Moment;
use rusqlite::{Connection, Transaction, TransactionBehavior};

pub use audit::{AuditEntry, Broken};
pub use events::{Batch, EventStore, KeptEvent, MOST as MOST_EVENTS, Wanted, gap};
pub use hosts::{Ack, Held, Host, Said, Skipped, Traffic};
pub use proposals::ProposalRow;
pub use revisions::{Along, Row};
pub use rollout::RolloutRow;
pub use snapshot::{SnapshotFile, SnapshotRow};
pub use tokens::{Enrolment, Role, Token};
pub use trial::TrialRow;

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
}

/// The store.
pub struct Store {
    connection: Connection,
    path: PathBuf,
    /// Who writes. SQLite itself has writers ask again after a while, and none knows when its turn comes.
    pen: Arc<Mutex<()>>,
}

impl Store {
    /// Opens the file; makes it when it is not there.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let connection = connection(path)?;
        let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
        let missing = usize::try_from(found).ok().and_then(|found| STEPS.get(found..));
        let missing =
            missing.ok_or(StoreError::Version { found, ours: i64::try_from(STEPS.len()).unwrap_or(i64::MAX) })?;
        connection.execute_batch(&missing.concat())?;
        Ok(Self { connection, path: path.to_owned(), pen: Arc::default() })
    }

    /// Another connection to the same file, for whoever must not wait until this one is free. Both write in turns.
    pub fn beside(&self) -> Result<Self, StoreError> {
        Ok(Self { connection: connection(&self.path)?, path: self.path.clone(), pen: Arc::clone(&self.pen) })
    }

    /// One transaction, begun as a writer so that nothing it has read changes before it writes.
    fn write<T>(&mut self, work: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let pen = Arc::clone(&self.pen);
        // Who panicked has written all or nothing.
        let _held = pen.lock().unwrap_or_else(PoisonError::into_inner);
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let value = work(&transaction)?;
        transaction.commit()?;
        Ok(value)
    }
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
/// What each version brought: the first one its tables, each later one what came with it.
const STEPS: [&str; 6] = [
    include_str!("schema.sql"),
    include_str!("trials.sql"),
    include_str!("reported.sql"),
    include_str!("found.sql"),
    include_str!("proposals.sql"),
    include_str!("rollout.sql"),
];

#[cfg(test)]
mod tests;
