//! Credential stuffing, password spraying, password guessing, also distributed, and accounts taken over by them. In: logins and
//! whether they worked. Out: signs. Never here: what a login looks like (`login`), raw names and passwords.
//!
//! Counted in a window for each address, device, neighbourhood and user that is tried, and for each login endpoint as a whole:
//! who spreads over many addresses is seen by the endpoint's failures, which are compared with what is usual there.
use std::sync::Arc;
use std::time::Duration;

use enforcer_policy::{Moment, Subject, SubjectKind};

use super::login::{Attempt, Clue, Shapes};
use super::state::{Book, Distinct, Recent, Steps, Window};
use super::{Entry, Filter, Out, Parameter, Parameters, Seen};
use crate::Answer;
use crate::findings::{Risk, Severity, Sign, Suggestion};

/// The filter.
pub(super) fn entry() -> Entry {
    let title = "credential stuffing, password spraying and guessing, also distributed";
    Entry::built_in("logins", title, Risk::Authentication, SCHEMA, |parameters, _| Logins::new(parameters))
}

const SCHEMA: &[Parameter] = &[
    Parameter::count("users", "10", 3, 10_000, "users that fail from one address or device within the window"),
    Parameter::count("tries", "15", 5, 10_000, "passwords that fail for one user within the window"),
    Parameter::count("share", "80", 50, 100, "percent of logins that fail, of those that are counted"),
    Parameter::count(
        "distributed",
        "50",
        20,
        1_000_000,
        "failed logins of an endpoint within the window, over all callers",
    ),
    Parameter::time("window", "10m", 60, 86_400, "how long logins are counted together"),
    Parameter::time("lasts", "1h", 60, 2_592_000, "how long a suggested decision lasts"),
    Parameter::count("entries", "32768", 256, 1_048_576, "callers and users that are remembered"),
];

struct Logins {
    limits: Limits,
    shapes: Shapes,
    callers: Book<Tally>,
    targets: Book<Target>,
    spots: Book<Whole>,
}

#[derive(Clone, Copy)]
struct Limits {
    users: u32,
    tries: u32,
    share: u32,
    distributed: u32,
    window: Duration,
    lasts: Duration,
}

/// Logins of one caller: an address, a device, a neighbourhood.
#[derive(Default)]
struct Tally {
    window: Window,
    attempts: u32,
    failed: u32,
    users: Distinct<4>,
    passwords: Distinct<4>,
    /// Users that got in.
    worked: Distinct<4>,
    /// Addresses, of a neighbourhood.
    addresses: Distinct<1>,
    steps: Steps,
}

/// Logins to one user.
#[derive(Default)]
struct Target {
    window: Window,
    failed: u32,
    passwords: Distinct<2>,
    /// The caller with most failures, if one has more than half.
    most: u64,
    votes: u32,
    steps: Steps,
}

/// Logins of an endpoint.
#[derive(Default)]
struct Whole {
    window: Window,
    attempts: u32,
    failed: u32,
    users: Distinct<16>,
    addresses: Distinct<16>,
    agents: Distinct<4>,
    steps: Steps,
    told: bool,
    usual: Recent<24>,
}

/// Which callers a login is counted for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    Address,
    Device,
    Neighbourhood,
}

impl Logins {
    fn new(parameters: &Parameters) -> Self {
        let entries = parameters.size("entries");
        let (callers, targets) = (Book::new(entries), Book::new(entries / 2));
        let (shapes, spots) = (Shapes::new(entries / 4), Book::new(SPOTS));
        Self { limits: Limits::of(parameters), shapes, callers, targets, spots }
    }

    fn worked(&mut self, seen: &Seen<'_>, attempt: &Attempt, out: &mut Out) {
        let user = attempt.user.unwrap_or_default();
        for (by, key) in callers(seen) {
            let tally = self.callers.entry(key);
            tally.turn(seen.now(), &self.limits);
            tally.attempts += 1;
            let told = tally.steps != Steps::default();
            let alone = tally.worked.count() == 0;
            tally.worked.add(user);
            if told && (by == By::Device || (by == By::Address && alone)) {
                out.raise(taken_over(seen, by, tally));
            }
        }
        let whole = self.spots.entry(seen.spot.key);
        whole.turn(seen.now(), &self.limits);
        whole.attempts += 1;
        if let Some(target) = self.targets.find(target_key(seen, user)) {
            *target = Target::default();
        }
    }

    fn failed(&mut self, seen: &Seen<'_>, attempt: &Attempt, out: &mut Out) {
        let everywhere = self.spots.peek(seen.spot.key).map_or((0, 0), |whole| (whole.attempts, whole.failed));
        for (by, key) in callers(seen) {
            let tally = self.callers.entry(key);
            tally.turn(seen.now(), &self.limits);
            tally.fail(attempt);
            tally.addresses.add(seen.address().key);
            if tally.is_attack(by, &self.limits) {
                let outage = tally.is_like_others(everywhere);
                out.raise(stuffing(seen, by, tally, outage, &self.limits));
            }
        }
        if let Some(user) = attempt.user {
            self.fail_target(seen, user, attempt, out);
        }
        self.fail_whole(seen, attempt, out);
    }

