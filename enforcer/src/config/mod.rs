//! The configuration room: the text of the one TOML file becomes a [`Config`].
//!
//! In: text. Out: a [`Config`] that is valid as a whole, or every [`Problem`] in it with line, place and mend; and, by
//! [`compile()`], the map operations that tell the kernel of the services. Never here: reading files, the clock, the kernel.
//!
//! To add a key: a field below, its default, and one `find` in the reading of its section; then a line in `example.toml`.
mod compile;
mod duration;
mod network;
mod notice;
mod problem;
mod reader;
mod sections;
mod service;
mod suggest;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use enforcer_common::{AllowKind, Prefix};
use toml::de::DeTable;

pub use compile::{Compiled, SERVICES_PER_SIDE, compile};
pub use duration::{DurationError, format_duration, parse_duration};
pub use notice::{HOLE, NoticeText, NoticeType};
pub use problem::{Problem, Problems};

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
    /// Blocked devices.
    pub identities: u32,
    /// Entries of the allowlist.
    pub allow: u32,
    /// Refused connections that are remembered.
    pub refused_connections: u32,
    /// Bytes of the event ring; a power of two.
    pub ring_bytes: u32,
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
    /// False: decisions are counted and not carried out.
    pub enforce: bool,
    /// Where the device's token stands.
    pub devices: Vec<DeviceRule>,
    /// What a refused client reads.
    pub notice: NoticeText,
}

/// One place of a device's token.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DeviceRule {
    /// The header, in any case.
    pub header: String,
    /// What stands before the token in the value; without it the whole value is the token.
    pub pattern: Option<String>,
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
            ring_bytes: 1 << 20,
            events_per_second: 100,
        }
    }
}

#[cfg(test)]
mod tests;
