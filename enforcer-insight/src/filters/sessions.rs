//! Stolen sessions and double logins. In: calls with a session. Out: signs when a session is used from two places at a time, or a
//! user from two devices. Never here: ending sessions: that is a decision.
//!
//! One session belongs to one device. Where no device is known, a user agent stands for it, but only together with a network:
//! people change networks, and programs are updated; that both change and then change back is what two holders look like.
use std::time::Duration;

use enforcer_policy::{Moment, Scope, Subject, SubjectKind};

use super::state::{Book, Steps};
use super::{Entry, Filter, Out, Parameter, Parameters, Seen, Word};
use crate::findings::{Risk, Severity, Sign, Suggestion};

/// The filter.
pub(super) fn entry() -> Entry {
    let title = "stolen sessions, and users that are logged in twice";
    Entry::built_in("sessions", title, Risk::Authentication, SCHEMA, |parameters, _| Sessions::new(parameters))
}

const SCHEMA: &[Parameter] = &[
    Parameter::choice(
        "double_login",
        "ignore",
        &[Word::Borrowed("ignore"), Word::Borrowed("report"), Word::Borrowed("end-older"), Word::Borrowed("end-newer")],
        "what is suggested when a user has two live sessions on two devices",
    ),
    Parameter::choice(
        "theft",
        "end-newer",
        &[Word::Borrowed("end-newer"), Word::Borrowed("end-session")],
        "whom to refuse when a session has two holders: the device that came later, or the session with both",
    ),
    Parameter::time("overlap", "15m", 30, 86_400, "both uses within this time are at the same time"),
    Parameter::count("networks", "5", 3, 100, "networks of one session within the overlap that are told of"),
    Parameter::time("lasts", "12h", 60, 2_592_000, "how long a suggested decision lasts"),
    Parameter::count("entries", "65536", 256, 1_048_576, "sessions that are remembered, and half as many users"),
];

struct Sessions {
    limits: Limits,
    held: Book<Session>,
    users: Book<User>,
}

#[derive(Clone, Copy, Default)]
struct Limits {
    double: Double,
    end_session: bool,
    overlap: Duration,
    networks: u32,
    lasts: Duration,
}

#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum Double {
    #[default]
    Ignore,
    Report,
    EndOlder,
    EndNewer,
}

/// Whoever uses a session: by device, or by user agent and network.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
struct Holder {
    device: u64,
    agent: u64,
    network: u64,
    first: Moment,
    last: Moment,
    calls: u32,
}

#[derive(Default)]
struct Session {
    holders: [Holder; 2],
    /// Which of them used it last.
    at: usize,
    /// Changes to one of the two that came back from where it had been.
    changes: u32,
    networks: [u64; NETWORKS],
    moved: u32,
    since: Moment,
    steps: Steps,
}

/// The two sessions of a user that were used last.
#[derive(Default)]
struct User {
    logins: [Login; 2],
    steps: Steps,
}

#[derive(Clone, Copy, PartialEq, Eq, Default)]
struct Login {
    session: u64,
    device: u64,
    first: Moment,
    last: Moment,
}

impl Sessions {
    fn new(parameters: &Parameters) -> Self {
        let entries = parameters.size("entries");
        Self { limits: Limits::of(parameters), held: Book::new(entries), users: Book::new(entries / 2) }
    }

    fn watch_session(&mut self, seen: &Seen<'_>, session: u64, out: &mut Out) {
        let limits = &self.limits;
        let new = Holder::of(seen);
        let held = self.held.entry(session);
        held.use_by(&new);
        let [one, two] = &held.holders;
        if two.calls > 0 && one.is_other(two, limits.overlap) {
            let certain = one.device != 0 && two.device != 0;
            let returned = held.changes >= CHANGES && two.calls >= CHANGES / 2;
            if (certain || returned) && held.steps.reach(two.calls.max(1), 1) {
                out.raise(theft(seen, held, certain, limits));
            }
        }
        self.watch_networks(seen, session, out);
    }

