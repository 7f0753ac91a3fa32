//! Exhausted resources with few requests. In: calls and how long they took. Out: signs of callers that keep the application busy, of
//! huge pages and deep queries. Never here: rates (`anomaly`).
use std::time::Duration;

use enforcer_policy::Moment;

use super::fields::{fields, nesting, pairs};
use super::state::{Book, Peers, Steps, Window};
use super::{Entry, Filter, Out, Parameter, Parameters, Seen};
use crate::Answer;
use crate::findings::{Risk, Severity, Sign, Suggestion};

/// The filter.
pub(super) fn entry() -> Entry {
    let title = "few requests that keep the application busy";
    Entry::built_in("resources", title, Risk::ResourceConsumption, SCHEMA, |parameters, _| Resources::new(parameters))
}

const SCHEMA: &[Parameter] = &[
    Parameter::time("busy", "40s", 1, 3_600, "time of the application that a caller may take in a minute"),
    Parameter::count(
        "times",
        "10",
        2,
        1_000,
        "how many times longer than is usual for the endpoint its calls must take",
    ),
    Parameter::count("page", "5000", 10, 1_000_000_000, "entries of a page that may be asked for"),
    Parameter::count("depth", "24", 4, 1_000, "how deep a body or query may be nested"),
    Parameter::count("batch", "100", 5, 100_000, "operations of one query"),
    Parameter::time("lasts", "1h", 60, 2_592_000, "how long a suggested decision lasts"),
    Parameter::count("entries", "8192", 256, 1_048_576, "callers that are remembered"),
];

struct Resources {
    limits: Limits,
    callers: Book<Caller>,
    spots: Book<Peers>,
    told: Book<Steps>,
    minute: Minute,
}

#[derive(Clone, Copy)]
struct Limits {
    busy: u32,
    times: u32,
    page: u64,
    depth: u16,
    batch: usize,
    lasts: Duration,
}

/// The time that one caller takes.
#[derive(Default)]
struct Caller {
    window: Window,
    calls: u32,
    millis: u32,
    /// What such calls take usually.
    usual: u32,
    /// The minute of all callers that it is counted in.
    turn: u32,
    steps: Steps,
}

/// The time that each caller takes in this minute.
#[derive(Default)]
struct Minute {
    window: Window,
    turn: u32,
    callers: Peers,
}

impl Minute {
    /// A caller has taken so much before and now.
    fn take(&mut self, now: Moment, caller: &mut Caller, before: u32) {
        if self.window.turn(now, MINUTE) {
            (self.turn, self.callers) = (self.turn.wrapping_add(1), Peers::default());
        }
        let known = if caller.turn == self.turn { before } else { 0 };
        caller.turn = self.turn;
        self.callers.grow(known.into(), caller.millis.into());
    }

    /// True when so much is far more than most others take: on a host that is slow for everybody, nobody is to blame for being slow.
    fn is_unfair(&self, millis: u32) -> bool {
        self.callers.total() < FEW || u64::from(millis) >= self.callers.quantile(50).saturating_mul(FAIR)
    }
}

/// What is too large about a request.
struct Large {
    kind: &'static str,
    what: &'static str,
    count: u64,
    bound: u64,
}

impl Resources {
    fn new(parameters: &Parameters) -> Self {
        let entries = parameters.size("entries");
        let (callers, spots, told) = (Book::new(entries), Book::new(SPOTS), Book::new(entries));
        Self { limits: Limits::of(parameters), callers, spots, told, minute: Minute::default() }
    }

    fn time(&mut self, seen: &Seen<'_>, answer: &Answer, out: &mut Out) {
        let millis = u32::try_from(answer.first_byte.as_millis()).unwrap_or(u32::MAX);
        let usual = self.spots.entry_with(seen.spot.key, Peers::default);
        usual.add(u64::from(millis));
        let caller = self.callers.entry(seen.consumer.key);
        if caller.window.turn(seen.now(), MINUTE) {
            *caller = Caller { window: caller.window, ..Caller::default() };
        }
        caller.calls += 1;
        let before = caller.millis;
        caller.millis = before.saturating_add(millis);
        self.minute.take(seen.now(), caller, before);
        if caller.millis < self.limits.busy || !self.minute.is_unfair(caller.millis) {
            return;
        }
        // The median: while an attack goes on, its calls are still few.
        let median = u32::try_from(usual.quantile(50)).unwrap_or(u32::MAX).max(1);
        caller.usual = median;
        let mean = caller.millis / caller.calls;
        if mean >= median.saturating_mul(self.limits.times) && caller.steps.reach(caller.millis, self.limits.busy) {
            out.raise(busy(seen, caller, self.limits.lasts));
        }
    }

