//! How a rollout is: its course, its waves, its end.
//!
//! In: stages, and what hosts say. Out: what the store keeps, and what is shown. Never here: what goes on or back (`judge`, the desk).
use std::collections::BTreeSet;
use std::time::Duration;

use enforcer_policy::Moment;
use serde::{Deserialize, Serialize};

use super::judge::{Member, SILENT, Wave};
use crate::desk::{Approval, DeskError, Signature};
use crate::store::Traffic;

/// The last stage: every host.
pub const ALL: &str = "all";

/// How a rollout goes.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Course {
    /// Groups of hosts, one after the other; the last is [`ALL`].
    pub stages: Vec<String>,
    /// How long each stage is watched before the next.
    pub bake_seconds: u64,
    /// By how much the refused share of a wave may grow, in hundredths of a percent of all requests.
    pub bound: u32,
}

/// What a host says now.
#[derive(Clone, Debug, Default)]
pub struct HostNow {
    /// Its name.
    pub name: String,
    /// Its groups.
    pub groups: Vec<String>,
    /// When it was last heard of.
    pub seen: Option<Moment>,
    /// The revision that it has acknowledged.
    pub revision: u64,
    /// It refused the last delivery.
    pub refuses: bool,
    /// What is wrong with it, in words.
    pub wrong: Option<String>,
    /// Decisions and services that it cannot carry out.
    pub lacking: u64,
    /// Its requests so far, if it tells.
    pub tries: Option<Traffic>,
    /// Its requests of the last minutes.
    pub before: Traffic,
}

/// How a rollout is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "phase", content = "why", rename_all = "lowercase")]
pub(super) enum Phase {
    Baking,
    Held(String),
    Finished,
    Stopped(String),
}

/// A rollout, as the store keeps it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Rollout {
    pub(super) course: Course,
    pub(super) author: String,
    pub(super) approver: Option<String>,
    pub(super) comment: String,
    pub(super) begun: Moment,
    #[serde(flatten)]
    pub(super) phase: Phase,
    pub(super) waits: Vec<String>,
    pub(super) waves: Vec<Wave>,
}

/// A rollout as it is shown.
#[derive(Clone, Debug, Serialize)]
pub struct RolloutShown {
    #[serde(flatten)]
    course: Course,
    author: String,
    approver: Option<String>,
    comment: String,
    begun: Moment,
    #[serde(flatten)]
    phase: Phase,
    /// What comes with the last stage only.
    waits: Vec<String>,
    waves: Vec<WaveShown>,
}

#[derive(Clone, Debug, Serialize)]
struct WaveShown {
    stage: String,
    revision: u64,
    since: Moment,
    /// When it is looked whether the next one may come.
    until: Moment,
    hosts: usize,
    acknowledged: usize,
    absent: Vec<String>,
    before: Traffic,
    tries: Traffic,
}

impl Course {
    /// A bound in percent.
    pub fn new(stages: Vec<String>, bake: Duration, bound: f64) -> Result<Self, DeskError> {
        let wrong = |what: String| Err(DeskError::Rollout(what));
        let distinct: BTreeSet<&String> = stages.iter().collect();
        if stages.last().is_none_or(|last| last != ALL) || distinct.len() != stages.len() || stages.len() > MOST_STAGES
        {
            return wrong(format!("stages are up to {MOST_STAGES} different groups, and the last is {ALL}"));
        }
        if !(SHORTEST..=LONGEST).contains(&bake) {
            return wrong("a stage bakes for a second to seven days".to_owned());
        }
        if !(0.01..=100.0).contains(&bound) {
            return wrong("the bound is 0.01 to 100 percent".to_owned());
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "1 to 10,000")]
        let bound = (bound * 100.0).round() as u32;
        Ok(Self { stages, bake_seconds: bake.as_secs(), bound })
    }

    pub(super) const fn bake(&self) -> Duration {
        Duration::from_secs(self.bake_seconds)
    }
}

impl Rollout {
    pub(super) const fn is_on(&self) -> bool {
        matches!(self.phase, Phase::Baking | Phase::Held(_))
    }

    pub(super) fn stage(&self) -> &str {
        self.waves.last().map_or("", |wave| &wave.stage)
    }

    /// The wave of the next stage; hosts of earlier ones are in theirs.
    pub(super) fn begin_wave(&mut self, revision: u64, hosts: &[HostNow], now: Moment) {
        let Some(stage) = self.course.stages.get(self.waves.len()) else { return };
        let earlier = |host: &&HostNow| self.waves.iter().any(|wave| wave.members.contains_key(&host.name));
        let mine =
            hosts.iter().filter(|host| stage == ALL || host.groups.contains(stage)).filter(|host| !earlier(host));
        let (heard, absent): (Vec<_>, Vec<_>) = mine.partition(|host| host.is_heard(now));
        let members = heard.into_iter().map(|host| (host.name.clone(), Member::of(host))).collect();
        let absent = absent.into_iter().take(SHOWN).map(|host| host.name.clone()).collect();
        self.waves.push(Wave { stage: stage.clone(), revision, since: now, members, absent });
        self.phase = Phase::Baking;
    }

    pub(super) fn hear(&mut self, hosts: &[HostNow]) {
        for wave in &mut self.waves {
            for host in hosts {
                if let Some(member) = wave.members.get_mut(&host.name) {
                    member.hear(host, wave.revision);
                }
            }
        }
    }

    pub(super) fn signature(&self) -> Signature {
        let approval = self.approver.clone().map(|who| Approval { who, proposal: 0 });
        let comment =
            format!("stage {}: {}", self.course.stages.get(self.waves.len()).map_or("", |next| next), self.comment);
        Signature { author: self.author.clone(), token: String::new(), approval, comment }
    }

    pub(super) fn shown(&self) -> RolloutShown {
        let Self { course, author, approver, comment, begun, phase, waits, waves } = self.clone();
        let bake = course.bake();
        let waves = waves.iter().map(|wave| WaveShown::of(wave, bake)).collect();
        RolloutShown { course, author, approver, comment, begun, phase, waits, waves }
    }
}

impl WaveShown {
    fn of(wave: &Wave, bake: Duration) -> Self {
        Self {
            stage: wave.stage.clone(),
            revision: wave.revision,
            since: wave.since,
            until: wave.since.plus(bake),
            hosts: wave.members.len(),
            acknowledged: wave.members.values().filter(|member| member.acknowledged).count(),
            absent: wave.absent.clone(),
            before: wave.before(),
            tries: wave.since(),
        }
    }
}

impl HostNow {
    pub(super) fn is_heard(&self, now: Moment) -> bool {
        self.seen.is_some_and(|seen| seen.until(now) <= SILENT)
    }
}

const MOST_STAGES: usize = 16;
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_hours(7 * 24);
/// Absent hosts that are named.
const SHOWN: usize = 100;
