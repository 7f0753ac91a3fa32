//! The large reports: status, why, top, events, doctor.
//!
//! In: what the agent gathered. Out: flat records, the same for tables, `-o json` and the metrics page. Never here: rates and
//! percentages (whoever shows them computes them from two reports), or raw identities.
use std::net::IpAddr;
use std::time::Duration;

use enforcer_common::{Action, Counter, Reason, SubjectKind, Verdict};
use enforcer_policy::{Counts, DecisionId, Moment};
use serde::{Deserialize, Serialize};

use super::shape;
use super::{AllowedEntry, DecisionReport, PublishedReport, ServiceRequests};

/// How the agent and the kernel are.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct StatusReport {
    /// The agent's release.
    pub version: String,
    /// The layout of its maps.
    pub abi: u32,
    /// Its process.
    pub pid: u32,
    /// When it started.
    #[serde(with = "shape")]
    pub started: Moment,
    /// The configuration it runs by.
    pub config_path: String,
    /// True: everything passes.
    pub bypass: bool,
    /// What happens without an agent: `keep` or `pass-after 30s`.
    pub lost_agent: String,
    /// Where the programs hang.
    pub attachments: Vec<Attachment>,
    /// The services.
    pub services: Vec<ServiceReport>,
    /// Decisions meant and decisions held.
    pub decisions: PolicyCounts,
    /// Allowlist entries.
    pub allowed: u64,
    /// How full the maps are.
    pub maps: Vec<MapFill>,
    /// What the comparison with the kernel found.
    pub drift: Drift,
    /// The event stream.
    pub events: EventTotals,
    /// The line to the center; none on a host that belongs to none.
    pub center: Option<CenterReport>,
    /// Modules that the center publishes for this host, and how each is here.
    pub published: Vec<PublishedReport>,
    /// What is wrong or degraded now, one sentence each; empty when all is well.
    pub problems: Vec<String>,
}

/// The line to the center.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct CenterReport {
    /// This host's name there.
    pub host: String,
    /// Whether it answers.
    pub connected: bool,
    /// The revision in force; 0 before the first.
    pub revision: u64,
    /// Its decisions that the kernel holds.
    pub decisions: u64,
    /// Its decisions that are not in force here: for other hosts, lifted, overruled, or without room.
    pub not_in_force: u64,
}

/// One program on one interface.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct Attachment {
    /// The interface.
    pub interface: String,
    /// `xdp` or `tc`.
    pub hook: String,
    /// `native`, `generic`, `tcx` or `clsact`.
    pub mode: String,
}

/// One service.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ServiceReport {
    /// Its name.
    pub name: String,
    /// Its TCP ports.
    pub ports: Vec<u16>,
    /// Where its requests arrive.
    pub interfaces: Vec<String>,
    /// `enforce` or `observe`.
    pub mode: String,
    /// Who named it: `file` or `center`.
    pub from: String,
    /// What happened to its requests.
    pub requests: Vec<VerdictCount>,
}

/// Requests with one verdict.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct VerdictCount {
    /// The verdict.
    #[serde(with = "shape")]
    pub verdict: Verdict,
    /// Requests.
    pub count: u64,
}

impl VerdictCount {
    /// From the kernel's array, which is indexed by verdict.
    pub fn list(requests: &[u64; Verdict::COUNT]) -> Vec<Self> {
        Verdict::ALL.iter().zip(requests).map(|(verdict, count)| Self { verdict: *verdict, count: *count }).collect()
    }
}

/// Decisions meant and decisions held.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct PolicyCounts {
    /// What the ledger holds.
    pub intended: Vec<KindCount>,
    /// What the kernel holds.
    pub installed: Vec<KindCount>,
}

/// Decisions of one kind.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct KindCount {
    /// The kind.
    #[serde(with = "shape")]
    pub kind: SubjectKind,
    /// Decisions.
    pub count: u64,
}

impl KindCount {
    /// Of every kind, from the ledger's own count.
    pub fn list(counts: Counts) -> Vec<Self> {
        SubjectKind::ALL.iter().map(|kind| Self { kind: *kind, count: counts.of(*kind) as u64 }).collect()
    }
}

/// How full one map is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct MapFill {
    /// Its name.
    pub map: String,
    /// Entries held.
    pub used: u64,
    /// Entries it has room for.
    pub capacity: u64,
}

/// What the comparison of kernel and policy found.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Drift {
    /// When it was last made; `None` before the first.
    #[serde(with = "shape")]
    pub last_check: Option<Moment>,
    /// Differences found at that time.
    pub differences: u64,
    /// Differences repaired since the start.
    pub repaired: u64,
}

/// The event stream since the start.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct EventTotals {
    /// Events read from the kernel.
    pub seen: u64,
    /// Events the kernel had no room for.
    pub lost: u64,
    /// Requests and parts of answers that the kernel told of.
    pub samples: u64,
    /// Those it had no room for.
    pub samples_lost: u64,
}

