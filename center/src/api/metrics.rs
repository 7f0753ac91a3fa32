//! Metrics: everything that Prometheus is told, gathered for one scrape.
//!
//! In: nothing. Out: the page. Never here: a long look at the desk: hosts are read over a connection of their own.
use std::path::Path;

use axum::extract::State;
use axum::http::HeaderMap;

use super::Center;
use super::hosts::{MOST, compared};
use super::modules_shown::Shown;
use super::problem::{Answer, Problem};
use crate::desk::Desk;
use crate::export::ExportState;
use crate::metrics::{HostFigures, Snapshot, render};

pub(super) const KIND: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

pub(super) async fn page(State(center): State<Center>, headers: HeaderMap) -> Result<Answer, Problem> {
    let look = |desk: &mut Desk| {
        let decisions = desk.content().len() as u64;
        let (taken, proposals) = (desk.snapshot_number(), desk.store().open_proposals()?);
        let rollout_stage = desk.rollout_stage() as u64;
        let snapshot = Snapshot { decisions, taken, proposals, rollout_stage, ..Snapshot::default() };
        Ok((snapshot, desk.known(), desk.decisions_digest(), desk.store().beside()?))
    };
    let (snapshot, known, digest, store) = center.read(headers, look).await?;
    let folder = center.0.events_file.parent().map(Path::to_owned).unwrap_or_default();
    let gather = move || {
        let hosts = compared(&store, known, digest, "", MOST)?.into_iter().map(|compared| {
            let ack = compared.host.ack.unwrap_or_default();
            let seen = compared.host.seen.map_or(0.0, |seen| std::time::Duration::from_millis(seen.0).as_secs_f64());
            let (name, state, number) = (compared.host.name, compared.state, ack.number);
            HostFigures { name, state, number, seen, failed: ack.held.skipped.failed }
        });
        Ok::<_, Problem>((hosts.collect(), files(&folder)))
    };
    let gathered = tokio::task::spawn_blocking(gather).await;
    let (hosts, files) = gathered.unwrap_or_else(|_panic| Err(Problem::internal("the store could not be read")))?;
    let (modules, waiting) = center.modules_shown().await?;
    let export = |(name, state): (String, ExportState)| (name, state.cursor, state.failing.is_none());
    let snapshot = Snapshot {
        revision: known.number,
        hosts,
        files,
        totals: center.0.tally.read(),
        last_event: *center.0.last_event.borrow(),
        exports: center.0.exports.all().into_iter().map(export).collect(),
        modules: [modules.len() as u64, waiting.len() as u64],
        module_hosts: Shown::count(&modules),
        sources: center.sources().all().into_iter().collect(),
        ..snapshot
    };
    Ok(Answer::bytes(KIND, render(&snapshot)))
}

/// Bytes of each file, with its log.
fn files(folder: &Path) -> Vec<(&'static str, u64)> {
    let bytes = |name: &str| std::fs::metadata(folder.join(name)).map_or(0, |file| file.len());
    ["apis.db", "center.db", "events.db", "modules.db", "snapshot"]
        .map(|name| (name, bytes(name) + bytes(&format!("{name}-wal"))))
        .to_vec()
}
