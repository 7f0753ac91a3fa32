//! Whether a rollout goes on, waits or goes back.
//!
//! In: waves, what hosts say, the time. Out: a verdict with its reason. Never here: what is rolled out, the store.
//!
//! A wave is stopped when a host of it refuses the revision or holds something else, when one has not acknowledged it (or has fallen silent) by
//! the end of the bake time, and when its refused share jumps: by more than the bound over what it was before.
use std::collections::BTreeMap;
use std::time::Duration;

use enforcer_policy::Moment;
use serde::{Deserialize, Serialize};

use super::state::{HostNow, Rollout};
use crate::store::Traffic;

/// What becomes of a rollout now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    /// The next stage, or the end.
    Promote,
    /// Not before there is more to judge by, or somebody says so.
    Hold(String),
    /// Back.
    Stop(String),
    /// It is not time.
    Wait,
}

/// Hosts that got the policy with one stage.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(super) struct Wave {
    /// The stage.
    pub(super) stage: String,
    /// The revision that brought it.
    pub(super) revision: u64,
    /// When.
    pub(super) since: Moment,
    /// Hosts that are watched, by name.
    pub(super) members: BTreeMap<String, Member>,
    /// Hosts that had not been heard of when it began: nobody waits for them.
    pub(super) absent: Vec<String>,
}

/// One host of a wave.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(super) struct Member {
    /// It has the wave's revision.
    pub(super) acknowledged: bool,
    /// Something was wrong with it before the wave, and is not counted against it.
    pub(super) was_bad: bool,
    /// Decisions and services that it could not carry out before the wave.
    pub(super) was_lacking: u64,
    /// Requests of some minutes before the wave.
    pub(super) before: Traffic,
    /// All requests until it had the revision; nothing before it has said so.
    pub(super) start: Option<Traffic>,
    /// All requests until now; the host says it again after a start of the center.
    #[serde(skip)]
    pub(super) latest: Traffic,
}

impl Member {
    /// As it is before a wave.
    pub(super) fn of(host: &HostNow) -> Self {
        let (was_bad, was_lacking) = (host.wrong.is_some(), host.lacking);
        Self { was_bad, was_lacking, before: host.before, latest: host.tries.unwrap_or_default(), ..Self::default() }
    }

    /// What a host says.
    pub(super) fn hear(&mut self, host: &HostNow, revision: u64) {
        self.acknowledged |= host.revision >= revision;
        let Some(tries) = host.tries.filter(|_| self.acknowledged) else { return };
        // Counters that went back began anew.
        if self.start.is_none_or(|start| tries.all < start.all || tries.refused < start.refused) {
            self.start = Some(tries);
        }
        self.latest = tries;
    }

    /// Requests since it has the revision.
    fn since(&self) -> Traffic {
        self.start.map_or_else(Traffic::default, |start| self.latest.minus(start))
    }

    fn trouble(&self, host: &HostNow) -> Option<String> {
        let why = host.wrong.as_ref().filter(|_| !self.was_bad || host.lacking > self.was_lacking)?;
        Some(format!("{} {why}", host.name))
    }
}

impl Wave {
    /// Requests of all its hosts since each has the revision.
    pub(super) fn since(&self) -> Traffic {
        self.members.values().map(Member::since).fold(Traffic::default(), Traffic::plus)
    }

    /// Requests of all its hosts before: of the last minutes, or if those were few, since they count.
    pub(super) fn before(&self) -> Traffic {
        let sum = |of: fn(&Member) -> Traffic| self.members.values().map(of).fold(Traffic::default(), Traffic::plus);
        let recent = sum(|member| member.before);
        if recent.all >= LEAST { recent } else { sum(|member| member.start.unwrap_or(member.latest)) }
    }

    fn jump(&self, bound: u32) -> Option<String> {
        let (before, since) = (self.before(), self.since());
        let usual = u64::from(before.share() + bound) * since.all / 10_000;
        let jumped = since.all >= LEAST && since.refused > usual + FEW;
        let percent = |share: u32| format!("{}.{:02} %", share / 100, share % 100);
        jumped.then(|| {
            let (stage, was, is) = (&self.stage, percent(before.share()), percent(since.share()));
            format!(
                "in wave {stage}, {is} of {} requests were refused, {was} before; the bound is {}",
                since.all,
                percent(bound)
            )
        })
    }
}

