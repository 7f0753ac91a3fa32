//! All decisions and the allowlist, in memory.
//!
//! In: orders, with the time and some randomness as arguments. Out: decisions and what changed. Never here: I/O, a clock, the
//! kernel (the caller compiles what comes out), limits on how many there are (the kernel's maps have those).
//!
//! Decisions come out as copies: inside they are packed (`row`), because a million of them must fit beside the service.
mod agenda;
mod allowlist;
mod order;
mod page;
mod row;
mod table;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use enforcer_common::{Address, Prefix};

use crate::{Allowed, Decision, DecisionId, Endpoint, Moment, Note, Scope, Subject};
use agenda::Agenda;
use allowlist::Allowlist;
use row::{NEVER, Row};
use table::Table;

pub use order::{Blocked, Change, Order, Refusal};
pub use page::{Counts, Filter, Page};

/// All decisions, one per subject and scope, and all allowlist entries, one per network.
#[derive(Default)]
pub struct Ledger {
    table: Table,
    agenda: Agenda,
    allowlist: Allowlist,
    /// Of the last restored decision: those of one list follow each other and share it.
    restored_note: Option<Arc<Note>>,
}

impl Ledger {
    /// Carries out an order.
    ///
    /// A subject that is already blocked in this scope keeps its decision's id; the decision takes the new action, and the
    /// later of both ends unless the order shortens. The note is replaced when anything else changes.
    pub fn block(&mut self, order: Order, now: Moment, entropy: u32) -> Result<Blocked, Refusal> {
        order.check(now)?;
        let hash = self.table.hash(&order.subject, &order.scope);
        let known = self.table.find(hash, &order.subject, &order.scope);
        let amended = known.and_then(|slot| self.amend(slot, &order));
        Ok(amended.unwrap_or_else(|| self.add(hash, order, DecisionId::new(now, entropy))))
    }

    /// Takes a decision back.
    pub fn unblock(&mut self, subject: &Subject, scope: &Scope) -> Option<Decision> {
        let slot = self.table.find(self.table.hash(subject, scope), subject, scope)?;
        self.remove(slot)
    }

    /// Takes the decision with this id back.
    pub fn unblock_id(&mut self, id: DecisionId) -> Option<Decision> {
        let slot = self.table.slot(id)?;
        self.remove(slot)
    }

    /// Takes out the decisions whose end has come.
    pub fn expire(&mut self, now: Moment) -> Vec<Decision> {
        self.expire_up_to(now, usize::MAX)
    }

    /// The same, at most `limit` of them: a whole list may end in one second, and its removal should not hold up the rest.
    pub fn expire_up_to(&mut self, now: Moment, limit: usize) -> Vec<Decision> {
        let mut expired = Vec::new();
        while expired.len() < limit {
            let Some(slot) = self.agenda.due(now) else { break };
            match self.table.row(slot).map(|row| row.until) {
                Some(until) if until <= now => expired.extend(self.remove(slot)),
                // Extended since it was noted.
                Some(until) => self.agenda.again(slot, until),
                None => {}
            }
        }
        expired
    }

    /// No decision and no allowlist entry ends before this; `None` when none ever does.
    ///
    /// It may be earlier than the true next end, after an extension: then the call to `expire` finds nothing and it moves on.
    pub fn next_expiry(&self) -> Option<Moment> {
        [self.agenda.next(), self.allowlist.next_expiry()].into_iter().flatten().min()
    }

    /// Puts a decision from the store back as it was, and gives what it replaces.
    ///
    /// An id that another subject holds is replaced by a fresh one: a damaged store must not cost a decision.
    pub fn insert_raw(&mut self, mut decision: Decision) -> Option<Decision> {
        let replaced = self.unblock(&decision.subject, &decision.scope);
        match &self.restored_note {
            Some(note) if *note == decision.note => decision.note = Arc::clone(note),
            Some(_) | None => self.restored_note = Some(Arc::clone(&decision.note)),
        }
        let hash = self.table.hash(&decision.subject, &decision.scope);
        decision.id = self.table.vacant(decision.id);
        self.insert(hash, Row::new(decision));
        replaced
    }

    /// Makes room for this many more decisions at once.
    pub fn reserve(&mut self, additional: usize) {
        self.table.reserve(additional);
    }

