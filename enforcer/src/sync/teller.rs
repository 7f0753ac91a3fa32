//! The teller: brings what this host knows of APIs to the center, so that the fleet has one inventory.
//!
//! In: an inventory, when there is something new; the enrolment as it lies on disk. Out: its bytes, over a connection of their own, so that policy never
//! waits for them. Never here: what is learned from calls, an end: only the task's own ends it.
use std::path::PathBuf;
use std::time::Duration;

use enforcer_insight::inventory::Inventory;
use hyper::Method;

use super::backoff::Backoff;
use super::{Enrolment, SyncError};

/// Whoever knows.
pub trait Learned {
    /// What is known, when the center has not got it.
    fn untold(&self) -> Option<Inventory>;
    /// It did not arrive.
    fn not_told(&self);
}

/// Who tells.
#[derive(Debug)]
pub struct Teller {
    state: PathBuf,
}

impl Teller {
    /// For a host whose enrolment lies in this state folder.
    pub const fn new(state: PathBuf) -> Self {
        Self { state }
    }

    /// Tells for ever.
    pub async fn run(self, host: impl Learned) {
        let (mut backoff, mut pause) = (Backoff::default(), FIRST);
        loop {
            tokio::time::sleep(pause).await;
            let Some(inventory) = host.untold() else { continue };
            pause = PERIOD;
            match self.tell(inventory).await {
                Ok(()) => backoff.reset(),
                Err(error) => {
                    tracing::debug!(%error, "the center does not know this host's APIs yet");
                    host.not_told();
                    // A center of before knows nothing of inventories.
                    let is_old = matches!(error, SyncError::Answer { status: 404, .. });
                    pause = if is_old { LATER } else { PERIOD + backoff.grown() };
                }
            }
        }
    }

    async fn tell(&self, inventory: Inventory) -> Result<(), SyncError> {
        let enrolment = Enrolment::load(&self.state)?.ok_or(SyncError::Meaningless("the enrolment"))?;
        // A large one takes its time to pack, and others have to speak meanwhile.
        let packed = tokio::task::spawn_blocking(move || inventory.pack()).await.map_err(SyncError::line)?;
        let packed = packed.map_err(SyncError::line)?;
        let mut https = enrolment.server()?.connect().await?;
        https.ask(Method::POST, "/v1/agent/apis", packed, PATIENCE).await.map(drop)
    }
}

/// After the start, and between two tellings at least.
const FIRST: Duration = Duration::from_secs(2);
const PERIOD: Duration = Duration::from_secs(30);
const LATER: Duration = Duration::from_hours(1);
const PATIENCE: Duration = Duration::from_mins(1);
