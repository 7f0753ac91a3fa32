//! Exports: how far each is, and why one does not work.
//!
//! In: nothing. Out: all of them. Never here: their settings, which may hold secrets.
use axum::extract::State;
use axum::http::HeaderMap;
use serde::Serialize;

use super::Center;
use super::problem::{Answer, Problem};
use crate::export::ExportState;

#[derive(Serialize)]
struct Shown {
    name: String,
    #[serde(flatten)]
    state: ExportState,
    /// Events that it has not brought yet.
    behind: u64,
}

#[derive(Serialize)]
struct Page {
    items: Vec<Shown>,
}

pub(super) async fn list(State(center): State<Center>, headers: HeaderMap) -> Result<Answer, Problem> {
    center.read(headers, |_| Ok(())).await?;
    let last = *center.0.last_event.borrow();
    let shown = |(name, state): (String, ExportState)| {
        let behind = last.saturating_sub(state.cursor);
        Shown { name, state, behind }
    };
    Ok(Answer::json(&Page { items: center.0.exports.all().into_iter().map(shown).collect() }))
}
