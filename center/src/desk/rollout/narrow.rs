//! What of a change comes with which stage.
//!
//! In: a change; how far its stages are; the present policy. Out: the delta of one stage, or the one that takes all of it back. Never here:
//! when.
//!
//! New decisions, new services and new entries of the allowlist come stage by stage: to the groups so far, each to no more groups than it
//! names itself. An entry holds for groups and cannot hold for all but some, so whatever changes or ends something, and the matrix, the
//! catalogue of filters and the groups, come with the last stage. What somebody has changed by hand meanwhile stays as they left it.
use std::collections::BTreeMap;
use std::sync::Arc;

use enforcer_policy::document::{Allow, Base};
use enforcer_policy::revision::{Content, Delta, Entry};
use enforcer_policy::{DecisionId, Moment};

use crate::desk::change::{Change, is_over};
use crate::desk::index::Index;

/// A change on its way through stages.
pub(super) struct Staging<'a> {
    change: &'a Change,
    /// Names of all stages; the last one is every host.
    stages: &'a [String],
    /// What there was before it, and what it wants.
    was: BTreeMap<DecisionId, &'a Arc<Entry>>,
    wanted: BTreeMap<DecisionId, &'a Arc<Entry>>,
}

/// The policy as it is.
#[derive(Clone, Copy)]
pub(super) struct Present<'a> {
    pub(super) content: &'a Content,
    pub(super) index: &'a Index,
    pub(super) now: Moment,
}

impl<'a> Staging<'a> {
    /// Of a change.
    pub(super) fn new(change: &'a Change, stages: &'a [String]) -> Self {
        let by_id = |entries: &'a [Arc<Entry>]| entries.iter().map(|entry| (entry.decision.id, entry)).collect();
        Self { change, stages, was: by_id(&change.before.put), wanted: by_id(&change.forward.put) }
    }

    /// What stage `at` brings on top of those before it.
    pub(super) fn forward(&self, at: usize, present: Present<'_>) -> Delta {
        let forward = &self.change.forward;
        let due =
            forward.put.iter().filter(|entry| !is_over(entry, present.now) && self.is_untouched(entry, at, present));
        let put = due.filter_map(|entry| {
            let wanted = self.with(entry, at)?;
            let held = present.content.entry(entry.decision.id);
            held.is_none_or(|held| **held != wanted).then(|| Arc::new(wanted))
        });
        let put = put.collect();
        let ends = |id: &&DecisionId| present.content.entry(**id).is_some_and(|held| self.was.get(id) == Some(&held));
        let remove = if self.is_last(at) { forward.remove.iter().filter(ends).copied().collect() } else { Vec::new() };
        Delta { base: self.base(at), put, remove }
    }

    /// Whether an entry is still as the stages before `at` have left it.
    fn is_untouched(&self, entry: &Entry, at: usize, present: Present<'_>) -> bool {
        let held = present.content.entry(entry.decision.id);
        match at.checked_sub(1).and_then(|before| self.with(entry, before)) {
            Some(ours) => held.is_some_and(|held| **held == ours),
            None => present.is_free(entry) && self.was.get(&entry.decision.id).copied() == held,
        }
    }

    /// What takes back the stages up to `at`.
    pub(super) fn back(&self, at: usize, present: Present<'_>) -> Delta {
        let Change { forward, before } = self.change;
        let held = |id: DecisionId| present.content.entry(id);
        let brought = |entry: &&Arc<Entry>| {
            let ours = self.with(entry, at);
            !self.was.contains_key(&entry.decision.id)
                && held(entry.decision.id).is_some_and(|held| ours.as_ref() == Some(&**held))
        };
        let remove = forward.put.iter().filter(brought).map(|entry| entry.decision.id).collect();
        let gone = |was: &Arc<Entry>| match held(was.decision.id) {
            Some(held) => self.wanted.get(&was.decision.id) == Some(&held),
            None => !self.wanted.contains_key(&was.decision.id) && present.is_free(was),
        };
        let last = self.is_last(at);
        let put = before.put.iter().filter(|was| last && !is_over(was, present.now) && gone(was)).cloned().collect();
        Delta { base: before.base.clone(), put, remove }
    }

