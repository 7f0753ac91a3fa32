//! The audit log, to read.
//!
//! In: where to begin. Out: a page. Never here: writing; every change writes its own entry.
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
        let limit = from.limit(MOST);
        let items = desk.store().audit(from.number(), limit)?;
        Ok(Answer::json(&Page::full(items, limit, |last| last.number)))
    };
    center.read(headers, list).await
}
