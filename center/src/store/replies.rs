//! Replies to requests that carried an idempotency key, for a day: who asks twice gets the same answer, and nothing is done twice.
//!
//! In: who, key, digest of the request, reply. Out: the reply. Never here: secrets: replies to such requests hold none.
use rusqlite::{OptionalExtension as _, params};

use super::{Store, StoreError, Writing, stored};
use crate::clock;

/// A reply, and to what.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReplyRow {
    /// Who asked.
    pub who: String,
    /// The key that they gave.
    pub key: String,
    /// The digest of the request.
    pub request: String,
    /// The status of the answer.
    pub status: u16,
    /// Its body.
    pub body: String,
}

impl Store {
    /// The reply that was given: the digest of its request, status, body.
    pub fn reply(&self, who: &str, key: &str) -> Result<Option<(String, u16, String)>, StoreError> {
        let query = "SELECT request, status, body FROM replies WHERE who = ? AND key = ?";
        let mut statement = self.connection.prepare_cached(query)?;
        Ok(statement.query_row([who, key], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).optional()?)
    }
}

impl ReplyRow {
    /// Keeps it as part of what it answers, and forgets those of yesterday.
    pub(super) fn keep(&self, transaction: &Writing<'_>) -> Result<(), StoreError> {
        let (Self { who, key, request, status, body }, now) = (self, clock::now().0);
        transaction.execute("DELETE FROM replies WHERE time < ?", params![stored(now.saturating_sub(DAY))?])?;
        let query = "INSERT OR REPLACE INTO replies (who, key, request, status, body, time) VALUES (?, ?, ?, ?, ?, ?)";
        transaction.execute(query, params![who, key, request, status, body, stored(now)?]).map(drop)
    }
}

const DAY: u64 = 86_400_000;
