//! Which changes need a second person.
//!
//! In: `approvals.toml` of the center's folder; a policy and a change of it. Out: the classes of the change that need one. Never here:
//! who anybody is, proposals (`desk`). What it costs depends on the change alone.
//!
//! ```toml
//! second_person = ["wide", "allowlist", "services", "rollback", "forced"]
//! wait_hours = 24        # a proposal that nobody has approved by then is over
//! ```
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use anyhow::ensure;
use enforcer_common::{Action, Prefix};
use enforcer_policy::document::Base;
use enforcer_policy::revision::{Content, Delta, Entry};
use serde::{Deserialize, Serialize};

use crate::settings;

/// A kind of change that may need a second person.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// Who is never refused.
    Allowlist,
    /// Decisions that end, or do less, before their time.
    Ending,
    /// Every change, a single block too.
    Everything,
    /// What would cut off somebody whom no decision should.
    Forced,
    /// A module is published: code that runs on hosts.
    Modules,
    /// Back to an earlier revision.
    Rollback,
    /// Services, filters, the matrix, groups.
    Services,
    /// Networks wider than /24 (IPv6: /48), or more than a thousand decisions at once.
    Wide,
}

/// What the center's owners have laid down.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rules {
    required: BTreeSet<Class>,
    wait: Duration,
}

/// How a change comes, beyond what it changes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Manner {
    /// Somebody would be cut off.
    pub cuts_off: bool,
    /// It goes back to an earlier revision.
    pub back: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    second_person: BTreeSet<Class>,
    #[serde(default = "usual_wait")]
    wait_hours: u64,
}

impl Class {
    /// The word used everywhere.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Allowlist => "allowlist",
            Self::Ending => "ending",
            Self::Everything => "everything",
            Self::Forced => "forced",
            Self::Modules => "modules",
            Self::Rollback => "rollback",
            Self::Services => "services",
            Self::Wide => "wide",
        }
    }
}

/// One person is enough for everything.
impl Default for Rules {
    fn default() -> Self {
        Self { required: BTreeSet::new(), wait: hours(usual_wait()) }
    }
}

impl Rules {
    /// Of a file; without it, one person is enough for everything.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        settings::read(path, Self::parse)
    }

    /// Of its text.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        let File { second_person, wait_hours } = toml::from_str(text)?;
        ensure!((1..=LONGEST_WAIT).contains(&wait_hours), "wait_hours is 1 to {LONGEST_WAIT}, not {wait_hours}");
        Ok(Self { required: second_person, wait: hours(wait_hours) })
    }

    /// The classes that need a second person.
    pub const fn required(&self) -> &BTreeSet<Class> {
        &self.required
    }

    /// How long a proposal waits.
    pub const fn wait(&self) -> Duration {
        self.wait
    }

    /// Whether a module that is published needs one.
    pub fn modules_need_two(&self) -> bool {
        [Class::Modules, Class::Everything].iter().any(|class| self.required.contains(class))
    }

    /// The classes of this change that need a second person.
    pub fn needed(&self, present: &Content, delta: &Delta, manner: Manner) -> BTreeSet<Class> {
        if self.required.is_empty() {
            return BTreeSet::new();
        }
        classes(present, delta, manner).intersection(&self.required).copied().collect()
    }
}

/// All classes of a change.
pub fn classes(present: &Content, delta: &Delta, manner: Manner) -> BTreeSet<Class> {
    let base = delta.base.as_ref();
    let rows = [
        (Class::Allowlist, base.is_some_and(|base| base.allow != present.base().allow)),
        (Class::Ending, ends(present, delta)),
        (Class::Everything, true),
        (Class::Forced, manner.cuts_off),
        (Class::Rollback, manner.back),
        (Class::Services, base.is_some_and(|base| others(base) != others(present.base()))),
        (Class::Wide, is_wide(delta)),
    ];
    rows.into_iter().filter(|(_, is_so)| *is_so).map(|(class, _)| class).collect()
}

/// Everything but the allowlist.
fn others(base: &Base) -> Base {
    Base { allow: Vec::new(), ..base.clone() }
}

fn is_wide(delta: &Delta) -> bool {
    let refusing = || delta.put.iter().filter(|entry| refuses(entry));
    let wide = |prefix: Prefix| prefix.length() < if prefix.is_v4() { WIDE_V4 } else { WIDE_V6 };
    refusing().any(|entry| entry.decision.subject.network().is_some_and(wide)) || refusing().nth(MANY).is_some()
}

fn ends(present: &Content, delta: &Delta) -> bool {
    let gone = delta.remove.iter().filter_map(|id| present.entry(*id)).any(|held| refuses(held));
    let weaker = |entry: &Entry| present.entry(entry.decision.id).is_some_and(|held| does_less(held, entry));
    gone || delta.put.iter().any(|entry| weaker(entry))
}

/// Whether what becomes of a decision refuses less than it did.
fn does_less(held: &Entry, wanted: &Entry) -> bool {
    let (old, new) = (&held.decision, &wanted.decision);
    let earlier = new.until.is_some_and(|end| old.until.is_none_or(|held| end < held));
    let elsewhere = wanted.groups != held.groups && !wanted.groups.is_empty();
    refuses(held) && (!refuses(wanted) || strength(new.action) < strength(old.action) || earlier || elsewhere)
}

fn refuses(entry: &Entry) -> bool {
    strength(entry.decision.action) > 0
}