    fn watch_networks(&mut self, seen: &Seen<'_>, session: u64, out: &mut Out) {
        let (network, overlap) = (seen.neighbourhood().key, self.limits.overlap);
        let Some(held) = self.held.find(session) else { return };
        if held.since.until(seen.now()) > overlap {
            (held.since, held.moved, held.networks) = (seen.now(), 0, [0; NETWORKS]);
        }
        if held.networks.contains(&network) {
            return;
        }
        held.networks.rotate_right(1);
        held.networks[0] = network;
        held.moved += 1;
        if held.moved == self.limits.networks {
            let sign = Sign::new("session_moves", Risk::Authentication, Severity::Medium, 50, FIX);
            let sign = sign.by(subject(seen, SubjectKind::Session)).count("networks", held.moved);
            out.raise(sign);
        }
    }

    fn watch_user(&mut self, seen: &Seen<'_>, user: u64, session: u64, out: &mut Out) {
        let device = seen.key(SubjectKind::Device).unwrap_or_else(|| seen.seed.words(seen.agent, 0));
        let held = self.users.entry(user);
        let now = seen.now();
        let new = Login { session, device, first: now, last: now };
        let at = held.logins.iter().position(|login| login.session == session);
        if let Some(at) = at {
            held.logins[at].last = now;
        } else {
            // The older of the two makes room.
            if held.logins[0].last > held.logins[1].last {
                held.logins.swap(0, 1);
            }
            held.logins[0] = new;
            held.steps = Steps::default();
        }
        let [one, two] = held.logins;
        let both = one.session != 0 && two.session != 0 && one.device != two.device;
        let (older, newer) = if one.first <= two.first { (one, two) } else { (two, one) };
        // The older one is still in use after the newer one began.
        let live = older.last > newer.first
            && older.last.until(newer.last) + newer.last.until(older.last) < self.limits.overlap;
        if both && live && held.steps.reach(1, 1) {
            out.raise(double(seen, older, newer, session, &self.limits));
        }
    }
}

impl Filter for Sessions {
    fn on_request(&mut self, seen: &Seen<'_>, out: &mut Out) {
        let Some(session) = seen.call.digest(SubjectKind::Session) else { return };
        self.watch_session(seen, session, out);
        if self.limits.double != Double::Ignore
            && let Some(user) = seen.call.digest(SubjectKind::User)
        {
            self.watch_user(seen, user, session, out);
        }
    }

    fn retune(&mut self, parameters: &Parameters) {
        self.limits = Limits::of(parameters);
    }

    fn held_bytes(&self) -> usize {
        self.held.held_bytes() + self.users.held_bytes()
    }

    fn forgotten(&self) -> u64 {
        self.held.forgotten() + self.users.forgotten()
    }
}

impl Limits {
    fn of(parameters: &Parameters) -> Self {
        let double = match parameters.word("double_login") {
            "report" => Double::Report,
            "end-older" => Double::EndOlder,
            "end-newer" => Double::EndNewer,
            _ => Double::Ignore,
        };
        let (overlap, lasts) = (parameters.time("overlap"), parameters.time("lasts"));
        let end_session = parameters.word("theft") == "end-session";
        Self { double, end_session, overlap, networks: parameters.count("networks"), lasts }
    }
}

impl Session {
    /// Counts a use by one of the holders, or by a new one.
    fn use_by(&mut self, new: &Holder) {
        let [one, two] = &mut self.holders;
        let (at, steady) = if one.calls == 0 || one.is(new) {
            (0, one.hold(new))
        } else if two.calls > 0 && two.is(new) {
            (1, two.hold(new))
        } else {
            // The one that was silent longer makes room.
            if two.calls > 0 && one.last < two.last {
                *one = *two;
            }
            *two = *new;
            (1, false)
        };
        // Who comes back from elsewhere has moved; who comes back from where it was has been there all the time.
        self.changes = self.changes.saturating_add(u32::from(at != self.at && steady));
        self.at = at;
    }
}

