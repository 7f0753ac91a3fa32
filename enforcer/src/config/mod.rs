//! The configuration room: the text of the one TOML file becomes a [`Config`].
//!
//! In: text. Out: a [`Config`] that is valid as a whole, or every [`Problem`] in it with line, place and mend; and, by
//! [`compile()`], the map operations that tell the kernel of the services. Never here: reading files, the clock, the kernel.
//!
//! To add a key: a field below, its default, and one `find` in the reading of its section; then a line in `example.toml`.
mod central;
mod compile;
mod crowdsec;
mod filters;
mod identity;
mod modules;
mod network;
mod notice;
mod places;
mod sections;
mod service;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use enforcer_common::{AllowKind, Prefix, SubjectKind, Take};
use enforcer_insight::filters::WantedCell;
use enforcer_policy::Template;
use enforcer_policy::reading as reader;
use enforcer_policy::revision::Verifier;
pub use enforcer_policy::{DurationError, format_duration, parse_duration};
use toml::de::DeTable;

pub use central::LeftOut;
pub use compile::{Compiled, SERVICES_PER_SIDE, Scene, compile};
pub use crowdsec::CrowdSec;
pub use filters::Filters;
pub use modules::{MOST_MODULES, ModuleFile};
pub use notice::{HOLE, NoticeText, NoticeType};
pub use places::PLACES_PER_SIDE;
pub use reader::{Problem, Problems};

/// Where the file lies unless the command line says otherwise.
pub const DEFAULT_PATH: &str = "/etc/enforcer/enforcer.toml";

/// A commented file with every key at its default and one service commented out.
pub const EXAMPLE: &str = include_str!("example.toml");

/// Everything the operator decides about one host.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Config {
    /// The agent itself.
    pub agent: Agent,
    /// The packet path.
    pub fastpath: FastPath,
    /// Sizes of maps and buffers.
    pub limits: Limits,
    /// The services whose requests are judged.
    pub services: Vec<Service>,
    /// Networks that no decision can block.
    pub allow: Vec<AllowEntry>,
    /// What filters may do on services that say nothing of them.
    pub filters: Filters,
    /// Filters that are files.
    pub modules: Vec<ModuleFile>,
    /// Who may have signed a module that the center publishes; nobody, and none is run.
    pub trusted: Vec<Verifier>,
    /// What the center says of the modules of its own that run here. No file says so.
    pub published: BTreeMap<String, WantedCell>,
    /// A CrowdSec whose decisions hold here.
    pub crowdsec: Option<CrowdSec>,
}

/// Paths and manners of the agent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Agent {
    /// Where decisions are kept.
    pub state_dir: PathBuf,
    /// The socket of the command line.
    pub socket: PathBuf,
    /// The group that may use the socket besides root.
    pub socket_group: Option<String>,
    /// Where programs, links and maps are pinned.
    pub bpffs: PathBuf,
    /// Where metrics are served; `None` for nowhere.
    pub metrics: Option<SocketAddr>,
    /// What decisions mean when the agent is gone.
    pub lost_agent: LostAgent,
    /// The secret of the identity digests.
    pub identity_key: PathBuf,
}

/// What decisions mean when the agent is gone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LostAgent {
    /// They hold until their own expiry.
    Keep,
    /// Everything passes after this long.
    PassAfter(Duration),
}

/// The packet path.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct FastPath {
    /// Interfaces whose packets are judged by source and flow.
    pub interfaces: Vec<String>,
    /// Where in the interface.
    pub mode: Mode,
}

/// Where in the interface the packet program runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Mode {
    /// In the driver where it can, else in the stack.
    #[default]
    Auto,
    /// In the stack.
    Generic,
    /// In the driver, or not at all.
    Native,
}

/// Sizes of maps and buffers, fixed when the maps are made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Blocked IPv4 addresses and networks.
    pub addresses_v4: u32,
    /// Blocked IPv6 addresses and networks.
    pub addresses_v6: u32,
    /// Networks that fit no bucket of the source tables.
    pub spill: u32,
    /// Blocked connections.
    pub flows: u32,
    /// Blocked and limited devices, sessions, users and keys.
    pub identities: u32,
    /// Entries of the allowlist.
    pub allow: u32,
    /// Refused connections that are remembered.
    pub refused_connections: u32,
    /// Connections without a local socket that are followed.
    pub streams: u32,
    /// Request heads that are held while they are not whole.
    pub heads: u32,
    /// Limited subjects whose rate is counted.
    pub buckets: u32,
    /// Sessions whose user is known.
    pub session_users: u32,
    /// Bytes of the event ring; a power of two.
    pub ring_bytes: u32,
    /// Bytes of the ring for requests and answers; a power of two.
    pub sample_bytes: u32,
    /// Bytes of events that wait on disk for the center.
    pub spool_bytes: u32,
    /// Packet events per second and CPU at most.
    pub events_per_second: u32,
}

