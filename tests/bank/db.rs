//! The bank's database. In: a path. Out: connections, one for each handler at work. Never here: what is asked of it.
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context as _, Result};
use rusqlite::Connection;
use serde_json::{Map, Value};

use crate::Wrong;

/// A database file, and connections that nobody uses now.
pub(crate) struct Db {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
}

/// Customers of the bank.
const USERS: i32 = 400;

impl Db {
    /// Makes the database anew.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        // There is none the first time.
        let _ = std::fs::remove_file(path);
        let mut connection = Connection::open(path).context("failed to make the database")?;
        connection.execute_batch(SCHEMA).context("failed to make tables")?;
        let filling = connection.transaction()?;
        for number in 0..USERS {
            add_user(&filling, number).context("failed to add a customer")?;
        }
        filling.commit()?;
        Ok(Self { path: path.to_owned(), idle: Mutex::new(vec![connection]) })
    }

    /// Runs work on a connection of its own, away from the threads that answer.
    pub(crate) async fn run<T: Send + 'static>(
        self: &std::sync::Arc<Self>,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Wrong> {
        let db = std::sync::Arc::clone(self);
        let worked = tokio::task::spawn_blocking(move || {
            let idle = db.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let connection = idle.map_or_else(|| Connection::open(&db.path), Ok)?;
            let given = work(&connection);
            db.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
            given
        });
        let failed =
            |error: tokio::task::JoinError| Wrong(axum::http::StatusCode::INTERNAL_SERVER_ERROR, error.to_string());
        Ok(worked.await.map_err(failed)??)
    }
}

/// The rows of a statement as JSON, with the names of its columns.
pub(crate) fn rows(db: &Connection, sql: &str, values: &[&dyn rusqlite::ToSql]) -> rusqlite::Result<Value> {
    let mut statement = db.prepare(sql)?;
    let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let row = |row: &rusqlite::Row<'_>| {
        let cells = names.iter().enumerate().map(|(at, name)| Ok((name.clone(), plain(row.get_ref(at)?))));
        cells.collect::<rusqlite::Result<Map<String, Value>>>().map(Value::Object)
    };
    statement.query_map(values, row)?.collect::<rusqlite::Result<Vec<Value>>>().map(Value::Array)
}

/// The first of them.
pub(crate) fn row(db: &Connection, sql: &str, values: &[&dyn rusqlite::ToSql]) -> rusqlite::Result<Value> {
    let all = rows(db, sql, values)?;
    all.as_array().and_then(|all| all.first()).cloned().ok_or(rusqlite::Error::QueryReturnedNoRows)
}

fn plain(cell: rusqlite::types::ValueRef<'_>) -> Value {
    use rusqlite::types::ValueRef;
    match cell {
        ValueRef::Null | ValueRef::Blob(_) => Value::Null,
        ValueRef::Integer(number) => number.into(),
        ValueRef::Real(number) => number.into(),
        ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned().into(),
    }
}

fn add_user(db: &Connection, number: i32) -> rusqlite::Result<()> {
    let name = name(number);
    let card = card(number);
    let mail = format!("{name}@bank.example");
    let password = format!("pw-{number}");
    db.execute("INSERT INTO users VALUES (?1, ?2, ?3, ?4, ?5)", (number, &name, password, mail, card))?;
    for account in 0..3 {
        let id = 10_000 + number * 37 + account * 11;
        db.execute("INSERT INTO accounts VALUES (?1, ?2, ?3, 'EUR')", (id, number, 100.5 + f64::from(id)))?;
        for entry in 0..8 {
            let what = (id, f64::from(entry) * 12.25, format!("payment {entry}"));
            db.execute("INSERT INTO entries (account, amount, about) VALUES (?1, ?2, ?3)", what)?;
        }
    }
    Ok(())
}

/// A name for a number: syllables, no digits.
fn name(number: i32) -> String {
    const PARTS: [&str; 8] = ["an", "be", "cor", "da", "el", "fi", "gus", "ha"];
    let digit = |shift: u32| usize::try_from(number / 8_i32.pow(shift) % 8).unwrap_or_default();
    (0..3).map(|shift| PARTS.get(digit(shift)).copied().unwrap_or_default()).collect()
}

/// A card number that passes Luhn's check.
fn card(number: i32) -> String {
    let body = format!("453201{number:09}");
    let doubled = |(at, digit): (usize, u32)| match (at % 2, digit * 2) {
        (0, twice) if twice > 9 => twice - 9,
        (0, twice) => twice,
        _ => digit,
    };
    let sum: u32 = body.chars().rev().filter_map(|digit| digit.to_digit(10)).enumerate().map(doubled).sum();
    format!("{body}{}", (10 - sum % 10) % 10)
}

const SCHEMA: &str = "
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = OFF;
    CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT UNIQUE, password TEXT, mail TEXT, card TEXT);
    CREATE TABLE accounts (id INTEGER PRIMARY KEY, owner INTEGER, balance REAL, currency TEXT);
    CREATE TABLE entries (id INTEGER PRIMARY KEY, account INTEGER, amount REAL, about TEXT);
    CREATE INDEX by_account ON entries (account);
    CREATE TABLE transfers (id INTEGER PRIMARY KEY, source INTEGER, target INTEGER, amount REAL);
    CREATE TABLE comments (id INTEGER PRIMARY KEY, text TEXT);
    CREATE TABLE products (id INTEGER PRIMARY KEY, title TEXT, price REAL);
    INSERT INTO products (title, price) VALUES ('savings book', 0), ('current account', 3.5), ('gold card', 99),
        ('travel insurance', 12.9), ('O''Brien''s choice', 7), ('mortgage', 0), ('depot', 1.5), ('junior account', 0);
";
