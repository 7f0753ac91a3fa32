//! Unusual rates and shapes. In: calls. Out: signs of callers that call much more than they and others do, of surges of an endpoint,
//! of callers that meet nothing but missing paths. Never here: a training phase: what is usual is the median of what was, from the
//! first bucket on.
//!
//! Time is cut into buckets. A caller's bucket is compared with its own last buckets and with those of its peers; an endpoint's
//! with its last buckets and with the same hour of earlier days.
use std::time::Duration;

use enforcer_policy::Moment;

use super::state::{Book, Distinct, Peers, Recent, Steps, Window};
use super::{Entry, Filter, Out, Parameter, Parameters, Seen};
use crate::Answer;
use crate::findings::{Risk, Severity, Sign, Suggestion};

/// The filter.
pub(super) fn entry() -> Entry {
    let title = "unusual rates and shapes of calls";
    Entry::built_in("anomaly", title, Risk::ResourceConsumption, SCHEMA, |parameters, _| Anomaly::new(parameters))
}

const SCHEMA: &[Parameter] = &[
    Parameter::count("calls", "300", 10, 1_000_000, "calls of a caller in a bucket that are never unusual"),
    Parameter::count("surge", "2000", 100, 100_000_000, "calls of an endpoint in a bucket that are never unusual"),
    Parameter::count(
        "times",
        "6",
        2,
        100,
        "how many deviations from the median, and how many times its peers, are unusual",
    ),
    Parameter::count("paths", "25", 5, 100_000, "missing paths of a caller in a bucket that are a scan"),
    Parameter::time("bucket", "5m", 10, 3_600, "how long a bucket is"),
    Parameter::time("lasts", "1h", 60, 2_592_000, "how long a suggested decision lasts"),
    Parameter::count("entries", "16384", 256, 1_048_576, "callers that are remembered"),
];

struct Anomaly {
    limits: Limits,
    callers: Book<Caller>,
    peers: Peers,
    spots: Book<Whole>,
}

struct Limits {
    calls: u32,
    surge: u32,
    times: u32,
    paths: u32,
    bucket: Duration,
    lasts: Duration,
}

/// Calls of one caller.
#[derive(Default)]
struct Caller {
    window: Window,
    calls: u32,
    missed: u32,
    paths: Distinct<4>,
    spots: Distinct<2>,
    own: Recent<12>,
    steps: Steps,
    scans: Steps,
}

/// Calls of an endpoint.
#[derive(Default)]
struct Whole {
    window: Window,
    calls: u32,
    callers: Distinct<4>,
    own: Recent<24>,
    hours: Vec<Recent<7>>,
    steps: Steps,
    hour: Hour,
}

/// The busiest bucket of an hour.
#[derive(Clone, Copy, Default)]
struct Hour {
    number: u64,
    most: u32,
}

impl Anomaly {
    fn new(parameters: &Parameters) -> Self {
        let (callers, spots) = (Book::new(parameters.size("entries")), Book::new(SPOTS));
        Self { limits: Limits::of(parameters), callers, peers: Peers::default(), spots }
    }

    fn count_caller(&mut self, seen: &Seen<'_>, out: &mut Out) {
        let caller = self.callers.entry(seen.consumer.key);
        caller.turn(seen.now(), &self.limits);
        caller.calls += 1;
        if caller.steps == Steps::default() {
            self.peers.grow(u64::from(caller.calls) - 1, u64::from(caller.calls));
        }
        caller.spots.add(seen.spot.key);
        if caller.calls <= self.limits.calls {
            return;
        }
        let bound = caller.bound(&self.peers, &self.limits);
        if caller.steps.reach(caller.calls, bound) {
            let known = self.peers.total() >= PEERS;
            out.raise(fast(seen, caller, bound, known, &self.limits));
        }
    }

    fn count_spot(&mut self, seen: &Seen<'_>, out: &mut Out) {
        let whole = self.spots.entry(seen.spot.key);
        whole.turn(seen.now(), &self.limits);
        whole.calls += 1;
        whole.callers.add(seen.consumer.key);
        if whole.calls <= self.limits.surge {
            return;
        }
        let bound = whole.bound(seen.now(), &self.limits);
        if whole.steps.reach(whole.calls, bound) && whole.own.len() >= ENOUGH {
            let sign =
                Sign::new("surge", Risk::ResourceConsumption, Severity::Medium, 70, FIX_SURGE).at(&seen.spot.text);
            let sign = sign.count("calls", whole.calls).count("bound", bound);
            out.raise(sign.count("usual", whole.own.usual().0).count("callers", whole.callers.count()));
        }
    }
}

impl Filter for Anomaly {
    fn on_request(&mut self, seen: &Seen<'_>, out: &mut Out) {
        self.count_caller(seen, out);
        self.count_spot(seen, out);
    }

    fn on_response(&mut self, seen: &Seen<'_>, answer: &Answer, out: &mut Out) {
        if !matches!(answer.status, 404 | 405 | 501) {
            return;
        }
        let path = seen.call.head.target.split(|byte| *byte == b'?').next().unwrap_or_default();
        let Some(caller) = self.callers.find(seen.consumer.key) else { return };
        caller.missed += 1;
        caller.paths.add(seen.digest(path));
        // Who looks for objects that are gone walks on one endpoint; who looks for programs tries all over.
        let scan = caller.missed * 2 >= caller.calls && seen.objects.is_empty();
        if scan && caller.scans.reach(caller.paths.count(), self.limits.paths) {
            out.raise(scanning(seen, caller, &self.limits));
        }
    }

