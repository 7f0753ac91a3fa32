//! The audit log: append-only, and each entry's hash holds the one before.
//!
//! In: who did what. Out: entries in order; the first one that does not follow from its past. Never here: secrets.
use enforcer_policy::Moment;
use enforcer_policy::revision::Digest;
use rusqlite::params;
use serde::{Deserialize, Serialize};

use super::{Store, StoreError, Writing, moment, number, stored};
use crate::clock;

/// One entry.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AuditEntry {
    /// 1, 2, 3, ...
    pub number: u64,
    /// When.
    pub time: Moment,
    /// The name of a token, a host, or `local:` and a user.
    pub who: String,
    /// What was done, one word of a fixed list.
    pub what: String,
    /// About what, in words.
    pub detail: String,
    /// Of all this and the entry before.
    pub hash: Digest,
}

/// Where the chain breaks.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Broken {
    /// The entry that does not follow.
    pub number: u64,
    /// What is wrong with it.
    pub what: String,
}

impl AuditEntry {
    fn hashed(&self, before: Digest) -> Digest {
        let Self { number, time, who, what, detail, .. } = self;
        let (number, time) = (number.to_be_bytes(), time.0.to_be_bytes());
        let parts: [&[u8]; 6] = [&before.0, &number, &time, who.as_bytes(), what.as_bytes(), detail.as_bytes()];
        Digest::of("enforcer audit v1", &parts)
    }
}

/// Adds an entry, as part of what it tells of.
pub(super) fn append(transaction: &Writing<'_>, who: &str, what: &str, detail: &str) -> Result<(), StoreError> {
    let query = "SELECT number, hash FROM audit ORDER BY number DESC LIMIT 1";
    let last = transaction.one(query, &[], |row| Ok((number(row, 0)?, row.get::<_, [u8; 32]>(1)?)))?;
    let (last, before) = last.map_or_else(|| (0, Digest::default()), |(number, hash)| (number, Digest(hash)));
    let (who, what, detail) = (who.to_owned(), what.to_owned(), detail.to_owned());
    let mut entry = AuditEntry { number: last + 1, time: clock::now(), who, what, detail, hash: before };
    entry.hash = entry.hashed(before);
    let AuditEntry { number, time, who, what, detail, hash } = &entry;
    let query = "INSERT INTO audit (number, time, who, what, detail, hash) VALUES (?, ?, ?, ?, ?, ?)";
    let values = params![stored(*number)?, stored(time.0)?, who, what, detail, hash.0];
    transaction.execute(query, values).map(drop)
}

impl Store {
    /// Adds an entry that stands for itself.
    pub fn note(&mut self, who: &str, what: &str, detail: &str) -> Result<(), StoreError> {
        self.write(|transaction| append(transaction, who, what, detail))
    }

    /// Entries after a number, oldest first.
    pub fn audit(&self, after: u64, limit: usize) -> Result<Vec<AuditEntry>, StoreError> {
        let query = "SELECT number, time, who, what, detail, hash FROM audit WHERE number > ? ORDER BY number LIMIT ?";
        let mut statement = self.connection.prepare_cached(query)?;
        let rows = statement.query_map(params![stored(after)?, stored(limit as u64)?], |row| {
            Ok(AuditEntry {
                number: number(row, 0)?,
                time: moment(row, 1)?,
                who: row.get(2)?,
                what: row.get(3)?,
                detail: row.get(4)?,
                hash: Digest(row.get(5)?),
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Follows the chain from its first entry: how many hold, the last hash, or where it breaks.
    pub fn verify_audit(&self) -> Result<Result<(u64, Digest), Broken>, StoreError> {
        let (mut last, mut before) = (0, Digest::default());
        loop {
            let page = self.audit(last, 1000)?;
            if page.is_empty() {
                return Ok(Ok((last, before)));
            }
            for entry in page {
                if entry.number != last + 1 {
                    let what = format!("entry {} is missing", last + 1);
                    return Ok(Err(Broken { number: last + 1, what }));
                }
                if entry.hashed(before) != entry.hash {
                    let what = "it was changed, or does not follow from the one before".to_owned();
                    return Ok(Err(Broken { number: entry.number, what }));
                }
                (last, before) = (entry.number, entry.hash);
            }
        }
    }
}
