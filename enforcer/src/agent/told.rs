//! What the center is told of this host: events for the spool. In: refusals, findings, problems, notices, acts. Out: events; refusals
//! are added up first, by decision, service, reason and verdict, for some seconds. Never here: the network; a host without a center
//! tells nobody.
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use enforcer_common::Verdict;
use enforcer_insight::findings::Finding;
use enforcer_policy::{DecisionId, Event, EventKind, Moment, Subject};

use super::clock;
use super::core::Core;
use crate::spool::SpoolCounts;
use crate::sync::Outbox;
use crate::wire::{DecisionReport, EventReport, NoticeKind, NoticeReport, Reply};

/// Seconds of one slot.
const SLOT: u64 = 5;
/// Sums that are kept at once; what finds no room is added to the one without decision and service.
const SUMS: usize = 1024;

/// What is to be told.
#[derive(Default)]
pub(super) struct Told {
    outbox: Option<Outbox>,
    sums: BTreeMap<Key, Sum>,
    /// Problems that were told and have not gone.
    problems: BTreeSet<&'static str>,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    decision: Option<DecisionId>,
    service: Option<String>,
    reason: &'static str,
    verdict: &'static str,
}

#[derive(Clone)]
struct Sum {
    count: u64,
    bytes: u64,
    first: Moment,
    last: Moment,
    source: IpAddr,
    subject_kind: Option<&'static str>,
}

impl Told {
    /// From now on, somebody is told.
    pub(super) fn open(&mut self, outbox: Outbox) {
        self.outbox = Some(outbox);
    }

    /// How the spool is; all zeros without one.
    pub(super) fn counts(&self) -> SpoolCounts {
        self.outbox.as_ref().map(Outbox::counts).unwrap_or_default()
    }

    fn push(&self, event: Event) {
        if let Some(outbox) = &self.outbox {
            outbox.push(event);
        }
    }

    /// Adds a refusal or observation to its sum.
    fn add(&mut self, report: &EventReport) {
        let key = Key {
            decision: report.decision,
            service: report.service.clone(),
            reason: report.reason.name(),
            verdict: report.verdict.name(),
        };
        let is_new = !self.sums.contains_key(&key);
        let key = if is_new && self.sums.len() >= SUMS { Key { decision: None, service: None, ..key } } else { key };
        let subject_kind = report.kind.map(enforcer_common::SubjectKind::name);
        let (first, last, source) = (report.time, report.time, report.source);
        let sum = self.sums.entry(key).or_insert(Sum { count: 0, bytes: 0, first, last, source, subject_kind });
        sum.count += 1;
        sum.bytes += u64::from(report.bytes);
        sum.last = last;
    }

    /// Ends a slot.
    fn flush(&mut self) {
        for (key, sum) in std::mem::take(&mut self.sums) {
            let message = format!("{} met {} times", key.reason, sum.count);
            self.push(Event {
                service: key.service,
                decision: key.decision,
                verdict: Some(key.verdict.to_owned()),
                subject_kind: sum.subject_kind.map(str::to_owned),
                source: Some(sum.source),
                count: Some(sum.count),
                bytes: Some(sum.bytes),
                last: Some(sum.last),
                ..Event::new(EventKind::Refusal, sum.first, key.reason, message)
            });
        }
    }
}

impl Core {
    /// One event of the kernel.
    pub(super) fn tell_refusal(&mut self, report: &EventReport) {
        if self.told.outbox.is_some() && report.verdict != Verdict::Pass {
            self.told.add(report);
        }
    }

    /// A finding, and what became of it.
    pub(super) fn tell_finding(&self, finding: &Finding, outcome: &str) {
        let subject = finding.subjects.first();
        let word = |value: serde_json::Value| value.as_str().map(str::to_owned);
        let place = finding.endpoint.as_deref().unwrap_or(&finding.service);
        let message = format!("{} on {place}; {outcome}; {}", finding.kind, finding.fix);
        self.told.push(Event {
            service: Some(finding.service.to_string()),
            endpoint: finding.endpoint.as_deref().map(str::to_owned),
            subject_kind: subject.map(|subject| subject.kind().name().to_owned()),
            subject: subject.map(Subject::to_string),
            decision: self.decision_of(finding.id),
            filter: Some(finding.filter.to_string()),
            finding: Some(finding.id.to_string()),
            severity: serde_json::to_value(finding.severity).ok().and_then(word),
            risk: serde_json::to_value(finding.risk).ok().and_then(word),
            confidence: Some(finding.confidence),
            count: Some(finding.count),
            ..Event::new(EventKind::Finding, finding.last, &finding.kind, message)
        });
    }

