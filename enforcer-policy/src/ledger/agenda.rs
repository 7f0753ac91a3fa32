//! When to look at which slot again. Only slots with an end are noted, so that a look each second costs nothing.
//!
//! In: how a slot's end moved. Out: slots that may be over. Never here: the rows; whether a slot is really over is asked there.
//!
//! A slot with an end has at least one note no later than that end. Notes are never searched for: an extension leaves the
//! old one (looked at once more when it comes up), a removal leaves a stale one. When most are stale, all are made anew.
use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::row::NEVER;
use crate::Moment;

/// Notes, the earliest on top.
#[derive(Default)]
pub(super) struct Agenda {
    notes: BinaryHeap<Reverse<(Moment, u32)>>,
    /// Slots with an end.
    ending: usize,
}

impl Agenda {
    /// The end of `slot` moved; [`NEVER`] before means it is new, after means it is gone (or really never).
    pub(super) fn moved(&mut self, slot: u32, before: Moment, after: Moment) {
        self.ending += usize::from(after != NEVER);
        self.ending -= usize::from(before != NEVER);
        if after < before {
            self.notes.push(Reverse((after, slot)));
        }
    }

    /// The next slot to look at, taken off.
    pub(super) fn due(&mut self, now: Moment) -> Option<u32> {
        let top = self.notes.peek_mut().filter(|top| top.0.0 <= now)?;
        let Reverse((_, slot)) = std::collections::binary_heap::PeekMut::pop(top);
        Some(slot)
    }

    /// What was taken off ends later.
    pub(super) fn again(&mut self, slot: u32, until: Moment) {
        if until != NEVER {
            self.notes.push(Reverse((until, slot)));
        }
    }

    /// Nothing is due before this.
    pub(super) fn next(&self) -> Option<Moment> {
        self.notes.peek().map(|top| top.0.0)
    }

    pub(super) fn is_mostly_stale(&self) -> bool {
        self.notes.len() > 2 * self.ending + SLACK
    }

    pub(super) fn rebuild(&mut self, ends: impl Iterator<Item = (u32, Moment)>) {
        self.notes = ends.filter(|(_, until)| *until != NEVER).map(|(slot, until)| Reverse((until, slot))).collect();
    }
}

/// Too few to bother.
const SLACK: usize = 1024;
