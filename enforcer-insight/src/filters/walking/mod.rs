//! Object walking: one caller, or many together, asks for the objects of others, one after the other. In: the objects that calls
//! name. Out: signs of walking, of enumerated users, of objects that belong to others. Never here: raw names of objects.
//!
//! How many objects are many is learned from the other callers of the endpoint and from the caller's own past; runs of numbers
//! and objects that are missing or refused make it certain.
use std::time::Duration;

use enforcer_policy::SubjectKind;

use super::state::{Book, Distinct, Peers, Steps, Window};
use super::{Entry, Filter, Object, Out, Parameter, Parameters, Party, Seen};
use crate::Answer;
use crate::findings::{Risk, Severity, Sign, Suggestion};

mod owners;

use owners::Owners;

/// The filter.
pub(super) fn entry() -> Entry {
    let title = "walking through the objects of others, enumerating users";
    Entry::built_in("walking", title, Risk::ObjectAuthorization, SCHEMA, |parameters, _| Walking::new(parameters))
}

const SCHEMA: &[Parameter] = &[
    Parameter::count(
        "objects",
        "30",
        5,
        100_000,
        "different objects of one endpoint that a caller may name in the window",
    ),
    Parameter::count("times", "3", 1, 100, "how many times more than its peers and its own past a caller must name"),
    Parameter::count("owners", "4", 2, 1_000, "owners whose private objects a caller reads before it is told of"),
    Parameter::time("window", "10m", 60, 86_400, "how long objects are counted together"),
    Parameter::time("lasts", "1h", 60, 2_592_000, "how long a suggested decision lasts"),
    Parameter::count(
        "entries",
        "16384",
        256,
        1_048_576,
        "callers of endpoints that are remembered, and 4 times as many objects",
    ),
];

struct Walking {
    limits: Limits,
    walks: Book<Walk>,
    spots: Book<Trail>,
    owners: Owners,
}

#[derive(Clone, Copy)]
struct Limits {
    objects: u32,
    times: u32,
    owners: u32,
    window: Duration,
    lasts: Duration,
}

/// The objects that one caller names on one endpoint.
#[derive(Default)]
struct Walk {
    window: Window,
    objects: Distinct<16>,
    calls: u32,
    /// Objects that follow each other by number.
    steps: u32,
    last: u64,
    /// Objects that were missing or refused.
    missed: u32,
    /// The most objects in an earlier window that was not told of.
    own: u32,
    told: Steps,
}

/// What is usual on an endpoint, and whether all callers together walk.
#[derive(Default)]
struct Trail {
    peers: Peers,
    last: u64,
    last_caller: u64,
    /// The latest that were named: with a few of them, one follows the other all the time.
    objects: Distinct<16>,
    /// Of the last calls, one bit each: the object was new, followed the one before, and came from another caller.
    followed: u64,
    callers: Distinct<2>,
    window: Window,
    told: bool,
}

impl Walking {
    fn new(parameters: &Parameters) -> Self {
        let entries = parameters.size("entries");
        let owners = Owners::new(entries.saturating_mul(4), entries);
        Self { limits: Limits::of(parameters), walks: Book::new(entries), spots: Book::new(SPOTS), owners }
    }

    fn walk(&mut self, seen: &Seen<'_>, object: Object, missed: bool, out: &mut Out) {
        let trail = self.spots.entry(seen.spot.key);
        let walk = self.walks.entry(seen.seed.words(seen.consumer.key, seen.spot.key));
        if walk.window.turn(seen.now(), self.limits.window) {
            walk.close();
        }
        let before = walk.objects.count();
        walk.take(object, missed);
        let count = walk.objects.count();
        if count == before {
            return;
        }
        // Who was told of is no peer.
        if walk.told == Steps::default() {
            trail.peers.grow(u64::from(before), u64::from(count));
        }
        let bound = walk.bound(trail, &self.limits);
        if walk.told.reach(count, bound) {
            let known = trail.peers.total() >= ENOUGH;
            out.raise(walking(seen, walk, bound, known, &self.limits));
        }
    }

    fn together(&mut self, seen: &Seen<'_>, object: Object, out: &mut Out) {
        let Some(number) = object.number else { return };
        let trail = self.spots.entry(seen.spot.key);
        if trail.window.turn(seen.now(), self.limits.window) {
            (trail.followed, trail.callers, trail.told) = (0, Distinct::default(), false);
            trail.objects = Distinct::default();
        }
        if trail.objects.count() >= LATEST {
            trail.objects = Distinct::default();
        }
        let new = trail.objects.add(object.digest);
        let near = number.abs_diff(trail.last).wrapping_sub(1) < STRIDE;
        let follows = new && near && seen.consumer.key != trail.last_caller;
        (trail.last, trail.last_caller) = (number, seen.consumer.key);
        trail.followed = trail.followed << 1 | u64::from(follows);
        if follows {
            trail.callers.add(seen.consumer.key);
        }
        let many = trail.followed.count_ones() >= FOLLOWED && trail.callers.count() >= TOGETHER;
        if many && !trail.told {
            trail.told = true;
            let kind = "distributed_walking";
            let sign = Sign::new(kind, Risk::ObjectAuthorization, Severity::High, 80, FIX).at(&seen.spot.text);
            let sign = sign.count("in_sequence", trail.followed.count_ones()).count("of_calls", 64_u32);
            out.raise(sign.count("callers", trail.callers.count()));
        }
    }

