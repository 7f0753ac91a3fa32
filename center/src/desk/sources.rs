//! Sources: decisions that no person makes one by one, such as those of a list or of a CrowdSec.
//!
//! In: what a source wants, as a whole or what of it has changed. Out: at most one revision, what was left out, and why. Never here: where
//! a source has it from (`crate::sources`).
//!
//! What a source keeps bears its name where a person's would stand ([`SOURCE`]). What a person or a file has decided on a subject stands
//! before it, and its turn comes when that ends; what a person has ended stays ended until the source no longer wants it. Each source's
//! wishes are held here, so that a round costs what has changed: by the source, or by somebody else on what the source wants.
//! The second person's rules do not bind a source: whoever configured it on the center's disk has approved it.
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use enforcer_policy::revision::{Delta, Entry, MOST_DECISIONS};
use enforcer_policy::{Action, Decision, Moment, Note, Order, Origin, SOURCE, Scope, Subject};

use super::change::is_over;
use super::index::Drawn;
use super::signature::CENTER;
use super::{Desk, DeskError, Signature};
use crate::clock;

/// What a source wants for one subject, everywhere.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Want {
    /// Who.
    pub subject: Subject,
    /// What happens.
    pub action: Action,
    /// When it ends by itself.
    pub until: Option<Moment>,
    /// Why; shared by all that have the same.
    pub reason: Arc<str>,
    /// Groups of hosts, in order and each once; none means every host.
    pub groups: Vec<String>,
}

/// What a source says.
#[derive(Clone, Debug)]
pub enum Wants {
    /// This is all that it wants.
    All(Vec<Want>),
    /// What has changed since it last said something. The first word after a start must be [`Wants::All`]: before it, nothing is ended.
    Some {
        /// Wanted, or wanted otherwise than before.
        put: Vec<Want>,
        /// No longer wanted.
        free: Vec<Subject>,
    },
}

/// Why something that is wanted is not in force.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum LeftOut {
    /// It would cut off a host's gateway, or the center.
    CutsOff,
    /// A person, a file or another source has decided on this subject.
    Decided,
    /// It names a group that the policy does not have.
    Group,
    /// A person has ended it.
    Lifted,
    /// No such decision can be made: everything, or a network that is too wide.
    Refused,
    /// Hosts take no more decisions.
    Room,
}

/// What became of it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Taken {
    /// Decisions that came.
    pub added: u64,
    /// Decisions that became others.
    pub changed: u64,
    /// Decisions that went.
    pub ended: u64,
    /// What the source wants now.
    pub wanted: u64,
    /// What it keeps in the policy.
    pub held: u64,
    /// How many are left out, and one of them; tokens are masked.
    pub left_out: BTreeMap<LeftOut, (u64, String)>,
}

/// The wishes of one source.
#[derive(Default)]
pub(super) struct Wishes {
    wanted: HashMap<Subject, Want>,
    /// To be looked at: the source or somebody else has changed something.
    due: BTreeSet<Subject>,
    left_out: BTreeMap<Subject, LeftOut>,
    /// Ended by a person.
    lifted: HashSet<Subject>,
    /// The source has said everything once.
    is_whole: bool,
    /// Until it has said everything again, at the latest.
    again: Duration,
}

/// A change under way.
struct Planned {
    now: Moment,
    delta: Delta,
    drawn: Drawn,
    notes: HashMap<Arc<str>, Arc<Note>>,
    room: usize,
    looked: Vec<(Subject, Option<LeftOut>)>,
}

impl Want {
    /// Whether a decision of its source says as much. A later end waits until half of what is wanted is gone, or a list whose entries are
    /// renewed each hour would be a whole revision each hour; but never until the source speaks too late.
    fn is_as(&self, held: &Entry, now: Moment, again: Duration) -> bool {
        let decision = &held.decision;
        let same =
            decision.action == self.action && *decision.note.reason == *self.reason && held.groups == self.groups;
        let end = match (decision.until, self.until) {
            (None, None) => true,
            (None, Some(_)) | (Some(_), None) => false,
            (Some(held), Some(wanted)) => {
                let (left, wished) = (now.until(held), now.until(wanted));
                if held > wanted {
                    left.saturating_sub(wished) <= SLACK.max(wished / 100)
                } else {
                    let is_early = left.saturating_mul(2) > wished && left > again.saturating_mul(2);
                    wished.saturating_sub(left) <= SLACK || is_early
                }
            }
        };
        same && end
    }
}

impl Wants {
    /// Nothing has changed: only what waits is looked at.
    pub const fn nothing_new() -> Self {
        Self::Some { put: Vec::new(), free: Vec::new() }
    }
}

