//! Decisions, one by one: what is urgent.
//!
//! In: a subject as people write it; raw tokens become digests here and go no further. Out: the decision with its id and the
//! revision that carries it. Never here: the policy files' own decisions, which end with their files.
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use enforcer_policy::document::{WrittenSubject, rfc3339};
use enforcer_policy::plan::Guard;
use enforcer_policy::revision::{Digest, Entry};
use enforcer_policy::{
    Action, DecisionId, Moment, Note, Order, Origin, Scope, Subject, SubjectKind, parse_prefix, parse_rate,
};
use serde::{Deserialize, Serialize};

use super::Center;
use super::page::{From, Page};
use super::people::Person;
use super::policy::{Force, guard};
use super::problem::{Answer, Asked, Placed, Problem, Sent, body};
use super::proposals::{Made, waits};
use crate::clock;
use crate::desk::{self, Desk, Done};
use crate::serve::Peer;

/// `{"kind": "device", "value": "A1B2", "action": "deny", "seconds": 3600, "reason": "stolen"}`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    kind: String,
    value: String,
    #[serde(default)]
    scope: Option<String>,
    action: String,
    #[serde(default)]
    rate: Option<String>,
    #[serde(default)]
    seconds: Option<u64>,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    groups: Vec<String>,
}

/// A decision as it is shown.
#[derive(Serialize)]
struct Shown {
    id: DecisionId,
    kind: &'static str,
    subject: String,
    scope: String,
    action: &'static str,
    until: Option<String>,
    reason: String,
    approved_by: String,
    /// The source that keeps it.
    source: Option<String>,
    groups: Vec<String>,
    written: bool,
}

#[derive(Serialize)]
struct Decided {
    revision: u64,
    decision: Option<Shown>,
}

/// `{"decisions": [...], "comment": "..."}`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Many {
    decisions: Vec<Wanted>,
    #[serde(default)]
    comment: String,
}

#[derive(Serialize)]
struct DecidedMany {
    revision: u64,
    decisions: usize,
}

/// Decisions on one page at most.
const MOST: usize = 1000;
/// Decisions of one request at most.
const MOST_AT_ONCE: usize = 100_000;
const REASON: usize = 512;
/// A thousand years, as for hosts: the year of an end has four digits, or no file that has it can be read.
const SECONDS: u64 = 365_000 * 86_400;
/// Bytes of an idempotency key.
const KEY: usize = 255;

pub(super) async fn list(
    State(center): State<Center>,
    Asked(from): Asked<From<String>>,
    headers: HeaderMap,
) -> Result<Answer, Problem> {
    let list = move |desk: &mut Desk| {
        let after = from.after.as_deref().map(id).transpose()?;
        let mut entries = desk.content().entries_after(after);
        let items: Vec<Shown> = entries.by_ref().take(from.limit(MOST)).map(|entry| Shown::of(entry)).collect();
        let next = items.last().map(|last| last.id).filter(|_| entries.next().is_some());
        Ok(Answer::json(&Page { items, next }).tagged(desk.known().number))
    };
    center.read(headers, list).await
}

pub(super) async fn decide(
    State(center): State<Center>,
    Extension(peer): Extension<Peer>,
    Asked(force): Asked<Force>,
    headers: HeaderMap,
    Sent(bytes): Sent,
) -> Result<Answer, Problem> {
    let decide = move |desk: &mut Desk, person: &Person, bytes: &Bytes| {
        let asked: Wanted = body(bytes)?;
        let comment = asked.reason.clone();
        decided(vec![asked], desk, person, &peer, &force, &comment)
    };
    center.work(move |desk, _| once(desk, &headers, &bytes, one, &decide)).await
}

/// One order makes one decision.
fn one(revision: u64, decided: &[Arc<Entry>]) -> String {
    let decided = Decided { revision, decision: decided.first().map(|entry| Shown::of(entry)) };
    serde_json::to_string(&decided).unwrap_or_default()
}