impl Holder {
    fn of(seen: &Seen<'_>) -> Self {
        let (now, network) = (seen.now(), seen.neighbourhood().key);
        let device = seen.call.digest(SubjectKind::Device).unwrap_or_default();
        Self { device, agent: seen.agent, network, first: now, last: now, calls: 1 }
    }

    /// The same holder: by device where both are known, else as long as agent or network stay.
    const fn is(&self, other: &Self) -> bool {
        if self.device != 0 && other.device != 0 {
            return self.device == other.device;
        }
        self.agent == other.agent || self.network == other.network
    }

    /// Another use by this holder; true when it comes from where it was.
    fn hold(&mut self, new: &Self) -> bool {
        if self.calls == 0 {
            self.first = new.first;
        }
        let steady = self.agent == new.agent && self.network == new.network;
        self.calls = self.calls.saturating_add(1);
        self.last = self.last.max(new.last);
        (self.agent, self.network) = (new.agent, new.network);
        self.device = if new.device == 0 { self.device } else { new.device };
        steady
    }

    fn is_other(&self, other: &Self, overlap: Duration) -> bool {
        self.last.until(other.first) < overlap && !self.is(other)
    }
}

/// A session with two holders. Without devices, it is told only after the first came back.
fn theft(seen: &Seen<'_>, held: &Session, certain: bool, limits: &Limits) -> Sign {
    let [one, two] = held.holders;
    let confidence = if certain { 95 } else { 88 };
    let newer = Some(two.device).filter(|device| *device != 0 && certain && !limits.end_session);
    let session = subject(seen, SubjectKind::Session);
    let refused = newer.map_or_else(|| session.clone(), |device| token(SubjectKind::Device, device));
    let suggestion = Suggestion::refuse(refused, service(seen), limits.lasts);
    let sign = Sign::new("stolen_session", Risk::Authentication, Severity::Critical, confidence, FIX).by(session);
    let sign = newer.into_iter().fold(sign, |sign, device| sign.by(token(SubjectKind::Device, device)));
    let sign = sign.count("calls_of_first", one.calls).count("calls_of_second", two.calls);
    let told_by = if certain { "devices" } else { "user agents and networks" };
    sign.word("told_by", told_by).suggest(Some(suggestion))
}

fn double(seen: &Seen<'_>, older: Login, newer: Login, current: u64, limits: &Limits) -> Sign {
    let user = subject(seen, SubjectKind::User);
    let ended = match limits.double {
        Double::EndOlder => Some(older.session),
        Double::EndNewer => Some(newer.session),
        Double::Ignore | Double::Report => None,
    };
    let suggest = |session| Suggestion::refuse(token(SubjectKind::Session, session), service(seen), limits.lasts);
    let sign = Sign::new("double_login", Risk::Authentication, Severity::Medium, 95, FIX_DOUBLE).by(user);
    let sign = sign.by(token(SubjectKind::Session, older.session)).by(token(SubjectKind::Session, newer.session));
    let now = if current == newer.session { "newer" } else { "older" };
    sign.word("seen_in", now).suggest(ended.map(suggest))
}

fn service(seen: &Seen<'_>) -> Scope {
    seen.service()
}

fn subject(seen: &Seen<'_>, kind: SubjectKind) -> Subject {
    seen.party(kind).map_or_else(|| seen.consumer.subject.clone(), |party| party.subject)
}

fn token(kind: SubjectKind, digest: u64) -> Subject {
    super::seen::subject(kind, digest)
}

const FIX: &str = "bind sessions to the device that logged in, and end them when it changes";
const FIX_DOUBLE: &str = "let one login end the other, or tell the user of both";
/// Changes between two holders without devices: a phone that changes its network makes a few.
const CHANGES: u32 = 4;
/// Networks of a session that are remembered.
const NETWORKS: usize = 4;
