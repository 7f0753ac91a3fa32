//! The courier: brings what is in the spool to the center.
//!
//! In: the spool; the enrolment as it lies on disk, so that a renewed certificate is used. Out: batches, over a connection of their
//! own, so that policy never waits for events. Never here: making events, an end: only the task's own ends it.
//!
//! At least once: a batch counts when the center has answered with the number up to which it has everything. The center counts
//! each number once.
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use enforcer_policy::Event;
use hyper::Method;
use serde::Deserialize;
use tokio::sync::Notify;

use super::backoff::Backoff;
use super::{Enrolment, Https, SyncError};
use crate::spool::{Piece, Spool, SpoolCounts, read_after};

/// A spool that the agent fills and the courier empties.
#[derive(Clone, Debug)]
pub struct Outbox {
    spool: Arc<Mutex<Spool>>,
    filled: Arc<Notify>,
}

impl Outbox {
    /// Around a spool.
    pub fn new(spool: Spool) -> Self {
        Self { spool: Arc::new(Mutex::new(spool)), filled: Arc::default() }
    }

    /// Adds an event.
    pub fn push(&self, event: Event) {
        self.spool().push(event);
        self.filled.notify_one();
    }

    /// How the spool is.
    pub fn counts(&self) -> SpoolCounts {
        self.spool().counts()
    }

    /// The spool. Who panicked has left it whole: each change is one step.
    fn spool(&self) -> MutexGuard<'_, Spool> {
        self.spool.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was pushed outlives the machine when this returns.
    async fn sync(&self) {
        let Some(file) = self.spool().unsynced() else { return };
        let synced = tokio::task::spawn_blocking(move || file.sync_data()).await;
        if let Ok(Err(error)) = synced {
            tracing::warn!(%error, "events could not be synced to the disk");
        }
    }
}

/// A random id for a spool.
pub fn spool_id() -> String {
    format!("{:016x}", RandomState::new().hash_one(std::process::id()))
}

/// Who carries.
#[derive(Debug)]
pub struct Courier {
    outbox: Outbox,
    state: PathBuf,
}

/// The center's answer.
#[derive(Deserialize)]
struct Has {
    last: u64,
}

impl Courier {
    /// For a host whose enrolment lies in this state folder.
    pub fn new(outbox: Outbox, state: PathBuf) -> Self {
        Self { outbox, state }
    }

    /// Carries for ever.
    pub async fn run(self) {
        let mut backoff = Backoff::default();
        loop {
            self.wait_until(EVERY_SECOND, || self.outbox.counts().waiting > 0).await;
            let pause = match self.deliver(&mut backoff).await {
                Ok(()) => continue,
                Err(error) => {
                    tracing::debug!(%error, "events wait on this host");
                    backoff.next()
                }
            };
            // What comes meanwhile must not wait for the center to be safe from a power cut.
            let over = tokio::time::Instant::now() + pause;
            self.wait_until(EVERY_SECOND.min(pause), || tokio::time::Instant::now() >= over).await;
        }
    }

    /// Looks at every event and after each pause whether it is so; syncs meanwhile.
    async fn wait_until(&self, pause: Duration, mut is_so: impl FnMut() -> bool) {
        while !is_so() {
            // Late is as good as called.
            let _ = tokio::time::timeout(pause, self.outbox.filled.notified()).await;
            self.outbox.sync().await;
        }
    }

    /// One connection, until there is nothing more to bring for a while.
    async fn deliver(&self, backoff: &mut Backoff) -> Result<(), SyncError> {
        let enrolment = Enrolment::load(&self.state)?.ok_or(SyncError::Meaningless("the enrolment"))?;
        let mut https = enrolment.server()?.connect().await?;
        // Where it stands is asked first: an answer may have been lost.
        self.send(&mut https, &Piece::default()).await?;
        loop {
            let piece = self.next().await;
            if piece.events.is_empty() {
                if tokio::time::timeout(LINGER, self.outbox.filled.notified()).await.is_err() {
                    return Ok(());
                }
                continue;
            }
            self.send(&mut https, &piece).await?;
            backoff.reset();
        }
    }

    async fn next(&self) -> Piece {
        let Some((path, after)) = self.outbox.spool().waiting() else { return Piece::default() };
        // The center must not know what a power cut can take back.
        self.outbox.sync().await;
        let read = tokio::task::spawn_blocking(move || read_after(&path, after, BATCH, BATCH_BYTES)).await;
        // A file that went meanwhile was given up: the next look finds another.
        read.ok().and_then(Result::ok).unwrap_or_default()
    }

    async fn send(&self, https: &mut Https, piece: &Piece) -> Result<(), SyncError> {
        let head = {
            let spool = self.outbox.spool();
            let (id, after) = spool.id();
            format!("{{\"spool\":\"{id}\",\"after\":{after},\"events\":[")
        };
        let events = piece.events.join(&b","[..]);
        let body = [head.as_bytes(), &events, b"]}"].concat();
        let (_, answer) = https.ask(Method::POST, "/v1/agent/events", body, PATIENCE).await?;
        let has: Has = serde_json::from_slice(&answer).map_err(SyncError::line)?;
        self.outbox.spool().settle(has.last, &spool_id());
        Ok(())
    }
}

/// Events of one request, and their bytes.
const BATCH: usize = 512;
const BATCH_BYTES: usize = 512 << 10;
const EVERY_SECOND: Duration = Duration::from_secs(1);
/// How long a connection is kept with nothing to bring.
const LINGER: Duration = Duration::from_secs(20);
const PATIENCE: Duration = Duration::from_secs(30);