    fn retune(&mut self, parameters: &Parameters) {
        self.limits = Limits::of(parameters);
    }

    fn held_bytes(&self) -> usize {
        self.callers.held_bytes() + self.spots.held_bytes() + self.spots.len() * HOURS * size_of::<Recent<7>>()
    }

    fn forgotten(&self) -> u64 {
        self.callers.forgotten() + self.spots.forgotten()
    }
}

impl Limits {
    fn of(parameters: &Parameters) -> Self {
        let count = |name| parameters.count(name);
        let (bucket, lasts) = (parameters.time("bucket"), parameters.time("lasts"));
        let (calls, surge) = (count("calls"), count("surge"));
        Self { calls, surge, times: count("times"), paths: count("paths"), bucket, lasts }
    }
}

impl Caller {
    fn turn(&mut self, now: Moment, limits: &Limits) {
        if !self.window.turn(now, limits.bucket) {
            return;
        }
        let mut own = self.own;
        // What was told of is not what is usual: else who keeps on becomes usual.
        if self.steps == Steps::default() && self.calls > 0 {
            own.push(self.calls);
        }
        *self = Self { window: self.window, own, ..Self::default() };
    }

    fn bound(&self, peers: &Peers, limits: &Limits) -> u32 {
        let others =
            if peers.total() >= PEERS { peers.quantile(95).saturating_mul(u64::from(limits.times)) } else { 0 };
        let own = if self.own.len() >= OWN { self.own.bound(limits.times) } else { 0 };
        limits.calls.max(own).max(u32::try_from(others).unwrap_or(u32::MAX))
    }
}

impl Whole {
    fn turn(&mut self, now: Moment, limits: &Limits) {
        if !self.window.turn(now, limits.bucket) {
            return;
        }
        if self.steps == Steps::default() && self.calls > 0 {
            self.own.push(self.calls);
        }
        // A busy hour is told of on its first days, and must be learned all the same: the median of days is not moved by one attack.
        self.remember(now);
        (self.calls, self.callers, self.steps) = (0, Distinct::default(), Steps::default());
    }

    /// Notes the busiest bucket of each hour under its hour of the day.
    fn remember(&mut self, now: Moment) {
        let number = hour(now);
        if self.hour.number != number {
            if self.hours.is_empty() {
                self.hours = vec![Recent::default(); HOURS];
            }
            let of_day = usize::try_from(self.hour.number % HOURS as u64).unwrap_or_default();
            if self.hour.most > 0
                && let Some(hours) = self.hours.get_mut(of_day)
            {
                hours.push(self.hour.most);
            }
            self.hour = Hour { number, most: 0 };
        }
        self.hour.most = self.hour.most.max(self.calls);
    }

    /// What neither the last buckets nor the same hour of earlier days come near.
    fn bound(&self, now: Moment, limits: &Limits) -> u32 {
        let of_day = usize::try_from(hour(now) % HOURS as u64).unwrap_or_default();
        let then =
            self.hours.get(of_day).filter(|hours| hours.len() >= DAYS).map_or(0, |hours| hours.bound(limits.times));
        limits.surge.max(self.own.bound(limits.times)).max(then)
    }
}

const fn hour(now: Moment) -> u64 {
    now.0 / 3_600_000
}

fn fast(seen: &Seen<'_>, caller: &Caller, bound: u32, known: bool, limits: &Limits) -> Sign {
    let who = seen.consumer.subject.clone();
    // Nobody is surely too fast before others are known.
    let confidence = if known && caller.calls >= bound.saturating_mul(8) { 92 } else { 75 };
    let minutes = u32::try_from(limits.bucket.as_secs() / 60).unwrap_or(1).max(1);
    let limit = Suggestion::limit(who.clone(), seen.service(), bound / minutes, limits.lasts);
    // Packets of an address can only be dropped, and others may live behind it: that is for a person to say.
    let sign = Sign::new("unusual_rate", Risk::ResourceConsumption, Severity::Medium, confidence, FIX_RATE).by(who);
    let sign = sign.count("calls", caller.calls).count("bound", bound).count("usual_own", caller.own.usual().0);
    sign.count("endpoints", caller.spots.count()).suggest(limit)
}

fn scanning(seen: &Seen<'_>, caller: &Caller, limits: &Limits) -> Sign {
    let who = seen.consumer.subject.clone();
    let suggestion = Suggestion::refuse(who.clone(), seen.service(), limits.lasts);
    let sign = Sign::new("path_scanning", Risk::Inventory, Severity::Medium, 90, FIX_SCAN).by(who);
    let sign = sign.count("missing_paths", caller.paths.count()).count("missed", caller.missed);
    sign.count("calls", caller.calls).suggest(Some(suggestion))
}

const FIX_RATE: &str = "limit calls by user and key in the service or in front of it";
const FIX_SURGE: &str = "look at who calls: a new release, a campaign, or many callers that act together";
const FIX_SCAN: &str = "serve nothing that is not in the inventory, and close what old versions left open";
/// Endpoints that are remembered.
const SPOTS: usize = 1_024;
/// Hours of a day.
const HOURS: usize = 24;
/// Days before the same hour says what is usual.
const DAYS: usize = 3;
/// Buckets of an endpoint before a surge is told.
const ENOUGH: usize = 6;
/// Callers before they say what is usual.
const PEERS: u32 = 30;
/// Buckets of a caller before they say what is usual for it.
const OWN: usize = 3;
