//! What the CLI may ask of the agent.
//!
//! In: nothing. Out: [`Request`] and its parts. Values that identify people ([`Raw`]) cross the socket once, are digested by
//! the agent on receipt, and never show in `Debug`. Never here: defaults (the CLI has them) or checks (the agent has them).
use std::fmt;
use std::time::Duration;

use enforcer_common::{Action, Address, AllowKind, Prefix, Rate, SubjectKind};
use enforcer_policy::{DecisionId, Moment};
use serde::{Deserialize, Serialize};

use super::shape;

/// Raised with every change of a type in this room.
pub const PROTOCOL: u32 = 11;
/// Most items in one [`Request::ImportChunk`].
pub const IMPORT_ITEMS: usize = 65_536;
/// Most bytes of raw text in one [`Request::ImportChunk`], so that it always fits in a frame.
pub const IMPORT_BYTES: usize = 2 << 20;
/// Longest reason of a decision, in bytes.
pub const REASON_MAX: usize = 256;

/// The first frame, each way. Its two fields never change, so that versions can always tell each other apart.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Hello {
    /// [`PROTOCOL`] of the sender.
    pub protocol: u32,
    /// The sender's release.
    pub version: String,
}

impl Hello {
    /// This program's.
    pub fn ours() -> Self {
        Self { protocol: PROTOCOL, version: env!("CARGO_PKG_VERSION").to_owned() }
    }

    /// True when both sides speak alike.
    pub fn agrees(&self) -> bool {
        self.protocol == PROTOCOL
    }
}

/// One request. Unless it says otherwise, exactly one reply follows; any request may be answered by `Reply::Error`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Request {
    /// Adds or removes an allowlist entry: `Reply::Allowed`.
    Allow(AllowRequest),
    /// The whole allowlist: `Reply::Allowlist`.
    Allowlist,
    /// The inventory of a service, or of all: `Reply::Apis`, until its last part.
    Apis(Option<String>),
    /// One decision: `Reply::Blocked`.
    Block(BlockRequest),
    /// Enforcement off (true) or on: `Reply::Done`.
    Bypass(bool),
    /// Decides as a finding suggests, for its time or for this one: `Reply::Blocked`.
    DecideFinding {
        /// The finding.
        id: u64,
        /// How long from now.
        lasts: Option<Duration>,
    },
    /// Takes programs, links and maps off the kernel and ends the agent: `Reply::Done`.
    Detach,
    /// Requests and their answers from now on: `Reply::Request`, again and again, until the CLI hangs up.
    Requests,
    /// A finding is all right, and is not raised again: `Reply::Done`.
    ExceptFinding {
        /// The finding.
        id: u64,
        /// Why.
        reason: String,
    },
    /// How filters do: `Reply::Filters`.
    Filters,
    /// Findings, the latest first: `Reply::Findings`.
    Findings {
        /// Only of this service.
        service: Option<String>,
        /// Only this one.
        id: Option<u64>,
        /// At most so many.
        limit: u32,
    },
    /// Events from now on: `Reply::Event` or `Reply::Notice`, again and again, until the CLI hangs up.
    Events,
    /// Opens an import: no reply, unless it is refused.
    Import(ImportStart),
    /// A part of an import: `Reply::Progress`.
    ImportChunk(Vec<ImportItem>),
    /// Ends an import: `Reply::Imported`.
    ImportEnd,
    /// A page of decisions: `Reply::Listed`.
    List(ListRequest),
    /// Reads the configuration again: `Reply::Done`.
    Reload,
    /// Starts a filter that was stopped, with nothing that it knew: `Reply::Done`.
    RestartFilter {
        /// Which.
        filter: String,
        /// Where.
        service: String,
    },
    /// `Reply::Status`.
    Status,
    /// All counters: `Reply::Top`.
    Top,
    /// Ends decisions: `Reply::Unblocked`.
    Unblock(UnblockBy),
    /// What happens to a subject, and why: `Reply::Why`.
    Why(WhySubject),
    /// What such a decision would have hit; none is made: `Reply::Foreseen`.
    Foresee(BlockRequest),
}

/// Adds or removes an allowlist entry.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AllowRequest {
    /// The network.
    #[serde(with = "shape")]
    pub prefix: Prefix,
    /// How far it reaches; ignored when it is removed.
    #[serde(with = "shape")]
    pub kind: AllowKind,
    /// How long from now; `None` is for good.
    pub duration: Option<Duration>,
    /// Why.
    pub reason: String,
    /// True: take it off the list.
    pub remove: bool,
}

