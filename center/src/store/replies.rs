//! Replies to requests that carried an idempotency key, for a day: who asks twice gets the same answer, and nothing is done twice.
//!
//! In: who, key, digest of the request, reply. Out: the reply. Never here: secrets: replies to such requests hold none.
use rusqlite::{OptionalExtension as _, params};

use super::{Store, StoreError, stored};
use crate::clock;

impl Store {
    /// The reply that was given: the digest of its request, status, body.
    pub fn reply(&self, who: &str, key: &str) -> Result<Option<(String, u16, String)>, StoreError> {
        let query = "SELECT request, status, body FROM replies WHERE who = ? AND key = ?";
        let mut statement = self.connection.prepare_cached(query)?;
        Ok(statement.query_row([who, key], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).optional()?)
    }

    /// Keeps a reply, and forgets those of yesterday.
    pub fn keep_reply(
        &mut self,
        who: &str,
        key: &str,
        request: &str,
        status: u16,
        body: &str,
    ) -> Result<(), StoreError> {
        self.write(|transaction| {
            let now = clock::now().0;
            transaction.execute("DELETE FROM replies WHERE time < ?", [stored(now.saturating_sub(DAY))?])?;
            transaction.execute(
                "INSERT OR REPLACE INTO replies (who, key, request, status, body, time) VALUES (?, ?, ?, ?, ?, ?)",
                params![who, key, request, status, body, stored(now)?],
            )?;
            Ok(())
        })
    }
}

const DAY: u64 = 86_400_000;
