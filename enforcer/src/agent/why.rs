//! Why something happens: the data path's own steps, in its order, each answered from what the maps hold now.
use std::time::Duration;

use enforcer_common::{
    Action, Address, AllowKind, IdentityKey, Outcome, Prefix, Rule, SourceRule, UNTIL_NEVER, Verdict,
};
use enforcer_policy::{Decision, Scope, Subject};

use super::core::Core;
use super::orders::{exempts_requests, with_token};
use super::reports::verdict_of;
use crate::config::LostAgent;
use crate::kernel::{Kernel, monotonic};
use crate::wire::{Exit, Held, KernelEntry, Trouble, WhyReport, WhySubject};

impl Core {
    /// Explains a verdict.
    pub(super) fn why(&self, subject: &WhySubject) -> Result<WhyReport, Trouble> {
        match subject {
            WhySubject::Ip(address) => Ok(self.why_address(*address, &address.to_string())),
            WhySubject::Token { kind, value } => Ok(self.why_token(&with_token(*kind, value, self.key)?)),
            WhySubject::Decision(id) => {
                let unknown = || {
                    Trouble::new(
                        Exit::Nothing,
                        format!("there is no decision {id}"),
                        "enforcer list; ended decisions are forgotten",
                    )
                };
                Ok(self.why_decision(&self.ledger.by_id(*id).ok_or_else(unknown)?))
            }
        }
    }

    fn why_decision(&self, decision: &Decision) -> WhyReport {
        match &decision.subject {
            Subject::Ip(prefix) => self.why_address(prefix.address(), &prefix.to_string()),
            Subject::Device(_) | Subject::Session(_) | Subject::User(_) | Subject::ApiKey(_) => {
                self.why_token(&decision.subject)
            }
            Subject::Flow(key) => {
                let held = self.kernel.flow(key).ok().flatten();
                let entry = rule_entry("flows", decision.subject.to_string(), held);
                let mut report = report(decision.subject.to_string(), std::slice::from_ref(decision), vec![entry]);
                let refuses = held.filter(|rule| rule.until() > monotonic()).map(|rule| verdict_of(rule.action()));
                self.conclude(&mut report, refuses, &[key.source()], false);
                report
            }
        }
    }

    fn why_address(&self, address: Address, subject: &str) -> WhyReport {
        let decisions = self.ledger.covering(address);
        let prefixes = decisions.iter().filter_map(|decision| decision.subject.network());
        let held: Vec<(Prefix, Option<SourceRule>)> =
            prefixes.map(|prefix| (prefix, self.kernel.source(prefix))).collect();
        let entries = held.iter().map(|(prefix, rule)| source_entry(*prefix, *rule)).collect();
        let outcome = held
            .iter()
            .filter_map(|(_, rule)| *rule)
            .fold(Outcome::CLEAN, |all, rule| all.and(Kernel::meaning(rule, monotonic())));
        let mut report = report(subject.to_owned(), &decisions, entries);
        let refuses = if outcome.has(Outcome::REFUSE) {
            Some(Verdict::Drop)
        } else {
            outcome.has(Outcome::OBSERVE).then_some(Verdict::Observe)
        };
        let allowed = self.allowed();
        report.allowed = allowed.iter().filter(|one| one.prefix.contains(address)).map(Into::into).collect();
        if allowed.iter().any(|one| one.prefix.contains(address) && one.kind == AllowKind::Proxy) {
            report.because.push(TRUSTED_PROXY.to_owned());
        }
        self.conclude(&mut report, refuses, &[address], false);
        report
    }

    fn why_token(&self, subject: &Subject) -> WhyReport {
        let decisions = self.on_token(subject);
        let digest = subject.token().map_or(0, |token| token.digest);
        let lookup = |scope: &Scope| IdentityKey::new(subject.kind(), digest, scope.id());
        let held: Vec<(String, Option<Rule>)> = decisions
            .iter()
            .map(|decision| {
                let text = format!("{} {subject} on {}", subject.kind().name(), decision.scope);
                (text, self.kernel.identity(&lookup(&decision.scope)).ok().flatten())
            })
            .collect();
        let refuses = held.iter().filter_map(|(_, rule)| *rule).filter(|rule| rule.until() > monotonic());
        let refuses = refuses.map(|rule| verdict_of(rule.action())).max();
        let entries = held.into_iter().map(|(text, rule)| rule_entry("identities", text, rule)).collect();
        let mut report = report(format!("{} {subject}", subject.kind().name()), &decisions, entries);
        for service in self.config.services.iter().filter(|service| !service.enforce) {
            report.because.push(format!("the service {} only observes", service.name));
        }
        self.conclude(&mut report, refuses, &[], true);
        report
    }

