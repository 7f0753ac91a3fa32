//! Where several centers share a store: what others change is known here soon, and what it was planned on is known for sure.
//!
//! In: the log's news. Out: the desk as it is everywhere; news for this center's own hosts. Never here: how records come (`log`), what they
//! do (`store`).
use std::convert::Infallible;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::Center;
use super::problem::Problem;
use crate::desk::Desk;
use crate::store::Store;

/// Work of one request, on what there is now. What was planned on something that others have changed meanwhile is planned anew.
pub(super) fn carried_out<T>(desk: &mut Desk, work: impl Fn(&mut Desk) -> Result<T, Problem>) -> Result<T, Problem> {
    let begun = Instant::now();
    loop {
        if let Err(error) = desk.follow() {
            // Hosts are served with what is here; changes are refused, since they were planned on less than there is.
            tracing::error!(error = format!("{error:#}"), "this center cannot follow the others");
        }
        match work(desk) {
            Err(problem) if problem.is_overtaken() && begun.elapsed() < CROWD => {}
            done => return done,
        }
    }
}

/// Follows the log until dropped; idle where nobody shares the store. What stops it is told, and it begins anew.
pub(crate) async fn watch_log(center: Center) -> Infallible {
    let Some(log) = center.0.log.clone() else { return std::future::pending().await };
    loop {
        let Err(problem) = follow(&center, log.news()).await;
        tracing::error!(?problem, "the log is not followed; trying again");
        tokio::time::sleep(LOOK).await;
    }
}

/// With a connection of its own, so that nobody waits for it.
async fn follow(center: &Center, mut news: watch::Receiver<u64>) -> Result<Infallible, Problem> {
    let mut store = center.work(|desk, _| Ok(desk.store().beside()?)).await?;
    loop {
        // Now and then also without news: it may have been lost.
        let told = tokio::time::timeout(LOOK, news.changed()).await;
        if told.is_ok_and(|told| told.is_err()) {
            tokio::time::sleep(LOOK).await;
        }
        let caught_up = tokio::task::spawn_blocking(move || catch_up(store)).await;
        store = caught_up.map_err(|_panic| Problem::internal("a thread has panicked"))?;
        // The end of any work tells all who wait for news.
        center.work(|_, _| Ok(())).await?;
    }
}

fn catch_up(mut store: Store) -> Store {
    if let Err(error) = store.catch_up() {
        tracing::warn!(%error, "the log cannot be read; what is held stays in force");
    }
    store
}

/// How often it is looked without news.
const LOOK: Duration = Duration::from_secs(1);
/// How long others may be faster each time.
const CROWD: Duration = Duration::from_secs(20);