    fn add(&mut self, hash: u64, order: Order, id: DecisionId) -> Blocked {
        let id = self.table.next_id(id);
        let Order { subject, scope, action, rate, until, note, .. } = order;
        let row = Row::new(Decision { id, subject, scope, action, rate, until, note });
        let decision = row.decision();
        self.insert(hash, row);
        Blocked { decision, change: Change::Added }
    }

    fn insert(&mut self, hash: u64, row: Row) {
        let until = row.until;
        let slot = self.table.insert(hash, row);
        self.agenda.moved(slot, NEVER, until);
    }

    fn amend(&mut self, slot: u32, order: &Order) -> Option<Blocked> {
        let row = self.table.row_mut(slot)?;
        let old = row.until;
        let asked = order.until.unwrap_or(NEVER);
        let until = if order.shorten { asked } else { asked.max(old) };
        let change = Change::between((row.action(), row.rate(), old), (order.action, order.rate, until));
        if change != Change::Unchanged {
            row.amend(order.action, order.rate, until, Arc::clone(&order.note));
        }
        let decision = row.decision();
        self.agenda.moved(slot, old, until);
        self.tidy();
        Some(Blocked { decision, change })
    }

    fn remove(&mut self, slot: u32) -> Option<Decision> {
        let row = self.table.remove(slot)?;
        self.agenda.moved(slot, row.until, NEVER);
        self.tidy();
        Some(row.decision())
    }

    fn tidy(&mut self) {
        if self.agenda.is_mostly_stale() {
            self.agenda.rebuild(self.table.slots().map(|(slot, row)| (slot, row.until)));
        }
    }
}

/// Looking things up.
impl Ledger {
    /// The decision on this subject in this scope.
    pub fn get(&self, subject: &Subject, scope: &Scope) -> Option<Decision> {
        let slot = self.table.find(self.table.hash(subject, scope), subject, scope)?;
        self.table.row(slot).map(Row::decision)
    }

    /// The decision with this id.
    pub fn by_id(&self, id: DecisionId) -> Option<Decision> {
        self.table.row(self.table.slot(id)?).map(Row::decision)
    }

    /// All decisions on networks that hold `address`, the narrowest first. Families are apart, as in the kernel.
    pub fn covering(&self, address: Address) -> Vec<Decision> {
        self.table.covering(address).map(Row::decision).collect()
    }

    /// The endpoints that decisions speak of, each once.
    pub fn endpoints(&self) -> impl Iterator<Item = &Arc<Endpoint>> {
        self.table.endpoints()
    }

    /// All decisions, oldest id first.
    pub fn iter(&self) -> impl Iterator<Item = Decision> {
        self.table.after(None).map(Row::decision)
    }

    /// The networks that decisions speak of, in no order.
    pub fn networks(&self) -> impl Iterator<Item = Prefix> {
        self.table.slots().filter_map(|(_, row)| row.network())
    }

    /// Up to `limit` decisions that pass `filter`, oldest id first, from the one after `after`.
    ///
    /// A decision that exists while all pages are read is on exactly one of them.
    pub fn page(&self, after: Option<DecisionId>, limit: usize, filter: &Filter) -> Page {
        let mut found = self.table.after(after).filter(|row| filter.admits(row));
        let decisions: Vec<Decision> = found.by_ref().take(limit).map(Row::decision).collect();
        let next = decisions.last().map(|last| last.id).filter(|_| found.next().is_some());
        Page { decisions, next }
    }

    /// How many decisions there are.
    pub fn len(&self) -> usize {
        self.table.counts().total()
    }

    /// True when there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many there are of each kind.
    pub fn counts(&self) -> Counts {
        self.table.counts()
    }
}

/// The allowlist.
impl Ledger {
    /// Adds an entry, and gives the one of the same network that it replaces.
    pub fn allow(&mut self, allowed: Allowed) -> Option<Allowed> {
        self.allowlist.insert(allowed)
    }

    /// Takes an entry out.
    pub fn disallow(&mut self, prefix: Prefix) -> Option<Allowed> {
        self.allowlist.remove(prefix)
    }

    /// Takes out the entries whose end has come.
    pub fn expire_allowed(&mut self, now: Moment) -> Vec<Allowed> {
        self.allowlist.expire(now)
    }

    /// The entries that hold `address`, the narrowest first: that one counts in the kernel.
    pub fn allowed(&self, address: Address) -> Vec<&Allowed> {
        self.allowlist.covering(address)
    }

    /// All entries, by network.
    pub fn allowlist(&self) -> impl ExactSizeIterator<Item = &Allowed> {
        self.allowlist.iter()
    }
}