/// Looks at all waves. `opened`: since when this center listens.
pub(super) fn judge(rollout: &Rollout, hosts: &[HostNow], now: Moment, opened: Moment) -> Verdict {
    let by_name: BTreeMap<&str, &HostNow> = hosts.iter().map(|host| (host.name.as_str(), host)).collect();
    for wave in &rollout.waves {
        let known = wave.members.iter().filter_map(|(name, member)| Some((member, by_name.get(name.as_str())?)));
        let mut trouble = known.filter(|(member, host)| member.acknowledged || host.refuses);
        let trouble = trouble.find_map(|(member, host)| member.trouble(host));
        if let Some(why) = trouble.or_else(|| wave.jump(rollout.course.bound)) {
            return Verdict::Stop(why);
        }
    }
    let Some(wave) = rollout.waves.last() else { return Verdict::Wait };
    if now < wave.since.plus(rollout.course.bake()) {
        return Verdict::Wait;
    }
    let deaf = |(name, member): &(&String, &Member)| {
        // Whom nobody speaks to any more is not waited for; and a center that has just started must listen first.
        let Some(host) = by_name.get(name.as_str()) else { return false };
        let silent = host.seen.unwrap_or_default().max(opened).until(now) > SILENT;
        let unheard = !member.acknowledged && opened.until(now) > PATIENCE;
        silent || unheard
    };
    if let Some((name, member)) = wave.members.iter().find(deaf) {
        let what = if member.acknowledged { "has fallen silent" } else { "has not acknowledged it" };
        return Verdict::Stop(format!("{name} {what}"));
    }
    let late = wave.members.iter().any(|(name, member)| !member.acknowledged && by_name.contains_key(name.as_str()));
    if late {
        return Verdict::Wait;
    }
    measure(wave)
}

/// Whether there is enough to go on.
fn measure(wave: &Wave) -> Verdict {
    let since = wave.since();
    if wave.members.is_empty() && wave.stage != super::ALL {
        return Verdict::Hold(format!("no host of {} has been heard of", wave.stage));
    }
    if since.all < LEAST && !wave.members.is_empty() {
        return Verdict::Hold(format!(
            "wave {} had {} requests, and {LEAST} are needed to judge it",
            wave.stage, since.all
        ));
    }
    Verdict::Promote
}

/// A host that was not heard of for so long says nothing any more: they speak every 25 s.
pub(super) const SILENT: Duration = Duration::from_secs(90);
/// After a start of the center, hosts come back within this time.
const PATIENCE: Duration = Duration::from_secs(30);
/// Requests that say something about a share.
const LEAST: u64 = 20;
/// So many more than the bound allows are chance.
const FEW: u64 = 3;

#[cfg(test)]
mod tests {
    use super::super::state::{ALL, Course, Phase};
    use super::*;

    const REVISION: u64 = 7;

    fn rollout(stage: &str, hosts: &[HostNow]) -> Rollout {
        let course = Course::new(vec![stage.to_owned(), ALL.to_owned()], Duration::from_mins(1), 2.0).unwrap();
        let (author, comment, begun) = ("ada".to_owned(), String::new(), Moment(0));
        let (phase, waits, waves) = (Phase::Baking, Vec::new(), Vec::new());
        let mut rollout = Rollout { course, author, approver: None, comment, begun, phase, waits, waves };
        rollout.begin_wave(REVISION, hosts, Moment(0));
        rollout
    }

    fn host(name: &str, seconds: u64, all: u64, refused: u64) -> HostNow {
        HostNow {
            name: name.to_owned(),
            groups: vec!["canary".to_owned()],
            seen: Some(Moment(seconds * 1000)),
            revision: REVISION,
            tries: Some(Traffic { all, refused }),
            ..HostNow::default()
        }
    }

    /// What becomes of a wave of one host that was at the first, and then is at the second.
    fn verdict(before: &HostNow, now: &HostNow, seconds: u64) -> Verdict {
        let mut rollout = rollout("canary", std::slice::from_ref(before));
        rollout.hear(std::slice::from_ref(before));
        rollout.hear(std::slice::from_ref(now));
        judge(&rollout, std::slice::from_ref(now), Moment(seconds * 1000), Moment(0))
    }

    #[track_caller]
    fn stops(verdict: &Verdict, word: &str) {
        assert!(matches!(verdict, Verdict::Stop(why) if why.contains(word)), "{verdict:?}");
    }