/// All counters at one moment; rates come from two of these.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TopReport {
    /// When they were read.
    #[serde(with = "shape")]
    pub at: Moment,
    /// Processors that count.
    pub cpus: u32,
    /// True: everything passes.
    pub bypass: bool,
    /// By reason, in the order of the kernel.
    pub reasons: Vec<ReasonCount>,
    /// By service.
    pub services: Vec<ServiceRequests>,
    /// How full the maps are.
    pub maps: Vec<MapFill>,
    /// The event stream.
    pub events: EventTotals,
    /// The latest events, newest last.
    pub recent: Vec<EventReport>,
}

/// One counter of the kernel.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ReasonCount {
    /// Why.
    #[serde(with = "shape")]
    pub reason: Reason,
    /// `packet`, `request` or `stream`.
    pub layer: String,
    /// Packets or requests.
    pub count: u64,
    /// Bytes.
    pub bytes: u64,
}

impl ReasonCount {
    /// From the kernel's counter.
    pub fn new(reason: Reason, counter: Counter) -> Self {
        Self { reason, layer: reason.layer().to_owned(), count: counter.count, bytes: counter.bytes }
    }
}

/// What happens to a subject, and why.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct WhyReport {
    /// Who was asked about; tokens are masked.
    pub subject: String,
    /// What happens now.
    #[serde(with = "shape")]
    pub verdict: Verdict,
    /// The steps of the data path, in its order, one sentence each.
    pub because: Vec<String>,
    /// Decisions that match, expired ones included.
    pub decisions: Vec<DecisionReport>,
    /// Allowlist entries that match.
    pub allowed: Vec<AllowedEntry>,
    /// What the maps hold, read just now.
    pub kernel: Vec<KernelEntry>,
}

/// What one map holds for the subject.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct KernelEntry {
    /// The map.
    pub map: String,
    /// The key, as text; tokens are masked.
    pub entry: String,
    /// Whether it is there.
    pub held: Held,
    /// What it does.
    #[serde(with = "shape")]
    pub action: Option<Action>,
    /// How long it still counts; `None` is for good, or not there.
    #[serde(rename = "expires_in_seconds", with = "shape")]
    pub expires_in: Option<Duration>,
}

/// Whether a map holds an entry.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Held {
    /// Not there.
    Absent,
    /// There, but its time is over.
    Expired,
    /// There.
    Present,
}

impl Held {
    /// The word for people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Expired => "expired",
            Self::Present => "present",
        }
    }
}

/// One event of the kernel, in words.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct EventReport {
    /// When.
    #[serde(with = "shape")]
    pub time: Moment,
    /// Why.
    #[serde(with = "shape")]
    pub reason: Reason,
    /// What happened.
    #[serde(with = "shape")]
    pub verdict: Verdict,
    /// What kind of subject matched.
    #[serde(with = "shape")]
    pub kind: Option<SubjectKind>,
    /// The decision that matched.
    pub decision: Option<DecisionId>,
    /// The service.
    pub service: Option<String>,
    /// The packet's source.
    pub source: IpAddr,
    /// Its port; 0 where the packet has none.
    pub source_port: u16,
    /// The packet's destination.
    pub destination: IpAddr,
    /// Its port; 0 where the packet has none.
    pub destination_port: u16,
    /// `tcp`, `udp`, ... or the number.
    pub protocol: String,
    /// Where it arrived.
    pub interface: String,
    /// The keyed digest that matched, 16 hexadecimal digits.
    pub digest: Option<String>,
    /// Bytes on the wire.
    pub bytes: u32,
}

impl EventReport {
    /// The usual name of an IANA protocol number, or the number.
    pub fn protocol_name(number: u8) -> String {
        match number {
            1 => "icmp".to_owned(),
            6 => "tcp".to_owned(),
            17 => "udp".to_owned(),
            58 => "icmpv6".to_owned(),
            other => other.to_string(),
        }
    }
}

/// News of the agent itself, among the events of the kernel.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct NoticeReport {
    /// When.
    #[serde(with = "shape")]
    pub time: Moment,
    /// What it is about.
    pub notice: NoticeKind,
    /// One sentence.
    pub message: String,
}

/// What a notice is about.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeKind {
    /// A filter noticed something new.
    Finding,
    /// An order was refused, because a map has no room left.
    MapFull,
    /// Who follows was too slow, and has missed events.
    Missed,
}

impl NoticeKind {
    /// The word for people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Finding => "finding",
            Self::MapFull => "map_full",
            Self::Missed => "missed",
        }
    }
}

/// What this host can do for Enforcer.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct DoctorReport {
    /// One entry per thing that was looked at.
    pub checks: Vec<Check>,
}

impl DoctorReport {
    /// The worst state of all checks.
    pub fn worst(&self) -> CheckState {
        self.checks.iter().map(|check| check.state).max().unwrap_or(CheckState::Ok)
    }
}

/// One thing that was looked at.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Check {
    /// What.
    pub name: String,
    /// How it is.
    pub state: CheckState,
    /// What was found.
    pub detail: String,
    /// What to do about it.
    pub mend: Option<String>,
}

/// How a checked thing is, best first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckState {
    /// As wanted.
    Ok,
    /// Works, but slower or with less.
    Degraded,
    /// Does not work.
    Missing,
}

impl CheckState {
    /// The word for people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Degraded => "degraded",
            Self::Missing => "missing",
        }
    }
}
