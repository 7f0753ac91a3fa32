//! Filters and findings on this host. In: calls; the configuration. Out: findings, and decisions that are made by themselves; both
//! are told to whoever follows events. Never here: what filters look for (`enforcer-insight`), where they run (`filters`).
mod kept;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use enforcer_insight::Call;
use enforcer_insight::decide::{Course, Decider, Draft};
use enforcer_insight::filters::{Budget, Change, Notice, Raised, Runner, Seed, Status, Tools};
use enforcer_insight::findings::{Exception, Finding, FindingId, Findings, Noted};
use enforcer_policy::{DecisionId, Moment, Origin, Subject};

pub(super) use kept::keep_findings;

use super::core::Core;
use super::{Shared, clock};
use crate::config::Config;
use crate::filters::{Listener, Supervisor};
use crate::kernel::monotonic;
use crate::metrics::FindingCounts;
use crate::modules::Modules;
use crate::sync::keep_secret;
use crate::wire::{BlockReport, Exit, FilterReport, FindingReport, FindingsPage, NoticeKind, NoticeReport, Trouble};

/// Findings that are known at once.
const FINDINGS: usize = 10_000;
/// Findings that are told at a time: they must fit into a frame.
const MOST_TOLD: u32 = 1000;
/// Signs and notices that wait to be taken.
const WAITING: usize = 4096;
/// How often filters are looked after, and after how many looks they are told the time.
const LOOK: Duration = Duration::from_millis(100);
const LOOKS_A_TICK: u32 = 10;

/// All that belongs to filters.
pub(super) struct Watch {
    /// The filters that are files.
    modules: Modules,
    supervisor: Option<Supervisor>,
    heard: Arc<Heard>,
    statuses: Arc<Mutex<Vec<Status>>>,
    findings: Findings,
    decider: Decider,
    /// What findings have led to.
    decided: BTreeMap<FindingId, DecisionId>,
    /// How many decisions that were.
    decisions: u64,
    looks: u32,
    /// What the file of findings holds.
    kept: (u64, u64, usize),
}

impl Default for Watch {
    fn default() -> Self {
        Self {
            modules: Modules::default(),
            supervisor: None,
            heard: Arc::default(),
            statuses: Arc::default(),
            findings: Findings::new(FINDINGS),
            decider: Decider::default(),
            decided: BTreeMap::new(),
            decisions: 0,
            looks: 0,
            kept: Default::default(),
        }
    }
}

/// What filters said, until it is taken. Bounded: what is too much is counted.
#[derive(Default)]
struct Heard(Mutex<News>);

#[derive(Default)]
struct News {
    raised: Vec<(Raised, Moment)>,
    notices: Vec<Notice>,
    lost: u64,
}

impl Heard {
    fn news(&self) -> MutexGuard<'_, News> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Listener for Heard {
    fn raised(&self, signs: Vec<Raised>, now: Moment) {
        let mut news = self.news();
        let room = WAITING.saturating_sub(news.raised.len());
        news.lost += signs.len().saturating_sub(room) as u64;
        news.raised.extend(signs.into_iter().take(room).map(|sign| (sign, now)));
    }

    fn noticed(&self, notices: Vec<Notice>) {
        let mut news = self.news();
        let room = WAITING.saturating_sub(news.notices.len());
        news.notices.extend(notices.into_iter().take(room));
    }
}

/// Looks after filters until dropped.
pub(super) async fn tend_filters(core: Shared) {
    let mut looks = tokio::time::interval(LOOK);
    looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        core.lock().tend_filters();
    }
}

impl Core {
    /// Starts the filters.
    pub(super) fn open_filters(&mut self) {
        // A filter that cannot be used never keeps the agent from starting.
        let (modules, problems) = self.watch.modules.load(&self.own);
        if !problems.0.is_empty() {
            tracing::error!(%problems, "not all modules can be used");
            self.problems.insert("modules", format!("the others run: {problems}"));
        }
        self.watch.modules = modules;
        let tools = Tools { seed: Seed::new(self.key.0) };
        let runner = Runner::new(self.watch.modules.catalogue(), tools, Budget::default());
        let heard: Arc<dyn Listener> = Arc::<Heard>::clone(&self.watch.heard);
        match Supervisor::start(runner, heard) {
            Ok(supervisor) => self.watch.supervisor = Some(supervisor),
            Err(error) => drop(self.problems.insert("filters", format!("no filter runs: {error}"))),
        }
        self.open_findings();
        self.open_exceptions();
        self.apply_filters();
    }

    /// Lets those filters run that the configuration wants.
    pub(super) fn apply_filters(&self) {
        let catalogue = self.watch.modules.catalogue();
        let wanted = self.config.wanted_filters(&catalogue);
        if let Some(supervisor) = &self.watch.supervisor {
            supervisor.order(move |runner| {
                runner.learn(catalogue);
                runner.apply(&wanted);
            });
        }
    }

