//! `cargo xtask bench fleet`: from a decision at the center to every host.
//!
//! ```text
//! office.rs     a center with an operator at its API; what its process takes
//! crowd.rs      simulated hosts: the agent's own line to the center over TLS, with a sink in place of the kernel
//! hosts.rs      three real hosts: decision -> the first request refused
//! thousand.rs   a thousand simulated hosts: decision -> acknowledged by all; a restart of the center
//! million.rs    a million decisions: one more, the first sync of a host, a delta
//! crowdsec.rs   50,000 decisions and one more, beside Debian's CrowdSec with its firewall bouncer
//! ```
//! In: root, the built agent and center. Out: figures in the report. Never here: a shortcut around the protocol: enrolment, TLS,
//! signatures, the shelf on disk and acknowledgements are the product's own.

mod crowd;
mod crowdsec;
mod hosts;
mod million;
mod office;
mod thousand;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use enforcer_policy::Moment;

use crate::phases::Phase;

/// All of them.
pub(crate) const ALL: [Phase; 4] = [
    Phase { name: "hosts", what: "three real hosts", run: hosts::run },
    Phase { name: "thousand", what: "1,000 simulated hosts", run: thousand::run },
    Phase { name: "million", what: "1,000,000 decisions", run: million::run },
    Phase { name: "crowdsec", what: "50,000 decisions beside CrowdSec", run: crowdsec::run },
];

/// How the figures were measured.
pub(crate) const METHOD: [&str; 7] = [
    "everything shares the processors of this machine: center, hosts, load; a center on its own machine has them for itself",
    "hosts: from before the request that decides, over a kept-alive TLS connection, to the answer of the first request that is \
     refused; each host is asked a millisecond after its last answer",
    "thousand: simulated hosts in one process (the agent's own client, replica and shelf; no kernel; shelves on tmpfs, since hosts have \
     disks of their own); from before the request that decides to the center's answer to the acknowledgement, which comes when its \
     audit entry is on disk; percentiles over hosts and rounds, and over rounds for the last host",
    "reconnects: since the first host is back after kill -9 and a start; the peak is the fullest tenth of that time",
    "million: /32 addresses in requests of 100,000; one more decision: time of the request; first sync: from the agent's start to its \
     acknowledgement, with the map, the journal and the shelf; bytes are those on the cable",
    "crowdsec: Debian's packages, nftables; from the end of cscli to the element in the set; Enforcer from before the request to the \
     center's record that the kernel holds it",
    "memory: VmRSS after it, VmHWM at most",
];

fn now() -> Moment {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    Moment(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

/// Of the request that decides.
const SECONDS: u64 = 7200;