/// An API as its owners name it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Service {
    /// Unique; lower-case letters, digits and hyphens.
    pub name: String,
    /// TCP ports.
    pub ports: Vec<u16>,
    /// Interfaces its requests arrive on.
    pub interfaces: Vec<String>,
    /// Host names, in lower case; none means any.
    pub hosts: Vec<String>,
    /// What its paths begin with; none means any.
    pub paths: Vec<Template>,
    /// False: decisions are counted and not carried out.
    pub enforce: bool,
    /// What is done with connections that are out of the ordinary.
    pub manners: Manners,
    /// Where requests say who they are.
    pub identities: Vec<IdentityRule>,
    /// What a refused client reads.
    pub notice: NoticeText,
    /// What filters may do here.
    pub filters: Filters,
    /// The center named it; the host's file does not.
    pub from_center: bool,
}

/// What is done with connections that are out of the ordinary.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Manners {
    /// What cannot be followed is refused.
    pub strict: bool,
    /// Requests that servers read differently are refused.
    pub deny_ambiguous: bool,
    /// Connections of trusted proxies begin with a PROXY header.
    pub proxy_protocol: bool,
    /// The share of requests that the agent is told of.
    pub sample: Share,
}

/// A share: all for the largest number, none for 0.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Share(pub u32);

impl Default for Share {
    /// All.
    fn default() -> Self {
        Self(u32::MAX)
    }
}

/// One place where requests say who they are.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct IdentityRule {
    /// Who: the owner of a token, or (`ip`) a forwarded address.
    pub kind: SubjectKind,
    /// The header, in lower case.
    pub header: String,
    /// How it stands there.
    pub take: Take,
    /// What `take` needs to find it.
    pub pattern: String,
}

impl Service {
    /// True when it is told apart from others on its ports neither by host nor by path.
    pub fn is_whole_port(&self) -> bool {
        self.hosts.is_empty() && self.paths.is_empty()
    }

    /// True when a port of one interface belongs to both; so it is with itself.
    pub fn shares_a_port(&self, other: &Self) -> bool {
        self.interfaces.iter().any(|name| other.interfaces.contains(name))
            && self.ports.iter().any(|port| other.ports.contains(port))
    }

    /// True when its requests are looked at for this kind of subject.
    pub fn knows(&self, kind: SubjectKind) -> bool {
        self.identities.iter().any(|rule| rule.kind == kind)
    }
}

/// An entry of the allowlist.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AllowEntry {
    /// The network.
    pub prefix: Prefix,
    /// How far it reaches.
    pub kind: AllowKind,
}

impl Config {
    /// Reads the text of a file; an empty one is valid.
    pub fn parse(text: &str) -> Result<Self, Problems> {
        let (document, errors) = DeTable::parse_recoverable(text);
        let mut report = reader::Report::new(text, &errors);
        let config = sections::config(reader::Section::root(document.get_ref()), &mut report);
        report.finish().map(|()| config)
    }
}

impl Agent {
    /// The key's place when the file names none.
    pub(crate) fn default_key(state_dir: &Path) -> PathBuf {
        state_dir.join("identity.key")
    }
}

impl Default for Agent {
    fn default() -> Self {
        let state_dir = PathBuf::from("/var/lib/enforcer");
        Self {
            identity_key: Self::default_key(&state_dir),
            state_dir,
            socket: PathBuf::from("/run/enforcer/enforcer.sock"),
            socket_group: None,
            bpffs: PathBuf::from("/sys/fs/bpf/enforcer"),
            metrics: Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 9920))),
            lost_agent: LostAgent::Keep,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            addresses_v4: 1_000_000,
            addresses_v6: 250_000,
            spill: 65_536,
            flows: 65_536,
            identities: 100_000,
            allow: 4096,
            refused_connections: 16_384,
            streams: 16_384,
            heads: 2048,
            buckets: 16_384,
            session_users: 65_536,
            ring_bytes: 1 << 20,
            sample_bytes: 1 << 22,
            spool_bytes: 1 << 26,
            events_per_second: 100,
        }
    }
}

#[cfg(test)]
mod tests;
