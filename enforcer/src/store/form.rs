//! The form of records on disk.
//!
//! In: a [`Record`], or the payload of a frame. Out: the other. Never here: files. The forms repeat the model on purpose: the
//! model may change from one version to the next, and what lies on disks must not change with it. New variants go to the
//! end, and numbers are this file's own: what older agents have written reads as it was meant.
use std::sync::Arc;

use enforcer_common::{Address, AllowKind, FlowKey, Prefix, Rate};
use enforcer_policy::{Action, Allowed, Decision, DecisionId, Moment, Note, Origin, Scope, Subject, Token};
use serde::{Deserialize, Serialize};

use super::Record;

/// Writes a record.
pub(super) fn write(record: &Record) -> Result<Vec<u8>, postcard::Error> {
    // Ten bytes for an id and six for an IPv4 network: grown once at most.
    let guess = if let Record::PutMany { items, .. } = record { items.len() * 16 } else { 0 };
    postcard::to_extend(&Stored::of(record), Vec::with_capacity(guess + 128))
}

/// Reads a record; `None` when the bytes mean nothing.
pub(super) fn read(payload: &[u8]) -> Option<Record> {
    let (stored, rest) = postcard::take_from_bytes::<Stored>(payload).ok()?;
    stored.record().filter(|_| rest.is_empty())
}

#[derive(Serialize, Deserialize)]
enum Stored {
    Put {
        id: u64,
        subject: StoredSubject,
        scope: Option<String>,
        action: u8,
        until: Option<u64>,
        note: StoredNote,
    },
    PutMany {
        note: StoredNote,
        scope: Option<String>,
        action: u8,
        until: Option<u64>,
        items: Vec<(u64, Network)>,
    },
    Remove(u64),
    RemoveMany(Vec<u64>),
    Allow {
        network: Network,
        kind: u8,
        until: Option<u64>,
        note: StoredNote,
    },
    Disallow(Network),
    Bypass(bool),
    Limit {
        id: u64,
        subject: StoredSubject,
        scope: Option<String>,
        per_minute: u32,
        burst: u32,
        until: Option<u64>,
        note: StoredNote,
    },
}

#[derive(Serialize, Deserialize)]
enum StoredSubject {
    Device { digest: u64, masked: String },
    Flow { source: [u8; 16], destination: [u8; 16], source_port: u16, destination_port: u16, protocol: u8 },
    Ip(Network),
    Session { digest: u64, masked: String },
    User { digest: u64, masked: String },
    ApiKey { digest: u64, masked: String },
}

/// IPv4 in the few bytes it needs: most of a large list is IPv4. The length counts canonical bits in both.
#[derive(Serialize, Deserialize)]
enum Network {
    V4([u8; 4], u8),
    V6([u8; 16], u8),
}

#[derive(Serialize, Deserialize)]
struct StoredNote {
    reason: String,
    origin: u8,
    approved_by: String,
    created: u64,
}

impl Stored {
    fn of(record: &Record) -> Self {
        match record {
            Record::Put(decision) => Self::put(decision),
            Record::PutMany { note, scope, action, until, items } => Self::PutMany {
                note: StoredNote::of(note),
                scope: scope_name(scope),
                action: action_number(*action),
                until: until.map(|moment| moment.0),
                items: items.iter().map(|(id, prefix)| (id.0, Network::of(*prefix))).collect(),
            },
            Record::Remove(id) => Self::Remove(id.0),
            Record::RemoveMany(ids) => Self::RemoveMany(ids.iter().map(|id| id.0).collect()),
            Record::Allow(allowed) => Self::Allow {
                network: Network::of(allowed.prefix),
                kind: allowed.kind as u8,
                until: allowed.until.map(|moment| moment.0),
                note: StoredNote::of(&allowed.note),
            },
            Record::Disallow(prefix) => Self::Disallow(Network::of(*prefix)),
            Record::Bypass(on) => Self::Bypass(*on),
        }
    }

    fn put(decision: &Decision) -> Self {
        let Decision { id: DecisionId(id), subject, scope, action, rate, until, note } = decision;
        let (id, subject, scope) = (*id, StoredSubject::of(subject), scope_name(scope));
        let (until, note) = (until.map(|moment| moment.0), StoredNote::of(note));
        match rate {
            Some(Rate { per_minute, burst }) => {
                Self::Limit { id, subject, scope, per_minute: *per_minute, burst: *burst, until, note }
            }
            None => Self::Put { id, subject, scope, action: action_number(*action), until, note },
        }
    }

