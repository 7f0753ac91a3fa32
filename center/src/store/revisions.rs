//! Revisions.
//!
//! In: signed heads and packed deltas. Out: the same bytes. Never here: what is in them.
use rusqlite::{OptionalExtension as _, params};

use super::{ReplyRow, RolloutRow, Store, StoreError, TrialRow, Writing, audit, number, proposals, stored};

/// A revision as it is kept.
pub struct Row {
    /// Its number.
    pub number: u64,
    /// Its signed head.
    pub head: Vec<u8>,
    /// What it changes, packed.
    pub delta: Vec<u8>,
    /// Bytes of that when it is unpacked.
    pub plain: usize,
}

/// What happens together with a revision, or both do not.
#[derive(Clone, Debug)]
pub enum Along {
    /// A proposal is carried out.
    Approved {
        /// Which.
        proposal: u64,
        /// Who stands for it.
        who: String,
    },
    /// Somebody has done more than this.
    Noted {
        /// Who.
        who: String,
        /// What, one word of the audit log's list.
        what: &'static str,
        /// About what.
        detail: String,
    },
    /// The answer to the request that asked for it.
    Answered(Box<ReplyRow>),
    /// It is on trial.
    BeginsTrial(Box<TrialRow>),
    /// The trial is over.
    EndsTrial,
    /// A rollout is at this.
    Rollout(Box<RolloutRow>),
}

impl Along {
    pub(super) fn happen(&self, transaction: &Writing<'_>, revision: u64) -> Result<(), StoreError> {
        match self {
            Self::Approved { proposal, who } => {
                let detail = format!("it is revision {revision}");
                proposals::close(transaction, *proposal, who, "proposal approved", &detail)?;
            }
            Self::Noted { who, what, detail } => audit::append(transaction, who, what, detail)?,
            Self::Answered(row) => row.keep(transaction)?,
            Self::BeginsTrial(row) => row.keep(transaction)?,
            Self::EndsTrial => drop(transaction.execute("DELETE FROM trial", &[])?),
            Self::Rollout(row) => row.keep(transaction)?,
        }
        Ok(())
    }
}

impl Store {
    /// Adds a revision, with its audit entry and what goes along with it; a number that is there fails.
    pub fn publish(
        &mut self,
        row: &Row,
        who: &str,
        what: &str,
        detail: &str,
        along: &[Along],
    ) -> Result<(), StoreError> {
        self.write_policy(|transaction| {
            transaction.execute(
                "INSERT INTO revisions (number, head, delta, plain) VALUES (?, ?, ?, ?)",
                params![stored(row.number)?, row.head, row.delta, stored(row.plain as u64)?],
            )?;
            audit::append(transaction, who, what, detail)?;
            along.iter().try_for_each(|one| one.happen(transaction, row.number))
        })
    }

    /// The greatest number; 0 when there is none.
    pub fn last_revision(&self) -> Result<u64, StoreError> {
        let query = "SELECT coalesce(max(number), 0) FROM revisions";
        Ok(self.connection.query_row(query, [], |row| number(row, 0))?)
    }

    /// Revisions after a number, oldest first.
    pub fn revisions(&self, after: u64, limit: usize) -> Result<Vec<Row>, StoreError> {
        let query = "SELECT number, head, delta, plain FROM revisions WHERE number > ? ORDER BY number LIMIT ?";
        let mut statement = self.connection.prepare_cached(query)?;
        let rows = statement.query_map(params![stored(after)?, stored(limit as u64)?], |row| {
            let plain = usize::try_from(number(row, 3)?).unwrap_or(0);
            Ok(Row { number: number(row, 0)?, head: row.get(1)?, delta: row.get(2)?, plain })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The signed head of one.
    pub fn head(&self, revision: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let mut statement = self.connection.prepare_cached("SELECT head FROM revisions WHERE number = ?")?;
        Ok(statement.query_row([stored(revision)?], |row| row.get(0)).optional()?)
    }
}