    fn size(&mut self, seen: &Seen<'_>, out: &mut Out) {
        let Some(large) = large(seen, &self.limits) else { return };
        let key = seen.seed.words(seen.consumer.key, seen.spot.key);
        let steps = self.told.entry(key);
        if steps.reach(1, 1) {
            let who = seen.consumer.subject.clone();
            let limit = Suggestion::limit(who.clone(), seen.scope(), PER_MINUTE, self.limits.lasts);
            let sign = Sign::new(large.kind, Risk::ResourceConsumption, Severity::Medium, 80, FIX_SIZE);
            let sign = sign.at(&seen.spot.text).by(who).count(large.what, large.count).count("bound", large.bound);
            out.raise(sign.suggest(limit));
        }
    }
}

impl Filter for Resources {
    fn on_response(&mut self, seen: &Seen<'_>, answer: &Answer, out: &mut Out) {
        self.time(seen, answer, out);
        if answer.status < 400 || answer.status >= 500 {
            self.size(seen, out);
        }
    }

    fn retune(&mut self, parameters: &Parameters) {
        self.limits = Limits::of(parameters);
    }

    fn held_bytes(&self) -> usize {
        self.callers.held_bytes() + self.spots.held_bytes() + self.told.held_bytes()
    }

    fn forgotten(&self) -> u64 {
        self.callers.forgotten() + self.spots.forgotten() + self.told.forgotten()
    }
}

impl Limits {
    fn of(parameters: &Parameters) -> Self {
        let busy = u32::try_from(parameters.time("busy").as_millis()).unwrap_or(u32::MAX);
        let depth = u16::try_from(parameters.count("depth")).unwrap_or(u16::MAX);
        let (page, batch) = (u64::from(parameters.count("page")), parameters.size("batch"));
        Self { busy, times: parameters.count("times"), page, depth, batch, lasts: parameters.time("lasts") }
    }
}

/// What is too large about a request that was served.
fn large(seen: &Seen<'_>, limits: &Limits) -> Option<Large> {
    let page = pairs(seen.query()).filter(|pair| is_page(pair.name)).find_map(|pair| number(pair.value, limits.page));
    if let Some(count) = page {
        return Some(Large { kind: "huge_page", what: "entries", count, bound: limits.page });
    }
    let body = &seen.call.body;
    // Each level takes two bytes: a short body is not deep.
    if body.len() < usize::from(limits.depth) * 2 || !matches!(body.first(), Some(b'{' | b'[')) {
        return None;
    }
    let query = fields(body).find(|field| field.name == b"query" && field.value.contains(&b'{'));
    let depth = query.map_or(0, |query| nesting(query.value)).max(nesting(body));
    if depth > limits.depth {
        let (count, bound) = (u64::from(depth), u64::from(limits.depth));
        return Some(Large { kind: "deep_query", what: "levels", count, bound });
    }
    let operations = fields(body).filter(|field| field.name == b"query").count();
    let (count, bound) = (operations as u64, limits.batch as u64);
    (operations > limits.batch).then_some(Large { kind: "large_batch", what: "operations", count, bound })
}

fn is_page(name: &[u8]) -> bool {
    PAGES.iter().any(|page| name.eq_ignore_ascii_case(page.as_bytes()))
}

/// A number over a bound; one that is too long for 64 bits counts as the greatest.
fn number(value: &[u8], bound: u64) -> Option<u64> {
    let digits = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    let number = std::str::from_utf8(value).ok().filter(|_| digits)?.parse().unwrap_or(u64::MAX);
    (number > bound).then_some(number)
}

fn busy(seen: &Seen<'_>, caller: &Caller, lasts: Duration) -> Sign {
    let who = seen.consumer.subject.clone();
    let suggestion = Suggestion::limit(who.clone(), seen.scope(), PER_MINUTE, lasts);
    let sign = Sign::new("slow_calls", Risk::ResourceConsumption, Severity::High, 88, FIX_TIME).at(&seen.spot.text);
    let sign = sign.by(who).count("milliseconds", caller.millis).count("calls", caller.calls);
    sign.count("usual_milliseconds", caller.usual).suggest(suggestion)
}

const FIX_TIME: &str = "bound what one call may cost, and give up on what takes too long";
const FIX_SIZE: &str = "bound the size of pages, and the depth and number of queries";
const PAGES: &[&str] = &[
    "limit",
    "size",
    "page_size",
    "pagesize",
    "per_page",
    "perpage",
    "count",
    "top",
    "$top",
    "first",
    "rows",
    "take",
    "max",
    "max_results",
    "maxresults",
    "length",
];
const MINUTE: Duration = Duration::from_mins(1);
/// How many times more than most a caller takes before it is told of, and with how many callers there are most.
const FAIR: u64 = 4;
const FEW: u32 = 4;
/// Such calls that a caller may still make in a minute.
const PER_MINUTE: u32 = 10;
/// Endpoints that are remembered.
const SPOTS: usize = 1_024;
