//! How published modules are shown. In: modules, hosts, what these have told. Out: the same, put together. Never here: requests, rows.
use std::collections::BTreeMap;

use enforcer_module::{Listed, State, Told};
use enforcer_policy::Moment;
use enforcer_policy::revision::Digest;
use serde::Serialize;

use crate::store::{Host, Published};

/// A module that hosts get.
#[derive(Serialize)]
pub(super) struct Shown {
    #[serde(flatten)]
    about: Waiting,
    pub(super) hosts: Vec<Place>,
}

/// A module, and who stands for it.
#[derive(Serialize)]
pub(super) struct Waiting {
    #[serde(flatten)]
    listed: Listed,
    title: String,
    groups: Vec<String>,
    author: String,
    approved_by: Option<String>,
    comment: String,
    published: Moment,
}

/// How it is on one host.
#[derive(Serialize)]
pub(super) struct Place {
    host: String,
    /// `loaded`, `refused`, `stopped`, or `unheard` when the host has not told.
    pub(super) state: &'static str,
    why: String,
    since: Option<Moment>,
    /// Which version that is said of; another digest than the module's is what was published before.
    version: Option<String>,
    digest: Option<Digest>,
}

/// What it is called when nobody has told.
pub(super) const UNHEARD: &str = "unheard";

impl Waiting {
    pub(super) fn of(module: Published) -> Self {
        let Published { listed, title, groups, author, token: _, approved_by, comment, published } = module;
        Self { listed, title, groups, author, approved_by, comment, published }
    }
}

impl Shown {
    /// On all hosts that get it.
    pub(super) fn of(module: Published, hosts: &[Host], told: &BTreeMap<String, Vec<Told>>) -> Self {
        let place = |host: &Host| {
            let said = told.get(&host.name).and_then(|said| said.iter().find(|one| one.name == module.listed.name));
            Place::of(host.name.clone(), said)
        };
        let hosts = hosts.iter().filter(|host| module.is_for(&host.groups)).map(place).collect();
        Self { about: Waiting::of(module), hosts }
    }

    /// Hosts in each state.
    pub(super) fn count(shown: &[Self]) -> Vec<(&'static str, u64)> {
        let states = State::ALL.map(State::name).into_iter().chain([UNHEARD]);
        let places = || shown.iter().flat_map(|module| &module.hosts);
        states.map(|state| (state, places().filter(|place| place.state == state).count() as u64)).collect()
    }
}

impl Place {
    fn of(host: String, said: Option<&Told>) -> Self {
        let Some(Told { state, why, since, version, digest, .. }) = said else {
            return Self { host, state: UNHEARD, why: String::new(), since: None, version: None, digest: None };
        };
        let (since, version, digest) = (Some(*since), Some(version.clone()), Some(*digest));
        Self { host, state: state.name(), why: why.clone(), since, version, digest }
    }
}
