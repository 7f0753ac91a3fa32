//! Modules that the center publishes: which of them this host uses.
//!
//! In: the center's list with the files that came; the keys that this host's own file trusts. Out: filters, and why the others are none. Never here: the
//! network, files. The center can offer and withdraw, and nothing else: what no trusted key has signed is not even fetched.
use std::collections::BTreeMap;
use std::sync::Arc;

use enforcer_insight::filters::{Catalogue, Parameters, WantedCell};
use enforcer_module::{Gauge, Listed, Module, body, digest, key_name, verify};

use super::{Loaded, Modules, parts};
use crate::config::{Config, MOST_MODULES};

/// One of the center's list, and what came of it.
#[derive(Clone, Debug)]
pub struct Held {
    /// As it is listed.
    pub listed: Listed,
    /// The signed file; none while it has not come, or is not wanted.
    pub file: Option<Arc<[u8]>>,
}

/// What became of one.
#[derive(Clone, Default)]
pub(super) struct Fate {
    /// The filter; of the version before, where this one was refused.
    running: Option<Loaded>,
    refused: Option<String>,
}

impl Modules {
    /// The same with what the center publishes, as far as this host trusts it. What did not change keeps what it knows; one that is refused leaves the
    /// one that ran before, if its key is trusted still.
    #[must_use]
    pub fn publish(&self, config: &Config, held: &[Held]) -> Self {
        let mut published = BTreeMap::new();
        let mut room = MOST_MODULES.saturating_sub(config.modules.len());
        for one in held {
            let before = self.published.get(&one.listed.name).and_then(|fate| fate.running.as_ref());
            let fate = match fate(one, config, before) {
                Ok(_) if room == 0 => Fate::refused(None, format!("there are {MOST_MODULES} modules: take one away")),
                Ok(loaded) => Fate { running: Some(loaded), refused: None },
                Err(why) => Fate::refused(before.filter(|before| before.may_go_on(config)), why),
            };
            room = room.saturating_sub(fate.running.is_some().into());
            published.insert(one.listed.name.clone(), fate);
        }
        Self { own: self.own.clone(), published }
    }

    /// Why one that is published is not used here.
    pub fn refusal(&self, name: &str) -> Option<&str> {
        self.published.get(name)?.refused.as_deref()
    }

    /// What the center says of those that are used, for whoever says nothing of them.
    pub fn cells(&self, held: &[Held]) -> BTreeMap<String, WantedCell> {
        let is_used = |one: &&Held| self.published.get(&one.listed.name).is_some_and(|fate| fate.running.is_some());
        let cell = |one: &Held| {
            let Listed { name, mode, parameters, .. } = &one.listed;
            (name.clone(), WantedCell { mode: *mode, parameters: parameters.clone() })
        };
        held.iter().filter(is_used).map(cell).collect()
    }
}

impl Fate {
    fn refused(before: Option<&Loaded>, why: String) -> Self {
        let version = before.and_then(|before| before.entry.version.as_ref());
        let refused = version.map(|version| format!("{why}; version {version} goes on"));
        Self { running: before.cloned(), refused: Some(refused.unwrap_or(why)) }
    }

    pub(super) const fn running(&self) -> Option<&Loaded> {
        self.running.as_ref()
    }
}

impl Loaded {
    fn may_go_on(&self, config: &Config) -> bool {
        trusts(config, &self.key) && is_free(config, &self.entry.name).is_ok()
    }
}

/// Why this host would not use a module that is listed so; what is asked before its file is fetched.
///
/// # Errors
/// The reason, and what to do.
pub fn wanted(listed: &Listed, config: &Config) -> Result<(), String> {
    if config.trusted.is_empty() {
        return Err("this host trusts no key: write [published] with keys into its configuration".to_owned());
    }
    is_free(config, &listed.name)?;
    if !trusts(config, &listed.key) {
        let key = &listed.key;
        return Err(format!(
            "it was signed with the key {key}, which this host does not trust: add the public key to keys of [published]"
        ));
    }
    Ok(())
}

fn trusts(config: &Config, key: &str) -> bool {
    config.trusted.iter().any(|trusted| key_name(&trusted.id()) == key)
}

fn is_free(config: &Config, name: &str) -> Result<(), String> {
    if Catalogue::built_in().find(name).is_some() || name == "all" {
        return Err("a filter of this name comes with the agent: give the module another name".to_owned());
    }
    if config.modules.iter().any(|module| module.name == name) {
        return Err("the host's own [[module]] of this name stands before it".to_owned());
    }
    Ok(())
}

fn fate(held: &Held, config: &Config, before: Option<&Loaded>) -> Result<Loaded, String> {
    let Held { listed, file } = held;
    wanted(listed, config)?;
    let file = file.as_deref().ok_or("its file has not come: the center is asked again")?;
    if file.len() as u64 != listed.bytes || digest(body(file)) != listed.digest {
        return Err("what the center sent is not what it lists: publish it again".to_owned());
    }
    let words = |error: &enforcer_module::ModuleError| {
        let (what, mend) = parts(error);
        format!("{what}: {mend}")
    };
    if let Some(before) = before.filter(|before| before.digest == listed.digest) {
        verify(file, &config.trusted).map_err(|error| words(&error.into()))?;
        return Ok(before.clone());
    }
    let opened = Module::open(file, &config.trusted).map_err(|error| words(&error))?;
    if *opened.manifest().name != *listed.name {
        return Err(format!("it names itself {}: publish it again", opened.manifest().name));
    }
    if let Err(problems) = Parameters::read(&opened.manifest().schema, "", &listed.parameters) {
        let what = problems.first().map(|problem| format!("{}: {}", problem.what, problem.mend));
        return Err(format!("the parameters that were published with it do not fit: {}", what.unwrap_or_default()));
    }
    let (digest, key) = (opened.digest(), listed.key.clone());
    Ok(Loaded { digest, key, entry: opened.entry(&Arc::new(Gauge::default())) })
}
