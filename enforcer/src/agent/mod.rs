//! The agent: wires the rooms together, and is the only one that reads the wall clock.
//!
//! ```text
//! start    config -> journal (decisions) -> kernel (adopt or fill) -> attach -> publish -> ready
//! second   heartbeat, expiries, interfaces that came or went; now and then a comparison with the kernel
//! request  socket -> Core -> ledger -> MapOp -> apply -> journal -> reply
//! event    ring -> names -> followers; a full map is one, too
//! sample   ring -> exchanges/ joins requests and answers -> followers; users of sessions -> kernel; calls -> inventory
//! told     refusals (added up), findings, problems, acts -> spool -> center
//! end      the programs, links and maps stay: enforcement outlives the agent
//! ```
//! All state is in [`core::Core`], behind one lock; nothing waits while holding it.
mod acts;
mod apis;
mod center;
mod clock;
mod core;
mod crowdsec;
mod doctor;
mod events;
mod findings;
mod foresee;
mod full;
mod hooks;
mod imports;
mod names;
mod notify;
mod orders;
mod owners;
mod places;
mod published;
mod reconcile;
mod reload;
mod reports;
mod samples;
mod server;
mod start;
mod tables;
mod told;
mod why;

use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use std::{fs, io};

use anyhow::Context as _;

pub use doctor::doctor;

use crate::config::Config;
use crate::kernel;
use core::Core;

/// The state, shared by the tasks of one thread.
#[derive(Clone)]
pub(crate) struct Shared(Arc<Mutex<Core>>);

impl Shared {
    fn new(core: Core) -> Self {
        Self(Arc::new(Mutex::new(core)))
    }

    /// The state. A task that panicked has left it whole: every change is one step.
    fn lock(&self) -> MutexGuard<'_, Core> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs until a signal or `enforcer detach`.
pub fn run(path: &Path) -> anyhow::Result<ExitCode> {
    start::tracing();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("starting the runtime")?;
    runtime.block_on(start::run(path))
}

/// Takes everything off without an agent.
pub fn detach_offline(config: &Config) -> anyhow::Result<Vec<String>> {
    Ok(kernel::detach_all(&config.agent.bpffs)?)
}

/// Leaves a file that cannot be read for whoever wants to look at it.
fn put_aside(path: &Path, error: &io::Error, what: &str) {
    let aside = path.with_extension("unread");
    tracing::warn!(%error, aside = %aside.display(), "{what}");
    // Without it, the next save writes over it.
    let _ = fs::rename(path, &aside);
}

/// Between two savings of what an agent has learned.
const SAVED: Duration = Duration::from_mins(1);
/// After one that failed, which is told until it succeeds: a disk that was full may have room again.
const AGAIN: Duration = Duration::from_secs(2);

const fn until_saved_again<E>(kept: &Result<(), E>) -> Duration {
    if kept.is_ok() { SAVED } else { AGAIN }
}
