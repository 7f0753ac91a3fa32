//! A policy on trial: it holds for a while, and is undone unless somebody confirms it.
//!
//! In: a content, and how long. Out: a revision whose new decisions bear the deadline as their own end, so that each host's kernel
//! undoes them by its own clock, whatever has died in between; then the confirmed content, or what there was before. Never here:
//! a clock that ticks (`serve` looks now and then).
//!
//! Services and the matrix wait for the confirmation: a host's kernel cannot undo them by itself.
//! A trial only adds: what it would end ends when it is confirmed, since nothing can bring back what a host has forgotten.
//! A decision that it changes is the new one until the deadline; the old one is back with the revision that undoes the trial.
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use enforcer_policy::Moment;
use enforcer_policy::plan::{Guard, Plan};
use enforcer_policy::revision::{Content, Delta, Entry};

use super::proposals::{Way, is_same};
use super::rollout::Rolling;
use super::{Approval, Desk, DeskError, Signature};
use crate::clock;
use crate::store::{Along, TrialRow};

/// Shorter than a host may need to hear of the confirmation, or longer than anybody watches, makes no sense.
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_hours(24);

impl Desk {
    /// Publishes a content that is undone after `time` unless it is confirmed. Nobody is refused for being cut off: that is
    /// what trials are for.
    pub fn try_out(
        &mut self,
        wanted: &Content,
        guard: &Guard,
        time: Duration,
        by: &Signature,
    ) -> Result<Plan, DeskError> {
        if !(SHORTEST..=LONGEST).contains(&time) {
            return Err(DeskError::Trial(format!("a trial lasts {SHORTEST:?} to 24 hours, not {time:?}")));
        }
        self.no_trial()?;
        let plan = Plan::between(&self.content, wanted, guard);
        let until = clock::now().plus(time);
        let (delta, whole) = (self.content.delta_to(&self.during(wanted, until)), self.content.delta_to(wanted));
        if delta.is_empty() && whole.is_empty() {
            return Ok(plan);
        }
        let way = Way::OnTrial { seconds: time.as_secs() };
        self.clear(&way, !plan.lockouts.is_empty(), &whole, by, &super::counted(&plan))?;
        let (mut content, before) = (self.content.clone(), self.content.clone());
        content.apply(delta.clone());
        let pack = |delta: &Delta| delta.pack().context("the trial");
        let (confirm, undo) = (pack(&content.delta_to(wanted))?, pack(&content.delta_to(&before))?);
        let (who, approver) = (by.author.clone(), by.approval.as_ref().map(|approval| approval.who.clone()));
        let row = TrialRow { revision: self.number + 1, until, confirm, undo, who, approver };
        // Together: a trial without its end would be for ever.
        let along = vec![Along::BeginsTrial(Box::new(row))];
        self.publish_and(delta, by, "policy on trial", &format!("until {}", until.0), along)?;
        Ok(plan)
    }

    /// The trial that is on: its revision and its deadline.
    pub fn trial(&self) -> anyhow::Result<Option<(u64, Moment)>> {
        Ok(self.store.trial()?.map(|row| (row.revision, row.until)))
    }

    /// What is on trial is to stay.
    pub fn confirm(&mut self, by: &Signature) -> Result<u64, DeskError> {
        self.end_trial(true, by, "trial confirmed")
    }

    /// What is on trial is to go now.
    pub fn give_up(&mut self, by: &Signature) -> Result<u64, DeskError> {
        self.end_trial(false, by, "trial undone")
    }

    /// Undoes a trial whose deadline has passed; tells whether there was one.
    pub fn undo_lapsed(&mut self) -> Result<bool, DeskError> {
        let lapsed = self.store.trial().context("the trial")?.is_some_and(|row| row.until <= clock::now());
        if lapsed {
            let comment = "nobody confirmed it in time".to_owned();
            self.end_trial(false, &Signature::center(comment), "trial lapsed")?;
        }
        Ok(lapsed)
    }

