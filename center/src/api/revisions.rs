//! The history: heads of revisions.
//!
//! In: where to begin. Out: a page. Never here: content.
use axum::extract::State;
use axum::http::HeaderMap;

use super::Center;
use super::page::{From, Page};
use super::problem::{Answer, Asked, Problem};
use crate::desk::Desk;

const MOST: usize = 1000;

pub(super) async fn list(
    State(center): State<Center>,
    Asked(from): Asked<From<u64>>,
    headers: HeaderMap,
) -> Result<Answer, Problem> {
    let list = move |desk: &mut Desk| {
        let items = desk.heads(from.number(), from.limit(MOST))?;
        let number = desk.known().number;
        let next = items.last().map(|last| last.number).filter(|last| *last < number);
        Ok(Answer::json(&Page { items, next }).tagged(number))
    };
    center.read(headers, list).await
}
