//! Exports: events out of the center, to a file, to syslog, to Splunk; findings to CrowdSec.
//!
//! ```text
//! exports.toml -> settings        store -> runner (one per export, own cursor) -> format (ECS, OCSF, CEF, alert) -> sink -> receiver
//! ```
//! In: the events that are kept, and news of more. Out: each to every export that wants its kind, at least once; what was given up
//! before it could be brought becomes a gap. Never here: waiting for one another: each export is a task with a connection of its
//! own, and one that is slow or dead only falls behind.
//!
//! To add a format: a file in `format/`, a word in [`Format`], a golden file. To add a receiver: a file in `sink/` and its settings.
mod format;
mod runner;
mod settings;
mod sink;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use enforcer_policy::Moment;
use serde::Serialize;
use tokio::sync::watch;
use tokio::task::JoinSet;

pub use format::{Format, alert, line};
pub use settings::{Export, Target, read};
pub(crate) use sink::connect;

/// How one export is.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct ExportState {
    /// `file`, `syslog`, `hec` or `crowdsec`.
    pub to: &'static str,
    /// The number of the last event that is safely there.
    pub cursor: u64,
    /// Events that were brought since the center's start; some of them twice after a failure.
    pub brought: u64,
    /// Events that its receiver has no place for, since the center's start.
    pub left_out: u64,
    /// Why it does not work, and since when.
    pub failing: Option<Failing>,
}

/// Why an export does not work.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Failing {
    /// Since when.
    pub since: Moment,
    /// Why.
    pub why: String,
}

/// All exports by name.
#[derive(Clone, Default)]
pub struct States(Arc<Mutex<BTreeMap<String, ExportState>>>);

impl States {
    /// How they are.
    pub fn all(&self) -> BTreeMap<String, ExportState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn change(&self, name: &str, change: impl FnOnce(&mut ExportState)) {
        let mut states = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        change(states.entry(name.to_owned()).or_default());
    }
}

/// Runs all exports until dropped.
pub async fn run(exports: Vec<Export>, events: PathBuf, news: watch::Receiver<u64>, states: States) {
    let mut tasks = JoinSet::new();
    for export in exports {
        tasks.spawn(runner::run(export, events.clone(), news.clone(), states.clone()));
    }
    while tasks.join_next().await.is_some() {}
    // None of them ends by itself, so this is a center without exports.
    std::future::pending::<()>().await;
}