impl LeftOut {
    /// The word used everywhere.
    pub const fn name(self) -> &'static str {
        match self {
            Self::CutsOff => "cuts_off",
            Self::Decided => "decided",
            Self::Group => "group",
            Self::Lifted => "lifted",
            Self::Refused => "refused",
            Self::Room => "room",
        }
    }

    /// Whether it may pass with somebody else's change that names nothing of the source.
    const fn may_pass(self) -> bool {
        match self {
            Self::Decided | Self::Group => true,
            Self::CutsOff | Self::Lifted | Self::Refused | Self::Room => false,
        }
    }
}

impl Taken {
    /// Whether anything has changed.
    pub const fn is_news(&self) -> bool {
        self.added + self.changed + self.ended > 0
    }
}

impl Desk {
    /// Makes the decisions of a source what it wants: one revision, or none when that is so already. `again`: within this time it says all
    /// that it wants once more. What fails is tried with the next word, or by [`Desk::tend_sources`].
    pub fn take_source(&mut self, name: &str, wants: &Wants, again: Duration) -> Result<Taken, DeskError> {
        let mut wishes = self.sources.remove(name).unwrap_or_default();
        wishes.again = again;
        wishes.learn(wants);
        if let Wants::All(_) = wants {
            let held = self.index.of_source(name).into_iter().flatten();
            let held = held.filter_map(|id| self.content.entry(*id));
            wishes.due.extend(held.map(|entry| entry.decision.subject.clone()));
        }
        let done = self.carry_out_wishes(name, &mut wishes);
        self.sources.insert(name.to_owned(), wishes);
        done
    }

    /// Carries out what waits: what could not be done before, or what somebody else has changed. Costs nothing where nothing waits.
    pub fn tend_sources(&mut self) -> Vec<(String, Result<Taken, DeskError>)> {
        let due = self.sources.iter().filter(|(_, wishes)| wishes.open().next().is_some());
        let due: Vec<(String, Duration)> = due.map(|(name, wishes)| (name.clone(), wishes.again)).collect();
        let tended = due.into_iter().map(|(name, again)| {
            let done = self.take_source(&name, &Wants::nothing_new(), again);
            (name, done)
        });
        tended.collect()
    }

    /// The sources of which there are decisions.
    pub fn sources(&self) -> Vec<String> {
        self.index.sources().cloned().collect()
    }

    /// How many decisions there are of a source.
    pub fn kept_by(&self, name: &str) -> usize {
        self.index.of_source(name).map_or(0, BTreeSet::len)
    }

    /// Somebody has changed the policy: what sources keep, or would keep, has to be looked at again. Another center's word for the same
    /// source is its own: each hears of it from the source itself.
    pub(super) fn disturb_sources(&mut self, undo: &Delta, delta: &Delta, author: &str, now: Moment) {
        let own = author.strip_prefix(SOURCE);
        for entry in undo.put.iter().chain(&delta.put) {
            let name = entry.source().filter(|name| own != Some(*name));
            let Some(wishes) = name.and_then(|name| self.sources.get_mut(name)) else { continue };
            let subject = &entry.decision.subject;
            wishes.due.insert(subject.clone());
            let is_gone = self.content.entry(entry.decision.id).is_none() && !is_over(entry, now);
            if is_gone && own.is_none() && author != CENTER {
                wishes.lifted.insert(subject.clone());
            }
        }
    }

    fn carry_out_wishes(&mut self, name: &str, wishes: &mut Wishes) -> Result<Taken, DeskError> {
        let now = clock::now();
        let mut planned = Planned {
            now,
            delta: Delta::default(),
            drawn: Drawn::new(now)?,
            notes: HashMap::new(),
            room: MOST_DECISIONS.saturating_sub(self.content.len()),
            looked: Vec::new(),
        };
        for subject in wishes.open() {
            let left_out = self.plan_wish(name, wishes, subject, &mut planned).err();
            planned.looked.push((subject.clone(), left_out));
        }
        self.spare_hosts(&mut planned)?;
        let Planned { delta, looked, .. } = planned;
        let is_new = |entry: &&Arc<Entry>| self.content.entry(entry.decision.id).is_none();
        let added = delta.put.iter().filter(is_new).count() as u64;
        let (changed, ended) = (delta.put.len() as u64 - added, delta.remove.len() as u64);
        if !delta.is_empty() {
            self.no_trial()?;
            let detail = format!("{added} added, {changed} changed, {ended} ended");
            self.publish(delta, &Signature::source(name, detail.clone()), "source", &detail)?;
        }
        wishes.settle(looked);
        let held = self.kept_by(name) as u64;
        Ok(Taken { added, changed, ended, held, ..wishes.tally() })
    }

