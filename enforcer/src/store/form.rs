//! The form of records on disk.
//!
//! In: a [`Record`], or the payload of a frame. Out: the other. Never here: files. The forms repeat the model on purpose: the
//! model may change from one version to the next, and what lies on disks must not change with it.
use std::sync::Arc;

use enforcer_common::{Address, AllowKind, FlowKey, Prefix};
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
    Put { id: u64, subject: StoredSubject, scope: Option<String>, action: u8, until: Option<u64>, note: StoredNote },
    PutMany { note: StoredNote, scope: Option<String>, action: u8, until: Option<u64>, items: Vec<(u64, Network)> },
    Remove(u64),
    RemoveMany(Vec<u64>),
    Allow { network: Network, kind: u8, until: Option<u64>, note: StoredNote },
    Disallow(Network),
    Bypass(bool),
}

#[derive(Serialize, Deserialize)]
enum StoredSubject {
    Device { digest: u64, masked: String },
    Flow { source: [u8; 16], destination: [u8; 16], source_port: u16, destination_port: u16, protocol: u8 },
    Ip(Network),
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
            Record::Put(decision) => Self::Put {
                id: decision.id.0,
                subject: StoredSubject::of(&decision.subject),
                scope: scope_name(&decision.scope),
                action: decision.action as u8,
                until: decision.until.map(|moment| moment.0),
                note: StoredNote::of(&decision.note),
            },
            Record::PutMany { note, scope, action, until, items } => Self::PutMany {
                note: StoredNote::of(note),
                scope: scope_name(scope),
                action: *action as u8,
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

    fn record(self) -> Option<Record> {
        Some(match self {
            Self::Put { id, subject, scope, action, until, note } => Record::Put(Decision {
                id: DecisionId(id),
                subject: subject.subject(),
                scope: scope_named(scope),
                action: action_numbered(action)?,
                until: until.map(Moment),
                note: Arc::new(note.note()?),
            }),
            Self::PutMany { note, scope, action, until, items } => Record::PutMany {
                note: Arc::new(note.note()?),
                scope: scope_named(scope),
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
        match subject {
            Subject::Device(token) => Self::Device { digest: token.digest, masked: token.masked.to_string() },
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
        match self {
            Self::Device { digest, masked } => Subject::Device(Token { digest, masked: masked.into_boxed_str() }),
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
        };
        let (reason, approved_by) = (note.reason.clone(), note.approved_by.clone());
        Self { reason, origin, approved_by, created: note.created.0 }
    }

    fn note(self) -> Option<Note> {
        let origin = match self.origin {
            1 => Origin::Cli,
            2 => Origin::List,
            3 => Origin::File,
            _ => return None,
        };
        let created = Moment(self.created);
        Some(Note { reason: self.reason, origin, approved_by: self.approved_by, created })
    }
}

fn scope_name(scope: &Scope) -> Option<String> {
    match scope {
        Scope::All => None,
        Scope::Service(name) => Some(name.to_string()),
    }
}

fn scope_named(name: Option<String>) -> Scope {
    name.map_or(Scope::All, |name| Scope::Service(name.into()))
}

/// Unlike a map's, an unknown action on disk is not taken for a milder one.
fn action_numbered(number: u8) -> Option<Action> {
    Action::ALL.iter().copied().find(|action| *action as u8 == number)
}
