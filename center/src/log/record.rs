//! What a log consists of: transactions of a store, one after the other.
//!
//! In: what one replica wrote. Out: the same, for all others, and bytes between. Never here: keys, the network, what rows mean.
//!
//! A record names the hash of the one before it, so that a replica that has come to other rows, or a log that somebody has put together
//! otherwise, is noticed with the next record.
use serde::{Deserialize, Serialize};

use super::LogError;

/// One transaction.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Record {
    /// The version of the tables that it writes to.
    pub tables: u32,
    /// The hash of the record before it; zeros for the first.
    pub before: [u8; 32],
    /// Whether plans of policy depend on it.
    pub policy: bool,
    /// What it is.
    pub body: Body,
}

/// What a record is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Body {
    /// The first: what the store was that the log begins with.
    Begins(Origin),
    /// A transaction.
    Wrote(Vec<Write>),
}

/// By what a store is told from others: the ends of its two histories.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Origin {
    /// The last entry of the audit log, and its hash.
    pub audit: (u64, [u8; 32]),
    /// The last revision, and the hash of its head.
    pub revision: (u64, [u8; 32]),
}

/// One statement that changed rows.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Write {
    /// The statement.
    pub sql: String,
    /// Its values.
    pub values: Vec<Datum>,
    /// How many rows it changed.
    pub rows: u64,
}

/// A value.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Datum {
    /// NULL.
    Nothing,
    /// A whole number.
    Number(i64),
    /// Text.
    Text(String),
    /// Anything else.
    Bytes(Vec<u8>),
}

impl Record {
    /// As bytes.
    pub(super) fn packed(&self) -> Result<Vec<u8>, LogError> {
        let packed = postcard::to_stdvec(self).map_err(|_unwritable| LogError::Large)?;
        if packed.len() > MOST { Err(LogError::Large) } else { Ok(packed) }
    }

    /// The same again.
    pub(super) fn unpacked(bytes: &[u8]) -> Option<Self> {
        postcard::from_bytes(bytes).ok()
    }
}

/// Bytes of a record: the largest request to the center, and what it becomes beside it.
const MOST: usize = 128 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_the_same_again_and_half_of_it_is_none() {
        let datums = vec![Datum::Nothing, Datum::Number(-1), Datum::Text("ä".to_owned()), Datum::Bytes(vec![0, 255])];
        let write = Write { sql: "DELETE FROM trial".to_owned(), values: datums, rows: 1 };
        let record = Record { tables: 7, before: [3; 32], policy: true, body: Body::Wrote(vec![write]) };
        let packed = record.packed().unwrap();
        assert_eq!(Record::unpacked(&packed), Some(record));
        for at in 0..packed.len() {
            assert_eq!(Record::unpacked(&packed[..at]), None, "the first {at} bytes");
        }
    }
}