    fn record(self) -> Option<Record> {
        Some(match self {
            Self::Put { id, subject, scope, action, until, note } => Record::Put(Decision {
                id: DecisionId(id),
                subject: subject.subject(),
                scope: scope_named(scope)?,
                action: action_numbered(action)?,
                rate: None,
                until: until.map(Moment),
                note: Arc::new(note.note()?),
            }),
            Self::Limit { id, subject, scope, per_minute, burst, until, note } => Record::Put(Decision {
                id: DecisionId(id),
                subject: subject.subject(),
                scope: scope_named(scope)?,
                action: Action::Limit,
                rate: Some(Rate { per_minute, burst }),
                until: until.map(Moment),
                note: Arc::new(note.note()?),
            }),
            Self::PutMany { note, scope, action, until, items } => Record::PutMany {
                note: Arc::new(note.note()?),
                scope: scope_named(scope)?,
                action: action_numbered(action)?,
                until: until.map(Moment),
                items: items.into_iter().map(|(id, network)| (DecisionId(id), network.prefix())).collect(),
            },
            Self::Remove(id) => Record::Remove(DecisionId(id)),
            Self::RemoveMany(ids) => Record::RemoveMany(ids.into_iter().map(DecisionId).collect()),
            Self::Allow { network, kind, until, note } => Record::Allow(Allowed {
                prefix: network.prefix(),
                kind: [AllowKind::Full, AllowKind::Proxy].into_iter().find(|known| *known as u8 == kind)?,
                until: until.map(Moment),
                note: Arc::new(note.note()?),
            }),
            Self::Disallow(network) => Record::Disallow(network.prefix()),
            Self::Bypass(on) => Record::Bypass(on),
        })
    }
}

impl StoredSubject {
    fn of(subject: &Subject) -> Self {
        let stored = |token: &Token| (token.digest, token.masked.to_string());
        match subject {
            Subject::Device(token) => {
                let (digest, masked) = stored(token);
                Self::Device { digest, masked }
            }
            Subject::Session(token) => {
                let (digest, masked) = stored(token);
                Self::Session { digest, masked }
            }
            Subject::User(token) => {
                let (digest, masked) = stored(token);
                Self::User { digest, masked }
            }
            Subject::ApiKey(token) => {
                let (digest, masked) = stored(token);
                Self::ApiKey { digest, masked }
            }
            Subject::Flow(key) => Self::Flow {
                source: *key.source().octets(),
                destination: *key.destination().octets(),
                source_port: key.source_port(),
                destination_port: key.destination_port(),
                protocol: key.protocol(),
            },
            Subject::Ip(prefix) => Self::Ip(Network::of(*prefix)),
        }
    }

    fn subject(self) -> Subject {
        let token = |digest, masked: String| Token { digest, masked: masked.into_boxed_str() };
        match self {
            Self::Device { digest, masked } => Subject::Device(token(digest, masked)),
            Self::Session { digest, masked } => Subject::Session(token(digest, masked)),
            Self::User { digest, masked } => Subject::User(token(digest, masked)),
            Self::ApiKey { digest, masked } => Subject::ApiKey(token(digest, masked)),
            Self::Flow { source, destination, source_port, destination_port, protocol } => Subject::Flow(FlowKey::new(
                Address::v6(source),
                source_port,
                Address::v6(destination),
                destination_port,
                protocol,
            )),
            Self::Ip(network) => Subject::Ip(network.prefix()),
        }
    }
}

impl Network {
    fn of(prefix: Prefix) -> Self {
        let octets = *prefix.address().octets();
        let [.., a, b, c, d] = octets;
        if prefix.is_v4() { Self::V4([a, b, c, d], prefix.length()) } else { Self::V6(octets, prefix.length()) }
    }

    fn prefix(self) -> Prefix {
        match self {
            Self::V4(octets, length) => Prefix::new(Address::v4(octets), length),
            Self::V6(octets, length) => Prefix::new(Address::v6(octets), length),
        }
    }
}

impl StoredNote {
    fn of(note: &Note) -> Self {
        let origin = match note.origin {
            Origin::Cli => 1,
            Origin::List => 2,
            Origin::File => 3,
            Origin::Center => 4,
            Origin::Finding => 5,
            Origin::CrowdSec => 6,
        };
        let (reason, approved_by) = (note.reason.clone(), note.approved_by.clone());
        Self { reason, origin, approved_by, created: note.created.0 }
    }

    fn note(self) -> Option<Note> {
        let origin = match self.origin {
            1 => Origin::Cli,
            2 => Origin::List,
            3 => Origin::File,
            4 => Origin::Center,
            5 => Origin::Finding,
            6 => Origin::CrowdSec,
            _ => return None,
        };
        let created = Moment(self.created);
        Some(Note { reason: self.reason, origin, approved_by: self.approved_by, created })
    }
}

fn scope_name(scope: &Scope) -> Option<String> {
    (*scope != Scope::All).then(|| scope.to_string())
}

/// A service's name never has the colon of an endpoint.
fn scope_named(name: Option<String>) -> Option<Scope> {
    match name {
        None => Some(Scope::All),
        Some(name) if name.contains(':') => Scope::parse(&name).ok(),
        Some(name) => Some(Scope::Service(name.into())),
    }
}

/// The numbers of the first journals, which are not the kernel's.
const fn action_number(action: Action) -> u8 {
    match action {
        Action::Observe => 1,
        Action::Deny => 2,
        Action::Reset => 3,
        Action::Drop => 4,
        Action::Limit => 5,
    }
}

/// Unlike a map's, an unknown action on disk is not taken for a milder one.
fn action_numbered(number: u8) -> Option<Action> {
    Action::ALL.iter().copied().find(|action| action_number(*action) == number)
}
