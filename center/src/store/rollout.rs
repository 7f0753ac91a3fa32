//! The one rollout.
//!
//! In: its state, and the change that it brings. Out: the same. Never here: what they mean.
use rusqlite::{OptionalExtension as _, params};

use super::{Along, Packed, Store, StoreError, Writing, audit, number, stored};

/// A rollout that is on, or the last one.
#[derive(Clone, Debug)]
pub struct RolloutRow {
    /// How it is, as JSON.
    pub state: String,
    /// What it brings.
    pub forward: Packed,
    /// What there was before it.
    pub before: Packed,
}

impl Store {
    /// It is over, with this audit entry of the center, and what goes along with it.
    pub fn end_rollout(
        &mut self,
        row: &RolloutRow,
        along: &[Along],
        what: &str,
        detail: &str,
    ) -> Result<(), StoreError> {
        self.write_policy(|transaction| {
            along.iter().try_for_each(|one| one.happen(transaction, 0))?;
            audit::append(transaction, "center", what, detail)?;
            row.keep(transaction)
        })
    }

    /// Its state alone.
    pub fn keep_rollout_state(&mut self, state: &str) -> Result<(), StoreError> {
        self.write_policy(|transaction| transaction.execute("UPDATE rollout SET state = ?", params![state]).map(drop))
    }

    /// The one that is on, or the last one.
    pub fn rollout(&self) -> Result<Option<RolloutRow>, StoreError> {
        let query = "SELECT state, forward, forward_plain, before, before_plain FROM rollout";
        let mut statement = self.connection.prepare_cached(query)?;
        let row = statement.query_row([], |row| {
            let plain = |index| number(row, index).map(|length| usize::try_from(length).unwrap_or(0));
            Ok(RolloutRow { state: row.get(0)?, forward: (row.get(1)?, plain(2)?), before: (row.get(3)?, plain(4)?) })
        });
        Ok(row.optional()?)
    }
}

impl RolloutRow {
    pub(super) fn keep(&self, transaction: &Writing<'_>) -> Result<(), StoreError> {
        let query = "INSERT OR REPLACE INTO rollout (one, state, forward, forward_plain, before, before_plain) \
             VALUES (1, ?, ?, ?, ?, ?)";
        let plain = (stored(self.forward.1 as u64)?, stored(self.before.1 as u64)?);
        let values = params![self.state, self.forward.0, plain.0, self.before.0, plain.1];
        transaction.execute(query, values).map(drop)
    }
}