    /// What waits for the last stage, in words.
    pub(super) fn waits(&self) -> Vec<String> {
        let Change { forward, before } = self.change;
        let first = self.stages.len().saturating_sub(1);
        let changed = forward.put.iter().filter(|entry| self.was.contains_key(&entry.decision.id)).count();
        let elsewhere = forward.put.len() - changed;
        let early = |entry: &&Arc<Entry>| {
            first > 0 && self.with(entry, first - 1).is_some() && !self.was.contains_key(&entry.decision.id)
        };
        let elsewhere = elsewhere - forward.put.iter().filter(early).count();
        let base = match (&before.base, &forward.base) {
            (Some(old), Some(new)) => later(old, new),
            (_, _) => false,
        };
        let counts = [
            (changed, "decisions that change"),
            (forward.remove.len(), "decisions that end"),
            (elsewhere, "decisions of groups that no earlier stage names"),
        ];
        let counts = counts.into_iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}"));
        let rest = "services and allowlist entries that change or end, the matrix, filters, groups";
        counts.chain(base.then(|| rest.to_owned())).collect()
    }

    /// Whether anything comes before the last stage.
    pub(super) fn has_early(&self, present: Present<'_>) -> bool {
        (0..self.stages.len().saturating_sub(1)).any(|at| {
            let delta = self.forward(at, present);
            !delta.put.is_empty() || delta.base.is_some_and(|base| base != *present.content.base())
        })
    }

    const fn is_last(&self, at: usize) -> bool {
        at + 1 >= self.stages.len()
    }

    /// An entry as stage `at` brings it; none when it waits.
    fn with(&self, entry: &Entry, at: usize) -> Option<Entry> {
        if self.is_last(at) {
            return Some(entry.clone());
        }
        if self.was.contains_key(&entry.decision.id) {
            return None;
        }
        Some(Entry { groups: self.narrowed(&entry.groups, at)?, ..entry.clone() })
    }

    /// The groups so far that are among these; none means every host.
    fn narrowed(&self, groups: &[String], at: usize) -> Option<Vec<String>> {
        let so_far = self.stages.get(..=at).unwrap_or(self.stages).iter();
        let mut narrowed: Vec<String> =
            so_far.filter(|stage| groups.is_empty() || groups.contains(stage)).cloned().collect();
        narrowed.sort();
        (!narrowed.is_empty()).then_some(narrowed)
    }

    fn base(&self, at: usize) -> Option<Base> {
        let (old, new) = (self.change.before.base.as_ref()?, self.change.forward.base.as_ref()?);
        if self.is_last(at) {
            return Some(new.clone());
        }
        let mut base = old.clone();
        for (name, service) in new.services.iter().filter(|(name, _)| !old.services.contains_key(*name)) {
            if let Some(groups) = self.narrowed(&service.terms.groups, at) {
                let mut service = service.clone();
                service.terms.groups = groups;
                base.services.insert(name.clone(), service);
            }
        }
        for allow in new.allow.iter().filter(|allow| old.allow.iter().all(|held| held.network != allow.network)) {
            let groups = self.narrowed(&allow.groups, at);
            base.allow.extend(groups.map(|groups| Allow { groups, ..allow.clone() }));
        }
        base.allow.sort();
        Some(base)
    }
}

impl Present<'_> {
    /// Whether nobody else's decision is on this subject and scope.
    fn is_free(&self, entry: &Entry) -> bool {
        let there = self.index.on(&entry.decision.subject, &entry.decision.scope);
        there.is_none_or(|id| id == entry.decision.id)
    }
}

/// Whether more changes than services and allowlist entries that come.
fn later(old: &Base, new: &Base) -> bool {
    let kept = old.services.iter().all(|(name, service)| new.services.get(name) == Some(service));
    let allowed = old.allow.iter().all(|allow| new.allow.contains(allow));
    let rest = (&old.filters, &old.matrix, &old.groups) == (&new.filters, &new.matrix, &new.groups);
    !(kept && allowed && rest)
}

#[cfg(test)]
mod tests {
    use enforcer_common::SipKey;
    use enforcer_policy::document::{Document, to_toml};

    use super::*;

    const OLD: &str = "[group.edge]\nhosts = [\"a\"]\n[[decision]]\ndevice = \"kept\"\naction = \"deny\"\n\
        [[decision]]\ndevice = \"changes\"\naction = \"observe\"\n[[decision]]\ndevice = \"goes\"\naction = \"deny\"\n\
        [[allow]]\nnetwork = \"10.0.0.0/8\"\n";
    const NEW: &str = "[group.edge]\nhosts = [\"a\"]\n[[decision]]\ndevice = \"kept\"\naction = \"deny\"\n\
        [[decision]]\ndevice = \"changes\"\naction = \"deny\"\n[[decision]]\ndevice = \"comes\"\naction = \"deny\"\n\
        [[decision]]\ndevice = \"for-edge\"\naction = \"deny\"\ngroups = [\"edge\"]\n[[allow]]\nnetwork = \"172.16.0.0/12\"\n\
        [service.pay]\nports = [80]\n";

