//! The forensic record: who did what with which device. In: calls. Out: what is asked of it, and signs of devices that serve many
//! users and of users that appear on many devices. Never here: raw identities, bodies, queries, whole addresses.
//!
//! A ring of fixed size: the oldest gives way. Addresses are kept as networks, which say where and not who.
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use enforcer_policy::{DecisionId, Moment, Prefix, Subject, SubjectKind};
use serde::{Deserialize, Serialize};

use super::state::{Book, Distinct, Steps, Window};
use super::{Entry, Filter, Out, Parameter, Parameters, Seen};
use crate::findings::{Risk, Severity, Sign};

/// The filter.
pub(super) fn entry() -> Entry {
    let title = "record of devices and transactions";
    Entry::built_in("record", title, Risk::BusinessFlows, SCHEMA, |parameters, _| Recorder::new(parameters))
}

const SCHEMA: &[Parameter] = &[
    Parameter::count("calls", "20000", 100, 1_000_000, "calls that are kept"),
    Parameter::count("users_of_device", "12", 3, 10_000, "users of one device within the window that are told of"),
    Parameter::count("devices_of_user", "10", 3, 10_000, "devices of one user within the window that are told of"),
    Parameter::time("window", "24h", 600, 2_592_000, "how long users and devices are counted together"),
    Parameter::count("entries", "16384", 256, 1_048_576, "devices and users that are remembered"),
];

/// One call as it was written down.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Record {
    /// When.
    pub time: Moment,
    /// The call's number on its host.
    pub call: u64,
    /// Method and path template.
    pub endpoint: Arc<str>,
    /// The answer's status; `None` when it was refused or not seen.
    pub status: Option<u16>,
    /// Milliseconds to the answer's last byte; 0 when it was not seen.
    pub millis: u32,
    /// Bytes of the answer.
    pub bytes: u64,
    /// Digests of device, session, user and key; 0 for none.
    #[serde(with = "hexadecimal")]
    pub identities: [u64; 4],
    /// Where from: /24, or /48 for IPv6.
    #[serde(with = "enforcer_policy::serial")]
    pub network: Prefix,
    /// The decision that refused it.
    pub refused_by: Option<DecisionId>,
}

/// Whose calls are asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Asked {
    /// Of this identity.
    pub kind: SubjectKind,
    /// By its digest.
    pub digest: u64,
    /// From then on.
    pub since: Moment,
    /// At most so many.
    pub limit: usize,
}

struct Recorder {
    ring: VecDeque<Record>,
    calls: usize,
    limits: Limits,
    links: Book<Link>,
    forgotten: u64,
}

struct Limits {
    users: u32,
    devices: u32,
    window: Duration,
}

/// The users of a device, or the devices of a user.
#[derive(Default)]
struct Link {
    window: Window,
    others: Distinct<2>,
    steps: Steps,
}

impl Recorder {
    fn new(parameters: &Parameters) -> Self {
        let (ring, links) = (VecDeque::new(), Book::new(parameters.size("entries")));
        let mut new = Self { ring, calls: 1, limits: Limits::of(parameters), links, forgotten: 0 };
        new.retune(parameters);
        new
    }

    fn write(&mut self, seen: &Seen<'_>) {
        while self.ring.len() >= self.calls {
            self.ring.pop_front();
            self.forgotten += 1;
        }
        self.ring.push_back(record(seen));
    }

    fn link(&mut self, seen: &Seen<'_>, one: SubjectKind, other: SubjectKind, many: u32) -> Option<u32> {
        let (key, with) = (seen.key(one)?, seen.key(other)?);
        let link = self.links.entry(key);
        if link.window.turn(seen.now(), self.limits.window) {
            *link = Link { window: link.window, ..Link::default() };
        }
        let new = link.others.add(with);
        let count = link.others.count();
        (new && link.steps.reach(count, many)).then_some(count)
    }
}

