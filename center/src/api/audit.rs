//! The audit log, to read.
//!
//! In: where to begin. Out: a page. Never here: writing; every change writes its own entry.
use axum::extract::State;
use axum::http::HeaderMap;
use serde::{Deserialize, Serialize};

use super::Center;
use super::people::Person;
use super::problem::{Answer, Asked, Problem};
use crate::desk::Desk;
use crate::store::AuditEntry;

/// `?after=&limit=`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct From {
    after: Option<u64>,
    limit: Option<usize>,
}

#[derive(Serialize)]
struct Page {
    items: Vec<AuditEntry>,
    next: Option<u64>,
}

const MOST: usize = 1000;

pub(super) async fn list(
    State(center): State<Center>,
    Asked(from): Asked<From>,
    headers: HeaderMap,
) -> Result<Answer, Problem> {
    let list = move |desk: &mut Desk, _: &Center| {
        Person::of(&headers, desk)?;
        let limit = from.limit.unwrap_or(100).clamp(1, MOST);
        let items = desk.store().audit(from.after.unwrap_or(0).min(1 << 62), limit)?;
        let next = items.last().map(|last| last.number).filter(|_| items.len() == limit);
        Ok(Answer::json(&Page { items, next }))
    };
    center.work(list).await
}