    fn content(text: &str, before: &Content, mut next: u32) -> Content {
        let document = Document::parse(&[("a".to_owned(), text.to_owned())]).unwrap();
        let draw = || {
            next += 1;
            next
        };
        document.sealed(SipKey([1, 2]), before, "ada", Moment(5), draw).unwrap()
    }

    struct Lab {
        old: Content,
        new: Content,
        change: Change,
        stages: Vec<String>,
        present: Content,
    }

    impl Lab {
        fn new() -> Self {
            let old = content(OLD, &Content::default(), 0);
            let new = content(NEW, &old, 100);
            let change = Change::of(&old, old.delta_to(&new));
            let stages = ["canary", "edge", "all"].map(str::to_owned).to_vec();
            Self { present: old.clone(), old, new, change, stages }
        }

        fn delta(&self, make: impl FnOnce(&Staging<'_>, Present<'_>) -> Delta) -> Delta {
            let index = Index::of(&self.present);
            let present = Present { content: &self.present, index: &index, now: Moment(9) };
            make(&Staging::new(&self.change, &self.stages), present)
        }

        fn forward(&mut self, at: usize) {
            let delta = self.delta(|staging, present| staging.forward(at, present));
            self.present.apply(delta);
        }

        fn back(&mut self, at: usize) {
            let delta = self.delta(|staging, present| staging.back(at, present));
            self.present.apply(delta);
        }

        /// The groups of the decision on this device, by its mask; none when there is none.
        fn groups(&self, id: DecisionId) -> Option<Vec<String>> {
            self.present.entry(id).map(|entry| entry.groups.clone())
        }

        /// The ids of what comes: for every group, and for one.
        fn brought(&self) -> (DecisionId, DecisionId) {
            let comes = |for_all: bool| {
                let of =
                    |id: &&DecisionId| self.new.entry(**id).is_some_and(|entry| entry.groups.is_empty() == for_all);
                *self.change.before.remove.iter().find(of).unwrap()
            };
            (comes(true), comes(false))
        }
    }

    #[test]
    fn what_comes_widens_stage_by_stage_and_the_rest_waits_for_the_last() {
        let mut lab = Lab::new();
        let (comes, for_edge) = lab.brought();
        lab.forward(0);
        assert_eq!((lab.groups(comes), lab.groups(for_edge)), (Some(vec!["canary".to_owned()]), None));
        assert_eq!(lab.present.len(), 4, "nothing has ended");
        assert_eq!(lab.present.base().services["pay"].terms.groups, ["canary"]);
        assert_eq!(lab.present.base().allow.len(), 2, "the old entry stays");
        lab.forward(1);
        let both = vec!["canary".to_owned(), "edge".to_owned()];
        assert_eq!((lab.groups(comes), lab.groups(for_edge)), (Some(both), Some(vec!["edge".to_owned()])));
        lab.forward(2);
        assert_eq!(lab.present.digest(), lab.new.digest());
        let waits = lab.delta(|staging, _| {
            let waits = staging.waits();
            assert_eq!(waits[..2], ["1 decisions that change", "1 decisions that end"], "{waits:?}");
            assert_eq!(waits.len(), 3);
            Delta::default()
        });
        assert!(waits.is_empty());
    }

    #[test]
    fn each_stage_goes_back_to_what_there_was() {
        for at in 0..3 {
            let mut lab = Lab::new();
            (0..=at).for_each(|stage| lab.forward(stage));
            lab.back(at);
            assert_eq!(lab.present.digest(), lab.old.digest(), "{}", to_toml(&lab.present, true));
        }
    }

    #[test]
    fn what_hands_have_done_meanwhile_stays() {
        let mut lab = Lab::new();
        let (comes, for_edge) = lab.brought();
        lab.forward(0);
        // One is ended by hand, another is decided on by hand before its stage.
        lab.present.apply(Delta { remove: vec![comes], ..Delta::default() });
        let mut own = Entry::clone(lab.new.entry(for_edge).unwrap());
        own.decision.id = DecisionId(1);
        lab.present.apply(Delta { put: vec![Arc::new(own)], ..Delta::default() });
        for at in [1, 2] {
            lab.forward(at);
            assert_eq!((lab.groups(comes), lab.groups(for_edge)), (None, None), "stage {at}");
        }
        lab.back(2);
        assert_eq!(lab.present.len(), lab.old.len() + 1);
        assert!(lab.present.entry(DecisionId(1)).is_some());
    }
}
