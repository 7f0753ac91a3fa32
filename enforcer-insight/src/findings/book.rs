//! All findings, each once. In: signs with filter, service and time; exceptions. Out: whether a finding is new, and all of them in
//! order. Never here: calls.
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use enforcer_policy::Moment;
use serde::Serialize;

use super::exception::{Exception, Exceptions};
use super::finding::{Finding, FindingId};
use super::sign::Sign;
use crate::filters::Word;

/// The findings of a host. Bounded: the one that was raised longest ago gives way, and is counted.
#[derive(Debug)]
pub struct Findings {
    held: BTreeMap<FindingId, Finding>,
    /// By the time they were raised last.
    order: BTreeSet<(Moment, FindingId)>,
    exceptions: Exceptions,
    limit: usize,
    counts: Counts,
}

/// What became of signs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Counts {
    /// New findings.
    pub new: u64,
    /// Signs of a finding that there was.
    pub again: u64,
    /// Signs that an exception covers.
    pub excepted: u64,
    /// Findings that gave way to newer ones.
    pub forgotten: u64,
}

/// What became of one sign.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Noted {
    /// It is counted with a finding that was told.
    Again(FindingId),
    /// An exception covers it.
    Excepted,
    /// A new finding.
    New(FindingId),
    /// A finding that was told, and is more certain now, or went on after a pause: to be told, and decided on, again.
    Worse(FindingId),
}

impl Findings {
    /// Room for `limit` findings, at least one.
    pub fn new(limit: usize) -> Self {
        let (held, order) = (BTreeMap::new(), BTreeSet::new());
        Self { held, order, exceptions: Exceptions::default(), limit: limit.max(1), counts: Counts::default() }
    }

    /// Takes a sign of a filter on a service.
    pub fn note(&mut self, filter: &Word, service: &Arc<str>, sign: Sign, now: Moment) -> Noted {
        let finding = Finding::new(filter, service, sign, now);
        if self.exceptions.covering(&finding, now).is_some() {
            self.counts.excepted += 1;
            return Noted::Excepted;
        }
        let id = finding.id;
        let Some(held) = self.held.get_mut(&id) else {
            self.insert(finding);
            return Noted::New(id);
        };
        self.order.remove(&(held.last, id));
        let paused = held.last.until(now) >= PAUSE;
        let worse = paused || finding.confidence > held.confidence || finding.severity > held.severity;
        held.absorb(finding);
        self.order.insert((held.last, id));
        self.counts.again += 1;
        if worse { Noted::Worse(id) } else { Noted::Again(id) }
    }

    fn insert(&mut self, finding: Finding) {
        if self.held.len() >= self.limit
            && let Some((_, oldest)) = self.order.pop_first()
        {
            self.held.remove(&oldest);
            self.counts.forgotten += 1;
        }
        self.counts.new += 1;
        self.order.insert((finding.last, finding.id));
        self.held.insert(finding.id, finding);
    }

    /// Takes back what was kept before: told already, so not new.
    pub fn restore(&mut self, kept: impl IntoIterator<Item = Finding>) {
        for finding in kept.into_iter().take(self.limit) {
            if !self.held.contains_key(&finding.id) {
                self.order.insert((finding.last, finding.id));
                self.held.insert(finding.id, finding);
            }
        }
    }

    /// One of them.
    pub fn find(&self, id: FindingId) -> Option<&Finding> {
        self.held.get(&id)
    }

    /// All, the one that was raised last first.
    pub fn iter(&self) -> impl Iterator<Item = &Finding> {
        self.order.iter().rev().filter_map(|(_, id)| self.held.get(id))
    }

    /// How many there are.
    pub fn held(&self) -> usize {
        self.held.len()
    }

    /// What became of signs.
    pub const fn counts(&self) -> Counts {
        self.counts
    }

    /// Turns a finding into the narrowest exception: it goes, and is not raised again. `None` when there is no such finding, or no
    /// room for exceptions; then nothing has changed.
    pub fn except(&mut self, id: FindingId, reason: &str) -> Option<Exception> {
        let exception = Exception::from_finding(self.held.get(&id)?, reason);
        self.add_exception(exception.clone()).then_some(exception)
    }

    /// Adds an exception; findings that it covers go. False when there is no room.
    pub fn add_exception(&mut self, exception: Exception) -> bool {
        let added = self.exceptions.add(exception);
        let exceptions = &self.exceptions;
        let covered = |finding: &&Finding| exceptions.covering(finding, finding.last).is_some();
        let gone: Vec<_> = self.held.values().filter(covered).map(|finding| (finding.last, finding.id)).collect();
        for (last, id) in gone {
            self.order.remove(&(last, id));
            self.held.remove(&id);
        }
        added
    }

    /// Takes an exception away: what it covered is raised again when it is seen again.
    pub fn remove_exception(&mut self, id: FindingId) -> Option<Exception> {
        self.exceptions.remove(id)
    }

    /// All exceptions.
    pub const fn exceptions(&self) -> &Exceptions {
        &self.exceptions
    }
}

/// A finding that was silent for so long is told again.
const PAUSE: Duration = Duration::from_hours(1);
