//! The history: heads of revisions.
//!
//! In: where to begin. Out: a page. Never here: content.
use axum::extract::State;
use axum::http::HeaderMap;
use enforcer_policy::revision::Head;
use serde::{Deserialize, Serialize};

use super::Center;
use super::people::Person;
use super::problem::{Answer, Asked, Problem};
use crate::desk::Desk;

/// `?after=&limit=`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct From {
    after: Option<u64>,
    limit: Option<usize>,
}

#[derive(Serialize)]
struct Page {
    items: Vec<Head>,
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
        let items = desk.heads(from.after.unwrap_or(0).min(1 << 62), from.limit.unwrap_or(100).clamp(1, MOST))?;
        let number = desk.known().number;
        let next = items.last().map(|last| last.number).filter(|last| *last < number);
        Ok(Answer::json(&Page { items, next }).tagged(number))
    };
    center.work(list).await
}