    fn own(&mut self, seen: &Seen<'_>, object: Object, out: &mut Out) {
        let Some(who) = lasting(seen) else { return };
        if let Some(count) = self.owners.read(seen, &who, object, self.limits.owners) {
            let sign =
                Sign::new("foreign_objects", Risk::ObjectAuthorization, Severity::High, 85, FIX).at(&seen.spot.text);
            let suggestion = Suggestion::refuse(who.subject.clone(), seen.scope(), self.limits.lasts);
            out.raise(sign.by(who.subject).count("owners", count).suggest(Some(suggestion)));
        }
    }
}

impl Filter for Walking {
    fn on_response(&mut self, seen: &Seen<'_>, answer: &Answer, out: &mut Out) {
        if seen.objects.is_empty() || answer.status >= 500 {
            return;
        }
        // What comes last in a path is what is asked for; what stands before is where it lies.
        let Some(object) = seen.objects.last().copied() else { return };
        let missed = matches!(answer.status, 401 | 403 | 404 | 410);
        self.walk(seen, object, missed, out);
        self.together(seen, object, out);
        if (200..300).contains(&answer.status)
            && let Some(first) = seen.objects.first()
        {
            self.own(seen, *first, out);
        }
    }

    fn retune(&mut self, parameters: &Parameters) {
        self.limits = Limits::of(parameters);
    }

    fn held_bytes(&self) -> usize {
        self.walks.held_bytes() + self.spots.held_bytes() + self.owners.held_bytes()
    }

    fn forgotten(&self) -> u64 {
        self.walks.forgotten() + self.spots.forgotten() + self.owners.forgotten()
    }
}

impl Limits {
    fn of(parameters: &Parameters) -> Self {
        let count = |name| parameters.count(name);
        let (window, lasts) = (parameters.time("window"), parameters.time("lasts"));
        Self { objects: count("objects"), times: count("times"), owners: count("owners"), window, lasts }
    }
}

impl Walk {
    /// Ends a window: what was usual in it is the caller's own past, unless it was told of.
    fn close(&mut self) {
        let count = self.objects.count();
        let usual = self.told == Steps::default();
        let own = if usual { self.own.max(count) } else { self.own };
        *self = Self { window: self.window, own, ..Self::default() };
    }

    fn take(&mut self, object: Object, missed: bool) {
        self.calls += 1;
        let new = self.objects.add(object.digest);
        self.missed += u32::from(new && missed);
        if let Some(number) = object.number {
            // A page of objects is read out of order, so a short stride is a step, too.
            self.steps += u32::from(new && number.abs_diff(self.last).wrapping_sub(1) < STRIDE);
            self.last = number;
        }
    }

    /// More objects than this are too many.
    fn bound(&self, trail: &Trail, limits: &Limits) -> u32 {
        let peers = if trail.peers.total() >= ENOUGH { trail.peers.quantile(95) } else { 0 };
        let usual = u32::try_from(peers).unwrap_or(u32::MAX).max(self.own);
        limits.objects.max(usual.saturating_mul(limits.times))
    }
}

/// Who stays the same from one session to the next.
fn lasting(seen: &Seen<'_>) -> Option<Party> {
    let user = seen.party(SubjectKind::User);
    let claimed = || {
        let key = seen.claims()?.subject?;
        Some(Party { key, subject: seen.consumer.subject.clone() })
    };
    user.or_else(claimed)
}

fn walking(seen: &Seen<'_>, walk: &Walk, bound: u32, known: bool, limits: &Limits) -> Sign {
    let count = walk.objects.count().max(1);
    let (steps, missed) = (walk.steps * 100 / count, walk.missed * 100 / count);
    let users = seen.spot.is_users;
    // Objects that were guessed in vain are nothing that people do. Runs of numbers are, where applications do so for all of them:
    // so peers must be known; and programs with a key may have to.
    let runs = steps >= 60 && known && seen.consumer.subject.kind() != SubjectKind::ApiKey;
    let certain = missed >= 25 || runs;
    let confidence = if certain { 93 } else { 72 };
    let (kind, severity) =
        if users { ("user_enumeration", Severity::Medium) } else { ("object_walking", Severity::High) };
    let who = seen.consumer.subject.clone();
    let suggestion = Suggestion::refuse(who.clone(), seen.scope(), limits.lasts);
    let sign = Sign::new(kind, Risk::ObjectAuthorization, severity, confidence, FIX).at(&seen.spot.text).by(who);
    let sign = sign.count("objects", count).count("calls", walk.calls).count("bound", bound);
    sign.count("percent_in_sequence", steps).count("percent_missed", missed).suggest(Some(suggestion))
}

const FIX: &str =
    "check for each object whether the caller may see it, and name objects so that they cannot be guessed";
/// Numbers that lie this close follow each other.
const STRIDE: u64 = 8;
/// Of 64 calls, so many follow the one before from another caller.
const FOLLOWED: u32 = 45;
/// Objects beside which one is new: few enough for a count that is nearly exact.
const LATEST: u32 = 128;
/// Callers that walk together.
const TOGETHER: u32 = 5;
/// Callers of an endpoint before they say what is usual.
const ENOUGH: u32 = 20;
/// Endpoints that are remembered.
const SPOTS: usize = 2_048;
