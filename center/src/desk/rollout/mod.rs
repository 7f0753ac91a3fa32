//! A policy that comes stage by stage, and goes back by itself when a stage does harm.
//!
//! In: a content and a course; what hosts say, now and then. Out: one ordinary signed revision for each stage, and one that takes all of it
//! back. Never here: a clock that ticks, how hosts are asked (`api`).
//!
//! Its state is a row of the store that changes in the same step as the revision of a stage: a center that starts again goes on where it was.
mod judge;
mod narrow;
mod state;

use std::sync::Arc;

use anyhow::Context as _;
use enforcer_policy::Moment;
use enforcer_policy::plan::{Guard, Plan};
use enforcer_policy::revision::{Content, Delta};

use super::change::Change;
use super::proposals::Way;
use super::{Desk, DeskError, Signature};
use crate::clock;
use crate::store::{Along, RolloutRow};
use judge::{SILENT, Verdict, judge};
use narrow::{Present, Staging};
pub use state::{ALL, Course, HostNow, RolloutShown};
use state::{Phase, Rollout};

/// A rollout that is on, or the last one.
pub(super) struct Rolling {
    state: Rollout,
    change: Arc<Change>,
}

impl Desk {
    /// Begins to roll a content out.
    pub fn roll_out(
        &mut self,
        wanted: &Content,
        course: Course,
        (guard, hosts): (&Guard, &[HostNow]),
        forced: bool,
        by: &Signature,
    ) -> Result<Plan, DeskError> {
        self.no_trial()?;
        let plan = Plan::between(&self.content, wanted, guard);
        super::refusal::not_cut_off(&plan.lockouts, forced)?;
        let delta = self.content.delta_to(wanted);
        let (change, now) = (Change::of(&self.content, delta.clone()), clock::now());
        let staging = Staging::new(&change, &course.stages);
        if course.stages.len() > 1 && !staging.has_early(self.present(now)) {
            let what =
                "nothing of this comes before the last stage: it changes or ends what there is, or names other groups";
            return Err(DeskError::Rollout(what.to_owned()));
        }
        let deaf = |stage: &&String| {
            !hosts.iter().any(|host| host.is_heard(now) && (*stage == ALL || host.groups.contains(stage)))
        };
        if let Some(stage) = course.stages.iter().find(deaf) {
            let what =
                format!("no host of {stage} has been heard of for {} s (enforcer-center hosts list)", SILENT.as_secs());
            return Err(DeskError::Rollout(what));
        }
        let waits = staging.waits();
        let way = Way::RolledOut { course: course.clone() };
        self.clear(&way, !plan.lockouts.is_empty(), &delta, by, &super::counted(&plan))?;
        let approver = by.approval.as_ref().map(|approval| approval.who.clone());
        let (author, comment) = (by.author.clone(), by.comment.clone());
        let state =
            Rollout { course, author, approver, comment, begun: now, phase: Phase::Baking, waits, waves: Vec::new() };
        self.next_stage(Rolling { state, change: Arc::new(change) }, hosts, by, Vec::new())?;
        Ok(plan)
    }

    /// Whether one is on.
    pub fn is_rolling(&self) -> bool {
        self.rollout.as_ref().is_some_and(|rolling| rolling.state.is_on())
    }

    /// The one that is on, or the last one.
    pub fn rollout(&self) -> Option<RolloutShown> {
        self.rollout.as_ref().map(|rolling| rolling.state.shown())
    }

    /// How many stages are out; 0 when none is on.
    pub fn rollout_stage(&self) -> usize {
        self.rollout.as_ref().filter(|rolling| rolling.state.is_on()).map_or(0, |rolling| rolling.state.waves.len())
    }

    /// Looks at what hosts say: goes on, waits, or takes it back.
    pub fn tend_rollout(&mut self, hosts: &[HostNow], opened: Moment) -> Result<(), DeskError> {
        let Some(mut rolling) = self.rolling() else { return Ok(()) };
        let before = rolling.written()?;
        rolling.state.hear(hosts);
        match judge(&rolling.state, hosts, clock::now(), opened) {
            Verdict::Promote => return self.go_on(rolling, hosts, Vec::new()),
            Verdict::Stop(why) => return self.take_back(rolling, &why, &Signature::center(why.clone())).map(drop),
            Verdict::Hold(why) => rolling.state.phase = Phase::Held(why),
            Verdict::Wait => rolling.state.phase = Phase::Baking,
        }
        let written = rolling.written()?;
        if written != before {
            self.store.keep_rollout_state(&written).context("the rollout")?;
        }
        self.rollout = Some(rolling);
        Ok(())
    }

    /// The next stage now, whatever the wave says.
    pub fn promote(&mut self, hosts: &[HostNow], by: &Signature) -> Result<u64, DeskError> {
        let mut rolling = self.rolling().ok_or_else(none_is_on)?;
        rolling.state.hear(hosts);
        let detail = format!("past stage {}", rolling.state.stage());
        let noted = Along::Noted { who: by.author.clone(), what: "rollout promoted", detail };
        self.go_on(rolling, hosts, vec![noted])?;
        Ok(self.number)
    }