    #[test]
    fn a_wave_bakes_and_goes_on_when_it_was_well() {
        let begun = host("edge-1", 0, 1000, 10);
        let well = host("edge-1", 59, 1500, 15);
        assert_eq!(verdict(&begun, &well, 59), Verdict::Wait);
        assert_eq!(verdict(&begun, &well, 60), Verdict::Promote);
        let quiet = host("edge-1", 59, 1019, 10);
        assert!(matches!(verdict(&begun, &quiet, 60), Verdict::Hold(why) if why.contains("19 requests")));
    }

    #[test]
    fn a_jump_of_the_refused_share_stops_it_at_once() {
        let begun = host("edge-1", 0, 1000, 10);
        stops(&verdict(&begun, &host("edge-1", 5, 1100, 40), 5), "30.00 % of 100 requests");
        // One percent was usual, two more are allowed.
        assert_eq!(verdict(&begun, &host("edge-1", 5, 11_000, 10 + 300), 5), Verdict::Wait);
        stops(&verdict(&begun, &host("edge-1", 5, 11_000, 10 + 304), 5), "1.00 % before");
        assert_eq!(verdict(&begun, &host("edge-1", 5, 1019, 29), 5), Verdict::Wait, "too few to say anything");
        // An attack that was there before is no jump, whatever was usual in all the time before.
        let before = Traffic { all: 1000, refused: 400 };
        let under_attack = HostNow { before, ..host("edge-1", 0, 1_000_000, 400) };
        assert_eq!(verdict(&under_attack, &host("edge-1", 5, 1_001_000, 800), 5), Verdict::Wait);
        // Counters that began anew are not a share.
        assert_eq!(verdict(&begun, &host("edge-1", 5, 30, 30), 5), Verdict::Wait);
    }

    #[test]
    fn what_hosts_cannot_carry_out_stops_it_unless_it_was_so_before() {
        let begun = host("edge-1", 0, 1000, 0);
        let differs = |lacking| HostNow { wrong: Some("cannot".to_owned()), lacking, ..host("edge-1", 5, 1000, 0) };
        stops(&verdict(&begun, &differs(1), 5), "edge-1 cannot");
        let was = HostNow { wrong: Some("cannot".to_owned()), lacking: 1, ..begun.clone() };
        assert_eq!(verdict(&was, &differs(1), 5), Verdict::Wait);
        stops(&verdict(&was, &differs(2), 5), "edge-1 cannot");
        let older = HostNow { revision: REVISION - 1, ..host("edge-1", 5, 1000, 0) };
        let refuses = HostNow { refuses: true, wrong: Some("refuses".to_owned()), ..older.clone() };
        stops(&verdict(&HostNow { revision: REVISION - 1, ..begun.clone() }, &refuses, 5), "refuses");
        let silent = HostNow { revision: REVISION - 1, ..begun.clone() };
        assert_eq!(verdict(&silent, &older, 59), Verdict::Wait);
        stops(&verdict(&silent, &older, 60), "edge-1 has not acknowledged");
        stops(&verdict(&begun, &host("edge-1", 5, 1500, 0), 100), "fallen silent");
    }

    #[test]
    fn a_center_that_has_just_started_listens_first() {
        let begun = HostNow { revision: REVISION - 1, ..host("edge-1", 0, 1000, 0) };
        let hosts = std::slice::from_ref(&begun);
        let rollout = rollout("canary", hosts);
        let judged = |seconds: u64| judge(&rollout, hosts, Moment(seconds * 1000), Moment(600_000));
        assert_eq!(judged(601), Verdict::Wait);
        stops(&judged(631), "has not acknowledged");
    }

    #[test]
    fn hosts_that_were_not_heard_of_are_not_waited_for() {
        let absent = HostNow { seen: None, ..host("edge-2", 0, 0, 0) };
        let here = host("edge-1", 0, 1000, 0);
        let mut begun = rollout("canary", &[here.clone(), absent.clone()]);
        assert_eq!(
            (begun.waves[0].members.len(), begun.waves[0].absent.as_slice()),
            (1, ["edge-2".to_owned()].as_slice())
        );
        begun.begin_wave(REVISION + 1, &[here, absent], Moment(0));
        assert_eq!(begun.waves[1].members.len(), 0, "a host is in one wave");
        let none = rollout("canary", &[]);
        let held = judge(&none, &[], Moment(60_000), Moment(0));
        assert!(matches!(held, Verdict::Hold(why) if why.contains("no host of canary")));
    }
}