    /// What is to be done for one subject; or why nothing is, although it is wanted.
    fn plan_wish(&self, name: &str, wishes: &Wishes, subject: &Subject, planned: &mut Planned) -> Result<(), LeftOut> {
        let held = self.on(subject, &Scope::All).filter(|entry| !is_over(entry, planned.now));
        let ours = held.filter(|entry| entry.source() == Some(name));
        let alive = |want: &&Want| want.until.is_none_or(|until| until > planned.now);
        match (held, ours, wishes.wanted.get(subject).filter(alive)) {
            (_, Some(ours), None) if wishes.is_whole => planned.delta.remove.push(ours.decision.id),
            (_, _, None) => {}
            (_, Some(ours), Some(want)) if want.is_as(ours, planned.now, wishes.again) => {}
            (Some(_), None, Some(_)) => return Err(LeftOut::Decided),
            (None, None, Some(_)) if wishes.lifted.contains(subject) => return Err(LeftOut::Lifted),
            (_, _, Some(want)) => self.plan_decision(name, want, planned)?,
        }
        Ok(())
    }

    fn plan_decision(&self, name: &str, want: &Want, planned: &mut Planned) -> Result<(), LeftOut> {
        let Want { subject, action, until, reason, groups } = want.clone();
        if groups.iter().any(|group| !self.content.base().groups.contains_key(group)) {
            return Err(LeftOut::Group);
        }
        let (scope, note) = (Scope::All, planned.note(name, &reason));
        let order = Order { subject, scope, action, rate: None, until, shorten: true, wide: false, note };
        order.check(planned.now).map_err(|_refusal| LeftOut::Refused)?;
        let Order { subject, scope, action, rate, until, note, .. } = order;
        let id = self.id(&subject, &scope, &mut planned.drawn);
        if self.content.entry(id).is_none() {
            planned.room = planned.room.checked_sub(1).ok_or(LeftOut::Room)?;
        }
        let decision = Decision { id, subject, scope, action, rate, until, note };
        planned.delta.put.push(Arc::new(Entry { decision, groups, written: false }));
        Ok(())
    }

    /// Leaves out what would cut off a host's gateway, or the center.
    fn spare_hosts(&self, planned: &mut Planned) -> Result<(), DeskError> {
        let drops = |entry: &&Arc<Entry>| entry.decision.action == Action::Drop;
        if planned.delta.put.iter().find(drops).is_none() {
            return Ok(());
        }
        let guard = self.guard()?;
        let (Planned { delta, looked, .. }, content) = (planned, &self.content);
        delta.put.retain(|entry| {
            let is_hit = !guard.hit([&entry.decision], content).is_empty();
            if is_hit {
                looked.push((entry.decision.subject.clone(), Some(LeftOut::CutsOff)));
            }
            !is_hit
        });
        Ok(())
    }
}

impl Planned {
    /// One note for all that have this reason.
    fn note(&mut self, name: &str, reason: &Arc<str>) -> Arc<Note> {
        let created = self.now;
        let made = || {
            let approved_by = format!("{SOURCE}{name}");
            Arc::new(Note { reason: reason.to_string(), origin: Origin::Center, approved_by, created })
        };
        Arc::clone(self.notes.entry(Arc::clone(reason)).or_insert_with(made))
    }
}

impl Wishes {
    fn learn(&mut self, wants: &Wants) {
        match wants {
            Wants::All(all) => {
                self.due.extend(std::mem::take(&mut self.wanted).into_keys());
                self.wanted = all.iter().map(|want| (want.subject.clone(), want.clone())).collect();
                self.due.extend(self.wanted.keys().cloned());
                self.lifted.retain(|subject| self.wanted.contains_key(subject));
                self.is_whole = true;
            }
            Wants::Some { put, free } => {
                for subject in free {
                    self.wanted.remove(subject);
                    self.lifted.remove(subject);
                    self.due.insert(subject.clone());
                }
                for want in put {
                    self.wanted.insert(want.subject.clone(), want.clone());
                    self.due.insert(want.subject.clone());
                }
            }
        }
    }

    /// What has to be looked at.
    fn open(&self) -> impl Iterator<Item = &Subject> {
        let waits = |(subject, why): &(&Subject, &LeftOut)| why.may_pass() && !self.due.contains(*subject);
        self.due.iter().chain(self.left_out.iter().filter(waits).map(|(subject, _)| subject))
    }

    /// All that was looked at is done, or left out; the last word on a subject counts.
    fn settle(&mut self, looked: Vec<(Subject, Option<LeftOut>)>) {
        self.due.clear();
        for (subject, left_out) in looked {
            match left_out {
                Some(why) => drop(self.left_out.insert(subject, why)),
                None => drop(self.left_out.remove(&subject)),
            }
        }
    }

    fn tally(&self) -> Taken {
        let mut left_out: BTreeMap<LeftOut, (u64, String)> = BTreeMap::new();
        for (subject, why) in &self.left_out {
            left_out.entry(*why).or_insert_with(|| (0, format!("{} {subject}", subject.kind().name()))).0 += 1;
        }
        Taken { wanted: self.wanted.len() as u64, left_out, ..Taken::default() }
    }
}

/// Ends that differ by less are the same: sources say how long something lasts, and each answer takes its time.
const SLACK: Duration = Duration::from_secs(5);