    /// All of it goes back.
    pub fn stop_rollout(&mut self, by: &Signature) -> Result<u64, DeskError> {
        let rolling = self.rolling().ok_or_else(none_is_on)?;
        self.take_back(rolling, &format!("{} stopped it", by.author), by)
    }

    /// At the start: what the store says of it.
    pub(super) fn open_rollout(&mut self) -> anyhow::Result<()> {
        let Some(row) = self.store.rollout()? else { return Ok(()) };
        let state: Rollout = serde_json::from_str(&row.state).context("the rollout in the store is damaged")?;
        let change = if state.is_on() { Change::unpacked(&row.forward, &row.before)? } else { Change::default() };
        self.rollout = Some(Rolling { state, change: Arc::new(change) });
        Ok(())
    }

    /// A copy of the one that is on, to be changed and then kept.
    fn rolling(&self) -> Option<Rolling> {
        let rolling = self.rollout.as_ref().filter(|rolling| rolling.state.is_on())?;
        Some(Rolling { state: rolling.state.clone(), change: Arc::clone(&rolling.change) })
    }

    fn go_on(&mut self, rolling: Rolling, hosts: &[HostNow], along: Vec<Along>) -> Result<(), DeskError> {
        if rolling.state.waves.len() < rolling.state.course.stages.len() {
            let by = rolling.state.signature();
            return self.next_stage(rolling, hosts, &by, along);
        }
        let rolling = Rolling { state: Rollout { phase: Phase::Finished, ..rolling.state }, change: Arc::default() };
        let author = &rolling.state.author;
        let kept = self.store.end_rollout(&rolling.row()?, &along, "rollout finished", &format!("of {author}"));
        kept.context("the rollout")?;
        self.tell(
            "rollout_finished",
            "low",
            format!("the policy of {author} is on all hosts, and every wave was well"),
        );
        self.rollout = Some(rolling);
        Ok(())
    }

    fn next_stage(
        &mut self,
        mut rolling: Rolling,
        hosts: &[HostNow],
        by: &Signature,
        along: Vec<Along>,
    ) -> Result<(), DeskError> {
        let now = clock::now();
        let at = rolling.state.waves.len();
        let delta = Staging::new(&rolling.change, &rolling.state.course.stages).forward(at, self.present(now));
        rolling.state.begin_wave(self.number + 1, hosts, now);
        let (stage, of) = (rolling.state.stage().to_owned(), rolling.state.course.stages.len());
        let detail = format!("stage {} of {of}, {stage}: {} decisions", at + 1, delta.put.len());
        self.publish_rollout((delta, along), rolling, by, "rollout stage", &detail)?;
        self.tell("rollout_stage", "low", format!("stage {} of {of}, {stage}, is out", at + 1));
        Ok(())
    }

    fn take_back(&mut self, rolling: Rolling, why: &str, by: &Signature) -> Result<u64, DeskError> {
        let at = rolling.state.waves.len().saturating_sub(1);
        let delta = Staging::new(&rolling.change, &rolling.state.course.stages).back(at, self.present(clock::now()));
        let detail = format!("at stage {}: {why}", rolling.state.stage());
        let state = Rollout { phase: Phase::Stopped(why.to_owned()), ..rolling.state };
        let rolling = Rolling { state, change: Arc::default() };
        self.publish_rollout((delta, Vec::new()), rolling, by, "rollout undone", &detail)?;
        self.tell("rollout_stopped", "high", format!("{detail}; the policy before it is back"));
        Ok(self.number)
    }

    /// A revision, and the state that goes with it.
    fn publish_rollout(
        &mut self,
        (delta, mut along): (Delta, Vec<Along>),
        rolling: Rolling,
        by: &Signature,
        what: &str,
        detail: &str,
    ) -> Result<(), DeskError> {
        along.push(Along::Rollout(Box::new(rolling.row()?)));
        self.publish_and(delta, by, what, detail, along)?;
        self.rollout = Some(rolling);
        Ok(())
    }

    const fn present(&self, now: Moment) -> Present<'_> {
        Present { content: &self.content, index: &self.index, now }
    }
}

impl Rolling {
    fn row(&self) -> anyhow::Result<RolloutRow> {
        let (forward, before) = self.change.packed()?;
        Ok(RolloutRow { state: self.written()?, forward, before })
    }

    fn written(&self) -> anyhow::Result<String> {
        Ok(serde_json::to_string(&self.state)?)
    }

    /// In words, for whoever wants something else now.
    pub(super) fn is_in_the_way(&self) -> Option<String> {
        self.state.is_on().then(|| format!("a rollout is on, at stage {}", self.state.stage()))
    }
}

fn none_is_on() -> DeskError {
    DeskError::Rollout("no rollout is on".to_owned())
}