    /// The steps of the data path, and where they end.
    fn conclude(&self, report: &mut WhyReport, refuses: Option<Verdict>, sources: &[Address], request: bool) {
        let steps = &mut report.because;
        if self.kernel.bypass().unwrap_or(false) {
            steps.push("bypass is on: everything passes".to_owned());
            return;
        }
        steps.push("bypass is off".to_owned());
        let Some(verdict) = refuses else {
            steps.push("the kernel holds no decision in force for it".to_owned());
            return;
        };
        steps.push(format!("the kernel holds a decision in force for it: {}", verdict.name()));
        let allowed = self.allowed();
        let winner = sources.iter().find_map(|address| {
            allowed.iter().find(|one| one.prefix.contains(*address) && (!request || exempts_requests(one.kind)))
        });
        if let Some(entry) = winner.filter(|_| verdict > Verdict::Observe) {
            steps.push(format!("the allowlist entry {} wins", entry.prefix));
            return;
        }
        if let LostAgent::PassAfter(_) = self.config.agent.lost_agent {
            steps.push("the agent is alive, so its lease holds".to_owned());
        }
        steps.push(match verdict {
            Verdict::Pass | Verdict::Observe => "it is counted and passes".to_owned(),
            Verdict::Limit => "what is over the rate gets 429, the server's socket is reset".to_owned(),
            Verdict::Deny => "the client gets 403, the server's socket is reset".to_owned(),
            Verdict::Reset => "both sides get a reset".to_owned(),
            Verdict::Drop => "it is dropped".to_owned(),
        });
        report.verdict = verdict;
    }
}

/// Said of every address on the allowlist as a proxy.
const TRUSTED_PROXY: &str = "it is a trusted proxy: it can never be refused as a source, and the addresses it forwards for \
                             are believed; its requests are judged by their own device, session, user, key and client address";

/// A report without a verdict yet.
fn report(subject: String, decisions: &[Decision], kernel: Vec<KernelEntry>) -> WhyReport {
    WhyReport {
        subject,
        verdict: Verdict::Pass,
        because: Vec::new(),
        decisions: decisions.iter().map(Into::into).collect(),
        allowed: Vec::new(),
        kernel,
    }
}

fn source_entry(prefix: Prefix, rule: Option<SourceRule>) -> KernelEntry {
    let now = monotonic();
    let held = rule.map_or(Held::Absent, |rule| {
        if Kernel::meaning(rule, now).has(Outcome::EXPIRED) { Held::Expired } else { Held::Present }
    });
    let action = rule.map(|rule| if rule.observes() { Action::Observe } else { Action::Drop });
    let expires_in =
        rule.and_then(|rule| rule.seconds_left(seconds(now))).map(|left| Duration::from_secs(u64::from(left)));
    KernelEntry { map: "sources".to_owned(), entry: prefix.to_string(), held, action, expires_in }
}

fn rule_entry(map: &str, entry: String, rule: Option<Rule>) -> KernelEntry {
    let now = monotonic();
    let held = rule.map_or(Held::Absent, |rule| if rule.until() <= now { Held::Expired } else { Held::Present });
    let finite = rule.filter(|rule| rule.until() != UNTIL_NEVER);
    let expires_in = finite.map(|rule| Duration::from_nanos(rule.until().saturating_sub(now)));
    KernelEntry { map: map.to_owned(), entry, held, action: rule.map(|rule| rule.action()), expires_in }
}

/// Whole seconds of the kernel's clock, as the source tables count them.
fn seconds(monotonic: u64) -> u32 {
    u32::try_from((monotonic / 1_000_000_000) & 0xffff_ffff).unwrap_or(0)
}
