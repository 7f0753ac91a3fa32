//! Accounts, transfers, rates. In: requests of callers. Out: rows of the database. Wrong on purpose: nobody asks whose account it is,
//! how many rows are wanted, or whether a partner may delete a rate.
use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::json;

use crate::db::{row, rows};
use crate::people::caller;
use crate::{Answer, Bank, Wrong};

#[derive(Deserialize)]
pub(crate) struct Page {
    #[serde(default)]
    page: i64,
    #[serde(default = "usual")]
    limit: i64,
}

#[derive(Deserialize)]
pub(crate) struct Transfer {
    from: i64,
    to: i64,
    amount: f64,
}

const fn usual() -> i64 {
    20
}

/// The caller's accounts.
pub(crate) async fn accounts(State(bank): State<Bank>, headers: HeaderMap) -> Answer {
    let name = caller(&headers)?;
    let own = "SELECT accounts.id, balance, currency FROM accounts JOIN users ON owner = users.id WHERE name = ?1";
    Ok(Json(bank.db.run(move |db| rows(db, own, &[&name])).await?))
}

/// An account, whosever it is.
pub(crate) async fn account(State(bank): State<Bank>, headers: HeaderMap, Path(id): Path<i64>) -> Answer {
    caller(&headers)?;
    Ok(Json(bank.db.run(move |db| row(db, "SELECT * FROM accounts WHERE id = ?1", &[&id])).await?))
}

/// What went in and out, as many rows as are asked for.
pub(crate) async fn transactions(
    State(bank): State<Bank>,
    headers: HeaderMap,
    Path(id): Path<i64>,
    Query(page): Query<Page>,
) -> Answer {
    caller(&headers)?;
    let some = "SELECT id, amount, about FROM entries WHERE account = ?1 LIMIT ?2 OFFSET ?3";
    let from = page.page.saturating_mul(page.limit);
    Ok(Json(bank.db.run(move |db| rows(db, some, &[&id, &page.limit, &from])).await?))
}

/// Moves money.
pub(crate) async fn transfer(State(bank): State<Bank>, headers: HeaderMap, Json(transfer): Json<Transfer>) -> Answer {
    caller(&headers)?;
    let make = "INSERT INTO transfers (source, target, amount) VALUES (?1, ?2, ?3) RETURNING id, amount";
    Ok(Json(bank.db.run(move |db| row(db, make, &[&transfer.from, &transfer.to, &transfer.amount])).await?))
}

/// A transfer, whosever it is.
pub(crate) async fn transferred(State(bank): State<Bank>, headers: HeaderMap, Path(id): Path<i64>) -> Answer {
    caller(&headers)?;
    Ok(Json(bank.db.run(move |db| row(db, "SELECT * FROM transfers WHERE id = ?1", &[&id])).await?))
}

/// All customers with their cards, a long page at a time.
pub(crate) async fn export(State(bank): State<Bank>, headers: HeaderMap, Query(page): Query<Page>) -> Answer {
    caller(&headers)?;
    let all = "SELECT users.*, accounts.* FROM users JOIN accounts ON owner = users.id LIMIT 2000 OFFSET ?1";
    Ok(Json(bank.db.run(move |db| rows(db, all, &[&(page.page % 4)])).await?))
}

/// What a currency costs, for partners.
pub(crate) async fn rate(headers: HeaderMap, Path(currency): Path<u32>) -> Answer {
    partner(&headers)?;
    Ok(Json(json!({ "currency": currency, "rate": 1.0 + f64::from(currency) / 1000.0 })))
}

/// Partners were never meant to do this.
pub(crate) async fn forget_rate(headers: HeaderMap, Path(_currency): Path<u32>) -> Result<StatusCode, Wrong> {
    partner(&headers)?;
    Ok(StatusCode::NO_CONTENT)
}

fn partner(headers: &HeaderMap) -> Result<(), Wrong> {
    let known = headers.get("x-api-key").is_some_and(|key| key.as_bytes().starts_with(b"partner-"));
    if known { Ok(()) } else { Err(Wrong(StatusCode::UNAUTHORIZED, "partners only".to_owned())) }
}