    /// The modules of a configuration; one problem, and they stay as they are.
    pub(super) fn load_modules(&self, config: &Config) -> Result<Modules, Trouble> {
        let (modules, problems) = self.watch.modules.load(config);
        if problems.0.is_empty() {
            return Ok(modules);
        }
        let message = format!("modules have problems:\n{problems}");
        Err(Trouble::new(Exit::Failed, message, "enforcer filter test shows what a module does"))
    }

    /// The filters that are files.
    pub(super) const fn modules(&self) -> &Modules {
        &self.watch.modules
    }

    /// How filters do, as of the last look.
    pub(super) fn filter_statuses(&self) -> &Mutex<Vec<Status>> {
        &self.watch.statuses
    }

    /// Lets these be the modules, once filters are applied; returns those before.
    pub(super) fn swap_modules(&mut self, modules: Modules) -> Modules {
        std::mem::replace(&mut self.watch.modules, modules)
    }

    /// Shows a call to the filters.
    pub(super) fn show(&self, call: Call) {
        if let Some(supervisor) = &self.watch.supervisor {
            supervisor.show(call);
        }
    }

    fn tend_filters(&mut self) {
        self.watch.looks = self.watch.looks.wrapping_add(1);
        if let Some(supervisor) = &mut self.watch.supervisor {
            match supervisor.check() {
                Ok(()) => drop(self.problems.remove("filters")),
                Err(error) => drop(self.problems.insert("filters", format!("filters wait for a thread: {error}"))),
            }
            if self.watch.looks.is_multiple_of(LOOKS_A_TICK) {
                supervisor.tick(clock::now());
                let statuses = Arc::clone(&self.watch.statuses);
                supervisor
                    .order(move |runner| *statuses.lock().unwrap_or_else(PoisonError::into_inner) = runner.status());
            }
        }
        let News { raised, notices, .. } = {
            let mut news = self.watch.heard.news();
            let lost = news.lost;
            std::mem::replace(&mut *news, News { lost, ..News::default() })
        };
        for (raised, now) in raised {
            self.take_sign(raised, now);
        }
        for notice in &notices {
            self.take_notice(notice);
        }
    }

    /// A sign becomes a finding; a new one becomes a decision, or waits for a person.
    fn take_sign(&mut self, raised: Raised, now: Moment) {
        let Raised { filter, service, mode, sign } = raised;
        let (Noted::New(id) | Noted::Worse(id)) = self.watch.findings.note(&filter, &service, sign, now) else {
            return;
        };
        let Some(finding) = self.watch.findings.find(id).cloned() else { return };
        let allowed = self.allowed();
        let guard = |subject: &Subject| {
            subject.network().is_some_and(|network| allowed.iter().any(|one| one.prefix.overlaps(network)))
        };
        let outcome = match self.watch.decider.course(&finding, mode, &guard, now) {
            Course::Wait(why) => format!("it waits for a person: {why}"),
            Course::Decide(draft) => match self.decide_on(&finding, draft, &format!("filter {filter}")) {
                Ok(report) => format!("decided ({})", report.decision.id),
                Err(trouble) => format!("it could not be decided: {}", trouble.message),
            },
        };
        tracing::warn!(finding = %id, filter = &*filter, kind = &*finding.kind, service = &*service, outcome, "finding");
        let place = finding.endpoint.as_deref().unwrap_or(&service);
        let message = format!("{filter}: {} on {place}, confidence {}; {outcome}", finding.kind, finding.confidence);
        let notice = NoticeReport { time: now, notice: NoticeKind::Finding, message };
        self.tell_finding(&finding, &outcome);
        self.tell_notice(notice);
    }

    /// The decision that a finding led to last.
    pub(super) fn decision_of(&self, id: FindingId) -> Option<DecisionId> {
        self.watch.decided.get(&id).copied()
    }

    /// Carries out what a finding leads to.
    fn decide_on(&mut self, finding: &Finding, draft: Draft, who: &str) -> Result<BlockReport, Trouble> {
        let order = draft.order(Origin::Finding, who, clock::now());
        let report = self.carry_out(order, monotonic())?;
        self.watch.decided.insert(finding.id, report.decision.id);
        self.watch.decisions += 1;
        if self.watch.decided.len() > FINDINGS {
            let findings = &self.watch.findings;
            self.watch.decided.retain(|id, _| findings.find(*id).is_some());
        }
        Ok(report)
    }

    fn take_notice(&self, notice: &Notice) {
        let Notice { filter, service, change } = notice;
        match change {
            Change::Stopped(why) => {
                tracing::error!(filter = &**filter, service = &**service, %why, "a filter was stopped");
            }
            Change::Refused(problems) => {
                for problem in problems {
                    tracing::error!(%problem, "parameters of a filter do not fit; it keeps those it has");
                }
            }
            Change::Replaced => {
                tracing::info!(filter = &**filter, service = &**service, "another version of a filter runs");
            }
            Change::Ended | Change::Mode(_) | Change::Retuned | Change::Started | Change::Unknown => {
                tracing::debug!(filter = &**filter, service = &**service, ?change, "filter");
            }
        }
        if matches!(change, Change::Stopped(_)) {
            // It may have been given up while the matrix was applied.
            self.apply_filters();
        }
    }

