//! One export, for ever.
//!
//! In: its settings; the events from its cursor on. Out: events to its sink, the cursor to the store. Never here: how they look, who
//! receives them. What fails is tried again from the cursor, later each time.
//!
//! A receiver that says when it has something moves the cursor at once. Syslog never says: there the cursor follows only when a
//! connection has lived for a while after what was written (see [`Sink::settles_after`]); a break sends that again.
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::watch;
use tokio::time::Instant;

use super::sink::Sink;
use super::{Export, Failing, States};
use crate::clock;
use crate::store::{EventStore, KeptEvent, Wanted, gap};

struct Runner {
    export: Export,
    events: PathBuf,
    states: States,
    sink: Sink,
    /// Everything up to here is safely there.
    cursor: u64,
    /// Everything up to here was sent.
    sent: u64,
    /// What was sent and is not yet safe: up to which number, and when.
    unsettled: VecDeque<(u64, Instant)>,
    tries: u32,
}

/// Runs one export until dropped.
pub(super) async fn run(export: Export, events: PathBuf, mut news: watch::Receiver<u64>, states: States) {
    let (name, sink) = (export.name.clone(), Sink::new(&export.target));
    let to = sink.name();
    states.change(&name, |state| state.to = to);
    let mut runner = Runner { export, events, states, sink, cursor: 0, sent: 0, unsettled: VecDeque::new(), tries: 0 };
    loop {
        match runner.open_and_bring(&mut news).await {
            Ok(()) => return,
            Err(error) => runner.failed(&error).await,
        }
    }
}

impl Runner {
    /// From the cursor on, until something fails, or the center ends.
    async fn open_and_bring(&mut self, news: &mut watch::Receiver<u64>) -> anyhow::Result<()> {
        let name = self.export.name.clone();
        self.cursor = with_store(&self.events, move |store| Ok(store.cursor(&name)?.unwrap_or(0))).await?;
        self.sent = self.cursor;
        self.unsettled.clear();
        self.tell();
        loop {
            news.borrow_and_update();
            let more = self.bring().await?;
            self.settle().await?;
            if !more && !self.wait(news).await? {
                return Ok(());
            }
        }
    }

    /// The next page; tells whether there was one.
    async fn bring(&mut self) -> anyhow::Result<bool> {
        let wanted = Wanted { after: self.sent, limit: PAGE, ..Wanted::default() };
        let page = with_store(&self.events, move |store| Ok(store.page(&wanted)?)).await?;
        let (Some(first), Some(last)) = (page.first(), page.last().map(|last| last.number)) else { return Ok(false) };
        let mut all = Vec::with_capacity(page.len() + 1);
        if first.number > self.sent + 1 {
            all.push(self.missing(first.number - 1));
        }
        all.extend(page);
        let is_wanted = |one: &KeptEvent| self.export.kinds.is_empty() || self.export.kinds.contains(&one.event.kind);
        all.retain(is_wanted);
        let mut left_out = 0;
        if !all.is_empty() {
            let sent = tokio::time::timeout(PATIENCE, self.sink.send(&all, self.export.format)).await;
            left_out = sent.context("the receiver takes too long")??;
        }
        self.sent = last;
        self.unsettled.push_back((last, Instant::now() + self.sink.settles_after()));
        self.tries = 0;
        let brought = (all.len() as u64).saturating_sub(left_out);
        self.states.change(&self.export.name, |state| {
            state.brought += brought;
            state.left_out += left_out;
            state.failing = None;
        });
        Ok(true)
    }

    /// Events that the center gave up before this export had them.
    fn missing(&self, to: u64) -> KeptEvent {
        let now = clock::now();
        let event = gap(now, self.sent + 1, to, "by the center");
        KeptEvent { number: to, host: "center".to_owned(), spool: String::new(), received: now, event }
    }

    /// Moves the cursor over what is safe by now.
    async fn settle(&mut self) -> anyhow::Result<()> {
        let now = Instant::now();
        let mut reached = None;
        while let Some((number, _)) = self.unsettled.pop_front_if(|(_, at)| *at <= now) {
            reached = Some(number);
        }
        let Some(reached) = reached else { return Ok(()) };
        let name = self.export.name.clone();
        with_store(&self.events, move |store| Ok(store.keep_cursor(&name, reached)?)).await?;
        self.cursor = reached;
        self.tell();
        Ok(())
    }

    /// Until there is news, or something settles; false when there will be none.
    async fn wait(&mut self, news: &mut watch::Receiver<u64>) -> anyhow::Result<bool> {
        let due = self.unsettled.front().map_or_else(|| Instant::now() + QUIET, |(_, at)| *at);
        tokio::select! {
            changed = news.changed() => Ok(changed.is_ok()),
            () = tokio::time::sleep_until(due) => Ok(true),
            broken = self.sink.broken() => Err(broken),
        }
    }

    async fn failed(&mut self, error: &anyhow::Error) {
        let why = format!("{error:#}");
        self.sink.close();
        self.states.change(&self.export.name, |state| {
            if state.failing.is_none() {
                tracing::warn!(export = self.export.name, why, "an export does not work; it is tried again");
            }
            let since = state.failing.take().map_or_else(clock::now, |failing| failing.since);
            state.failing = Some(Failing { since, why });
        });
        let pause = FIRST.saturating_mul(1 << self.tries.min(8)).min(LONGEST);
        self.tries += 1;
        tokio::time::sleep(pause).await;
    }

    fn tell(&self) {
        let cursor = self.cursor;
        self.states.change(&self.export.name, |state| state.cursor = cursor);
    }
}

/// Work on the store, where it may wait.
async fn with_store<T: Send + 'static>(
    path: &Path,
    work: impl FnOnce(&mut EventStore) -> anyhow::Result<T> + Send + 'static,
) -> anyhow::Result<T> {
    let path = path.to_owned();
    tokio::task::spawn_blocking(move || work(&mut EventStore::open(&path)?)).await?
}

/// Events that are sent at a time.
const PAGE: usize = 500;
const PATIENCE: Duration = Duration::from_secs(30);
const QUIET: Duration = Duration::from_secs(30);
const FIRST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(30);