    /// News of the agent, to followers and the center. Findings go the other way, with all that is known of them.
    pub(super) fn tell_notice(&self, notice: NoticeReport) {
        if notice.notice != NoticeKind::Finding {
            self.told.push(Event::new(EventKind::Notice, notice.time, notice.notice.name(), notice.message.clone()));
        }
        // Nobody may be listening.
        let _ = self.followers.send(Reply::Notice(notice));
    }

    /// The agent itself: it starts, it ends.
    pub(super) fn tell_life(&self, what: &str) {
        let version = env!("CARGO_PKG_VERSION");
        self.told.push(Event::new(EventKind::Health, clock::now(), what, format!("agent {version}: {what}")));
    }

    /// Something that somebody did by hand.
    pub(super) fn tell_act(&self, who: &str, what: &str, message: String) {
        let who = Some(who.to_owned());
        self.told.push(Event { who, ..Event::new(EventKind::Act, clock::now(), what, message) });
    }

    /// The same, with the decision that was made or ended, and the reason that was given, where it is not the decision's.
    pub(super) fn tell_act_on(&self, who: &str, what: &str, decision: &DecisionReport, given: Option<&str>) {
        let DecisionReport { subject, action, reason, .. } = decision;
        let reason = given.unwrap_or(reason);
        let message = format!("{what} {} {subject}: {}; {reason}", decision.kind.name(), action.name());
        self.told.push(Event {
            who: Some(who.to_owned()),
            decision: Some(decision.id),
            service: decision.service.clone(),
            endpoint: decision.endpoint.clone(),
            subject_kind: Some(decision.kind.name().to_owned()),
            subject: Some(subject.clone()),
            ..Event::new(EventKind::Act, clock::now(), what, message)
        });
    }

    /// The work of a second: problems that came or went; sums whose slot is over.
    pub(super) fn tend_told(&mut self) {
        if self.told.outbox.is_none() {
            return;
        }
        self.tell_problems();
        if self.seconds.is_multiple_of(SLOT) {
            self.told.flush();
        }
    }

    /// The agent ends: nothing more is added up.
    pub(super) fn end_told(&mut self) {
        self.told.flush();
        self.tell_life("ended");
    }

    /// A problem that changes its words is still the same problem.
    fn tell_problems(&mut self) {
        let now = clock::now();
        let present: BTreeMap<&'static str, &String> =
            self.problems.iter().chain(&self.full).map(|(name, text)| (*name, text)).collect();
        for (name, text) in present.iter().filter(|(name, _)| !self.told.problems.contains(*name)) {
            self.told.push(Event {
                severity: Some("high".to_owned()),
                ..Event::new(EventKind::Health, now, name, (*text).clone())
            });
        }
        for name in self.told.problems.iter().filter(|name| !present.contains_key(*name)) {
            self.told.push(Event::new(EventKind::Health, now, name, format!("{name}: well again")));
        }
        self.told.problems = present.into_keys().collect();
    }
}

#[cfg(test)]
mod tests {
    use enforcer_common::Reason;

    use super::*;
    use crate::spool::{Spool, read_after};

    fn report(number: u64, decision: u64) -> EventReport {
        EventReport {
            time: Moment(number),
            reason: Reason::BlockedDevice,
            verdict: Verdict::Deny,
            kind: None,
            decision: Some(DecisionId(decision)),
            service: Some("pay".to_owned()),
            source: [192, 0, 2, 1].into(),
            source_port: 1,
            destination: [192, 0, 2, 2].into(),
            destination_port: 80,
            protocol: "tcp".to_owned(),
            interface: "eth0".to_owned(),
            digest: None,
            bytes: 100,
        }
    }

    #[test]
    fn refusals_are_added_up_and_bounded() {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::open(folder.path(), 1 << 24, "00000000000000aa").unwrap();
        let mut told = Told::default();
        told.open(Outbox::new(spool));
        (1..=30).for_each(|number| told.add(&report(number, number % 3 + 1)));
        told.flush();
        told.flush();
        assert_eq!(told.counts().waiting, 3);
        let kept = read_after(&folder.path().join("00000000000000000001"), 0, 10, 1 << 20).unwrap();
        let first: Event = serde_json::from_slice(&kept.events[0]).unwrap();
        assert_eq!(
            (first.count, first.bytes, first.time, first.last),
            (Some(10), Some(1000), Moment(3), Some(Moment(30)))
        );
        (1..=5000).for_each(|number| told.add(&report(number, number)));
        told.flush();
        assert_eq!(told.counts().waiting, 3 + SUMS as u64 + 1);
    }
}