const fn strength(action: Action) -> u8 {
    match action {
        Action::Observe => 0,
        Action::Limit => 1,
        Action::Deny | Action::Reset | Action::Drop => 2,
    }
}

const fn usual_wait() -> u64 {
    24
}

const fn hours(count: u64) -> Duration {
    Duration::from_hours(count)
}

/// Prefix lengths in 16 bytes; what is shorter is wide.
const WIDE_V4: u8 = 96 + 24;
const WIDE_V6: u8 = 48;
/// Decisions of one change that are many.
const MANY: usize = 1000;
const LONGEST_WAIT: u64 = 30 * 24;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use enforcer_policy::document::Document;
    use enforcer_policy::{Decision, DecisionId, Moment, Note, Origin, Scope, Subject, parse_prefix};

    use super::*;

    fn entry(id: u64, network: &str, action: Action) -> Arc<Entry> {
        let note =
            Note { reason: String::new(), origin: Origin::Center, approved_by: "ada".to_owned(), created: Moment(1) };
        let decision = Decision {
            id: DecisionId(id),
            subject: Subject::Ip(parse_prefix(network).unwrap()),
            scope: Scope::All,
            action,
            rate: None,
            until: None,
            note: Arc::new(note),
        };
        Arc::new(Entry { decision, groups: Vec::new(), written: false })
    }

    fn put(entries: impl IntoIterator<Item = Arc<Entry>>) -> Delta {
        Delta { put: entries.into_iter().collect(), ..Delta::default() }
    }

    fn of(present: &Content, delta: &Delta) -> Vec<Class> {
        classes(present, delta, Manner::default()).into_iter().filter(|class| *class != Class::Everything).collect()
    }

    #[test]
    fn a_change_is_of_the_classes_that_it_touches() {
        let nothing = Content::default();
        let one = |network, action| of(&nothing, &put([entry(1, network, action)]));
        assert_eq!(one("192.0.2.0/24", Action::Drop), []);
        assert_eq!(one("192.0.2.0/23", Action::Drop), [Class::Wide]);
        assert_eq!(one("2001:db8::/48", Action::Drop), []);
        assert_eq!(one("2001:db8::/47", Action::Drop), [Class::Wide]);
        assert_eq!(one("192.0.0.0/8", Action::Observe), []);
        let many = |count| of(&nothing, &put((0..count).map(|id| entry(id, "192.0.2.1", Action::Drop))));
        assert_eq!((many(1000), many(1001)), (vec![], vec![Class::Wide]));
        let base = |text: &str| {
            let document = Document::parse(&[("a".to_owned(), text.to_owned())]).unwrap();
            of(&nothing, &Delta { base: Some(document.base), ..Delta::default() })
        };
        assert_eq!(base("[[allow]]\nnetwork = \"10.0.0.0/8\"\n"), [Class::Allowlist]);
        assert_eq!(base("[service.pay]\nports = [80]\n"), [Class::Services]);
        let manner = Manner { cuts_off: true, back: true };
        let all = classes(&nothing, &Delta::default(), manner);
        assert!(all.is_superset(&BTreeSet::from([Class::Everything, Class::Forced, Class::Rollback])));
    }

    #[test]
    fn what_ends_or_does_less_is_ending() {
        let mut present = Content::default();
        present.apply(put([entry(1, "192.0.2.1", Action::Deny), entry(2, "192.0.2.2", Action::Observe)]));
        let removed = |id| of(&present, &Delta { remove: vec![DecisionId(id)], ..Delta::default() });
        assert_eq!((removed(1), removed(2), removed(9)), (vec![Class::Ending], vec![], vec![]));
        let changed = |change: fn(&mut Entry)| {
            let mut changed = Entry::clone(present.entry(DecisionId(1)).unwrap());
            change(&mut changed);
            of(&present, &put([Arc::new(changed)]))
        };
        assert_eq!(changed(|entry| entry.decision.action = Action::Drop), []);
        assert_eq!(changed(|entry| entry.decision.action = Action::Limit), [Class::Ending]);
        assert_eq!(changed(|entry| entry.decision.until = Some(Moment(9))), [Class::Ending]);
        assert_eq!(changed(|entry| entry.groups = vec!["edge".to_owned()]), [Class::Ending]);
    }

    #[test]
    fn rules_are_read_and_what_makes_no_sense_is_refused() {
        let rules = Rules::parse("second_person = [\"wide\", \"rollback\"]\nwait_hours = 2\n").unwrap();
        assert_eq!((rules.wait(), rules.required().len()), (Duration::from_hours(2), 2));
        let wide = put([entry(1, "10.0.0.0/8", Action::Drop)]);
        let needed = rules.needed(&Content::default(), &wide, Manner::default());
        assert_eq!(needed, BTreeSet::from([Class::Wide]));
        let none = Rules::default().needed(&Content::default(), &wide, Manner { cuts_off: true, back: true });
        assert!(none.is_empty());
        for (text, word) in [("second_person = [\"large\"]", "large"), ("wait_hours = 0", "wait_hours"), ("x = 1", "x")]
        {
            assert!(format!("{:#}", Rules::parse(text).unwrap_err()).contains(word), "{text}");
        }
        for class in [Class::Allowlist, Class::Ending, Class::Everything, Class::Wide] {
            assert_eq!(serde_json::to_value(class).unwrap(), class.name());
        }
    }
}
