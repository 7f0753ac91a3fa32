//! Sensitive data in answers and addresses, and bulk export. In: answers, with the classes of data that were found in calls.
//! Out: signs of data that should not be there, and of callers that take much more than usual. Never here: how classes are found,
//! values.
//!
//! What is usual is learned from the caller's own past windows and from those of its peers on the service.
use std::time::Duration;

use enforcer_policy::Moment;

use super::found::{Found, Place, found_in};
use super::state::{Book, Peers, Recent, Steps, Window};
use super::{Entry, Filter, Out, Parameter, Parameters, Seen};
use crate::Answer;
use crate::findings::{Risk, Severity, Sign, Suggestion};

/// The filter.
pub(super) fn entry() -> Entry {
    let title = "sensitive data where it should not be, and bulk export";
    Entry::built_in("exposure", title, Risk::PropertyAuthorization, SCHEMA, |parameters, _| Exposure::new(parameters))
}

const SCHEMA: &[Parameter] = &[
    Parameter::count("megabytes", "16", 1, 1_000_000, "megabytes of answers that a caller may take within the window"),
    Parameter::count("values", "500", 10, 10_000_000, "sensitive values that a caller may take within the window"),
    Parameter::count("times", "5", 1, 100, "how many times more than its peers and its own past a caller must take"),
    Parameter::time("window", "1h", 60, 86_400, "how long answers are counted together"),
    Parameter::time("lasts", "1h", 60, 2_592_000, "how long a suggested decision lasts"),
    Parameter::count("entries", "16384", 256, 1_048_576, "callers that are remembered"),
];

struct Exposure {
    limits: Limits,
    takers: Book<Taker>,
    peers: Peers,
    told: Book<Steps>,
}

struct Limits {
    kilobytes: u32,
    values: u32,
    times: u32,
    window: Duration,
    lasts: Duration,
}

/// What one caller took.
#[derive(Default)]
struct Taker {
    window: Window,
    kilobytes: u32,
    /// Bytes that make no kilobyte yet.
    rest: u32,
    values: u32,
    calls: u32,
    steps: Steps,
    value_steps: Steps,
    own: Recent<8>,
}

impl Exposure {
    fn new(parameters: &Parameters) -> Self {
        let (takers, peers, told) = (Book::new(parameters.size("entries")), Peers::default(), Book::new(TOLD));
        Self { limits: Limits::of(parameters), takers, peers, told }
    }

    /// Data that should not be there: told once for each endpoint, class and place, and when it has doubled.
    fn misplaced(&mut self, seen: &Seen<'_>, out: &mut Out) -> u32 {
        let mut values: u32 = 0;
        for found in found_in(&seen.call.sensitive) {
            if found.place == Place::Answer {
                values = values.saturating_add(found.count);
            }
            if found.grave || found.place == Place::Url {
                let key =
                    seen.seed.words(seen.spot.key, seen.digest(found.class.name().as_bytes()) ^ found.place as u64);
                let steps = self.told.entry(key);
                if *steps == Steps::default() {
                    steps.reach(1, 1);
                    out.raise(misplaced(seen, found));
                }
            }
        }
        values
    }

    fn take(&mut self, seen: &Seen<'_>, answer: &Answer, values: u32, out: &mut Out) {
        let taker = self.takers.entry(seen.consumer.key);
        taker.turn(seen.now(), self.limits.window);
        let before = taker.kilobytes;
        taker.add(answer.bytes, values);
        if taker.steps == Steps::default() {
            self.peers.grow(u64::from(before), u64::from(taker.kilobytes));
        }
        let bound = taker.bound(&self.peers, &self.limits);
        if taker.steps.reach(taker.kilobytes, bound) {
            let known = self.peers.total() >= ENOUGH;
            out.raise(export(seen, taker, bound, known, &self.limits));
        } else if taker.value_steps.reach(taker.values, self.limits.values) {
            out.raise(harvest(seen, taker, &self.limits));
        }
    }
}

impl Filter for Exposure {
    fn on_response(&mut self, seen: &Seen<'_>, answer: &Answer, out: &mut Out) {
        let values = self.misplaced(seen, out);
        if (200..300).contains(&answer.status) {
            self.take(seen, answer, values, out);
        }
    }

