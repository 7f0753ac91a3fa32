//! What a change of policy would do, before it does it; and what one environment has that another lacks.
//!
//! In: two contents. Out: a [`Plan`]: what is added, changed and removed, on how many hosts of which group, and who would be
//! locked out. Never here: carrying it out; traffic (what a decision would have hit is the agents' to say).
mod lockout;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use enforcer_common::{Address, Prefix};
use serde::{Deserialize, Serialize};

use crate::document::{Base, Mode};
use crate::revision::{Content, Entry};

pub use lockout::Guard;

/// What changes.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Plan {
    /// One line for each thing that changes; of decisions the first [`SHOWN`] of each kind.
    pub changes: Vec<Step>,
    /// How much changes.
    pub counts: Counts,
    /// Decisions that change, by group of hosts; `all` for those that hold everywhere.
    pub groups: BTreeMap<String, Counts>,
    /// Protection that the new policy lacks and the old one has.
    pub weaker: Vec<String>,
    /// Who would be cut off.
    pub lockouts: Vec<Lockout>,
}

/// One change.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Step {
    /// What happens.
    pub change: Change,
    /// `service`, `filter`, `cell`, `group`, `allow` or `decision`.
    pub kind: String,
    /// Its name; tokens are masked.
    pub name: String,
    /// As it is to be.
    pub detail: String,
}

/// What happens to a thing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// It comes.
    Added,
    /// It becomes another.
    Changed,
    /// It goes.
    Removed,
}

/// How much changes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Counts {
    /// Things that come.
    pub added: u64,
    /// Things that become others.
    pub changed: u64,
    /// Things that go.
    pub removed: u64,
}

/// A decision that would cut somebody off.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Lockout {
    /// The decision's network.
    #[serde(with = "crate::serial")]
    pub network: Prefix,
    /// An address in it.
    #[serde(with = "crate::serial")]
    pub address: Address,
    /// Whose address: `operator`, `center`, `gateway`.
    pub whose: String,
    /// What to do about it.
    pub mend: String,
}

/// Decisions of one kind of change that are shown one by one.
pub const SHOWN: usize = 100;

impl Plan {
    /// What makes `old` into `new`. The guard's addresses must stay reachable.
    pub fn between(old: &Content, new: &Content, guard: &Guard) -> Self {
        let mut plan = Self::default();
        plan.base(old.base(), new.base());
        plan.decisions(old, new);
        plan.weaker = weaker(old.base(), new.base());
        plan.lockouts = guard.lockouts(new);
        plan
    }

    /// True when nothing changes.
    pub fn is_empty(&self) -> bool {
        self.counts == Counts::default()
    }

    fn base(&mut self, old: &Base, new: &Base) {
        self.maps("service", &old.services, &new.services);
        self.maps("filter", &old.filters, &new.filters);
        self.maps("cell", &cells(old), &cells(new));
        self.maps("group", &old.groups, &new.groups);
        let allow = |base: &Base| -> BTreeMap<String, _> {
            base.allow.iter().map(|entry| (entry.network.to_string(), entry.clone())).collect()
        };
        self.maps("allow", &allow(old), &allow(new));
    }

    fn maps<V: PartialEq + Debug>(&mut self, kind: &str, old: &BTreeMap<String, V>, new: &BTreeMap<String, V>) {
        for (name, value) in new {
            match old.get(name) {
                None => self.step(Change::Added, kind, name, format!("{value:?}")),
                Some(held) if held != value => self.step(Change::Changed, kind, name, format!("{value:?}")),
                Some(_) => {}
            }
        }
        for (name, value) in old.iter().filter(|(name, _)| !new.contains_key(*name)) {
            self.step(Change::Removed, kind, name, format!("{value:?}"));
        }
    }

    fn step(&mut self, change: Change, kind: &str, name: &str, detail: String) {
        self.counts.count(change);
        self.changes.push(Step { change, kind: kind.to_owned(), name: name.to_owned(), detail });
    }

    fn decisions(&mut self, old: &Content, new: &Content) {
        for entry in new.entries() {
            match old.entry(entry.decision.id) {
                None => self.decision(Change::Added, entry),
                Some(held) if held != entry => self.decision(Change::Changed, entry),
                Some(_) => {}
            }
        }
        for entry in old.entries().filter(|entry| new.entry(entry.decision.id).is_none()) {
            self.decision(Change::Removed, entry);
        }
    }

    fn decision(&mut self, change: Change, entry: &Entry) {
        self.counts.count(change);
        let everyone = [crate::revision::EVERYONE.to_owned()];
        for group in if entry.groups.is_empty() { &everyone[..] } else { &entry.groups } {
            self.groups.entry(group.clone()).or_default().count(change);
        }
        let shown = self.changes.iter().filter(|step| step.change == change && step.kind == "decision").count();
        if shown < SHOWN {
            let decision = &entry.decision;
            let by = entry.source().map_or_else(String::new, |source| format!(" [{source}]"));
            let detail = format!("{} in {}: {}{by}", decision.action.name(), decision.scope, decision.note.reason);
            let name = format!("{} {}", decision.subject.kind().name(), decision.subject);
            self.changes.push(Step { change, kind: "decision".to_owned(), name, detail });
        }
    }
}

impl Counts {
    const fn count(&mut self, change: Change) {
        match change {
            Change::Added => self.added += 1,
            Change::Changed => self.changed += 1,
            Change::Removed => self.removed += 1,
        }
    }
}

fn cells(base: &Base) -> BTreeMap<String, crate::document::Cell> {
    let rows = base.matrix.iter().flat_map(|(filter, row)| row.iter().map(move |cell| (filter, cell)));
    rows.map(|(filter, (service, cell))| (format!("{filter} on {service}"), cell.clone())).collect()
}

/// Filters that do less on services that both have, and services without what they had.
fn weaker(old: &Base, new: &Base) -> Vec<String> {
    let mut found = BTreeSet::new();
    for (filter, row) in &old.matrix {
        for (service, held) in row {
            let wanted = new.matrix.get(filter).and_then(|row| row.get(service)).map_or(Mode::Off, |cell| cell.mode);
            if wanted < held.mode {
                let (was, is) = (held.mode.name(), wanted.name());
                found.insert(format!("{filter} on {service} goes from {was} to {is}"));
            }
        }
    }
    for (name, service) in &old.services {
        let Some(other) = new.services.get(name) else {
            found.insert(format!("service {name} is no longer known"));
            continue;
        };
        if other.terms.observe && !service.terms.observe {
            found.insert(format!("{name} goes from enforce to observe"));
        }
        let firmer = [
            ("strict", service.terms.strict, other.terms.strict),
            ("ambiguous = \"deny\"", service.terms.deny_ambiguous, other.terms.deny_ambiguous),
        ];
        let given_up = firmer.into_iter().filter(|(_, was, is)| *was && !is);
        found.extend(given_up.map(|(key, _, _)| format!("{name} is no longer {key}")));
        let lost = service.identities.iter().filter(|rule| !other.identities.contains(rule));
        found.extend(lost.map(|rule| format!("{name} no longer knows a {} by {:?}", rule.kind.name(), rule.place)));
    }
    found.into_iter().collect()
}

#[cfg(test)]
mod tests;
