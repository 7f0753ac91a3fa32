//! Looks at what the agent has found, as its users do. In: attacks. Out: for each its findings and when it ended; findings about nobody
//! who did anything. Where a finding waits for a person, it is the person.
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use enforcer::store::identity_key;
use enforcer_common::{SipKey, siphash};
use enforcer_insight::findings::Finding;
use enforcer_policy::Subject;
use enforcer_tests::Agent;
use serde_json::Value;

use super::kinds::{Attack, Progress};

/// What is known of the findings so far.
pub(super) struct Judge<'a> {
    agent: &'a Agent,
    attacks: &'a [Attack<'a>],
    key: SipKey,
    /// When each was seen first, by its id.
    seen: BTreeMap<u64, (Finding, Instant)>,
    /// Those a person decided on.
    by_hand: BTreeSet<u64>,
}

impl<'a> Judge<'a> {
    pub(super) fn new(agent: &'a Agent, attacks: &'a [Attack<'a>]) -> Self {
        let key = identity_key(&agent.state().join("identity.key")).expect("the agent has made its key");
        Self { agent, attacks, key, seen: BTreeMap::new(), by_hand: BTreeSet::new() }
    }

    /// Looks, and decides what waits for a person; true once every attack is found and ended.
    pub(super) fn look(&mut self) -> bool {
        let page = self.agent.json(&["findings"]);
        for report in page["findings"].as_array().into_iter().flatten() {
            let finding: Finding = serde_json::from_value(report.clone()).expect("a finding");
            let id = finding.id;
            let known = self.seen.entry(id.0).or_insert_with(|| (finding.clone(), Instant::now()));
            known.0 = finding.clone();
            if self.is_to_be_decided(&finding, report) {
                self.by_hand.insert(id.0);
                self.agent.done(&["findings", "decide", &id.to_string(), "--for", "10m"]);
            }
        }
        self.attacks.iter().all(|attack| self.finding(attack).is_some() && attack.progress().ended.is_some())
    }

    /// A person decides on what an attack has led to, when something is suggested and the filter was not sure enough.
    fn is_to_be_decided(&self, finding: &Finding, report: &Value) -> bool {
        let open =
            report["decision"].is_null() && finding.suggestion.is_some() && !self.by_hand.contains(&finding.id.0);
        open && self.attacks.iter().any(|attack| self.is_of(finding, attack))
    }

    /// The finding an attack has led to.
    fn finding(&self, attack: &Attack<'_>) -> Option<&(Finding, Instant)> {
        self.seen.values().filter(|(finding, _)| self.is_of(finding, attack)).min_by_key(|(_, first)| *first)
    }

    fn is_of(&self, finding: &Finding, attack: &Attack<'_>) -> bool {
        attack.kinds.contains(&&*finding.kind) && self.is_about(finding, &attack.progress())
    }

    fn is_about(&self, finding: &Finding, progress: &Progress) -> bool {
        let mut subjects = finding.subjects.iter().take(1);
        subjects.any(|subject| progress.borne.iter().any(|mark| self.is(subject, mark)))
    }

    fn is(&self, subject: &Subject, mark: &str) -> bool {
        let within = |address: IpAddr| subject.network().is_some_and(|network| network.contains(address.into()));
        let address = || mark.parse().is_ok_and(within);
        subject.token().map_or_else(address, |token| token.digest == siphash(self.key, mark.as_bytes()))
    }

    /// Findings whose subject is none of the attackers, or that name no subject and are no weakness of the bank.
    pub(super) fn about_nobody(&self) -> Vec<&Finding> {
        let guilty = |finding: &Finding| self.attacks.iter().any(|attack| self.is_about(finding, &attack.progress()));
        let weak = |finding: &Finding| finding.subject().is_none() && WEAKNESSES.contains(&&*finding.kind);
        self.seen.values().map(|(finding, _)| finding).filter(|one| !weak(one) && !guilty(one)).collect()
    }

    /// Panics with all that was not found or did not end.
    pub(super) fn check(&self, attacks: &[Attack<'_>]) {
        let failed = |attack: &&Attack<'_>| self.finding(attack).is_none() || attack.progress().ended.is_none();
        let missed: Vec<&str> = attacks.iter().filter(failed).map(|attack| attack.name).collect();
        assert!(missed.is_empty(), "not found or not ended: {missed:?}\n{}", self.all());
    }

    /// Everything that was found, a line each.
    fn all(&self) -> String {
        let line = |(finding, _): &(Finding, Instant)| {
            let subject = finding.subject().map(ToString::to_string).unwrap_or_default();
            let place = finding.endpoint.as_deref().unwrap_or_default();
            format!("{:<24} {:>3} {:>5} {subject:<24} {place}", finding.kind, finding.confidence, finding.count)
        };
        self.seen.values().map(line).collect::<Vec<_>>().join("\n")
    }

    /// A line for each attack: when it was found and ended, by whom, and after how many requests.
    pub(super) fn table(&self, attacks: &[Attack<'_>]) -> String {
        let head = format!(
            "{:<28} {:<22} {:>10} {:>10} {:>9}  decided by",
            "attack", "finding", "found s", "ended s", "requests"
        );
        let lines = attacks.iter().map(|attack| self.line(attack));
        std::iter::once(head).chain(lines).collect::<Vec<_>>().join("\n")
    }

    fn line(&self, attack: &Attack<'_>) -> String {
        let (progress, found) = (attack.progress(), self.finding(attack));
        let since = |moment: Option<Instant>| {
            let after = moment.zip(progress.began).map(|(moment, began)| moment.saturating_duration_since(began));
            after.map_or_else(|| "-".to_owned(), |after: Duration| format!("{:.2}", after.as_secs_f64()))
        };
        let (kind, first) = found.map_or(("-", None), |(finding, first)| (&*finding.kind, Some(*first)));
        let person = found.is_some_and(|(finding, _)| self.by_hand.contains(&finding.id.0));
        let who = if person { "a person" } else { "itself" };
        let (name, steps) = (attack.name, progress.steps);
        format!("{name:<28} {kind:<22} {:>10} {:>10} {steps:>9}  {who}", since(first), since(progress.ended))
    }
}

/// What is wrong with the bank itself, or with what an attacker brought: it gives out cards, and believes a token without an end in
/// sight.
const WEAKNESSES: [&str; 2] = ["long_lived_token", "sensitive_data_in_answer"];
