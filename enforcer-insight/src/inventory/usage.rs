//! What is known of one endpoint: one method on one path. In: its calls. Out: counts, names, types, times. Never here: values,
//! identities (digests and estimates only), where the endpoint lies.
use std::collections::BTreeMap;

use enforcer_common::{SipKey, SubjectKind, siphash};
use enforcer_policy::Moment;
use serde::{Deserialize, Serialize};

use super::auth::{Auth, credentials};
use super::bodies;
use super::classes::Classes;
use super::fields::Fields;
use super::numbers::{Distinct, Histogram};
use crate::http::Framing;
use crate::{Answer, Call};

/// Different statuses and content types that are kept of one endpoint.
pub(super) const KINDS_OF_ANSWERS: usize = 32;

/// The bodies of so many answers are read, and of those behind them one in so many: they say the same again and again.
const ALL: u64 = 256;
const ONE_IN: u64 = 8;

/// Counts and shapes of the calls of one endpoint.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Usage {
    /// Calls that the application saw.
    pub calls: u64,
    /// Calls that were refused before; nothing else is learned from them.
    pub refused: u64,
    /// When it was first called.
    pub first: Option<Moment>,
    /// And last.
    pub last: Option<Moment>,
    /// Answers by status.
    pub statuses: BTreeMap<u16, u64>,
    /// Calls that were served without credentials.
    pub open: u64,
    /// Calls by the credentials they bore.
    pub auth: BTreeMap<Auth, u64>,
    /// How many different ones called, by kind; `Ip` are clients.
    pub consumers: BTreeMap<u8, Distinct>,
    /// Time to the first byte of the answer, microseconds.
    pub first_byte: Histogram,
    /// Time to its last byte, microseconds.
    pub whole: Histogram,
    /// Bytes of requests, head included.
    pub request_bytes: Histogram,
    /// Bytes of answers, head included.
    pub answer_bytes: Histogram,
    /// Parameters of the query.
    pub query: Fields,
    /// Fields of request bodies.
    pub request: Fields,
    /// Fields of the bodies of good answers; of many answers, some are read.
    pub answer: Fields,
    /// Content types of request bodies.
    pub request_types: BTreeMap<Box<str>, u64>,
    /// Content types of good answers, as far as their bodies were read.
    pub answer_types: BTreeMap<Box<str>, u64>,
    /// Classes of data that were found in it.
    pub classes: Classes,
    /// Statuses, content types and classes that found no room.
    pub forgotten: u64,
}

impl Usage {
    /// Takes a call that the application saw.
    pub(super) fn take(&mut self, call: &Call, key: SipKey) {
        self.calls += 1;
        self.first = Some(self.first.map_or(call.time, |first| first.min(call.time)));
        self.last = self.last.max(Some(call.time));
        self.forgotten += self.classes.join(&Classes::of(&call.sensitive));
        self.take_request(call);
        self.take_consumers(call, key);
        if let Some(answer) = &call.answer {
            self.take_answer(answer);
        }
    }

    fn take_request(&mut self, call: &Call) {
        let credentials = credentials(call);
        if credentials == [Auth::None] && call.status().is_some_and(is_served) {
            self.open += 1;
        }
        for auth in credentials {
            *self.auth.entry(auth).or_default() += 1;
        }
        // What was called wrongly says nothing of how it is to be called.
        if !call.status().is_some_and(is_served) {
            return;
        }
        self.query.looks += 1;
        bodies::read_query(&call.head.target, &mut self.query);
        let length = body_length(call);
        self.request_bytes.note(call.head.end as u64 + length);
        if length > 0
            && let Some(media) = call.head.values("content-type").next()
        {
            self.forgotten += count(&mut self.request_types, media);
            bodies::read_body(media, &call.body, call.body.len() as u64 >= length, &mut self.request);
        }
    }

    fn take_consumers(&mut self, call: &Call, key: SipKey) {
        let client = siphash(key, call.client.to_string().as_bytes());
        self.consumers.entry(SubjectKind::Ip as u8).or_default().note(client);
        for kind in [SubjectKind::Device, SubjectKind::Session, SubjectKind::User, SubjectKind::ApiKey] {
            if let Some(digest) = call.digest(kind) {
                self.consumers.entry(kind as u8).or_default().note(digest);
            }
        }
    }

    fn take_answer(&mut self, answer: &Answer) {
        if self.statuses.len() < KINDS_OF_ANSWERS || self.statuses.contains_key(&answer.status) {
            *self.statuses.entry(answer.status).or_default() += 1;
        } else {
            self.forgotten += 1;
        }
        let micros = |time: std::time::Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.first_byte.note(micros(answer.first_byte));
        if answer.complete {
            self.whole.note(micros(answer.whole));
            self.answer_bytes.note(answer.bytes);
        }
        if is_good(answer.status)
            && (self.calls <= ALL || self.calls.is_multiple_of(ONE_IN))
            && let Some(media) = answer.values("content-type").next()
        {
            self.forgotten += count(&mut self.answer_types, media);
            bodies::read_body(media, &answer.body, false, &mut self.answer);
        }
    }