    fn retune(&mut self, parameters: &Parameters) {
        self.limits = Limits::of(parameters);
    }

    fn held_bytes(&self) -> usize {
        self.takers.held_bytes() + self.told.held_bytes()
    }

    fn forgotten(&self) -> u64 {
        self.takers.forgotten() + self.told.forgotten()
    }
}

impl Limits {
    fn of(parameters: &Parameters) -> Self {
        let kilobytes = parameters.count("megabytes").saturating_mul(1024);
        let (values, times) = (parameters.count("values"), parameters.count("times"));
        Self { kilobytes, values, times, window: parameters.time("window"), lasts: parameters.time("lasts") }
    }
}

impl Taker {
    fn turn(&mut self, now: Moment, window: Duration) {
        if !self.window.turn(now, window) {
            return;
        }
        let mut own = self.own;
        if self.steps == Steps::default() && self.calls > 0 {
            own.push(self.kilobytes);
        }
        *self = Self { window: self.window, own, ..Self::default() };
    }

    fn add(&mut self, bytes: u64, values: u32) {
        let bytes = u64::from(self.rest) + bytes;
        self.kilobytes = self.kilobytes.saturating_add(u32::try_from(bytes / 1024).unwrap_or(u32::MAX));
        self.rest = (bytes % 1024) as u32;
        self.values = self.values.saturating_add(values);
        self.calls += 1;
    }

    fn bound(&self, peers: &Peers, limits: &Limits) -> u32 {
        // Nearly always far below: then nothing needs to be known of others.
        if self.kilobytes < limits.kilobytes {
            return limits.kilobytes;
        }
        let others = if peers.total() >= ENOUGH { peers.quantile(95) } else { 0 };
        let usual = u32::try_from(others).unwrap_or(u32::MAX).max(self.own.usual().0);
        limits.kilobytes.max(usual.saturating_mul(limits.times))
    }
}

fn misplaced(seen: &Seen<'_>, found: Found) -> Sign {
    let (kind, fix, place) = match found.place {
        Place::Answer => ("sensitive_data_in_answer", FIX_ANSWER, "answer"),
        Place::Request => ("sensitive_data_in_request", FIX_ANSWER, "request"),
        Place::Url => ("sensitive_data_in_url", FIX_URL, "url"),
    };
    let severity = if found.grave { Severity::High } else { Severity::Medium };
    let sign = Sign::new(kind, Risk::PropertyAuthorization, severity, 85, fix).at(&seen.spot.text);
    sign.word("class", found.class.name()).word("place", place).count("values", found.count)
}

fn export(seen: &Seen<'_>, taker: &Taker, bound: u32, known: bool, limits: &Limits) -> Sign {
    let who = seen.consumer.subject.clone();
    // Twice what is too much is no accident, where it is known what others take.
    let confidence = if known && taker.kilobytes >= bound.saturating_mul(2) { 92 } else { 78 };
    let suggestion = Suggestion::refuse(who.clone(), seen.scope(), limits.lasts);
    let sign = Sign::new("bulk_export", Risk::BusinessFlows, Severity::High, confidence, FIX_EXPORT).by(who);
    let sign = sign.count("kilobytes", taker.kilobytes).count("calls", taker.calls).count("bound", bound);
    sign.count("usual_own", taker.own.usual().0).suggest(Some(suggestion))
}

fn harvest(seen: &Seen<'_>, taker: &Taker, limits: &Limits) -> Sign {
    let who = seen.consumer.subject.clone();
    let suggestion = Suggestion::refuse(who.clone(), seen.scope(), limits.lasts);
    let sign = Sign::new("data_harvest", Risk::BusinessFlows, Severity::High, 80, FIX_EXPORT).by(who);
    sign.count("sensitive_values", taker.values).count("calls", taker.calls).suggest(Some(suggestion))
}

const FIX_ANSWER: &str = "answer with the fields that callers need, and mask the others";
const FIX_URL: &str = "send it in a body or header: addresses are written to logs on the way";
const FIX_EXPORT: &str = "bound pages and how many of them a caller may take, and ask for approval of exports";
/// Endpoints with classes and places that were told of.
const TOLD: usize = 4_096;
/// Callers before they say what is usual.
const ENOUGH: u32 = 20;
