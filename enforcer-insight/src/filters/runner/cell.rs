//! One filter on one service. In: calls, ticks, parameters, what they cost. Out: signs, or the end of the filter. Never here: other
//! filters.
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use enforcer_policy::Moment;
use enforcer_policy::document::Mode;

use super::budget::{Budget, Spent, Stopped};
use super::{Change, Notice, Raised, Status};
use crate::filters::catalogue::{Entry, Make};
use crate::filters::record::{Asked, Record};
use crate::filters::{Filter, Out, Parameters, Seen, Tools, Word};

/// A filter with its mode, its parameters and its costs.
pub(super) struct Running {
    name: Word,
    service: Arc<str>,
    mode: Mode,
    parameters: Parameters,
    filter: Option<Box<dyn Filter>>,
    /// What it was made by; none when it was given up.
    make: Option<Arc<Make>>,
    stopped: Option<Stopped>,
    spent: Spent,
    /// Costs at the beginning of the average.
    mark: Spent,
    out: Out,
    /// Memory is to be asked for.
    asks: bool,
    /// Calls since the mark that took too long.
    strikes: u32,
}

/// The filter came back, or panicked.
pub(super) type Told = Result<(), ()>;

impl Running {
    /// A new one; stopped at once should it panic when it is made.
    pub(super) fn start(
        entry: &Entry,
        tools: &Tools,
        service: &Arc<str>,
        mode: Mode,
        parameters: Parameters,
    ) -> (Self, Notice) {
        let (name, service) = (entry.name.clone(), Arc::clone(service));
        let (spent, mark, out) = Default::default();
        let mut cell = Self {
            name,
            service,
            mode,
            parameters,
            filter: None,
            make: None,
            stopped: None,
            spent,
            mark,
            out,
            asks: true,
            strikes: 0,
        };
        let change = cell.make(entry, tools);
        let notice = cell.notice(change);
        (cell, notice)
    }

    fn make(&mut self, entry: &Entry, tools: &Tools) -> Change {
        let made = catch_unwind(AssertUnwindSafe(|| (entry.make)(&self.parameters, tools)));
        (self.filter, self.stopped) = made.map_or((None, Some(Stopped::Panicked)), |filter| (Some(filter), None));
        self.make = Some(Arc::clone(&entry.make));
        if let Some(why) = self.halted() {
            self.stop(why);
        }
        (self.spent, self.mark, self.strikes) = Default::default();
        self.stopped.map_or(Change::Started, Change::Stopped)
    }

    /// In place of one that never came back.
    pub(super) fn given_up(name: Word, service: Arc<str>, mode: Mode) -> Self {
        let (parameters, spent, mark, out) = Default::default();
        Self {
            name,
            service,
            mode,
            parameters,
            filter: None,
            make: None,
            stopped: Some(Stopped::Looped),
            spent,
            mark,
            out,
            asks: false,
            strikes: 0,
        }
    }

    /// What stays known of it while its lock cannot be had.
    pub(super) fn label(&self) -> (Word, Arc<str>, Mode) {
        (self.name.clone(), Arc::clone(&self.service), self.mode)
    }

    pub(super) fn is(&self, filter: &str, service: &str) -> bool {
        self.name == filter && *self.service == *service
    }

    /// True when it comes from this entry and not from another of the same name. One that was given up stays so, whatever comes
    /// in its place: its thread still runs.
    pub(super) fn is_of(&self, entry: &Entry) -> bool {
        self.make.as_ref().is_none_or(|make| Arc::ptr_eq(make, &entry.make))
    }

    pub(super) fn notice(&self, change: Change) -> Notice {
        Notice { filter: self.name.clone(), service: Arc::clone(&self.service), change }
    }

    pub(super) fn set_mode(&mut self, mode: Mode) -> Option<Notice> {
        let other = mode != self.mode;
        self.mode = mode;
        other.then(|| self.notice(Change::Mode(mode)))
    }

    /// Takes mode and parameters; what has changed is told.
    pub(super) fn retune(&mut self, mode: Mode, parameters: Parameters) -> Vec<Notice> {
        let mut notices: Vec<Notice> = self.set_mode(mode).into_iter().collect();
        if parameters != self.parameters {
            self.parameters = parameters;
            let told = self.guarded(|filter, parameters, _| filter.retune(parameters));
            let why = told.err().map(|()| Stopped::Panicked).or_else(|| self.halted());
            let change = why.map_or(Change::Retuned, |why| self.stop(why));
            notices.push(self.notice(change));
        }
        notices
    }

    /// Makes a stopped one again.
    pub(super) fn restart(&mut self, entry: &Entry, tools: &Tools) -> Option<Notice> {
        if matches!(self.stopped, None | Some(Stopped::Looped)) {
            return None;
        }
        let change = self.make(entry, tools);
        Some(self.notice(change))
    }

