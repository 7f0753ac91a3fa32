//! The monthly report of a host: what changed, what was found, what was decided and by whom, where protection is missing.
//!
//! In: what the agent answered ([`Sources`]), and a [`Month`]. Out: a [`Report`], as data or as one page that prints well. Never here:
//! asking the agent, files, values of requests: tokens are masked by the agent already.
//!
//! The agent keeps what is in force and what it knows, no history: decisions that were made and ended within the month are in the
//! journal of the system and at the center, and not here. The page says so.
mod month;
mod page;

use std::collections::BTreeMap;

use enforcer_insight::filters::Catalogue;
use enforcer_insight::findings::Exception;
use enforcer_policy::Moment;
use serde::Serialize;

use crate::wire::{ApiLine, DecisionReport, FilterReport, FindingReport, StatusReport};

pub use month::{Month, MonthError};
pub use page::page;

/// What the agent answered.
pub struct Sources {
    /// When it was asked.
    pub now: Moment,
    /// The host's name.
    pub host: String,
    /// How it is.
    pub status: StatusReport,
    /// The filters that run.
    pub filters: Vec<FilterReport>,
    /// The latest findings.
    pub findings: Vec<FindingReport>,
    /// How many there are.
    pub all_findings: u64,
    /// What was said to be all right.
    pub exceptions: Vec<Exception>,
    /// Every endpoint.
    pub endpoints: Vec<ApiLine>,
    /// The decisions in force.
    pub decisions: Decided,
}

/// Decisions in force, counted as they come.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct Decided {
    /// All of them.
    pub in_force: u64,
    /// Those made within the month, by origin and who is answerable.
    pub made: BTreeMap<String, BTreeMap<String, u64>>,
    /// Those without an end.
    pub for_good: u64,
    /// The latest of the month, at most [`SHOWN`].
    pub latest: Vec<DecisionReport>,
}

/// One report.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Report {
    /// Which month.
    pub month: Month,
    /// When it was made, in unix milliseconds.
    pub made_at: u64,
    /// Of which host.
    pub host: String,
    /// The agent's version.
    pub version: String,
    /// What is wrong now.
    pub problems: Vec<String>,
    /// Endpoints first called in the month, those not called in it, and those of high risk.
    pub inventory: Changes,
    /// For each service, each filter of the catalogue, and how it runs there.
    pub coverage: Vec<Covered>,
    /// Findings of the month, the worst first.
    pub findings: Vec<FindingReport>,
    /// Findings that the agent knows besides those it told.
    pub older_findings: u64,
    /// Decisions.
    pub decisions: Decided,
    /// What was said to be all right.
    pub exceptions: Vec<Exception>,
    /// Differences between policy and kernel: now, and mended since the agent's start.
    pub drift: (u64, u64),
}

/// What changed in the inventory.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct Changes {
    /// Endpoints that are known.
    pub known: usize,
    /// First called in the month.
    pub new: Vec<ApiLine>,
    /// Not called in the month, nor after it.
    pub silent: Vec<ApiLine>,
    /// Of a risk of [`RISKY`] and more.
    pub risky: Vec<ApiLine>,
}

/// A service's row of the matrix.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Covered {
    /// The service.
    pub service: String,
    /// `enforce` or `observe`: what its decisions do.
    pub mode: String,
    /// Who named it.
    pub from: String,
    /// `enforce`, `observe`, `stopped` or `off`, by filter.
    pub filters: BTreeMap<String, String>,
}

/// Decisions that are shown one by one.
pub const SHOWN: usize = 200;
/// A risk that is worth a line.
pub const RISKY: u8 = 50;

impl Decided {
    /// One more; the latest come last.
    pub fn count(&mut self, decision: &DecisionReport, month: Month) {
        self.in_force += 1;
        self.for_good += u64::from(decision.until.is_none());
        if !month.holds(decision.created) {
            return;
        }
        let origin = serde_json::to_value(decision.origin).ok();
        let origin = origin.and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default();
        *self.made.entry(origin).or_default().entry(decision.approved_by.clone()).or_default() += 1;
        let place = self.latest.partition_point(|one| one.created <= decision.created);
        self.latest.insert(place, decision.clone());
        if self.latest.len() > SHOWN {
            self.latest.remove(0);
        }
    }
}

impl Report {
    /// What the sources say of a month.
    pub fn of(sources: Sources, month: Month) -> Self {
        let Sources { now, host, status, filters, findings, all_findings, exceptions, endpoints, decisions } = sources;
        let told = findings.len() as u64;
        let seen = |report: &FindingReport| month.holds(report.finding.last) || month.holds(report.finding.first);
        let mut findings: Vec<FindingReport> = findings.into_iter().filter(seen).collect();
        findings.sort_by_key(|report| std::cmp::Reverse((report.finding.severity, report.finding.last)));
        Self {
            month,
            made_at: now.0,
            host,
            version: status.version.clone(),
            problems: status.problems.clone(),
            inventory: Changes::of(&endpoints, month),
            coverage: coverage(&status, &filters),
            findings,
            older_findings: all_findings.saturating_sub(told),
            decisions,
            exceptions,
            drift: (status.drift.differences, status.drift.repaired),
        }
    }
}

impl Changes {
    fn of(endpoints: &[ApiLine], month: Month) -> Self {
        let chosen = |wanted: &dyn Fn(&ApiLine) -> bool| endpoints.iter().filter(|one| wanted(one)).cloned().collect();
        let mut risky: Vec<ApiLine> = chosen(&|one| one.risk >= RISKY);
        risky.sort_by_key(|one| std::cmp::Reverse(one.risk));
        Self {
            known: endpoints.len(),
            new: chosen(&|one| one.first.is_some_and(|first| month.holds(first))),
            silent: chosen(&|one| one.last.is_some_and(|last| last < month.begin())),
            risky,
        }
    }
}

fn coverage(status: &StatusReport, filters: &[FilterReport]) -> Vec<Covered> {
    let catalogue = Catalogue::built_in();
    let row = |service: &crate::wire::ServiceReport| {
        let running = |name: &str| filters.iter().find(|one| one.filter == name && one.service == service.name);
        let mode = |name: &str| match running(name) {
            None => "off",
            Some(one) if one.stopped.is_some() => "stopped",
            Some(one) => one.mode.as_str(),
        };
        let others = filters.iter().map(|one| one.filter.clone());
        let names = catalogue.iter().map(|entry| entry.name.to_string()).chain(others);
        Covered {
            service: service.name.clone(),
            mode: service.mode.clone(),
            from: service.from.clone(),
            filters: names.map(|name| (name.clone(), mode(&name).to_owned())).collect(),
        }
    };
    status.services.iter().map(row).collect()
}

#[cfg(test)]
mod tests;
