//! Sources: where decisions come from that no person makes one by one.
//!
//! ```text
//! sources.toml, lists.toml -> settings -> a task of its own for each source -> what it wants -> Center::take_source -> desk (sources.rs) -> revision
//! ```
//! In: what each source says. Out: how each is ([`Sources`]), and an event when a trouble begins and when it ends. Never here: what becomes of a
//! wish (`desk/sources.rs`), HTTP of ours (`api/sources.rs`).
//!
//! To add a kind: a file or a room beside this one with a task that calls `Center::take_source` with [`crate::desk::Wants`], its settings, its page.
pub(crate) mod crowdsec;
pub mod lists;
mod settings;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use enforcer_policy::{Event, EventKind, Moment};
use serde::Serialize;
use tokio::sync::watch;

use crate::clock;
use crate::desk::Taken;
use lists::ListShown;
pub use settings::{CrowdSecSettings, read};

/// What servers are told of who asks; a CrowdSec wants the v.
pub(crate) const AGENT: &str = concat!("enforcer-center/v", env!("CARGO_PKG_VERSION"));

/// How one source is.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct SourceState {
    /// When it last said what it wants.
    pub heard: Option<Moment>,
    /// When its wishes last changed the policy.
    pub changed: Option<Moment>,
    /// Subjects on which it wants a decision.
    pub wanted: u64,
    /// Decisions that it keeps in the policy.
    pub held: u64,
    /// Wishes that are not carried out.
    pub left_out: Vec<LeftOutShown>,
    /// What of its words means nothing here, or found no room before the desk, by what is strange about it.
    pub ignored: BTreeMap<&'static str, u64>,
    /// Why it cannot be asked.
    pub failing: Option<Trouble>,
    /// Why its wishes cannot be carried out now.
    pub waiting: Option<Trouble>,
    /// How it was read last, when it is a list.
    pub list: Option<ListShown>,
}

/// Wishes that are left out for one reason.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct LeftOutShown {
    /// The reason, see [`crate::desk::LeftOut`].
    pub why: &'static str,
    /// How many.
    pub count: u64,
    /// One of them; tokens are masked.
    pub such_as: String,
}

/// What is wrong.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Trouble {
    /// Since when.
    pub since: Moment,
    /// In words.
    pub why: String,
}

/// All sources by name.
#[derive(Clone, Default)]
pub struct Sources {
    states: Arc<Mutex<BTreeMap<String, SourceState>>>,
    /// Lists whose change a person has accepted, until they are read.
    accepted: Arc<watch::Sender<BTreeSet<String>>>,
}

impl Sources {
    /// How they are.
    pub fn all(&self) -> BTreeMap<String, SourceState> {
        self.lock().clone()
    }

    /// A list was read, whether it is believed or not.
    pub(crate) fn describe(&self, name: &str, list: ListShown) {
        self.lock().entry(name.to_owned()).or_default().list = Some(list);
    }

    /// Whether it is a list that was read.
    pub(crate) fn is_list(&self, name: &str) -> bool {
        self.lock().get(name).is_some_and(|state| state.list.is_some())
    }

    /// A person stands for what a list says now.
    pub(crate) fn accept(&self, list: &str) {
        self.accepted.send_modify(|accepted| {
            accepted.insert(list.to_owned());
        });
    }

    /// Whether a person does, once.
    pub(crate) fn take_acceptance(&self, name: &str) -> bool {
        let mut taken = false;
        self.accepted.send_if_modified(|accepted| {
            taken = accepted.remove(name);
            // That it is taken is no news to anybody.
            false
        });
        taken
    }

    /// To wait for the next acceptance.
    pub(crate) fn acceptances(&self) -> watch::Receiver<BTreeSet<String>> {
        self.accepted.subscribe()
    }

    /// It has answered.
    pub(crate) fn heard(&self, name: &str) -> Option<Event> {
        let mut all = self.lock();
        let state = all.entry(name.to_owned()).or_default();
        state.heard = Some(clock::now());
        state.failing.take().map(|_| told(name, "source_well", "low", "it can be asked again"))
    }

