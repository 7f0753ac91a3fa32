//! Events: taken from hosts, shown to people.
//!
//! In: batches of hosts, at least once; where to begin and what is wanted. Out: the number up to which everything is here; pages.
//! Never here: what becomes of events afterwards (`export`).
use axum::Extension;
use axum::extract::State;
use axum::http::HeaderMap;
use enforcer_policy::{EventKind, Moment};
use serde::{Deserialize, Serialize};

use super::Center;
use super::problem::{Answer, Asked, Problem, Sent, body};
use crate::serve::Peer;
use crate::store::{Batch, KeptEvent, Wanted};

/// `?after=&limit=&host=&kind=&service=&since=`; `since` in unix milliseconds.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    after: Option<u64>,
    limit: Option<usize>,
    host: Option<String>,
    kind: Option<String>,
    service: Option<String>,
    since: Option<u64>,
}

#[derive(Serialize)]
struct Page {
    items: Vec<KeptEvent>,
    next: Option<u64>,
}

/// Events of one page, and of one batch.
const MOST: usize = 1000;
const BATCH: usize = 4096;

pub(super) async fn take(
    State(center): State<Center>,
    Extension(peer): Extension<Peer>,
    Sent(bytes): Sent,
) -> Result<Answer, Problem> {
    let host = center.host(&peer)?.name;
    let batch: Batch = body(&bytes)?;
    sound(&batch)?;
    let count = batch.events.len();
    // The audit log first: what is told again is told to both again.
    let batch = center.with_acts(&host, batch).await?;
    let last = center.with_events(move |events| Ok(events.take(&host, batch)?)).await?;
    center.0.tally.take(count);
    Ok(Answer::json(&serde_json::json!({ "last": last })))
}

/// Texts are clipped where they are kept; numbers must be in order, and numbers.
fn sound(batch: &Batch) -> Result<(), Problem> {
    let spool = &batch.spool;
    if spool.len() != 16 || !spool.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(Problem::bad("spool is not 16 hexadecimal digits", ""));
    }
    let numbers = || batch.events.iter().map(|event| event.sequence);
    let ordered = numbers().is_sorted_by(|one, two| one < two);
    let ends = numbers().all(|number| (1..FAR).contains(&number)) && batch.after < FAR;
    if !ordered || !ends || batch.events.len() > BATCH {
        return Err(Problem::bad("events are numbered from 1 on, in order, and at most 4096 at once", ""));
    }
    Ok(())
}

pub(super) async fn list(
    State(center): State<Center>,
    Asked(which): Asked<Which>,
    headers: HeaderMap,
) -> Result<Answer, Problem> {
    center.read(headers, |_| Ok(())).await?;
    let wanted = which.wanted()?;
    let page = center.reading_events(move |events| {
        let items = events.page(&wanted)?;
        let next = items.last().map(|last| last.number).filter(|_| items.len() == wanted.limit);
        Ok(Page { items, next })
    });
    Ok(Answer::json(&page.await?))
}

impl Which {
    fn wanted(self) -> Result<Wanted, Problem> {
        let named = |word: &str| {
            let words: Vec<&str> = EventKind::ALL.iter().map(|kind| kind.name()).collect();
            let unknown = || Problem::bad(format!("no kind of event is called {word}"), &words.join(", "));
            EventKind::named(word).ok_or_else(unknown)
        };
        Ok(Wanted {
            after: self.after.unwrap_or(0).min(FAR),
            limit: self.limit.unwrap_or(100).clamp(1, MOST),
            host: self.host,
            kind: self.kind.as_deref().map(named).transpose()?,
            service: self.service,
            since: self.since.map(|since| Moment(since.min(FAR))),
        })
    }
}

/// No number is greater.
const FAR: u64 = 1 << 62;