/// Many decisions, one revision: all of them, or none.
pub(super) async fn decide_many(
    State(center): State<Center>,
    Extension(peer): Extension<Peer>,
    Asked(force): Asked<Force>,
    headers: HeaderMap,
    Sent(bytes): Sent,
) -> Result<Answer, Problem> {
    let decide = move |desk: &mut Desk, person: &Person, bytes: &Bytes| {
        let Many { decisions, comment } = body(bytes)?;
        if !(1..=MOST_AT_ONCE).contains(&decisions.len()) {
            return Err(Problem::bad("one to 100,000 decisions can be made at once", "send them in parts"));
        }
        decided(decisions, desk, person, &peer, &force, &comment)
    };
    center.work(move |desk, _| once(desk, &headers, &bytes, many, &decide)).await
}

fn many(revision: u64, decided: &[Arc<Entry>]) -> String {
    serde_json::to_string(&DecidedMany { revision, decisions: decided.len() }).unwrap_or_default()
}

/// An operator's request; with an idempotency key, the second time only the answer.
fn once(
    desk: &mut Desk,
    headers: &HeaderMap,
    bytes: &Bytes,
    written: fn(u64, &[Arc<Entry>]) -> String,
    decide: &impl Fn(&mut Desk, &Person, &Bytes) -> Result<Made<Vec<Arc<Entry>>>, Problem>,
) -> Result<Answer, Problem> {
    let person = Person::operator(headers, desk)?;
    let key = headers.get("idempotency-key").map(|key| sound_key(key.as_bytes())).transpose()?;
    let request = Digest::of("enforcer request v1", &[bytes]).to_string();
    if let Some(key) = key
        && let Some((earlier, status, reply)) = desk.store().reply(&person.name, key)?
    {
        if earlier != request {
            return Err(Problem::conflict("this idempotency key was used for another request", "draw a new one"));
        }
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
        return Ok(Answer::with(status, reply));
    }
    let answer = move |done: Done<'_>| match done {
        Done::Published(revision, entries) => (StatusCode::CREATED.as_u16(), written(revision, entries)),
        Done::Proposed(proposal) => (StatusCode::ACCEPTED.as_u16(), waits(proposal)),
    };
    let asked =
        key.map(|key| desk::Asked { who: person.name.clone(), key: key.to_owned(), request, answer: Box::new(answer) });
    let (status, reply) = match desk.answering(asked, |desk| decide(desk, &person, bytes))? {
        Made::Now(entries) => (StatusCode::CREATED, written(desk.known().number, &entries)),
        Made::Later(reply) => (StatusCode::ACCEPTED, reply),
    };
    Ok(Answer::with(status, reply).tagged(desk.known().number))
}

/// A key that cannot be kept would be no key, and what it guards would be done twice.
pub(super) fn sound_key(key: &[u8]) -> Result<&str, Problem> {
    let sound = (1..=KEY).contains(&key.len()) && key.iter().all(u8::is_ascii_graphic);
    let wrong =
        || Problem::bad("this is no idempotency key", "send up to 255 letters, digits and signs, such as a UUID");
    std::str::from_utf8(key).ok().filter(|_| sound).ok_or_else(wrong)
}

/// Makes decisions of what is wanted.
fn decided(
    wanted: Vec<Wanted>,
    desk: &mut Desk,
    person: &Person,
    peer: &Peer,
    force: &Force,
    comment: &str,
) -> Result<Made<Vec<Arc<Entry>>>, Problem> {
    let orders = wanted.into_iter().map(|one| one.order(desk, person)).collect::<Result<Vec<_>, _>>()?;
    // Only these can cut somebody off; the others need not ask all hosts what they depend on.
    let drops = |(order, _): &(Order, _)| order.action == Action::Drop && order.subject.network().is_some();
    let guard = if orders.iter().any(drops) { guard(desk, peer)? } else { Guard::default() };
    Made::of(desk.decide(orders, &guard, force.is_on(), &person.signs(comment)))
}

