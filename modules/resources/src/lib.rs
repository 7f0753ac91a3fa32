//! The built-in filter `resources` as a module. In: calls and how long they took. Out: the same signs. Never here: anything that the
//! built-in one does not do; `enforcer-module/tests/modules/parity.rs` compares them.
//!
//! What is plain arithmetic is the very source of the built-in one: distributions, and the reading of bodies.
#[path = "../../../enforcer-insight/src/filters/fields.rs"]
mod fields;
mod limits;
#[expect(unreachable_pub, reason = "of the built-in filters, where others see it")]
#[path = "../../../enforcer-insight/src/filters/state/peers.rs"]
mod peers;

use enforcer_filter::{Answer, Call, Filter, Key, Out, Parameters, Sign, Steps, Table, Window};

use limits::{Limits, large};
use peers::Peers;

enforcer_filter::filter!(Resources, include_str!("../manifest.json"));

/// The filter.
#[derive(Default)]
struct Resources {
    limits: Limits,
    callers: Table<Key, Caller>,
    spots: Table<u64, Peers>,
    told: Table<(Key, u64), Steps>,
    minute: Minute,
    is_started: bool,
}

/// The time that one caller takes.
#[derive(Default)]
struct Caller {
    window: Window,
    calls: u32,
    millis: u32,
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

impl Filter for Resources {
    fn start(&mut self, parameters: &Parameters<'_>) {
        self.limits = Limits::of(parameters);
        if !self.is_started {
            let entries = usize::try_from(parameters.count("entries")).unwrap_or(usize::MAX);
            (self.callers, self.told) = (Table::new(entries), Table::new(entries));
            (self.spots, self.is_started) = (Table::new(SPOTS), true);
        }
    }

    fn call(&mut self, call: &Call<'_>, out: &mut Out) {
        let Some(answer) = &call.answer else { return };
        let spot = digest(call.endpoint);
        self.time(call, spot, answer, out);
        if answer.status < 400 || answer.status >= 500 {
            self.size(call, spot, out);
        }
    }
}

impl Resources {
    fn time(&mut self, call: &Call<'_>, spot: u64, answer: &Answer<'_>, out: &mut Out) {
        let millis = u32::try_from(answer.first_byte / 1_000).unwrap_or(u32::MAX);
        let usual = self.spots.entry(spot);
        usual.add(u64::from(millis));
        let caller = self.callers.entry(call.consumer);
        if caller.window.turn(call.time, MINUTE) {
            *caller = Caller { window: caller.window, ..Caller::default() };
        }
        caller.calls += 1;
        let before = caller.millis;
        caller.millis = before.saturating_add(millis);
        self.minute.take(call.time, caller, before);
        if caller.millis < self.limits.busy || !self.minute.is_unfair(caller.millis) {
            return;
        }
        let median = u32::try_from(usual.quantile(50)).unwrap_or(u32::MAX).max(1);
        let mean = caller.millis / caller.calls;
        if mean >= median.saturating_mul(self.limits.times) && caller.steps.reach(caller.millis, self.limits.busy) {
            let sign = Sign::new("slow_calls", 88).by_consumer().at_endpoint();
            let sign = sign.suggest_limit("endpoint", PER_MINUTE, self.limits.lasts);
            let sign = sign.count("milliseconds", caller.millis.into()).count("calls", caller.calls.into());
            out.raise(&sign.count("usual_milliseconds", median.into()));
        }
    }

    fn size(&mut self, call: &Call<'_>, spot: u64, out: &mut Out) {
        let Some(large) = large(call, &self.limits) else { return };
        if self.told.entry((call.consumer, spot)).reach(1, 1) {
            let sign = Sign::new(large.kind, 80).by_consumer().at_endpoint();
            let sign = sign.suggest_limit("endpoint", PER_MINUTE, self.limits.lasts);
            out.raise(&sign.count(large.what, large.count).count("bound", large.bound));
        }
    }
}

impl Minute {
    /// A caller has taken so much before and now.
    fn take(&mut self, now: u64, caller: &mut Caller, before: u32) {
        if self.window.turn(now, MINUTE) {
            (self.turn, self.callers) = (self.turn.wrapping_add(1), Peers::default());
        }
        let known = if caller.turn == self.turn { before } else { 0 };
        caller.turn = self.turn;
        self.callers.grow(known.into(), caller.millis.into());
    }

    /// True when so much is far more than most others take.
    fn is_unfair(&self, millis: u32) -> bool {
        self.callers.total() < FEW || u64::from(millis) >= self.callers.quantile(50).saturating_mul(FAIR)
    }
}

/// A key for an endpoint: its text comes from the agent, which bounds how many there are.
fn digest(text: &[u8]) -> u64 {
    text.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Milliseconds.
const MINUTE: u64 = 60_000;
/// How many times more than most a caller takes before it is told of, and with how many callers there are most.
const FAIR: u64 = 4;
const FEW: u32 = 4;
/// Such calls that a caller may still make in a minute.
const PER_MINUTE: u32 = 10;
/// Endpoints that are remembered.
const SPOTS: usize = 1_024;
