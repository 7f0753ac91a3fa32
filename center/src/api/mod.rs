//! HTTP/JSON, version 1.
//!
//! In: requests, and who is at the other end. Out: JSON, or a problem document with title, detail and mend. Never here: SQL,
//! signatures. Every request that reads or changes policy runs on a thread that may wait; only `watch` waits for news.
//!
//! To add a resource: a file beside this one, its routes with their descriptions in `routes.rs`, its lines in docs/CENTER.md.
mod agents;
mod apis;
mod audit;
mod clerk;
mod decisions;
mod events;
mod exports;
mod foresight;
mod hosts;
mod loaders;
mod metrics;
mod modules;
mod modules_shown;
mod openapi;
mod page;
mod people;
mod policy;
mod problem;
mod proposals;
mod revisions;
mod rollout;
mod routes;
mod shared;
mod sources;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::HeaderMap;
use enforcer_policy::{Event, EventKind};
use tokio::sync::watch;

use crate::authority::Authority;
use crate::desk::{Desk, News, take_snapshot};
use crate::export::States;
use crate::folder::Folder;
use crate::log::Log;
use crate::metrics::Tally;
use crate::serve::Peer;
use crate::sources::Sources;
use crate::store::{ApiStore, Batch, EventStore, Host, ModuleStore, Store};
use apis::Fleet;
use clerk::Clerk;
use foresight::Foresight;
pub(crate) use hosts::compared;
use modules::Shelf;
use people::Person;
use problem::{Answer, Problem};
use rollout::Recent;
pub(crate) use rollout::watch_rollout;
pub(crate) use routes::router;
pub(crate) use shared::watch_log;
pub(crate) use sources::watch_sources;

/// What all requests share.
#[derive(Clone)]
pub(crate) struct Center(Arc<Parts>);

struct Parts {
    desk: Mutex<Desk>,
    /// To find out who asks, without waiting for the desk.
    visitors: Mutex<Store>,
    /// For what hosts did: its own turn at the disk.
    acts: Mutex<Store>,
    clerk: Clerk,
    /// Held by whoever takes a snapshot.
    snapshot: tokio::sync::Mutex<()>,
    authority: Authority,
    identity_key: String,
    /// The present revision, and what leads to it.
    news: watch::Sender<Arc<News>>,
    events: Mutex<EventStore>,
    events_file: PathBuf,
    /// The number of the last event.
    last_event: watch::Sender<u64>,
    exports: States,
    sources: Sources,
    tally: Tally,
    /// A rollout is on.
    rolling: AtomicBool,
    recent: Mutex<Recent>,
    foresight: Foresight,
    apis: Mutex<ApiStore>,
    /// All inventories as one, and how often hosts had told when it was made.
    fleet: Mutex<(u64, Option<Arc<Fleet>>)>,
    modules: Mutex<ModuleStore>,
    /// What hosts may get of them, now and whenever it is something else.
    shelf: watch::Sender<Shelf>,
    /// What other centers have to say, where there are some.
    log: Option<Arc<Log>>,
}

impl Center {
    /// With the files of this folder.
    pub(crate) fn new(
        mut desk: Desk,
        authority: Authority,
        identity_key: String,
        folder: &Folder,
    ) -> anyhow::Result<Self> {
        let news = watch::Sender::new(Arc::new(desk.news()?));
        let rolling = AtomicBool::new(desk.is_rolling());
        let (visitors, acts) = (Mutex::new(desk.store().beside()?), Mutex::new(desk.store().beside()?));
        let clerk = Clerk::start(desk.store().beside()?)?;
        let log = desk.store().log().cloned();
        let snapshot = tokio::sync::Mutex::default();
        let (store, events_file) = (EventStore::open(&folder.events())?, folder.events());
        let last_event = watch::Sender::new(store.last()?);
        let (desk, events) = (Mutex::new(desk), Mutex::new(store));
        let exports = States::default();
        let modules = ModuleStore::open(&folder.modules())?;
        let shelf = watch::Sender::new(Arc::new(modules.all(false)?));
        Ok(Self(Arc::new(Parts {
            desk,
            visitors,
            acts,
            clerk,
            snapshot,
            authority,
            identity_key,
            news,
            events,
            events_file,
            last_event,
            exports,
            sources: Sources::default(),
            tally: Tally::default(),
            rolling,
            recent: Mutex::default(),
            foresight: Foresight::default(),
            apis: Mutex::new(ApiStore::open(&folder.apis())?),
            fleet: Mutex::default(),
            modules: Mutex::new(modules),
            shelf,
            log,
        })))
    }

    /// The number of the last event, now and whenever it grows.
    pub(crate) fn event_news(&self) -> watch::Receiver<u64> {
        self.0.last_event.subscribe()
    }

    /// How exports are.
    pub(crate) fn exports(&self) -> States {
        self.0.exports.clone()
    }

