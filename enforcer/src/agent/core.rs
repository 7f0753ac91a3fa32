//! All state of the agent. In: requests, seconds, events. Out: replies. Each file of this room adds verbs to it.
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::hash::{BuildHasher as _, RandomState};
use std::path::PathBuf;
use std::sync::Arc;

use enforcer_common::SipKey;
use enforcer_policy::{Allowed, Decision, Endpoint, Ledger, Moment};
use tokio::sync::broadcast;

use super::apis::Apis;
use super::center::CenterState;
use super::crowdsec::CrowdSecState;
use super::findings::Watch;
use super::owners::Owners;
use super::published::Published;
use super::reload::allowed as configured;
use super::samples::Learned;
use super::told::Told;
use crate::apply::{ApplyError, apply_one};
use crate::config::{Agent, Config, Limits};
use crate::kernel::Kernel;
use crate::metrics::Latency;
use crate::reach::Reach;
use crate::store::{Journal, Record, StoreError};
use crate::wire::{Drift, EventReport, Exit, Reply, Trouble};

/// Events kept for `top`.
const RECENT: usize = 64;
/// Requests that a follower may be behind.
const FOLLOWED: usize = 16_384;

/// The agent's state.
pub(super) struct Core {
    /// What is in force: the file, and beside it what the center says.
    pub(super) config: Config,
    /// The file alone.
    pub(super) own: Config,
    pub(super) path: PathBuf,
    /// What it was started with: the parts that only a restart changes are compared with these.
    pub(super) first: (Agent, Limits),
    pub(super) kernel: Kernel,
    pub(super) ledger: Ledger,
    pub(super) journal: Journal,
    pub(super) key: SipKey,
    pub(super) started: Moment,
    /// Which side of the watchlists, notices and places the services use.
    pub(super) side: u8,
    /// The endpoints that the side in use was compiled for.
    pub(super) placed: BTreeSet<Arc<Endpoint>>,
    /// Places in use on that side.
    pub(super) places_used: u64,
    /// Interfaces of the host, by name, as of the last look.
    pub(super) interfaces: BTreeMap<String, u32>,
    /// Interfaces that are called otherwise now than in the configuration: the name there, and the one of today.
    pub(super) renamed: BTreeMap<String, String>,
    pub(super) drift: Drift,
    /// What is wrong now, by subject.
    pub(super) problems: BTreeMap<&'static str, String>,
    pub(super) enforcement: Latency,
    pub(super) events_seen: u64,
    /// Events and samples that were in maps which were replaced, and could not be read.
    pub(super) left_unread: [u64; 2],
    pub(super) recent: VecDeque<EventReport>,
    /// Gets [`Reply::Event`]s and [`Reply::Notice`]s.
    pub(super) followers: broadcast::Sender<Reply>,
    /// Gets [`Reply::Request`]s.
    pub(super) requests: broadcast::Sender<Reply>,
    pub(super) learned: Learned,
    /// Every API that was called.
    pub(super) apis: Apis,
    /// Who answers for the services.
    pub(super) owners: Owners,
    /// Whom requests came from.
    pub(super) reach: Reach,
    /// Filters and what they found.
    pub(super) watch: Watch,
    /// Orders refused because a map was full.
    pub(super) refused_for_want_of_room: u64,
    /// The maps that last refused one, with the words of the refusal.
    pub(super) full: BTreeMap<&'static str, String>,
    pub(super) seconds: u64,
    /// Set by `detach`: the agent ends.
    pub(super) detached: bool,
    /// What came from the center.
    pub(super) center: CenterState,
    /// What the center publishes.
    pub(super) published: Published,
    /// What came from CrowdSec.
    pub(super) crowdsec: CrowdSecState,
    /// What the center is to be told.
    pub(super) told: Told,
    random: RandomState,
    draws: u64,
}