    /// How filters do, in the words of the socket.
    pub(super) fn filters_in_words(&self) -> Vec<FilterReport> {
        let catalogue = self.watch.modules.catalogue();
        let statuses = self.watch.statuses.lock().unwrap_or_else(PoisonError::into_inner);
        let report = |status: &Status| FilterReport::new(status, catalogue.find(&status.filter));
        statuses.iter().map(report).collect()
    }

    /// Starts a filter again that was stopped.
    pub(super) fn restart_filter(&self, filter: &str, service: &str) -> Result<(), Trouble> {
        let known = self.filters_in_words().iter().any(|one| one.filter == filter && one.service == service);
        let supervisor = self.watch.supervisor.as_ref().filter(|_| known);
        let Some(supervisor) = supervisor else {
            let message = format!("no filter {filter} runs on a service {service}");
            return Err(Trouble::new(Exit::Nothing, message, "enforcer filters shows those there are"));
        };
        let (filter, service) = (filter.to_owned(), service.to_owned());
        supervisor.order(move |runner| _ = runner.restart(&filter, &service));
        Ok(())
    }

    /// Findings, the latest first, in the words of the socket.
    pub(super) fn findings_in_words(
        &self,
        service: Option<&str>,
        id: Option<u64>,
        limit: u32,
    ) -> Result<String, Trouble> {
        let wanted = |finding: &&Finding| {
            service.is_none_or(|name| *finding.service == *name) && id.is_none_or(|id| finding.id == FindingId(id))
        };
        let report = |finding: &Finding| {
            let decision = self.decision_of(finding.id);
            FindingReport { finding: finding.clone(), decision }
        };
        let found: Vec<&Finding> = self.watch.findings.iter().filter(wanted).collect();
        let findings = found.iter().copied().take(limit.min(MOST_TOLD) as usize).map(report).collect();
        let exceptions = self.watch.findings.exceptions().iter().cloned().collect();
        let page = FindingsPage { findings, total: found.len() as u64, exceptions };
        serde_json::to_string(&page).map_err(|error| Trouble::new(Exit::Failed, error.to_string(), ""))
    }

    /// A person decides as a finding suggests.
    pub(super) fn decide_finding(
        &mut self,
        id: FindingId,
        lasts: Option<Duration>,
        who: &str,
    ) -> Result<BlockReport, Trouble> {
        let finding = self.finding(id)?.clone();
        let Some(mut draft) = Draft::of(&finding) else {
            let message = format!("finding {id} suggests no decision: {}", finding.fix);
            return Err(Trouble::new(
                Exit::Refused,
                message,
                "decide with enforcer block, or enforcer findings except",
            ));
        };
        draft.lasts = lasts.unwrap_or(draft.lasts);
        self.decide_on(&finding, draft, who)
    }

    /// A person says that a finding is all right: it goes, and is not raised again.
    pub(super) fn except_finding(&mut self, id: FindingId, reason: &str) -> Result<(), Trouble> {
        self.finding(id)?;
        if self.watch.findings.except(id, reason).is_none() {
            let hint = "take exceptions out of the file exceptions in the state folder, and restart the agent";
            return Err(Trouble::new(Exit::Refused, "there is no room for more exceptions", hint));
        }
        let exceptions: Vec<&Exception> = self.watch.findings.exceptions().iter().collect();
        let text = serde_json::to_vec_pretty(&exceptions).unwrap_or_default();
        keep_secret(&self.exceptions_file(), &text).map_err(|error| {
            let message = format!("it holds now, and a restart will forget it: {error}");
            Trouble::new(Exit::Failed, message, "make room in the state folder, then say it again")
        })
    }

    fn finding(&self, id: FindingId) -> Result<&Finding, Trouble> {
        let nothing = || Trouble::new(Exit::Nothing, format!("there is no finding {id}"), "enforcer findings");
        self.watch.findings.find(id).ok_or_else(nothing)
    }

    /// What was excepted before.
    fn open_exceptions(&mut self) {
        let path = self.exceptions_file();
        let Ok(text) = std::fs::read(&path) else { return };
        match serde_json::from_slice::<Vec<Exception>>(&text) {
            Ok(exceptions) => {
                for exception in exceptions {
                    self.watch.findings.add_exception(exception);
                }
            }
            Err(error) => {
                let problem = format!("{} cannot be read, so nothing is excepted: {error}", path.display());
                self.problems.insert("exceptions", problem);
            }
        }
    }

    fn exceptions_file(&self) -> PathBuf {
        self.config.agent.state_dir.join("exceptions")
    }

    /// What is exported as metrics.
    pub(super) fn finding_counts(&self) -> FindingCounts {
        let counts = self.watch.findings.counts();
        let lost = self.watch.supervisor.as_ref().map_or(0, |supervisor| supervisor.lost().full);
        FindingCounts {
            new: counts.new,
            forgotten: counts.forgotten,
            decided: self.watch.decisions,
            lost: lost + self.watch.heard.news().lost,
            filters: self.filters_in_words(),
        }
    }
}
