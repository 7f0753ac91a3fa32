//! Runs filters. In: calls, ticks, which filters are wanted where, a meter of time. Out: signs with their filter and mode, notices
//! of what was started and stopped. Never here: threads, clocks, what signs lead to.
//!
//! Each filter of each service is a cell with a lock of its own. A filter that panics, is too slow or grows too large is stopped and
//! told of; the others go on and keep what they know. One that never comes back cannot be stopped from here: a supervisor on
//! another thread sees it by the [`Pulse`], abandons this runner, and makes another from the [`Rescue`], with all cells but that.
mod budget;
mod cell;
mod rescue;
mod wanted;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use enforcer_policy::Moment;
use enforcer_policy::document::Mode;
use serde::Serialize;

pub use budget::{Budget, Meter, Spent, Stopped};
use cell::Running;
pub use rescue::Rescue;
use rescue::{Shared, lock};
pub use wanted::{Wanted, WantedCell};

use super::record::{Asked, Record};
use super::seen::Eyes;
use super::{Catalogue, ParameterProblem, Parameters, Pulse, Tools, Word};
use crate::Call;
use crate::findings::Sign;

/// Runs the filters of all services.
pub struct Runner {
    catalogue: Catalogue,
    tools: Tools,
    eyes: Eyes,
    cells: BTreeMap<Arc<str>, Vec<Arc<Mutex<Running>>>>,
    budget: Budget,
    pulse: Arc<Pulse>,
    shared: Arc<Mutex<Shared>>,
    notices: Vec<Notice>,
    lost: u64,
}

/// A sign that was raised.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Raised {
    /// By this filter.
    pub filter: Word,
    /// On this service.
    pub service: Arc<str>,
    /// Which may do this much there.
    pub mode: Mode,
    /// What it said.
    pub sign: Sign,
}

/// Something happened to a filter.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Notice {
    /// The filter.
    pub filter: Word,
    /// Where.
    pub service: Arc<str>,
    /// What.
    pub change: Change,
}

/// What can happen to a filter.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Change {
    /// It is not wanted any more; what it knew is gone.
    Ended,
    /// It may do more or less, and keeps what it knows.
    Mode(Mode),
    /// Another version of it runs in its place; what it knew is gone.
    Replaced,
    /// Its parameters do not fit: those it has stay; a filter that has none is not started.
    Refused(Vec<ParameterProblem>),
    /// It has other parameters, and keeps what it knows.
    Retuned,
    /// It runs.
    Started,
    /// It was stopped, and stays so until it is started again by a person.
    Stopped(Stopped),
    /// No filter has this name.
    Unknown,
}

/// How a filter does.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Status {
    /// The filter.
    pub filter: Word,
    /// Where.
    pub service: Arc<str>,
    /// What it may do.
    pub mode: Mode,
    /// Why it does not run.
    pub stopped: Option<Stopped>,
    /// What it has cost.
    pub spent: Spent,
    /// Bytes that it holds.
    pub held_bytes: usize,
    /// What it would still know if there were more room.
    pub forgotten: u64,
}

impl Runner {
    /// Without filters yet.
    pub fn new(catalogue: Catalogue, tools: Tools, budget: Budget) -> Self {
        let (eyes, shared) = (Eyes::new(tools.seed), Shared { catalogue: catalogue.clone(), ..Shared::default() });
        let (pulse, shared) = (Arc::default(), Arc::new(Mutex::new(shared)));
        let (cells, notices) = (BTreeMap::new(), Vec::new());
        Self { catalogue, tools, eyes, cells, budget, pulse, shared, notices, lost: 0 }
    }

    /// For a supervisor: whether a filter is at work.
    pub fn pulse(&self) -> Arc<Pulse> {
        Arc::clone(&self.pulse)
    }

    /// For a supervisor: makes another runner, should this one not come back.
    pub fn rescue(&self) -> Rescue {
        Rescue::new(self.tools.clone(), self.budget, Arc::clone(&self.shared))
    }

    /// Knows other filters from now on. Which of them run is not changed by that, until a matrix is applied: then one whose entry
    /// is another gives way to it.
    pub fn learn(&mut self, catalogue: Catalogue) {
        self.catalogue = catalogue;
        self.share();
    }

    /// Starts, ends and retunes filters until they are as wanted; those that stay keep what they know.
    pub fn apply(&mut self, wanted: &Wanted) {
        let mut before: Vec<Arc<Mutex<Running>>> = std::mem::take(&mut self.cells).into_values().flatten().collect();
        for (service, filter, cell) in wanted.iter() {
            let held = before.iter().position(|held| lock(held).is(filter, service));
            let held = held.map(|at| before.swap_remove(at));
            // A filter may loop here, too.
            self.pulse.turn();
            let tuned = self.tune(held, service, filter, cell);
            self.pulse.turn();
            if let Some(running) = tuned {
                self.cells.entry(Arc::clone(service)).or_default().push(running);
            }
        }
        let mut ended: Vec<Notice> = before.iter().map(|held| lock(held).notice(Change::Ended)).collect();
        ended.sort_by(|one, two| (&one.service, &one.filter).cmp(&(&two.service, &two.filter)));
        self.notices.extend(ended);
        self.share();
    }