    /// What was done on a host, in the audit log; gives the events back.
    async fn with_acts(&self, host: &str, batch: Batch) -> Result<Batch, Problem> {
        if batch.events.iter().all(|event| event.kind != EventKind::Act) {
            return Ok(batch);
        }
        let (center, host) = (self.clone(), host.to_owned());
        let done = tokio::task::spawn_blocking(move || {
            let mut acts = center.0.acts.lock().unwrap_or_else(PoisonError::into_inner);
            acts.audit_acts(&host, &batch.spool, &batch.events)?;
            Ok(batch)
        });
        done.await.unwrap_or_else(|_panic| Err(Problem::internal("the request could not be carried out")))
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

    /// The host of a certificate. Rows that are read all the time: nothing here waits for a disk.
    fn host(&self, peer: &Peer) -> Result<Host, Problem> {
        let certificate = peer.certificate.as_deref().ok_or_else(Problem::stranger)?;
        let visitors = self.0.visitors.lock().unwrap_or_else(PoisonError::into_inner);
        visitors.host_of(certificate)?.ok_or_else(Problem::stranger)
    }

    /// Work for whoever may read.
    async fn read<T: Send + 'static>(
        &self,
        headers: HeaderMap,
        read: impl Fn(&mut Desk) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let work = move |desk: &mut Desk, _: &Self| {
            Person::of(&headers, desk)?;
            read(desk)
        };
        self.work(work).await
    }

    /// Work that waits for disks, off the threads that serve; afterwards the news is out.
    async fn work<T: Send + 'static>(
        &self,
        work: impl Fn(&mut Desk, &Self) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let center = self.clone();
        let done = tokio::task::spawn_blocking(move || {
            let mut desk = center.desk();
            let done = shared::carried_out(&mut desk, |desk| work(desk, &center));
            center.0.rolling.store(desk.is_rolling(), Ordering::Relaxed);
            let (is_due, told) = (center.spread(&mut desk) && desk.snapshot_is_due(), desk.take_told());
            drop(desk);
            center.tell(told);
            if is_due {
                tokio::spawn(async move { center.snapshot().await });
            }
            done
        });
        done.await.unwrap_or_else(|_panic| Err(Problem::internal("the request could not be carried out")))
    }

    /// Adds what the desk has done by itself to the events, in its own time.
    fn tell(&self, told: Vec<Event>) {
        if told.is_empty() {
            return;
        }
        for event in &told {
            self.0.tally.end_rollout(&event.what);
        }
        let center = self.clone();
        tokio::spawn(async move {
            let added = center.with_events(move |events| Ok(events.add("center", told)?)).await;
            if let Err(problem) = added {
                tracing::error!(?problem, "events of the center itself could not be kept; the audit log has them");
            }
        });
    }

    /// Tells all who wait for it; whether there is news.
    fn spread(&self, desk: &mut Desk) -> bool {
        if self.0.news.borrow().known == desk.known() {
            return false;
        }
        let news = desk.news().unwrap_or_else(|error| {
            tracing::error!(error = format!("{error:#}"), "a delivery is not ready; each host asks for its own");
            News { known: desk.known(), ..News::default() }
        });
        self.0.tally.publish(news.known.number);
        self.0.news.send_replace(Arc::new(news));
        true
    }

    /// Takes a snapshot beside all other work, unless one is being taken: then waits for that.
    async fn snapshot(&self) {
        let Ok(_mine) = self.0.snapshot.try_lock() else {
            drop(self.0.snapshot.lock().await);
            return;
        };
        let center = self.clone();
        let taken = tokio::task::spawn_blocking(move || take_snapshot(&center.0.desk)).await;
        if let Ok(Err(error)) = taken {
            tracing::warn!(error = format!("{error:#}"), "no snapshot was taken; new hosts wait for one");
            // Whoever waits asks again at once.
            tokio::time::sleep(AGAIN).await;
        }
    }
}

/// After a snapshot that failed.
const AGAIN: Duration = Duration::from_secs(1);

/// Who panicked has left it whole: each change is one step.
fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn health(axum::extract::State(center): axum::extract::State<Center>) -> Answer {
    let number = center.0.news.borrow().known.number;
    match &center.0.log {
        None => Answer::json(&serde_json::json!({"status": "ok", "revision": number})),
        Some(log) => {
            let changes = if log.is_away() { "wait" } else { "ok" };
            Answer::json(&serde_json::json!({"status": "ok", "revision": number, "changes": changes}))
        }
    }
}

/// Undoes trials, and ends proposals, whose deadline has passed; until dropped. Hosts need nobody for that, but the policy must say so too.
pub(crate) async fn watch_trials(center: Center) {
    loop {
        tokio::time::sleep(TRIALS).await;
        let lapse = |desk: &mut Desk, _: &Center| {
            desk.undo_lapsed()?;
            Ok(desk.forget_lapsed()?)
        };
        let lapsed = center.work(lapse).await;
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