    /// Publishes the content of an earlier revision as a new one.
    pub fn roll_back(&mut self, number: u64, guard: &Guard, forced: bool, by: &Signature) -> Result<Plan, DeskError> {
        if number == 0 || number > self.number {
            return Err(DeskError::Trial(format!("there are revisions 1 to {}, and no {number}", self.number)));
        }
        let content = self.content_at(number)?;
        self.replace_by(&Way::RolledBack { to: number }, &content, guard, forced, by)
    }

    /// While one policy is on trial or being rolled out, nobody can say what another would be undone to.
    pub(super) fn no_trial(&self) -> Result<(), DeskError> {
        if let Some(what) = self.rollout.as_ref().and_then(Rolling::is_in_the_way) {
            return Err(DeskError::Rollout(what));
        }
        match self.trial()? {
            None => Ok(()),
            Some((revision, _)) => Err(DeskError::Trial(format!("revision {revision} is on trial"))),
        }
    }

    fn end_trial(&mut self, confirmed: bool, by: &Signature, what: &str) -> Result<u64, DeskError> {
        let Some(row) = self.store.trial().context("the trial")? else {
            return Err(DeskError::Trial("nothing is on trial".to_owned()));
        };
        if confirmed && row.until <= clock::now() {
            return Err(DeskError::Trial("the trial is over: hosts have undone it".to_owned()));
        }
        let (body, plain) = if confirmed { &row.confirm } else { &row.undo };
        let delta = Delta::unpack(body, *plain).context("the trial is damaged")?;
        let (mut by, detail) = (by.clone(), format!("of revision {}", row.revision));
        if confirmed {
            by = by.with(&row);
            self.clear(&Way::TrialConfirmed { trial: row.revision }, false, &delta, &by, &detail)?;
        }
        // A trial that outlived its confirmation would undo it.
        self.publish_and(delta, &by, what, &detail, vec![Along::EndsTrial])?;
        Ok(self.number)
    }

    /// The content while `wanted` is on trial: with what it would end, and an end to what it brings.
    fn during(&self, wanted: &Content, until: Moment) -> Content {
        let kept = self.content.entries().filter(|entry| wanted.entry(entry.decision.id).is_none());
        let brought = wanted.entries().map(|entry| {
            let mut entry = Entry::clone(entry);
            if self.content.entry(entry.decision.id).is_none_or(|held| **held != entry) {
                entry.decision.until = Some(entry.decision.until.map_or(until, |own| own.min(until)));
            }
            Arc::new(entry)
        });
        let mut base = self.content.base().clone();
        let new = wanted.base().allow.iter().filter(|allow| !self.content.base().allow.contains(allow));
        base.allow.extend(new.cloned());
        let mut content = Content::default();
        let put = kept.cloned().chain(brought).collect();
        content.apply(Delta { base: Some(base), put, ..Delta::default() });
        content
    }

    /// What revision `number` said, put together from all before it.
    fn content_at(&self, number: u64) -> anyhow::Result<Content> {
        let (mut content, mut read) = (Content::default(), 0);
        while read < number {
            let rows = self.store.revisions(read, 100)?;
            anyhow::ensure!(!rows.is_empty(), "revision {number} is not in the store");
            for row in rows.into_iter().filter(|row| row.number <= number) {
                content.apply(Delta::unpack(&row.delta, row.plain)?);
                read = row.number;
            }
        }
        let head = self.head(number)?.open(&self.signer.public()).context("the revision is not this center's")?;
        anyhow::ensure!(head.content == content.digest(), "the store does not hold what revision {number} says");
        Ok(content)
    }
}

impl Signature {
    /// Two people stood for the trial when it began: who confirms it needs nobody else.
    fn with(mut self, row: &TrialRow) -> Self {
        if self.approval.is_none()
            && let Some(approver) = &row.approver
        {
            let who = if is_same(approver, &self.author) { &row.who } else { approver };
            self.approval = Some(Approval { who: who.clone(), proposal: 0 });
        }
        self
    }
}