    /// A cell as it is wanted; `None` when it cannot be had.
    fn tune(
        &mut self,
        held: Option<Arc<Mutex<Running>>>,
        service: &Arc<str>,
        filter: &str,
        cell: &WantedCell,
    ) -> Option<Arc<Mutex<Running>>> {
        let notice = |change| Notice { filter: Word::Owned(filter.to_owned()), service: Arc::clone(service), change };
        let Some(entry) = self.catalogue.find(filter) else {
            self.notices.push(notice(Change::Unknown));
            return None;
        };
        let place = format!("matrix.{filter}.{service}");
        match (Parameters::read(&entry.schema, &place, &cell.parameters), held) {
            (Ok(parameters), Some(held)) if lock(&held).is_of(entry) => {
                self.notices.extend(lock(&held).retune(cell.mode, parameters));
                Some(held)
            }
            (Ok(parameters), other) => {
                let (running, mut notice) = Running::start(entry, &self.tools, service, cell.mode, parameters);
                if other.is_some() && notice.change == Change::Started {
                    notice.change = Change::Replaced;
                }
                self.notices.push(notice);
                Some(Arc::new(Mutex::new(running)))
            }
            (Err(problems), held) => {
                self.notices.push(notice(Change::Refused(problems)));
                held.inspect(|held| self.notices.extend(lock(held).set_mode(cell.mode)))
            }
        }
    }

    /// Lets the supervisor know of the cells.
    fn share(&self) {
        let cells: Vec<_> = self.cells.values().flatten().map(Arc::clone).collect();
        let labels = cells.iter().map(|cell| lock(cell).label()).collect();
        let catalogue = self.catalogue.clone();
        *self.shared.lock().unwrap_or_else(PoisonError::into_inner) = Shared { catalogue, cells, labels };
    }

    /// Starts a filter that was stopped, with nothing that it knew. False when there is none of this name on the service, or it
    /// was given up for looping: then only a restart of the agent helps.
    pub fn restart(&mut self, filter: &str, service: &str) -> bool {
        let cell = self.cells.get(service).into_iter().flatten().find(|cell| lock(cell).is(filter, service));
        let (Some(cell), Some(entry)) = (cell, self.catalogue.find(filter)) else { return false };
        let notice = lock(cell).restart(entry, &self.tools);
        let started = notice.is_some();
        self.notices.extend(notice);
        started
    }

    /// Shows a call to the filters of its service.
    pub fn on_call(&mut self, call: &Call, meter: &mut dyn Meter) -> Vec<Raised> {
        let Some(running) = self.cells.get(&call.service) else { return Vec::new() };
        let seen = self.eyes.see(call);
        let mut raised = Vec::new();
        let mut from = meter.nanos();
        for cell in running {
            if self.pulse.is_abandoned() {
                return Vec::new();
            }
            self.pulse.turn();
            let mut held = lock(cell);
            let told = held.on_call(&seen);
            self.pulse.turn();
            let to = meter.nanos();
            self.lost += held.settle(told, to.saturating_sub(from), &self.budget, &mut raised, &mut self.notices);
            from = to;
        }
        raised.iter_mut().filter(|_| seen.is_crowded).for_each(|raised| spare_the_crowd(&mut raised.sign));
        if self.pulse.is_abandoned() { Vec::new() } else { raised }
    }

    /// Tells all filters that time went by.
    pub fn on_tick(&mut self, now: Moment, meter: &mut dyn Meter) -> Vec<Raised> {
        let (mut raised, mut from) = (Vec::new(), meter.nanos());
        for cell in self.cells.values().flatten() {
            if self.pulse.is_abandoned() {
                return Vec::new();
            }
            self.pulse.turn();
            let mut held = lock(cell);
            let told = held.on_tick(now);
            self.pulse.turn();
            let to = meter.nanos();
            self.lost += held.settle(told, to.saturating_sub(from), &self.budget, &mut raised, &mut self.notices);
            from = to;
        }
        self.make_room();
        if self.pulse.is_abandoned() { Vec::new() } else { raised }
    }

    /// Stops the largest filter when all of them together hold too much; of equals, the last by service and name.
    fn make_room(&mut self) {
        let held: Vec<usize> = self.cells.values().flatten().map(|cell| lock(cell).held_bytes()).collect();
        let together = held.iter().fold(0, |sum: usize, bytes| sum.saturating_add(*bytes));
        if together <= self.budget.together {
            return;
        }
        let largest = self.cells.values().flatten().zip(held).max_by_key(|(_, bytes)| *bytes);
        self.notices.extend(largest.map(|(cell, _)| lock(cell).make_room()));
    }

    /// What happened to filters since this was asked last.
    pub fn take_notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices)
    }

    /// How all filters do, by service and name.
    pub fn status(&self) -> Vec<Status> {
        self.cells.values().flatten().map(|cell| lock(cell).status()).collect()
    }

    /// What the filters of a service wrote down of an identity, the newest first.
    pub fn records(&self, service: &str, asked: &Asked) -> Vec<Record> {
        let cells = self.cells.get(service).into_iter().flatten();
        cells.flat_map(|cell| lock(cell).records(asked)).collect()
    }

    /// Bytes that all filters hold together, and what they share.
    pub fn held_bytes(&self) -> usize {
        self.eyes.held_bytes() + self.status().iter().map(|status| status.held_bytes).sum::<usize>()
    }

    /// Signs that were too many for one call.
    pub const fn lost(&self) -> u64 {
        self.lost
    }
}

/// Nothing is suggested against an address where several people are served: a person has to find something narrower.
fn spare_the_crowd(sign: &mut Sign) {
    if sign.suggestion.as_ref().is_some_and(|suggestion| suggestion.subject.token().is_none()) {
        sign.suggestion = None;
        sign.confidence = sign.confidence.min(CROWDED);
    }
}

/// The highest confidence in somebody among others.
const CROWDED: u8 = 80;
