//! Hosts: what each should hold against what it says it holds.
//!
//! In: acknowledgements. Out: a state per host. Never here: orders to hosts.
use axum::extract::State;
use axum::http::HeaderMap;
use enforcer_policy::Moment;
use enforcer_policy::revision::{Digest, Known};
use serde::Serialize;

use super::Center;
use super::page::{From, Page};
use super::people::Person;
use super::problem::{Answer, Asked, Placed, Problem};
use crate::desk::Desk;
use crate::desk::is_ours;
use crate::store::{Host, Skipped, Store};

/// A host, and how it is.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Compared {
    #[serde(flatten)]
    pub(crate) host: Host,
    /// `in sync`, `behind`, `forked`, `differs`, `refuses`, `unheard` or `revoked`.
    pub(crate) state: &'static str,
    /// The revision it should be at.
    pub(crate) desired: u64,
}

/// Hosts on one page at most.
pub(super) const MOST: usize = 10_000;

pub(super) async fn list(
    State(center): State<Center>,
    Asked(from): Asked<From<String>>,
    headers: HeaderMap,
) -> Result<Answer, Problem> {
    let list = move |desk: &mut Desk| {
        let limit = from.limit(MOST);
        let (known, digest) = (desk.known(), desk.decisions_digest());
        let items = compared(desk.store(), known, digest, from.after.as_deref().unwrap_or_default(), limit)?;
        Ok(Answer::json(&Page::full(items, limit, |last| last.host.name.clone())))
    };
    center.read(headers, list).await
}

pub(super) async fn revoke(
    State(center): State<Center>,
    Placed(name): Placed<String>,
    headers: HeaderMap,
) -> Result<Answer, Problem> {
    let revoke = move |desk: &mut Desk, _: &Center| {
        let person = Person::operator(&headers, desk)?;
        Ok((desk.store().revoke_host(&name, &person.name)?, name.clone()))
    };
    let (revoked, name) = center.work(revoke).await?;
    center.forget_apis(name.clone()).await?;
    center.with_modules(move |store| Ok(store.forget(&name)?)).await?;
    if revoked { Ok(Answer::nothing()) } else { Err(Problem::not_found("there is no such host")) }
}

/// Hosts after a name with their states.
pub(crate) fn compared(
    store: &Store,
    known: Known,
    digest: Digest,
    after: &str,
    limit: usize,
) -> anyhow::Result<Vec<Compared>> {
    let hosts = store.hosts(after, limit)?;
    let compare = |host: Host| {
        let reported = host.ack.as_ref().map(|ack| Known { number: ack.number, hash: ack.hash });
        let ours = reported
            .map_or(Ok(true), |reported| if reported == known { Ok(true) } else { is_ours(store, reported) })?;
        Ok(Compared { state: state(&host, ours, known, digest), desired: known.number, host })
    };
    hosts.into_iter().map(compare).collect()
}

/// How a host is; `ours` says whether its revision is one of this center's.
fn state(host: &Host, ours: bool, known: Known, digest: Digest) -> &'static str {
    let Some(ack) = &host.ack else { return if host.revoked { "revoked" } else { "unheard" } };
    let held = &ack.held;
    if host.revoked {
        "revoked"
    } else if !ours {
        "forked"
    } else if ack.refused.is_some() {
        "refuses"
    } else if ack.number < known.number {
        "behind"
    } else if held.left_out > 0
        || held.skipped.failed > 0
        || (held.digest != digest && held.skipped == Skipped::default())
    {
        "differs"
    } else {
        "in sync"
    }
}

impl Compared {
    /// One line for people.
    pub(crate) fn line(&self, now: Moment) -> String {
        let ack = self.host.ack.clone().unwrap_or_default();
        let seen =
            self.host.seen.map_or_else(|| "never".to_owned(), |seen| format!("{} s ago", seen.until(now).as_secs()));
        let (name, state, desired) = (&self.host.name, self.state, self.desired);
        let (number, held, local) = (ack.number, ack.held.decisions, ack.held.local);
        let left_out = match ack.held.left_out {
            0 => String::new(),
            count => format!(", {count} services or filters it cannot carry out (see its `enforcer status`)"),
        };
        format!(
            "{name:20} {state:8} revision {number} of {desired}, {held} held, {local} local, heard {seen}{left_out}"
        )
    }
}
