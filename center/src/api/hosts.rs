//! Hosts: what each should hold against what it says it holds.
//!
//! In: acknowledgements. Out: a state per host. Never here: orders to hosts.
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use enforcer_policy::Moment;
use serde::{Deserialize, Serialize};

use super::Center;
use super::people::Person;
use super::problem::{Answer, Asked, Problem};
use crate::desk::Desk;
use crate::store::{Host, Skipped, StoreError};

/// A host, and how it is.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Compared {
    #[serde(flatten)]
    pub(crate) host: Host,
    /// `in sync`, `behind`, `ahead`, `differs`, `refuses`, `unheard` or `revoked`.
    pub(crate) state: &'static str,
    /// The revision it should be at.
    pub(crate) desired: u64,
}

/// `?after=&limit=`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct From {
    after: Option<String>,
    limit: Option<usize>,
}

#[derive(Serialize)]
struct Page {
    items: Vec<Compared>,
    next: Option<String>,
}

/// Hosts on one page at most.
pub(super) const MOST: usize = 10_000;

pub(super) async fn list(
    State(center): State<Center>,
    Asked(from): Asked<From>,
    headers: HeaderMap,
) -> Result<Answer, Problem> {
    let list = move |desk: &mut Desk, _: &Center| {
        Person::of(&headers, desk)?;
        let limit = from.limit.unwrap_or(100).clamp(1, MOST);
        let items = compared(desk, from.after.as_deref().unwrap_or_default(), limit)?;
        let next = items.last().map(|last| last.host.name.clone()).filter(|_| items.len() == limit);
        Ok(Answer::json(&Page { items, next }))
    };
    center.work(list).await
}

pub(super) async fn revoke(
    State(center): State<Center>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Answer, Problem> {
    let revoke = move |desk: &mut Desk, _: &Center| {
        let person = Person::operator(&headers, desk)?;
        let revoked = desk.store().revoke_host(&name, &person.name)?;
        if revoked { Ok(Answer::nothing()) } else { Err(Problem::not_found("there is no such host")) }
    };
    center.work(revoke).await
}

/// Hosts after a name with their states.
pub(crate) fn compared(desk: &mut Desk, after: &str, limit: usize) -> Result<Vec<Compared>, StoreError> {
    let (known, digest) = (desk.known(), desk.decisions_digest());
    let state = |host: &Host| {
        let Some(ack) = &host.ack else { return "unheard" };
        let all_held = ack.held.digest == digest || ack.held.skipped != Skipped::default();
        match ack.number.cmp(&known.number) {
            _ if host.revoked => "revoked",
            std::cmp::Ordering::Greater => "ahead",
            _ if ack.refused.is_some() => "refuses",
            std::cmp::Ordering::Less => "behind",
            std::cmp::Ordering::Equal if ack.hash != known.hash => "ahead",
            std::cmp::Ordering::Equal if ack.held.skipped.failed > 0 || !all_held => "differs",
            std::cmp::Ordering::Equal => "in sync",
        }
    };
    let hosts = desk.store().hosts(after, limit)?;
    Ok(hosts.into_iter().map(|host| Compared { state: state(&host), desired: known.number, host }).collect())
}

impl Compared {
    /// One line for people.
    pub(crate) fn line(&self, now: Moment) -> String {
        let ack = self.host.ack.clone().unwrap_or_default();
        let seen =
            self.host.seen.map_or_else(|| "never".to_owned(), |seen| format!("{} s ago", seen.until(now).as_secs()));
        let (name, state, desired) = (&self.host.name, self.state, self.desired);
        let mut line =
            format!("{name:20} {state:8} revision {} of {desired}, {} held, ", ack.number, ack.held.decisions);
        line.push_str(&format!("{} local, heard {seen}", ack.held.local));
        line
    }
}