    /// It has said what means nothing here.
    pub(crate) fn ignores(&self, name: &str, ignored: BTreeMap<&'static str, u64>) {
        self.lock().entry(name.to_owned()).or_default().ignored = ignored;
    }

    /// It could not be asked.
    pub(crate) fn failed(&self, name: &str, why: &str) -> Option<Event> {
        let mut all = self.lock();
        let begins = begin(&mut all.entry(name.to_owned()).or_default().failing, why);
        begins.then(|| told(name, "source_failing", "medium", why))
    }

    /// Its wishes are carried out.
    pub(crate) fn taken(&self, name: &str, taken: &Taken) -> Option<Event> {
        let mut all = self.lock();
        let state = all.entry(name.to_owned()).or_default();
        if taken.is_news() {
            state.changed = Some(clock::now());
        }
        (state.wanted, state.held) = (taken.wanted, taken.held);
        let shown = |(why, (count, such_as)): (&crate::desk::LeftOut, &(u64, String))| LeftOutShown {
            why: why.name(),
            count: *count,
            such_as: such_as.clone(),
        };
        state.left_out = taken.left_out.iter().map(shown).collect();
        state.waiting.take().map(|_| told(name, "source_goes_on", "low", "its wishes are carried out again"))
    }

    /// Its wishes have to wait.
    pub(crate) fn waits(&self, name: &str, why: &str) -> Option<Event> {
        let mut all = self.lock();
        let begins = begin(&mut all.entry(name.to_owned()).or_default().waiting, why);
        begins.then(|| told(name, "source_waits", "medium", why))
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, SourceState>> {
        self.states.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Notes a trouble; tells whether it begins.
fn begin(trouble: &mut Option<Trouble>, why: &str) -> bool {
    let (begins, since) = (trouble.is_none(), trouble.as_ref().map_or_else(clock::now, |trouble| trouble.since));
    *trouble = Some(Trouble { since, why: why.to_owned() });
    begins
}

fn told(name: &str, what: &str, severity: &str, message: &str) -> Event {
    let severity = Some(severity.to_owned());
    Event { severity, ..Event::new(EventKind::Notice, clock::now(), what, format!("{name}: {message}")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_of_a_list_is_accepted_once() {
        let sources = Sources::default();
        assert!(!sources.is_list("list:a"), "nobody knows it");
        sources.heard("crowdsec");
        assert!(!sources.is_list("crowdsec"), "it is none");
        sources.describe("list:a", ListShown::default());
        let acceptances = sources.acceptances();
        sources.accept("list:a");
        assert!(sources.is_list("list:a") && acceptances.has_changed().unwrap());
        assert_eq!((sources.take_acceptance("list:a"), sources.take_acceptance("list:a")), (true, false));
    }

    #[test]
    fn a_trouble_is_told_when_it_begins_and_when_it_ends() {
        let sources = Sources::default();
        let what = |event: Option<Event>| event.map(|event| event.what);
        assert_eq!(what(sources.heard("crowdsec")), None);
        assert_eq!(what(sources.failed("crowdsec", "no answer")).as_deref(), Some("source_failing"));
        let since = sources.all()["crowdsec"].failing.as_ref().map(|trouble| trouble.since);
        assert_eq!(what(sources.failed("crowdsec", "still none")), None);
        let failing = sources.all()["crowdsec"].failing.clone().unwrap();
        assert_eq!((Some(failing.since), failing.why.as_str()), (since, "still none"));
        assert_eq!(what(sources.waits("crowdsec", "a rollout is on")).as_deref(), Some("source_waits"));
        assert_eq!(what(sources.heard("crowdsec")).as_deref(), Some("source_well"));
        assert!(sources.all()["crowdsec"].waiting.is_some(), "one trouble says nothing of the other");
        assert_eq!(what(sources.taken("crowdsec", &Taken::default())).as_deref(), Some("source_goes_on"));
        assert_eq!(sources.all()["crowdsec"].changed, None, "nothing has changed");
    }
}
