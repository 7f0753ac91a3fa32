//! The log that several centers share: every transaction of their store, in one order, on `NATS JetStream`.
//!
//! In: records of this replica, and after which one each was planned. Out: whether it is the next one now, or somebody was faster; records
//! of others. Never here: SQL, what a record does (`store`). Nothing is guessed: an append without an answer is asked again until it
//! is known to be in the log or not, or the caller is told that nobody knows yet. Nothing waits for ever.
//!
//! The servers of the log order and keep; they neither read nor write what replicas believe (`seal`).
mod record;
mod seal;
mod settings;
mod thread;
mod wire;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::watch;

pub use record::{Body, Datum, Origin, Record, Write};
use seal::{Seal, hash};
pub use settings::Settings;
use thread::Thread;
use wire::Wire;

/// Why the log does not do what was asked.
#[derive(Clone, Debug, thiserror::Error)]
pub enum LogError {
    /// It cannot be used as it was named.
    #[error("{0}")]
    Settings(String),
    /// A store that follows a log was opened without it.
    #[error("this store follows the log {0}, which other centers share: name it with --store or ENFORCER_CENTER_STORE")]
    Needed(String),
    /// A store that follows one log was opened with another.
    #[error("this store follows the log {ours}, and --store names {named}")]
    Other {
        /// In the store.
        ours: String,
        /// Of the command line.
        named: String,
    },
    /// The store is not the one that the log begins with.
    #[error(
        "the log {0} was begun by another center: begin this one with a copy of its folder (docs/CENTER.md, Several centers)"
    )]
    Stranger(String),
    /// Nothing was changed: no majority of its servers answers.
    #[error("no majority of the log's servers answers ({0})")]
    Away(String),
    /// Nobody knows yet whether it is in the log.
    #[error("the log's servers have not said whether they have it ({0})")]
    Unknown(String),
    /// Others were faster each time.
    #[error("other centers were faster each time")]
    Crowded,
    /// Its servers have lost its end.
    #[error("the log ends at record {ends}, and this store has applied {applied}: its servers have lost records")]
    Ends {
        /// The last one.
        ends: u64,
        /// In the store.
        applied: u64,
    },
    /// It is too long ago.
    #[error(
        "the log begins at record {begins}, and this store has applied {applied}: begin with a copy of another center's folder"
    )]
    Begins {
        /// The first one.
        begins: u64,
        /// In the store.
        applied: u64,
    },
    /// Sealed with other keys, or changed.
    #[error(
        "the log {0} is sealed with other keys: signing.key, identity.key and ca.key must be those of the other centers"
    )]
    Keys(String),
    /// Somebody has changed the log, or this store.
    #[error(
        "record {0} of the log does not follow from what this store has: begin with a copy of another center's folder"
    )]
    Diverged(u64),
    /// Written by a later version.
    #[error("record {0} of the log is of a later version: upgrade this center")]
    Newer(u64),
    /// More than a record holds.
    #[error("the change is larger than the log takes")]
    Large,
    /// Its servers refuse.
    #[error("the log's servers: {0}")]
    Failed(String),
}

/// What has become of a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Appended {
    /// It is the next one, and this is its hash.
    Next([u8; 32]),
    /// Somebody else's is.
    Late,
}

/// A record that was read.
#[derive(Clone, Debug)]
pub struct Read {
    /// Its place.
    pub place: u64,
    /// Its hash.
    pub hash: [u8; 32],
    /// What it is.
    pub record: Record,
}

/// The log.
pub struct Log {
    thread: Thread,
    wire: Arc<Wire>,
    seal: Seal,
    name: String,
    /// It did not answer when it was last asked.
    away: AtomicBool,
    news: watch::Receiver<u64>,
}

impl Log {
    /// Begins to connect; whether anybody answers shows later.
    pub fn connect(settings: &Settings, secrets: &[&[u8]]) -> Result<Arc<Self>, LogError> {
        let name = settings.name.clone();
        let seal = Seal::of(secrets, &name)?;
        let (thread, (wire, news)) = Thread::start(Wire::connect(settings.clone(), settings.options()?))?;
        Ok(Arc::new(Self { thread, wire: Arc::new(wire), seal, name, away: AtomicBool::new(false), news }))
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Changes when another replica says that it has written.
    pub fn news(&self) -> watch::Receiver<u64> {
        self.news.clone()
    }

    /// Whether it answered when it was last asked.
    pub fn is_away(&self) -> bool {
        self.away.load(Ordering::Relaxed)
    }

    /// Makes it, if it is not there.
    pub fn make(&self) -> Result<(), LogError> {
        let wire = Arc::clone(&self.wire);
        self.heed(self.thread.ask(LONG, async move { wire.make(LONG).await }))
    }

    /// Makes a record the one after `place`, if that is the last one.
    pub fn append(&self, place: u64, record: &Record) -> Result<Appended, LogError> {
        if self.is_away() {
            // One has waited for all.
            return Err(LogError::Away("since a while".to_owned()));
        }
        let sealed = self.seal.close(place + 1, record.packed()?)?;
        let (wire, hash) = (Arc::clone(&self.wire), hash(&sealed));
        let appended = self.heed(self.thread.ask(LONG, async move { wire.append(place, hash, sealed, LONG).await }))?;
        Ok(if appended { Appended::Next(hash) } else { Appended::Late })
    }

    /// The next records after a place, oldest first; none when it is the last one.
    pub fn read(&self, place: u64) -> Result<Vec<Read>, LogError> {
        let wire = Arc::clone(&self.wire);
        let read = self.heed(self.thread.ask(SHORT, async move { wire.read(place).await }))?;
        read.into_iter().map(|(place, sealed)| self.opened(place, &sealed)).collect()
    }

    /// Tells all other replicas that there is something to read. It need not arrive: they look now and then, too.
    pub fn tell(&self) {
        let wire = Arc::clone(&self.wire);
        self.thread.begin(async move { wire.tell().await });
    }

    fn opened(&self, place: u64, sealed: &[u8]) -> Result<Read, LogError> {
        let plain = self.seal.open(place, sealed).ok_or_else(|| LogError::Keys(self.name.clone()))?;
        let record = Record::unpacked(&plain).ok_or(LogError::Newer(place))?;
        Ok(Read { place, hash: hash(sealed), record })
    }

    /// Remembers whether anybody answered.
    fn heed<T>(&self, result: Result<T, LogError>) -> Result<T, LogError> {
        let away = matches!(result, Err(LogError::Away(_) | LogError::Unknown(_)));
        if self.away.swap(away, Ordering::Relaxed) != away {
            let why = result.as_ref().err().map(ToString::to_string);
            tracing::warn!(why, away, "the log; while it is away, what is held stays in force, and changes must wait");
        }
        result
    }
}

/// A majority that has lost its leader takes up to ten seconds to find another.
const LONG: Duration = Duration::from_secs(15);
const SHORT: Duration = Duration::from_secs(5);
