//! The one policy that is on trial.
//!
//! In: how it ends either way. Out: the same. Never here: what is in it.
use enforcer_policy::Moment;
use rusqlite::{OptionalExtension as _, params};

use super::{Packed, Store, StoreError, Writing, moment, number, stored};

/// A policy on trial.
#[derive(Clone, Debug)]
pub struct TrialRow {
    /// The revision that began it.
    pub revision: u64,
    /// When it is undone.
    pub until: Moment,
    /// What makes it stay.
    pub confirm: Packed,
    /// What undoes it.
    pub undo: Packed,
    /// Who began it.
    pub who: String,
    /// Who else stands for it.
    pub approver: Option<String>,
}

impl Store {
    /// The one that is on.
    pub fn trial(&self) -> Result<Option<TrialRow>, StoreError> {
        let query = "SELECT revision, until, confirm, confirm_plain, undo, undo_plain, who, approver FROM trial";
        let mut statement = self.connection.prepare_cached(query)?;
        let row = statement.query_row([], |row| {
            let plain = |index| number(row, index).map(|length| usize::try_from(length).unwrap_or(0));
            Ok(TrialRow {
                revision: number(row, 0)?,
                until: moment(row, 1)?,
                confirm: (row.get(2)?, plain(3)?),
                undo: (row.get(4)?, plain(5)?),
                who: row.get(6)?,
                approver: row.get(7)?,
            })
        });
        Ok(row.optional()?)
    }

    /// One that was never published is none.
    pub fn forget_trial(&mut self) -> Result<(), StoreError> {
        self.write_policy(|transaction| transaction.execute("DELETE FROM trial", &[]).map(drop))
    }
}

impl TrialRow {
    /// Begins it; there must be none.
    pub(super) fn keep(&self, transaction: &Writing<'_>) -> Result<(), StoreError> {
        let query = "INSERT INTO trial (one, revision, until, confirm, confirm_plain, undo, undo_plain, who, approver) \
             VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?)";
        let Self { confirm, undo, who, approver, .. } = self;
        let (revision, until) = (stored(self.revision)?, stored(self.until.0)?);
        let plain = (stored(confirm.1 as u64)?, stored(undo.1 as u64)?);
        let values = params![revision, until, confirm.0, plain.0, undo.0, plain.1, who, approver];
        transaction.execute(query, values).map(drop)
    }
}
