//! HTTP/JSON, version 1.
//!
//! In: requests, and who is at the other end. Out: JSON, or a problem document with title, detail and mend. Never here: SQL,
//! signatures. Every request that reads or changes policy runs on a thread that may wait; only `watch` waits for news.
//!
//! To add a resource: a file beside this one, its routes below, its lines in docs/CENTER.md.
mod agents;
mod audit;
mod decisions;
mod hosts;
mod people;
mod policy;
mod problem;
mod revisions;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::response::IntoResponse as _;
use axum::routing::{delete, get, post};
use tokio::sync::watch;

use crate::authority::Authority;
use crate::desk::Desk;
pub(crate) use hosts::compared;
use problem::{Answer, Problem};

/// What all requests share.
#[derive(Clone)]
pub(crate) struct Center(Arc<Parts>);

struct Parts {
    desk: Mutex<Desk>,
    authority: Authority,
    identity_key: String,
    /// The present revision.
    news: watch::Sender<u64>,
}

/// Bytes of a request's body.
const BODY: usize = 32 << 20;

impl Center {
    pub(crate) fn new(desk: Desk, authority: Authority, identity_key: String) -> Self {
        let news = watch::Sender::new(desk.known().number);
        Self(Arc::new(Parts { desk: Mutex::new(desk), authority, identity_key, news }))
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

/// All routes.
pub(crate) fn router(center: Center) -> Router {
    let v1 = Router::new()
        .route("/health", get(health))
        .route("/policy", get(policy::read).put(policy::apply))
        .route("/policy/plan", post(policy::plan))
        .route("/policy/confirm", post(policy::confirm))
        .route("/policy/trial", delete(policy::give_up))
        .route("/decisions", get(decisions::list).post(decisions::decide))
        .route("/decisions/{id}", delete(decisions::end))
        .route("/revisions", get(revisions::list))
        .route("/revisions/{number}/rollback", post(policy::roll_back))
        .route("/hosts", get(hosts::list))
        .route("/hosts/{name}", delete(hosts::revoke))
        .route("/audit", get(audit::list))
        .route("/enrol", post(agents::enrol))
        .route("/agent/watch", get(agents::watch))
        .route("/agent/ack", post(agents::acknowledge))
        .route("/agent/renew", post(agents::renew));
    Router::new()
        .nest("/v1", v1)
        .fallback(async || Problem::not_found("there is nothing at this path").into_response())
        .method_not_allowed_fallback(async || Problem::method().into_response())
        .layer(DefaultBodyLimit::max(BODY))
        .with_state(center)
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
