//! HTTP/JSON, version 1.
//!
//! In: requests, and who is at the other end. Out: JSON, or a problem document with title, detail and mend. Never here: SQL,
//! signatures. Every request that reads or changes policy runs on a thread that may wait; only `watch` waits for news.
//!
//! To add a resource: a file beside this one, its routes with their descriptions in `routes.rs`, its lines in docs/CENTER.md.
mod agents;
mod audit;
mod decisions;
mod events;
mod exports;
mod hosts;
mod openapi;
mod people;
mod policy;
mod problem;
mod revisions;
mod routes;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use crate::authority::Authority;
use crate::desk::Desk;
use crate::export::States;
use crate::store::EventStore;
pub(crate) use hosts::compared;
use problem::{Answer, Problem};
pub(crate) use routes::router;

/// What all requests share.
#[derive(Clone)]
pub(crate) struct Center(Arc<Parts>);

struct Parts {
    desk: Mutex<Desk>,
    authority: Authority,
    identity_key: String,
    /// The present revision.
    news: watch::Sender<u64>,
    events: Mutex<EventStore>,
    events_file: PathBuf,
    /// The number of the last event.
    last_event: watch::Sender<u64>,
    exports: States,
}

impl Center {
    /// With the file of events at this path.
    pub(crate) fn new(desk: Desk, authority: Authority, identity_key: String, events: &Path) -> anyhow::Result<Self> {
        let news = watch::Sender::new(desk.known().number);
        let (store, events_file) = (EventStore::open(events)?, events.to_owned());
        let last_event = watch::Sender::new(store.last()?);
        let (desk, events) = (Mutex::new(desk), Mutex::new(store));
        let exports = States::default();
        let parts = Parts { desk, authority, identity_key, news, events, events_file, last_event, exports };
        Ok(Self(Arc::new(parts)))
    }

    /// The number of the last event, now and whenever it grows.
    pub(crate) fn event_news(&self) -> watch::Receiver<u64> {
        self.0.last_event.subscribe()
    }

    /// How exports are.
    pub(crate) fn exports(&self) -> States {
        self.0.exports.clone()
    }

    /// Work on events, which keeps nobody from policy.
    async fn with_events<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut EventStore) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let center = self.clone();
        let done = tokio::task::spawn_blocking(move || {
            let mut events = center.0.events.lock().unwrap_or_else(PoisonError::into_inner);
            let done = work(&mut events)?;
            let last = events.last()?;
            center.0.last_event.send_if_modified(|known| std::mem::replace(known, last) != last);
            Ok(done)
        });
        done.await.unwrap_or_else(|_panic| Err(Problem::internal("the request could not be carried out")))
    }

    /// A look at events, which keeps nobody from adding some.
    async fn reading_events<T: Send + 'static>(
        &self,
        work: impl FnOnce(&EventStore) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let path = self.0.events_file.clone();
        let done = tokio::task::spawn_blocking(move || work(&EventStore::open(&path)?));
        done.await.unwrap_or_else(|_panic| Err(Problem::internal("the request could not be carried out")))
    }

    /// The desk. A task that panicked has left it whole: every change is one step.
    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.0.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Work that waits for disks, off the threads that serve; afterwards the news is out.
    async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Desk, &Self) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let center = self.clone();
        let done = tokio::task::spawn_blocking(move || {
            let mut desk = center.desk();
            let done = work(&mut desk, &center);
            let number = desk.known().number;
            drop(desk);
            center.0.news.send_if_modified(|known| std::mem::replace(known, number) != number);
            done
        });
        done.await.unwrap_or_else(|_panic| Err(Problem::internal("the request could not be carried out")))
    }
}

async fn health(axum::extract::State(center): axum::extract::State<Center>) -> Answer {
    let number = *center.0.news.borrow();
    Answer::json(&serde_json::json!({"status": "ok", "revision": number}))
}

/// Undoes trials whose deadline has passed; until dropped. Hosts need nobody for that, but the policy must say so too.
pub(crate) async fn watch_trials(center: Center) {
    loop {
        tokio::time::sleep(TRIALS).await;
        let lapsed = center.work(|desk, _| Ok(desk.undo_lapsed()?)).await;
        if let Err(problem) = lapsed {
            tracing::error!(
                ?problem,
                "a trial that lapsed could not be undone at the center; hosts undo it themselves"
            );
        }
    }
}

/// How often it is looked whether a trial has lapsed.
const TRIALS: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests;