impl Core {
    pub(super) fn new(
        config: Config,
        path: PathBuf,
        kernel: Kernel,
        ledger: Ledger,
        journal: Journal,
        key: SipKey,
        started: Moment,
    ) -> Self {
        Self {
            first: (config.agent.clone(), config.limits),
            own: config.clone(),
            config,
            path,
            kernel,
            ledger,
            journal,
            key,
            started,
            side: 0,
            placed: BTreeSet::new(),
            places_used: 0,
            interfaces: BTreeMap::new(),
            renamed: BTreeMap::new(),
            drift: Drift::default(),
            problems: BTreeMap::new(),
            enforcement: Latency::default(),
            events_seen: 0,
            left_unread: [0; 2],
            recent: VecDeque::with_capacity(RECENT),
            followers: broadcast::Sender::new(1024),
            requests: broadcast::Sender::new(FOLLOWED),
            learned: Learned::default(),
            apis: Apis::default(),
            owners: Owners::default(),
            reach: Reach::new(key),
            watch: Watch::default(),
            refused_for_want_of_room: 0,
            full: BTreeMap::new(),
            seconds: 0,
            detached: false,
            center: CenterState::default(),
            published: Published::default(),
            crowdsec: CrowdSecState::default(),
            told: Told::default(),
            random: RandomState::new(),
            draws: 0,
        }
    }

    /// Twenty bits that make ids of one millisecond differ.
    pub(super) fn entropy(&mut self) -> u32 {
        self.draws += 1;
        u32::try_from(self.random.hash_one(self.draws) & 0xf_ffff).unwrap_or(0)
    }

    /// Keeps records, durably. What cannot be kept is a problem for `status`, not a reason to undo what is enforced.
    pub(super) fn keep(&mut self, records: &[Record]) -> Result<(), StoreError> {
        let kept = self.write(records);
        match &kept {
            Ok(()) => drop(self.problems.remove("journal")),
            Err(error) => {
                let text = format!("decisions are enforced but not saved: {error}; a restart would forget them");
                self.problems.insert("journal", text);
            }
        }
        kept
    }

    fn write(&mut self, records: &[Record]) -> Result<(), StoreError> {
        if self.problems.contains_key("journal") {
            return self.compact();
        }
        for record in records {
            self.journal.append(record)?;
        }
        self.journal.commit()?;
        if self.journal.wants_compaction() { self.compact() } else { Ok(()) }
    }

    /// Writes the journal anew from what is in force.
    pub(super) fn compact(&mut self) -> Result<(), StoreError> {
        let bypass = self.kernel.bypass().unwrap_or(false);
        let allowed: Vec<Allowed> = self.ledger.allowlist().cloned().collect();
        self.journal.compact(&crate::store::snapshot(self.ledger.iter(), allowed, bypass))
    }

    /// Everything on the allowlist: the configured entries, then those made at run time.
    pub(super) fn allowed(&self) -> Vec<Allowed> {
        let configured = self.config.allow.iter().map(|entry| configured(*entry, self.started));
        let configured: Vec<Allowed> = configured.collect();
        let at_run_time = self.ledger.allowlist().filter(|one| configured.iter().all(|c| c.prefix != one.prefix));
        let at_run_time: Vec<Allowed> = at_run_time.cloned().collect();
        [configured, at_run_time].concat()
    }

    /// Takes ended decisions out of the kernel and the journal.
    pub(super) fn forget(&mut self, ended: &[Decision]) {
        for decision in ended {
            if let Err(error) = apply_one(&mut self.kernel, &enforcer_policy::remove(decision)) {
                tracing::warn!(id = %decision.id, %error, "an ended decision could not be taken out; the kernel ignores it");
            }
        }
        if !ended.is_empty() {
            // A problem for `status`, and noted there.
            let _ = self.keep(&[Record::RemoveMany(ended.iter().map(|decision| decision.id).collect())]);
        }
    }

    /// Tells followers and remembers for `top`.
    pub(super) fn remember(&mut self, event: EventReport) {
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(event.clone());
        // Nobody listens: fine.
        let _ = self.followers.send(Reply::Event(event));
    }
}

/// A failed map operation, in the words of the socket.
pub(super) fn trouble(error: &ApplyError) -> Trouble {
    let full = matches!(error.source, crate::kernel::KernelError::Full { .. });
    let exit = if full { Exit::Refused } else { Exit::Failed };
    let hint = if full {
        "enforcer status shows how full each map is; unblock what is no longer needed"
    } else {
        "enforcer doctor"
    };
    Trouble::new(exit, error.to_string(), hint)
}
