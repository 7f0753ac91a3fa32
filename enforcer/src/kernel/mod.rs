//! The kernel room: the only room that knows aya, file descriptors and shared memory. The one door to the kernel.
//!
//! In: map operations, wishes where to attach. Out: verbs that say what they do (`put_source`, `attach`, `counters`), and
//! typed errors. Never here: policy, decisions about what should be installed, the wall clock.
//!
//! ```text
//! <bpffs>/maps/NAME                     every map that must survive the agent
//! <bpffs>/maps-new/NAME                 a new set while it is filled; renamed once the programs use it
//! <bpffs>/links/xdp-<ifindex>-<mode>    attached programs: a new agent replaces the program inside the link
//! <bpffs>/links/tc-<ifindex>-<mode>
//! <bpffs>/links/egress-<ifindex>-<mode>
//! ```
//! Opening: compatible pinned maps are adopted; others are left in place, still enforcing, until a new set has been filled
//! and the programs in the links have been replaced. At no instant does a link hang without a program.
mod bpffs;
mod clock;
mod error;
mod filter;
mod hooks;
mod listeners;
mod mapped;
mod maps;
mod named;
mod netlink;
mod object;
mod privileges;
mod probe;
mod ring;
mod sources;
mod verbs;
mod watch;

use std::path::PathBuf;

use aya::Ebpf;
use enforcer_common::SipKey;

pub use bpffs::prepare;
pub use clock::{boot_id, cpus, monotonic, thread_time};
pub use error::KernelError;
pub use hooks::{Hook, HookKind, detach_all, interfaces};
pub use listeners::{Listener, listeners};
pub use maps::Fill;
pub use object::Opened;
pub use privileges::{keep_only_needed, peer_is_trusted};
pub use probe::{Finding, probe};
pub use ring::{EventRing, Sample, SampleRing};
pub use sources::Held;
pub use watch::LinkWatch;

use crate::config::Limits;
use maps::Maps;

/// What the programs are opened with.
pub struct Setup {
    /// The bpffs folder.
    pub bpffs: PathBuf,
    /// Sizes of the maps.
    pub limits: Limits,
    /// Secret of the identity digests.
    pub identity_key: SipKey,
}

/// The loaded programs and their maps.
pub struct Kernel {
    ebpf: Ebpf,
    maps: Maps,
    bpffs: PathBuf,
    attached: Vec<hooks::Attached>,
    /// True while the maps are a new set that is not yet the pinned one.
    unpinned: bool,
    verified: [u32; 3],
    /// What the programs of a replaced set of maps told and nobody has read.
    left: Option<ring::Left>,
    /// What the pins stand for.
    kept: hooks::Kept,
}
