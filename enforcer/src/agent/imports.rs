//! Lists: the same order for many subjects. In: chunks. Out: progress, then a report. One journal record per chunk, one
//! `fdatasync` at the end.
use std::sync::Arc;

use enforcer_common::Prefix;
use enforcer_policy::{Change, Clock, Decision, DecisionId, Moment, Note, Order, Origin, Scope, Subject, put, remove};

use super::clock;
use super::core::Core;
use super::orders::{note, token};
use crate::apply::apply_one;
use crate::kernel::{KernelError, monotonic};
use crate::store::Record;
use crate::wire::{ImportItem, ImportProgress, ImportReport, ImportStart, Rejections, Trouble};

/// An import under way.
pub(super) struct Import {
    start: ImportStart,
    scope: Scope,
    until: Option<Moment>,
    note: Arc<Note>,
    report: ImportReport,
    done: u64,
    arrived: u64,
    /// Both clocks, as of this chunk.
    clock: Clock,
}

/// Items whose places in the tables are read ahead.
const GROUP: usize = 64;
/// Lists of at least one in so many decisions leave a filter that is swept.
const SWEPT_AT: u64 = 8;

impl Core {
    /// Opens an import.
    pub(super) fn import(&mut self, start: ImportStart, who: &str) -> Result<Import, Trouble> {
        let scope = self.scope(start.scope.as_deref())?;
        if !start.remove {
            self.place(&scope)?;
        }
        Ok(Import {
            scope,
            until: start.until(clock::now()),
            note: note(&start.reason, Origin::List, who)?,
            report: ImportReport::default(),
            done: 0,
            arrived: monotonic(),
            clock: clock::both(),
            start,
        })
    }

    /// Carries out one chunk.
    pub(super) fn import_chunk(&mut self, import: &mut Import, items: Vec<ImportItem>) -> ImportProgress {
        import.clock = clock::both();
        import.arrived = import.clock.kernel;
        import.done += items.len() as u64;
        let mut rejected = Rejections::default();
        let mut records = Batch::new(import);
        self.ledger.reserve(items.len());
        let mut index = 0;
        let mut items = items.into_iter();
        while items.len() != 0 {
            self.warm(items.as_slice());
            for item in items.by_ref().take(GROUP) {
                if let Err(reason) = self.import_item(import, item, &mut records) {
                    rejected.push(index, &reason);
                }
                index += 1;
            }
        }
        import.report.rejected += rejected.len() as u64;
        for record in records.finish() {
            if let Err(error) = self.journal.append(&record) {
                self.problems.insert("journal", format!("a list is enforced but not saved: {error}"));
            }
        }
        ImportProgress { done: import.done, rejected }
    }

    /// The tables for the next group are read while nothing waits for them.
    fn warm(&self, items: &[ImportItem]) {
        let network = |item: &ImportItem| match item {
            ImportItem::Network(prefix) => Some(*prefix),
            ImportItem::Token(_) => None,
        };
        let group: Vec<Prefix> = items.iter().take(GROUP).filter_map(network).collect();
        self.kernel.warm_sources(&group);
    }

    /// Ends an import: makes it durable.
    pub(super) fn import_end(&mut self, mut import: Import) -> ImportReport {
        let took = clock::since(import.arrived);
        self.enforcement.observe(took);
        import.report.enforced_in = Some(took);
        // A short list leaves that to the next comparison.
        if import.done * SWEPT_AT >= self.ledger.len() as u64 {
            self.sweep_filter();
        }
        // A problem for `status`, and noted there.
        let _ = self.keep(&[]);
        import.report
    }

    fn import_item(&mut self, import: &mut Import, item: ImportItem, records: &mut Batch) -> Result<(), String> {
        let subject = match item {
            ImportItem::Network(prefix) => Subject::Ip(prefix),
            ImportItem::Token(raw) => {
                let token = token(raw.reveal(), self.key).map_err(|trouble| trouble.message)?;
                Subject::with_token(import.start.kind, token).ok_or("not a network, and networks were announced")?
            }
        };
        if import.start.remove {
            self.take_off(import, &subject, records)
        } else {
            self.put_on(import, subject, records)
        }
    }

    fn put_on(&mut self, import: &mut Import, subject: Subject, records: &mut Batch) -> Result<(), String> {
        let order = Order {
            subject,
            scope: import.scope.clone(),
            action: import.start.action,
            rate: import.start.rate,
            until: import.until,
            shorten: import.start.shorten,
            wide: import.start.wide,
            note: Arc::clone(&import.note),
        };
        let entropy = self.entropy();
        let blocked = self.ledger.block(order, import.note.created, entropy).map_err(|refusal| refusal.to_string())?;
        let counter = match blocked.change {
            Change::Unchanged => {
                import.report.unchanged += 1;
                return Ok(());
            }
            Change::Added => &mut import.report.added,
            Change::Extended => &mut import.report.extended,
            Change::Changed | Change::Shortened => &mut import.report.changed,
        };
        let decision = blocked.decision;
        if let Err(error) = apply_one(&mut self.kernel, &put(&decision, &import.clock)) {
            return Err(self.no_room(&decision, blocked.change, &error));
        }
        *counter += 1;
        records.put(decision, blocked.change);
        Ok(())
    }

    /// The kernel could not take it: what is new is taken back; what was there before stays there, with the old end.
    fn no_room(&mut self, decision: &Decision, change: Change, error: &KernelError) -> String {
        if change == Change::Added {
            self.ledger.unblock_id(decision.id);
        }
        self.note_if_full(error);
        error.to_string()
    }

    fn take_off(&mut self, import: &mut Import, subject: &Subject, records: &mut Batch) -> Result<(), String> {
        let Some(decision) = self.ledger.get(subject, &import.scope) else {
            import.report.unchanged += 1;
            return Ok(());
        };
        apply_one(&mut self.kernel, &remove(&decision)).map_err(|error| error.to_string())?;
        self.ledger.unblock_id(decision.id);
        self.lift(&decision);
        import.report.removed += 1;
        records.removed.push(decision.id);
        Ok(())
    }
}

/// The records of one chunk: new addresses together, everything else one by one.
struct Batch {
    note: Arc<Note>,
    scope: Scope,
    action: enforcer_policy::Action,
    until: Option<Moment>,
    added: Vec<(DecisionId, Prefix)>,
    others: Vec<Record>,
    removed: Vec<DecisionId>,
}

impl Batch {
    fn new(import: &Import) -> Self {
        Self {
            note: Arc::clone(&import.note),
            scope: import.scope.clone(),
            action: import.start.action,
            until: import.until,
            added: Vec::new(),
            others: Vec::new(),
            removed: Vec::new(),
        }
    }

    fn put(&mut self, decision: Decision, change: Change) {
        match (&decision.subject, change) {
            (Subject::Ip(prefix), Change::Added) => self.added.push((decision.id, *prefix)),
            _ => self.others.push(Record::Put(decision)),
        }
    }

    fn finish(self) -> Vec<Record> {
        let mut records = self.others;
        if !self.added.is_empty() {
            let (note, scope, action, until) = (self.note, self.scope, self.action, self.until);
            records.push(Record::PutMany { note, scope, action, until, items: self.added });
        }
        if !self.removed.is_empty() {
            records.push(Record::RemoveMany(self.removed));
        }
        records
    }
}