    fn fail_target(&mut self, seen: &Seen<'_>, user: u64, attempt: &Attempt, out: &mut Out) {
        let caller = seen.key(SubjectKind::Device).unwrap_or_else(|| seen.address().key);
        let target = self.targets.entry(target_key(seen, user));
        if target.window.turn(seen.now(), self.limits.window) {
            *target = Target { window: target.window, ..Target::default() };
        }
        target.failed += 1;
        target.vote(caller);
        target.passwords.add_known(attempt.password);
        // The same password over and over is a program with an old one, not somebody who guesses.
        let guesses = attempt.password.is_none() || target.passwords.count() * 3 >= target.failed;
        if guesses && target.steps.reach(target.failed, self.limits.tries) {
            let alone = target.most == caller && target.votes * 2 >= target.failed;
            out.raise(guessing(seen, target, alone, &self.limits));
        }
    }

    fn fail_whole(&mut self, seen: &Seen<'_>, attempt: &Attempt, out: &mut Out) {
        let whole = self.spots.entry(seen.spot.key);
        whole.turn(seen.now(), &self.limits);
        whole.attempts += 1;
        whole.failed += 1;
        whole.users.add(attempt.user.unwrap_or_default());
        whole.addresses.add(seen.address().key);
        whole.agents.add(seen.agent);
        if whole.is_attack(&self.limits) {
            whole.told = true;
            out.raise(distributed(seen, whole));
        }
    }
}

impl Filter for Logins {
    fn on_request(&mut self, seen: &Seen<'_>, _: &mut Out) {
        if seen.attempt().is_none() {
            self.shapes.follow(person(seen), seen.now());
        }
    }

    fn on_response(&mut self, seen: &Seen<'_>, answer: &Answer, out: &mut Out) {
        let Some(attempt) = seen.attempt().copied() else { return };
        match self.shapes.judge(&seen.seed, seen.spot.key, person(seen), answer, seen.now()) {
            Clue::Failed => self.failed(seen, &attempt, out),
            Clue::Worked => self.worked(seen, &attempt, out),
            Clue::Unknown => {}
        }
    }

    fn retune(&mut self, parameters: &Parameters) {
        self.limits = Limits::of(parameters);
    }

    fn held_bytes(&self) -> usize {
        self.callers.held_bytes() + self.targets.held_bytes() + self.spots.held_bytes() + self.shapes.held_bytes()
    }

    fn forgotten(&self) -> u64 {
        self.callers.forgotten() + self.targets.forgotten() + self.spots.forgotten()
    }
}

impl Limits {
    fn of(parameters: &Parameters) -> Self {
        let count = |name| parameters.count(name);
        let (window, lasts) = (parameters.time("window"), parameters.time("lasts"));
        let (users, tries) = (count("users"), count("tries"));
        Self { users, tries, share: count("share"), distributed: count("distributed"), window, lasts }
    }
}

impl Tally {
    fn turn(&mut self, now: Moment, limits: &Limits) {
        if self.window.turn(now, limits.window) {
            *self = Self { window: self.window, ..Self::default() };
        }
    }

    fn fail(&mut self, attempt: &Attempt) {
        self.attempts += 1;
        self.failed += 1;
        self.users.add_known(attempt.user);
        self.passwords.add_known(attempt.password);
    }

    fn is_attack(&mut self, by: By, limits: &Limits) -> bool {
        // A neighbourhood is many people: three times as many must fail there.
        let users = if by == By::Neighbourhood { limits.users.saturating_mul(3) } else { limits.users };
        // Where names are not recorded, failures count for them, generously.
        let failing = if self.users.count() == 0 { self.failed / 3 } else { self.users.count() };
        let share = self.failed * 100 >= self.attempts * limits.share;
        // One address is not a neighbourhood, and is counted by itself.
        let spread = by != By::Neighbourhood || self.addresses.count() >= ADDRESSES;
        share && spread && failing >= users && self.steps.reach(failing, users)
    }
}

impl Tally {
    /// True when the logins of all others fail as well: then it is the service that fails, or more than one caller attacks it.
    const fn is_like_others(&self, (attempts, failed): (u32, u32)) -> bool {
        let (attempts, failed) = (attempts.saturating_sub(self.attempts), failed.saturating_sub(self.failed));
        attempts >= OTHERS && failed * 2 >= attempts
    }
}

impl Target {
    fn vote(&mut self, caller: u64) {
        if self.votes == 0 {
            self.most = caller;
        }
        self.votes = if self.most == caller { self.votes + 1 } else { self.votes - 1 };
    }
}

impl Whole {
    fn turn(&mut self, now: Moment, limits: &Limits) {
        let before = self.window;
        if !self.window.turn(now, limits.window) {
            return;
        }
        // An attack is not what is usual.
        if before != Window::default() && !self.told {
            self.usual.push(self.failed);
        }
        *self = Self { window: self.window, usual: self.usual, ..Self::default() };
    }