/// One decision to make.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct BlockRequest {
    /// Who.
    pub subject: SubjectInput,
    /// A service by name, or an endpoint such as `pay:GET /accounts/{id}`; `None` means all.
    pub scope: Option<String>,
    /// What to do.
    #[serde(with = "shape")]
    pub action: Action,
    /// How many requests may pass; only with `limit`.
    #[serde(with = "enforcer_policy::serial")]
    pub rate: Option<Rate>,
    /// How long from now; `None` is for good.
    pub duration: Option<Duration>,
    /// Why.
    pub reason: String,
    /// May end an existing decision earlier.
    pub shorten: bool,
    /// May cover more than an IPv4 /8 or an IPv6 /16.
    pub wide: bool,
}

/// A subject as the operator typed it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum SubjectInput {
    /// `tcp 198.51.100.7:40000 > 192.0.2.1:443`, see [`enforcer_policy::parse_flow`].
    Flow(String),
    /// An address or a network, see [`enforcer_policy::parse_prefix`].
    Ip(String),
    /// The value of a token.
    Token {
        /// Whose: a device, session, user or apikey.
        #[serde(with = "shape")]
        kind: SubjectKind,
        /// The value.
        value: Raw,
    },
}

impl SubjectInput {
    /// What kind it is.
    pub fn kind(&self) -> SubjectKind {
        match self {
            Self::Flow(_) => SubjectKind::Flow,
            Self::Ip(_) => SubjectKind::Ip,
            Self::Token { kind, .. } => *kind,
        }
    }
}

/// A raw identity. `Debug` hides it, so that no log line can carry it by accident.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Raw(String);

impl Raw {
    /// From what was typed.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value, to be digested.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Raw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Raw(…)")
    }
}

/// Opens an import: the same order for many subjects.
///
/// The CLI sends this, then chunks, each answered by `Reply::Progress` before the next is sent, then `ImportEnd`. Hanging up
/// before `ImportEnd` keeps what the answered chunks did: an import is many decisions, not one transaction.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ImportStart {
    /// What all items are: `ip`, or a kind that has a token.
    #[serde(with = "shape")]
    pub kind: SubjectKind,
    /// A service by name, or an endpoint; `None` means all.
    pub scope: Option<String>,
    /// What to do; ignored when they are removed.
    #[serde(with = "shape")]
    pub action: Action,
    /// How many requests of each may pass; only with `limit`.
    #[serde(with = "enforcer_policy::serial")]
    pub rate: Option<Rate>,
    /// How long from now; `None` is for good.
    pub duration: Option<Duration>,
    /// Why.
    pub reason: String,
    /// May end existing decisions earlier.
    pub shorten: bool,
    /// May cover more than an IPv4 /8 or an IPv6 /16.
    pub wide: bool,
    /// True: end the decisions on these subjects.
    pub remove: bool,
}

/// One subject of an import.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum ImportItem {
    /// An address or network.
    Network(#[serde(with = "shape")] Prefix),
    /// The raw value of a token.
    Token(Raw),
}

/// A page of decisions.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct ListRequest {
    /// Only this kind.
    #[serde(with = "shape")]
    pub kind: Option<SubjectKind>,
    /// Only this service, or this endpoint.
    pub scope: Option<String>,
    /// After this decision: the last of the page before.
    pub after: Option<DecisionId>,
    /// Most to answer; the agent caps it at 10,000.
    pub limit: u32,
}

/// Which decisions end.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum UnblockBy {
    /// This one.
    Id(DecisionId),
    /// The one on this subject, for this scope exactly (`None` is the decision for all services).
    Subject {
        /// Who.
        subject: SubjectInput,
        /// A service by name, or an endpoint.
        scope: Option<String>,
    },
}

/// What `why` asks about.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum WhySubject {
    /// One decision.
    Decision(DecisionId),
    /// One address.
    Ip(#[serde(with = "shape")] Address),
    /// The value of a token.
    Token {
        /// Whose.
        #[serde(with = "shape")]
        kind: SubjectKind,
        /// The value.
        value: Raw,
    },
}

impl AllowRequest {
    /// When the entry ends, for a request that arrives at `now`.
    pub fn until(&self, now: Moment) -> Option<Moment> {
        self.duration.map(|span| now.plus(span))
    }
}

impl BlockRequest {
    /// When the decision ends, for a request that arrives at `now`.
    pub fn until(&self, now: Moment) -> Option<Moment> {
        self.duration.map(|span| now.plus(span))
    }
}

impl ImportStart {
    /// When the decisions end, for an import that begins at `now`.
    pub fn until(&self, now: Moment) -> Option<Moment> {
        self.duration.map(|span| now.plus(span))
    }
}
