//! Simulated hosts: everything of the agent between the center's socket and the kernel, many times in one process.
//!
//! In: a center. Out: who was connected, and who had which revision acknowledged, each with its time. Never here: a kernel, a protocol
//! of its own.

use std::{
    fs,
    path::{Path, PathBuf},
    process,
    sync::{Mutex, PoisonError, mpsc},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use enforcer::sync::{Enrolment, Held, Host, Invitation, Line, Phase, Shelf, enrol};
use enforcer_policy::document::Base;
use enforcer_policy::{
    Moment,
    revision::{Delta, Known, Leaves, Replica},
};
use enforcer_tests::Center;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::runtime::{Builder, Runtime};

use super::office::URL;

/// Hosts that talk to a center until this is dropped.
pub(super) struct Crowd {
    runtime: Runtime,
    told: mpsc::Receiver<Told>,
    folder: PathBuf,
    hosts: usize,
}

/// Something that happened to a host.
struct Told {
    host: usize,
    at: Instant,
    what: What,
}

/// What happened to it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum What {
    Acknowledged(u64),
    Connected,
}

/// What stands where a kernel would.
struct Sink {
    host: usize,
    held: Mutex<Leaves>,
    tell: mpsc::Sender<Told>,
}

impl Crowd {
    /// Enrols hosts, and lets them talk.
    pub(super) fn join(center: &Center, hosts: usize) -> anyhow::Result<Self> {
        let (_, most) = getrlimit(Resource::RLIMIT_NOFILE)?;
        setrlimit(Resource::RLIMIT_NOFILE, most, most)?;
        let folder = PathBuf::from(format!("/dev/shm/enforcer-bench-{}", process::id()));
        let (tell, told) = mpsc::channel();
        // Threads that are born in a namespace stay there.
        let runtime = center.space().inside(|| Builder::new_multi_thread().worker_threads(2).enable_all().build())?;
        let crowd = Self { runtime, told, folder, hosts };
        for host in 0..hosts {
            let invited = center.cli(&["hosts", "invite", &format!("host-{host:04}")]);
            let token = invited["token"].as_str().context("no one-time token")?.to_owned();
            let state = crowd.folder.join(host.to_string());
            let line = crowd.runtime.block_on(crowd.runtime.spawn(line(token, state)))??;
            crowd.runtime.spawn(line.run(Sink { host, held: Mutex::default(), tell: tell.clone() }));
        }
        Ok(crowd)
    }

    /// When each host had its word on this revision taken, or on a later one.
    pub(super) fn acknowledged(&self, revision: u64) -> anyhow::Result<Vec<Instant>> {
        self.all(|what| matches!(what, What::Acknowledged(number) if number >= revision))
            .with_context(|| format!("waiting for revision {revision}"))
    }

    /// When each host was connected for the first time from now on.
    pub(super) fn connected(&self) -> anyhow::Result<Vec<Instant>> {
        self.all(|what| what == What::Connected).context("waiting for connections")
    }

    /// Forgets what was told until now.
    pub(super) fn forget(&self) {
        while self.told.try_recv().is_ok() {}
    }

    fn all(&self, is_meant: impl Fn(What) -> bool) -> anyhow::Result<Vec<Instant>> {
        let mut first: Vec<Option<Instant>> = vec![None; self.hosts];
        let (mut missing, until) = (self.hosts, Instant::now() + PATIENCE);
        while missing > 0 {
            let Ok(told) = self.told.recv_timeout(until.saturating_duration_since(Instant::now())) else {
                bail!("{missing} of {} hosts are not there after {PATIENCE:?}", self.hosts);
            };
            if is_meant(told.what) && first[told.host].is_none() {
                first[told.host] = Some(told.at);
                missing -= 1;
            }
        }
        Ok(first.into_iter().flatten().collect())
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        // It is in memory; the next start of the machine takes what is left.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A host's own line, as its agent makes it.
async fn line(token: String, state: PathBuf) -> anyhow::Result<Line> {
    fs::create_dir_all(&state)?;
    let (enrolment, _) = enrol(URL, &Invitation::parse(&token)?, super::now()).await?;
    enrolment.save(&state)?;
    restarted(&state)
}

fn restarted(state: &Path) -> anyhow::Result<Line> {
    let enrolment = Enrolment::load(state)?.context("the host has not enrolled")?;
    let mut replica = Replica::new(enrolment.key);
    let shelf = Shelf::open(state, &mut replica, &enrolment.groups)?;
    Ok(Line::new(enrolment, replica, shelf, state.to_owned())?)
}

impl Sink {
    fn say(&self, what: What) {
        // Nobody listens any more when the bench ends.
        let _ = self.tell.send(Told { host: self.host, at: Instant::now(), what });
    }
}

impl Host for Sink {
    fn now(&self) -> Moment {
        super::now()
    }

    async fn carry_out(&self, delta: &Delta) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        for id in &delta.remove {
            held.take(*id);
        }
        for entry in &delta.put {
            held.put(entry.decision.id, entry.leaf());
        }
    }

    fn held(&self) -> Held {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        Held { decisions: held.len() as u64, digest: held.root(), ..Held::default() }
    }

    fn settled(&self, _: &Base) {}

    fn tell(&self, phase: Phase, _known: Known) {
        if phase == Phase::Connected {
            self.say(What::Connected);
        }
    }

    fn acknowledged(&self, known: Known) {
        self.say(What::Acknowledged(known.number));
    }
}

const PATIENCE: Duration = Duration::from_mins(3);