    fn is_attack(&mut self, limits: &Limits) -> bool {
        let many = self.failed >= limits.distributed && self.failed * 100 >= self.attempts * (limits.share * 3 / 4);
        let spread = self.users.count() * 2 >= self.failed && self.addresses.count() >= SPREAD;
        many && spread && self.failed > self.usual.bound(6) && self.steps.reach(self.failed, limits.distributed)
    }
}

/// The callers that a login counts for.
fn callers(seen: &Seen<'_>) -> impl Iterator<Item = (By, u64)> {
    let device = seen.key(SubjectKind::Device).map(|key| (By::Device, key));
    let (address, neighbourhood) = (seen.address().key, seen.neighbourhood().key);
    [(By::Address, address), (By::Neighbourhood, neighbourhood)].into_iter().chain(device)
}

/// Somebody at a screen: a device, or an address with a user agent.
fn person(seen: &Seen<'_>) -> u64 {
    seen.key(SubjectKind::Device).unwrap_or_else(|| seen.seed.words(seen.address().key, seen.agent))
}

fn target_key(seen: &Seen<'_>, user: u64) -> u64 {
    seen.seed.words(user, seen.spot.key)
}

fn stuffing(seen: &Seen<'_>, by: By, tally: &Tally, outage: bool, limits: &Limits) -> Sign {
    let sprayed = tally.passwords.count() > 0 && tally.passwords.count() * 4 <= tally.users.count();
    let kind = if sprayed { "password_spraying" } else { "credential_stuffing" };
    let (who, word) = caller(seen, by);
    // Others live behind an address, too: with some of them getting in, a person has to look.
    let harmless = by == By::Device || (by == By::Address && tally.worked.count() * 10 <= tally.users.count());
    let confidence = match by {
        By::Address | By::Device if harmless && !outage => 95,
        By::Neighbourhood if !outage => 80,
        By::Address | By::Device | By::Neighbourhood => 75,
    };
    let suggestion = harmless.then(|| Suggestion::refuse(who.clone(), seen.scope(), limits.lasts));
    let sign = Sign::new(kind, Risk::Authentication, Severity::High, confidence, FIX).at(&seen.spot.text).by(who);
    let sign = sign.word("counted_by", word).count("users_failed", tally.users.count());
    let sign = sign.count("failed", tally.failed).count("attempts", tally.attempts);
    sign.count("passwords", tally.passwords.count()).count("users_in", tally.worked.count()).suggest(suggestion)
}

fn caller(seen: &Seen<'_>, by: By) -> (Subject, &'static str) {
    match by {
        By::Address => (seen.address().subject, "address"),
        By::Device => {
            (seen.party(SubjectKind::Device).map_or_else(|| seen.address().subject, |party| party.subject), "device")
        }
        By::Neighbourhood => (seen.neighbourhood().subject, "network"),
    }
}

fn guessing(seen: &Seen<'_>, target: &Target, alone: bool, limits: &Limits) -> Sign {
    let who = seen.party(SubjectKind::Device).unwrap_or_else(|| seen.address());
    let confidence = if alone { 90 } else { 75 };
    // The user that is tried is the victim: refusing it would be the attacker's gift.
    let suggestion = alone.then(|| Suggestion::refuse(who.subject.clone(), seen.scope(), limits.lasts));
    let sign = Sign::new("password_guessing", Risk::Authentication, Severity::High, confidence, FIX);
    let sign = sign.at(&seen.spot.text).by(who.subject).count("failed", target.failed);
    let callers = if alone { "one" } else { "several" };
    sign.count("passwords", target.passwords.count()).word("callers", callers).suggest(suggestion)
}

fn distributed(seen: &Seen<'_>, whole: &Whole) -> Sign {
    let endpoint = Arc::clone(&seen.spot.text);
    let sign =
        Sign::new("distributed_stuffing", Risk::Authentication, Severity::High, 85, FIX_DISTRIBUTED).at(&endpoint);
    let sign = sign.count("failed", whole.failed).count("attempts", whole.attempts);
    let sign = sign.count("users", whole.users.count()).count("addresses", whole.addresses.count());
    sign.count("user_agents", whole.agents.count()).count("usual_failed", whole.usual.usual().0)
}

fn taken_over(seen: &Seen<'_>, by: By, tally: &Tally) -> Sign {
    let (who, word) = caller(seen, by);
    let confidence = if by == By::Device { 85 } else { 60 };
    let sign = Sign::new("account_taken_over", Risk::Authentication, Severity::Critical, confidence, FIX_TAKEN);
    let sign = sign.at(&seen.spot.text).by(who).word("counted_by", word);
    sign.count("users_in", tally.worked.count()).count("users_failed", tally.users.count())
}

const FIX: &str = "ask for a second factor after failures, and slow down logins by user and by device";
const FIX_DISTRIBUTED: &str =
    "ask everybody for a second factor until it is over, and refuse passwords known from leaks";
const FIX_TAKEN: &str = "end the sessions of the users that got in, and let them set new passwords";
/// Addresses that make a neighbourhood.
const ADDRESSES: u32 = 3;
/// Logins of others that say how the service does.
const OTHERS: u32 = 3;
/// Login endpoints that are remembered.
const SPOTS: usize = 256;
/// Addresses that make an attack a distributed one.
const SPREAD: u32 = 15;
