//! One transaction that writes, and what it wrote.
//!
//! In: statements with their values. Out: rows; for a store that others share, the same statements again, so that each replica carries out
//! what one has decided. Never here: why. What a statement does must follow from its values and the rows alone: times, random numbers and
//! hashes are values.
use std::cell::RefCell;

use rusqlite::types::{ToSqlOutput, Value, ValueRef};
use rusqlite::{OptionalExtension as _, Row, ToSql, Transaction, params_from_iter};

use super::StoreError;
use crate::log::{Datum, Write};

/// A transaction.
pub(super) struct Writing<'t> {
    transaction: &'t Transaction<'t>,
    /// What it wrote, where others must do the same.
    written: Option<RefCell<Vec<Write>>>,
}

impl<'t> Writing<'t> {
    /// Of a store that nobody shares.
    pub(super) const fn alone(transaction: &'t Transaction<'t>) -> Self {
        Self { transaction, written: None }
    }

    /// Of a store that others share.
    pub(super) const fn shared(transaction: &'t Transaction<'t>) -> Self {
        Self { transaction, written: Some(RefCell::new(Vec::new())) }
    }

    /// Changes rows; how many.
    pub(super) fn execute(&self, sql: &str, values: &[&dyn ToSql]) -> Result<usize, StoreError> {
        let rows = self.transaction.prepare_cached(sql)?.execute(values)?;
        // What changed nothing here changes nothing elsewhere.
        if let Some(written) = self.written.as_ref().filter(|_| rows > 0) {
            let values = values.iter().map(|value| datum(*value)).collect::<Result<_, _>>()?;
            written.borrow_mut().push(Write { sql: sql.to_owned(), values, rows: rows as u64 });
        }
        Ok(rows)
    }

    /// The first row of an answer.
    pub(super) fn one<T>(
        &self,
        sql: &str,
        values: &[&dyn ToSql],
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, StoreError> {
        Ok(self.transaction.prepare_cached(sql)?.query_row(values, read).optional()?)
    }

    /// The number of the row that was added last.
    pub(super) fn last_row(&self) -> i64 {
        self.transaction.last_insert_rowid()
    }

    /// All that it wrote, in order.
    pub(super) fn written(self) -> Vec<Write> {
        self.written.map(RefCell::into_inner).unwrap_or_default()
    }
}

/// Does what another replica did. False when it does not change as much here: then the two were not the same before.
pub(super) fn repeat(transaction: &Transaction<'_>, writes: &[Write]) -> Result<bool, StoreError> {
    for Write { sql, values, rows } in writes {
        let changed = transaction.prepare_cached(sql)?.execute(params_from_iter(values.iter().map(value)))?;
        if changed as u64 != *rows {
            return Ok(false);
        }
    }
    Ok(true)
}

fn datum(value: &dyn ToSql) -> Result<Datum, StoreError> {
    let output = value.to_sql()?;
    let borrowed = match &output {
        ToSqlOutput::Borrowed(borrowed) => *borrowed,
        ToSqlOutput::Owned(owned) => owned.into(),
        _ => return Err(StoreError::Meaningless("a value of a kind that nobody writes")),
    };
    Ok(match borrowed {
        ValueRef::Null => Datum::Nothing,
        ValueRef::Integer(number) => Datum::Number(number),
        ValueRef::Text(text) => Datum::Text(String::from_utf8_lossy(text).into_owned()),
        ValueRef::Blob(bytes) => Datum::Bytes(bytes.to_vec()),
        ValueRef::Real(_) => return Err(StoreError::Meaningless("a fraction")),
    })
}

fn value(datum: &Datum) -> Value {
    match datum {
        Datum::Nothing => Value::Null,
        Datum::Number(number) => Value::Integer(*number),
        Datum::Text(text) => Value::Text(text.clone()),
        Datum::Bytes(bytes) => Value::Blob(bytes.clone()),
    }
}
