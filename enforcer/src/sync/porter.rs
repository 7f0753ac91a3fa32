//! The porter: brings modules that the center publishes, and tells the center how they are here.
//!
//! In: whoever runs modules; the enrolment as it lies on disk. Out: lists and files, over a connection of their own, so that policy never waits for them; words
//! for the center. Never here: whom to trust, what a module is, an end: only the task's own ends it.
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use enforcer_module::{List, Listed, Told};
use enforcer_policy::revision::Digest;
use hyper::Method;
use tokio::sync::Notify;

use super::backoff::Backoff;
use super::{Enrolment, Https, SyncError};

/// Whoever runs modules.
pub trait Loads {
    /// The enrolment's folder.
    fn state(&self) -> std::path::PathBuf;
    /// Is told when there may be something to do.
    fn called(&self) -> Arc<Notify>;
    /// The center has another list than is held here.
    fn is_behind(&self) -> bool;
    /// Those of a list whose files are wanted, and not here.
    fn lacks(&self, list: &List) -> Vec<Listed>;
    /// The list that the center last said to have.
    fn announced(&self) -> Option<Digest>;
    /// This is the list now, with the files that came; `asked`: what the center had said when it was asked.
    fn take(&self, list: List, files: Vec<(Digest, Bytes)>, asked: Option<Digest>);
    /// Writes what was taken to the disk, unless it lies there.
    fn keep(&self) -> impl Future<Output = ()>;
    /// How modules are, when the center has not heard it.
    fn news(&self) -> Option<Vec<Told>>;
    /// The center has heard it.
    fn heard(&self, told: Vec<Told>);
}

/// Who brings.
#[derive(Debug)]
pub struct Porter;

impl Porter {
    /// Goes for ever.
    pub async fn run(self, host: impl Loads) {
        let (mut backoff, mut pause, called) = (Backoff::default(), LOOK, host.called());
        loop {
            // Late is as good as called.
            let _ = tokio::time::timeout(std::mem::replace(&mut pause, LOOK), called.notified()).await;
            host.keep().await;
            if host.news().is_none() && !host.is_behind() {
                continue;
            }
            match errand(&host).await {
                Ok(()) => backoff.reset(),
                Err(error) => {
                    tracing::debug!(%error, "modules of the center wait");
                    // A center of before knows nothing of modules.
                    let is_old = matches!(error, SyncError::Answer { status: 404, .. });
                    pause = if is_old { LATER } else { backoff.grown() };
                }
            }
        }
    }
}

async fn errand(host: &impl Loads) -> Result<(), SyncError> {
    let enrolment = Enrolment::load(&host.state())?.ok_or(SyncError::Meaningless("the enrolment"))?;
    let mut https = enrolment.server()?.connect().await?;
    if host.is_behind() {
        fetch(&mut https, host).await?;
        host.keep().await;
    }
    let Some(told) = host.news() else { return Ok(()) };
    let body = serde_json::to_vec(&serde_json::json!({ "modules": told })).map_err(SyncError::line)?;
    https.ask(Method::POST, "/v1/agent/modules", body, PATIENCE).await?;
    host.heard(told);
    Ok(())
}

/// A file that was withdrawn meanwhile does not come: there is another list by then.
async fn fetch(https: &mut Https, host: &impl Loads) -> Result<(), SyncError> {
    let asked = host.announced();
    let (_, answer) = https.ask(Method::GET, "/v1/agent/modules", Vec::new(), PATIENCE).await?;
    let mut list: List = serde_json::from_slice(&answer).map_err(SyncError::line)?;
    list.modules.truncate(enforcer_module::MOST_PUBLISHED);
    let mut files = Vec::new();
    for listed in host.lacks(&list) {
        let path = format!("/v1/agent/modules/{}", listed.digest);
        match https.ask(Method::GET, &path, Vec::new(), PATIENCE).await {
            Ok((_, file)) => files.push((listed.digest, file)),
            Err(SyncError::Answer { status: 404, .. }) => {}
            Err(error) => return Err(error),
        }
    }
    host.take(list, files, asked);
    Ok(())
}

/// How often it is looked whether something is to be told or kept.
const LOOK: Duration = Duration::from_secs(1);
const LATER: Duration = Duration::from_hours(1);
const PATIENCE: Duration = Duration::from_secs(30);