    pub(super) fn on_call(&mut self, seen: &Seen<'_>) -> Told {
        self.guarded(|filter, _, out| {
            if seen.call.is_refused() {
                return filter.on_refused(seen, out);
            }
            filter.on_request(seen, out);
            if let Some(answer) = &seen.call.answer {
                filter.on_response(seen, answer, out);
            }
        })
    }

    pub(super) fn on_tick(&mut self, now: Moment) -> Told {
        // A tick is when memory is asked for, too.
        self.asks = true;
        self.guarded(|filter, _, out| filter.on_tick(now, out))
    }

    /// Runs something of the filter; nothing when it was stopped.
    fn guarded(&mut self, run: impl FnOnce(&mut dyn Filter, &Parameters, &mut Out)) -> Told {
        let Some(filter) = &mut self.filter else { return Ok(()) };
        let (parameters, out) = (&self.parameters, &mut self.out);
        let ran = catch_unwind(AssertUnwindSafe(|| run(&mut **filter, parameters, out)));
        // What it panicked with has been told by the panic hook.
        ran.map_err(drop)
    }

    /// Counts what a call or tick has cost, takes its signs, and stops the filter if it must stop. Returns signs that were lost.
    pub(super) fn settle(
        &mut self,
        told: Told,
        nanos: u64,
        budget: &Budget,
        raised: &mut Vec<Raised>,
        notices: &mut Vec<Notice>,
    ) -> u64 {
        if self.filter.is_none() {
            return 0;
        }
        self.spent.calls += 1;
        self.spent.nanos += nanos;
        self.spent.worst = self.spent.worst.max(nanos);
        if let Some(why) = self.must_stop(told, nanos, budget) {
            let change = self.stop(why);
            notices.push(self.notice(change));
            return 0;
        }
        if self.out.is_empty() {
            return 0;
        }
        let (signs, lost) = self.out.take();
        self.spent.signs += signs.len() as u64;
        let (filter, service, mode) = (&self.name, &self.service, self.mode);
        raised.extend(signs.into_iter().map(|sign| {
            let (filter, service) = (filter.clone(), Arc::clone(service));
            Raised { filter, service, mode, sign }
        }));
        lost
    }

    fn must_stop(&mut self, told: Told, nanos: u64, budget: &Budget) -> Option<Stopped> {
        if told.is_err() {
            return Some(Stopped::Panicked);
        }
        if let Some(why) = self.halted() {
            return Some(why);
        }
        self.strikes += u32::from(nanos > budget.worst);
        if nanos > budget.worst && self.strikes >= Budget::STRIKES {
            return Some(Stopped::TooSlow { nanos });
        }
        if std::mem::take(&mut self.asks) || self.spent.calls.is_multiple_of(Budget::ASKS) {
            let bytes = self.held_bytes();
            if bytes > budget.bytes {
                return Some(Stopped::TooLarge { bytes });
            }
        }
        let calls = self.spent.calls - self.mark.calls;
        if calls < Budget::CALLS {
            return None;
        }
        let mean = (self.spent.nanos - self.mark.nanos) / calls;
        (self.mark, self.strikes) = (self.spent, 0);
        (mean > budget.mean).then_some(Stopped::TooSlow { nanos: mean })
    }

    /// Why the filter itself says that it cannot go on.
    fn halted(&self) -> Option<Stopped> {
        let asked = catch_unwind(AssertUnwindSafe(|| self.filter.as_ref().and_then(|filter| filter.halted())));
        asked.unwrap_or(Some(Stopped::Panicked))
    }

    /// Lets go of the filter. What it said in its last call is not believed; it may panic once more when it goes.
    fn stop(&mut self, why: Stopped) -> Change {
        let filter = self.filter.take();
        drop(catch_unwind(AssertUnwindSafe(|| drop(filter))));
        drop(self.out.take());
        self.stopped = Some(why);
        Change::Stopped(why)
    }

    /// Lets go of the filter because all of them together hold too much.
    pub(super) fn make_room(&mut self) -> Notice {
        let bytes = self.held_bytes();
        let change = self.stop(Stopped::TooLarge { bytes });
        self.notice(change)
    }

    pub(super) fn held_bytes(&self) -> usize {
        let asked = catch_unwind(AssertUnwindSafe(|| self.filter.as_ref().map_or(0, |filter| filter.held_bytes())));
        asked.unwrap_or(usize::MAX)
    }

    pub(super) fn status(&self) -> Status {
        let forgotten = || self.filter.as_ref().map_or(0, |filter| filter.forgotten());
        Status {
            filter: self.name.clone(),
            service: Arc::clone(&self.service),
            mode: self.mode,
            stopped: self.stopped,
            spent: self.spent,
            held_bytes: self.held_bytes(),
            forgotten: catch_unwind(AssertUnwindSafe(forgotten)).unwrap_or_default(),
        }
    }

    pub(super) fn records(&self, asked: &Asked) -> Vec<Record> {
        let records = || self.filter.as_ref().map(|filter| filter.records(asked)).unwrap_or_default();
        catch_unwind(AssertUnwindSafe(records)).unwrap_or_default()
    }
}
