//! The clerk: writes what hosts say, as much at a time as has come.
//!
//! In: words of hosts. Out: an answer for each, when it and its audit entry are on the disk. Never here: whether they are true. A
//! thousand hosts that acknowledge at once wait for a few writes of the disk, not for a thousand, and nobody else waits for them.
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use anyhow::Context as _;
use tokio::sync::oneshot;

use super::problem::Problem;
use crate::store::{Said, Store};

/// Where words of hosts are handed in.
pub(super) struct Clerk(SyncSender<Word>);

/// A word, and whom to tell that it is kept.
struct Word {
    said: Said,
    done: oneshot::Sender<bool>,
}

impl Clerk {
    /// With a connection of its own; until this is dropped.
    pub(super) fn start(store: Store) -> anyhow::Result<Self> {
        let (words, coming) = sync_channel(WAITING);
        thread::Builder::new().name("clerk".to_owned()).spawn(move || write(store, &coming)).context("a thread")?;
        Ok(Self(words))
    }

    /// Keeps a word; returns when it is on the disk.
    pub(super) async fn keep(&self, said: Said) -> Result<(), Problem> {
        let (done, kept) = oneshot::channel();
        let full = |_full| Problem::internal("too many hosts acknowledge at once; they will try again");
        self.0.try_send(Word { said, done }).map_err(full)?;
        if kept.await == Ok(true) { Ok(()) } else { Err(Problem::internal("the store failed")) }
    }
}

fn write(mut store: Store, coming: &Receiver<Word>) {
    while let Ok(first) = coming.recv() {
        let words: Vec<Word> = std::iter::once(first).chain(coming.try_iter().take(AT_ONCE - 1)).collect();
        let (said, done): (Vec<_>, Vec<_>) = words.into_iter().map(|word| (word.said, word.done)).unzip();
        let kept = store.acknowledge(&said);
        if let Err(error) = &kept {
            tracing::error!(%error, hosts = said.len(), "acknowledgements could not be kept; hosts repeat them");
        }
        for done in done {
            // A host that has gone asks for nothing.
            let _gone = done.send(kept.is_ok());
        }
    }
}

/// Words of one transaction. Others who write wait for so many at most.
const AT_ONCE: usize = 256;
/// Words that wait: no center has more hosts.
const WAITING: usize = 16_384;