pub(super) async fn end(
    State(center): State<Center>,
    Placed(text): Placed<String>,
    headers: HeaderMap,
) -> Result<Answer, Problem> {
    let end = move |desk: &mut Desk, _: &Center| {
        let person = Person::operator(&headers, desk)?;
        let ended = match Made::of(desk.end(id(&text)?, &person.signs("ended")))? {
            Made::Now(ended) => ended.ok_or_else(|| Problem::not_found("there is no decision of this id"))?,
            Made::Later(reply) => return Ok(Answer::with(StatusCode::ACCEPTED, reply)),
        };
        let revision = desk.known().number;
        Ok(Answer::json(&Decided { revision, decision: Some(Shown::of(&ended)) }).tagged(revision))
    };
    center.work(end).await
}

impl Wanted {
    fn order(self, desk: &Desk, person: &Person) -> Result<(Order, Vec<String>), Problem> {
        let now = clock::now();
        let wrong = |error: &dyn std::fmt::Display| Problem::bad(error.to_string(), "");
        let subject = self.subject(desk)?;
        let scope = self.scope.as_deref().map_or(Ok(Scope::All), Scope::parse).map_err(|error| wrong(&error))?;
        let actions = [Action::Observe, Action::Limit, Action::Deny, Action::Reset, Action::Drop];
        let action = actions.into_iter().find(|action| action.name() == self.action);
        let action =
            action.ok_or_else(|| Problem::bad("no such action", "write observe, limit, deny, reset or drop"))?;
        let rate =
            self.rate.as_deref().map(|rate| parse_rate(rate, None)).transpose().map_err(|error| wrong(&error))?;
        if self.seconds.is_some_and(|seconds| seconds > SECONDS) {
            return Err(Problem::bad(
                "nothing holds for so long",
                "at most 31536000000 seconds; without, it does not end",
            ));
        }
        let until: Option<Moment> = self.seconds.map(|seconds| now.plus(Duration::from_secs(seconds)));
        if self.reason.len() > REASON {
            return Err(Problem::bad("the reason is too long", "say it in 512 bytes"));
        }
        let unknown = self.groups.iter().find(|group| !desk.content().base().groups.contains_key(*group));
        if let Some(group) = unknown {
            return Err(Problem::bad(format!("there is no group {group}"), "add it to the policy first"));
        }
        let (reason, origin, approved_by) = (self.reason, Origin::Center, person.name.clone());
        let note = Arc::new(Note { reason, origin, approved_by, created: now });
        Ok((Order { subject, scope, action, rate, until, shorten: true, wide: false, note }, self.groups))
    }

    fn subject(&self, desk: &Desk) -> Result<Subject, Problem> {
        let mend = "write kind as ip, device, session, user or apikey";
        let kinds = [SubjectKind::Device, SubjectKind::Session, SubjectKind::User, SubjectKind::ApiKey];
        if self.kind == SubjectKind::Ip.name() {
            return parse_prefix(&self.value).map(Subject::Ip).map_err(|error| Problem::bad(error.to_string(), ""));
        }
        let kind = kinds
            .into_iter()
            .find(|kind| kind.name() == self.kind)
            .ok_or_else(|| Problem::bad("no such kind", mend))?;
        let raw = self.value.trim();
        let sound =
            (1..=enforcer_common::limits::TOKEN).contains(&raw.len()) && !raw.contains(|c: char| c.is_control());
        let sealed = WrittenSubject::Raw(kind, raw.to_owned()).sealed(desk.key()).filter(|_| sound);
        sealed.ok_or_else(|| {
            Problem::bad("the value is empty, too long or not text", "give it as it stands in the request")
        })
    }
}

impl Shown {
    fn of(entry: &Entry) -> Self {
        let decision = &entry.decision;
        Self {
            id: decision.id,
            kind: decision.subject.kind().name(),
            subject: decision.subject.to_string(),
            scope: decision.scope.to_string(),
            action: decision.action.name(),
            until: decision.until.map(rfc3339),
            reason: decision.note.reason.clone(),
            approved_by: decision.note.approved_by.clone(),
            source: entry.source().map(str::to_owned),
            groups: entry.groups.clone(),
            written: entry.written,
        }
    }
}

fn id(text: &str) -> Result<DecisionId, Problem> {
    text.parse().map_err(|error: enforcer_policy::IdError| Problem::bad(error.to_string(), ""))
}