    /// The estimate of how many different ones called.
    pub fn consumers_of(&self, kind: SubjectKind) -> u64 {
        self.consumers.get(&(kind as u8)).map_or(0, Distinct::estimate)
    }

    /// Answers with a status that `fits`.
    pub fn answers(&self, fits: impl Fn(u16) -> bool) -> u64 {
        self.statuses.iter().filter(|(status, _)| fits(**status)).map(|(_, count)| count).sum()
    }

    /// Takes all of another's.
    pub(super) fn merge(&mut self, other: Self) {
        self.calls += other.calls;
        self.refused += other.refused;
        self.open += other.open;
        self.forgotten += other.forgotten;
        self.first = [self.first, other.first].into_iter().flatten().min();
        self.last = self.last.max(other.last);
        add(&mut self.statuses, other.statuses);
        add(&mut self.auth, other.auth);
        add(&mut self.request_types, other.request_types);
        add(&mut self.answer_types, other.answer_types);
        other.consumers.into_iter().for_each(|(kind, who)| self.consumers.entry(kind).or_default().merge(who));
        let histograms = [
            (&mut self.first_byte, &other.first_byte),
            (&mut self.whole, &other.whole),
            (&mut self.request_bytes, &other.request_bytes),
            (&mut self.answer_bytes, &other.answer_bytes),
        ];
        for (mine, others) in histograms {
            mine.merge(others);
        }
        self.query.merge(other.query);
        self.request.merge(other.request);
        self.answer.merge(other.answer);
        self.classes.merge(other.classes);
    }

    /// Lets go of what is over the limits.
    pub(super) fn trim(&mut self) {
        [&mut self.query, &mut self.request, &mut self.answer].into_iter().for_each(Fields::trim);
        let gone = cut(&mut self.statuses) + cut(&mut self.request_types) + cut(&mut self.answer_types);
        self.forgotten += gone + self.classes.trim();
    }

    /// False for what no calls can have made; a state that was read is to be checked.
    pub(super) fn is_sound(&self) -> bool {
        self.consumers.values().all(Distinct::is_sound)
    }

    /// True when its good answers look like those of another; nothing when one of them has none.
    pub(super) fn looks_like(&self, other: &Self) -> Option<bool> {
        let good = |usage: &Self| usage.answers(is_good) > 0;
        if good(self) != good(other) {
            return None;
        }
        let (mine, others) = (&self.answer_types, &other.answer_types);
        let types = mine.keys().any(|media| others.contains_key(media)) || (mine.is_empty() && others.is_empty());
        Some(types && self.answer.are_like(&other.answer) && self.request.are_like(&other.request))
    }

    /// False when it never answered like this.
    pub(super) fn could_answer(&self, answer: &Answer) -> bool {
        let Some(media) = answer.values("content-type").next().filter(|_| is_good(answer.status)) else { return true };
        let (mut known, mut all) = (0_usize, 0_usize);
        let mut fields = Fields::default();
        bodies::read_body(media, &answer.body, false, &mut fields);
        for name in fields.names() {
            (known, all) = (known + usize::from(self.answer.of(name).is_some()), all + 1);
        }
        let types = self.answer_types.is_empty()
            || bodies::media_type(media).is_none_or(|media| self.answer_types.contains_key(&*media));
        types && (all == 0 || self.answer.names().next().is_none() || known * 2 >= all)
    }
}

/// True for answers that say that there is something at this path.
pub(super) fn is_proof(status: u16) -> bool {
    is_served(status) || matches!(status, 402 | 409 | 412 | 422 | 428 | 500)
}

/// True for answers of an application that took the request.
pub(super) fn is_served(status: u16) -> bool {
    (200..400).contains(&status)
}

fn is_good(status: u16) -> bool {
    (200..300).contains(&status)
}

fn body_length(call: &Call) -> u64 {
    match call.head.framing {
        Framing::Length(length) => length,
        Framing::Chunked | Framing::None | Framing::Refused(_) => call.body.len() as u64,
    }
}

/// Counts a content type; 1 when there is no room for it.
fn count(types: &mut BTreeMap<Box<str>, u64>, value: &[u8]) -> u64 {
    let Some(media) = bodies::media_type(value) else { return 0 };
    if types.len() >= KINDS_OF_ANSWERS && !types.contains_key(&*media) {
        return 1;
    }
    *types.entry(media.into()).or_default() += 1;
    0
}

fn add<K: Ord>(mine: &mut BTreeMap<K, u64>, others: BTreeMap<K, u64>) {
    for (key, count) in others {
        *mine.entry(key).or_default() += count;
    }
}

/// Lets go of the rarest; tells how many values they were.
pub(super) fn cut<K: Ord + Clone>(counts: &mut BTreeMap<K, u64>) -> u64 {
    let mut gone = 0;
    while counts.len() > KINDS_OF_ANSWERS {
        let rarest = counts.iter().min_by_key(|(_, count)| **count).map(|(key, _)| key.clone());
        gone += rarest.and_then(|key| counts.remove(&key)).unwrap_or(0);
    }
    gone
}