impl Filter for Recorder {
    fn on_request(&mut self, seen: &Seen<'_>, out: &mut Out) {
        self.write(seen);
        let (device, user) = (SubjectKind::Device, SubjectKind::User);
        if let Some(count) = self.link(seen, device, user, self.limits.users) {
            let sign = Sign::new("device_of_many_users", Risk::BusinessFlows, Severity::Medium, 75, FIX_DEVICE);
            out.raise(sign.by(subject(seen, device)).count("users", count));
        }
        if let Some(count) = self.link(seen, user, device, self.limits.devices) {
            let sign = Sign::new("user_on_many_devices", Risk::Authentication, Severity::Medium, 70, FIX_USER);
            out.raise(sign.by(subject(seen, user)).count("devices", count));
        }
    }

    fn on_refused(&mut self, seen: &Seen<'_>, _: &mut Out) {
        self.write(seen);
    }

    fn retune(&mut self, parameters: &Parameters) {
        self.limits = Limits::of(parameters);
        self.calls = parameters.size("calls").max(1);
        let over = self.ring.len().saturating_sub(self.calls);
        drop(self.ring.drain(..over));
        self.forgotten += over as u64;
    }

    fn held_bytes(&self) -> usize {
        self.ring.capacity() * size_of::<Record>() + self.links.held_bytes()
    }

    fn forgotten(&self) -> u64 {
        self.forgotten + self.links.forgotten()
    }

    fn records(&self, asked: &Asked) -> Vec<Record> {
        let at = IDENTITIES.iter().position(|kind| *kind == asked.kind);
        let fits = |record: &&Record| {
            let digest = at.and_then(|at| record.identities.get(at));
            record.time >= asked.since && digest == Some(&asked.digest)
        };
        self.ring.iter().rev().filter(fits).take(asked.limit).cloned().collect()
    }
}

impl Limits {
    fn of(parameters: &Parameters) -> Self {
        let (users, devices) = (parameters.count("users_of_device"), parameters.count("devices_of_user"));
        Self { users, devices, window: parameters.time("window") }
    }
}

fn record(seen: &Seen<'_>) -> Record {
    let call = seen.call;
    let answer = call.answer.as_ref();
    let millis = answer.map_or(0, |answer| u32::try_from(answer.whole.as_millis()).unwrap_or(u32::MAX));
    Record {
        time: call.time,
        call: call.id,
        endpoint: Arc::clone(&seen.spot.text),
        status: call.status(),
        millis,
        bytes: answer.map_or(0, |answer| answer.bytes),
        identities: IDENTITIES.map(|kind| call.digest(kind).unwrap_or_default()),
        network: seen.neighbourhood().subject.network().unwrap_or(NOWHERE),
        refused_by: call.decision.filter(|_| call.is_refused()),
    }
}

fn subject(seen: &Seen<'_>, kind: SubjectKind) -> Subject {
    seen.party(kind).map_or_else(|| seen.consumer.subject.clone(), |party| party.subject)
}

/// Digests as people see them.
mod hexadecimal {
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer, de::Error as _};

    pub(super) fn serialize<S: Serializer>(digests: &[u64; 4], serializer: S) -> Result<S::Ok, S::Error> {
        digests.map(|digest| format!("{digest:016x}")).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[u64; 4], D::Error> {
        let texts = <[String; 4]>::deserialize(deserializer)?;
        let mut digests = [0; 4];
        for (digest, text) in digests.iter_mut().zip(texts) {
            *digest = u64::from_str_radix(&text, 16).map_err(D::Error::custom)?;
        }
        Ok(digests)
    }
}

const IDENTITIES: [SubjectKind; 4] =
    [SubjectKind::Device, SubjectKind::Session, SubjectKind::User, SubjectKind::ApiKey];
const NOWHERE: Prefix = Prefix::new(enforcer_policy::Address::v4([0; 4]), 96);
const FIX_DEVICE: &str = "limit how many users may log in from one device, and look at what these do";
const FIX_USER: &str = "tell users of new devices, and let them be confirmed";
