//! Lists: the same order for many subjects. In: chunks. Out: progress, then a report. One journal record per chunk, one
//! `fdatasync` at the end.
use std::collections::HashSet;
use std::sync::Arc;
use std::thread::{self, Builder};

use enforcer_common::Prefix;
use enforcer_policy::{
    Blocked, Change, Clock, Decision, DecisionId, Ledger, Moment, Note, Order, Origin, Scope, Subject, put, remove,
};

use super::clock;
use super::core::Core;
use super::orders::{note, token};
use super::tables::{Failed, GROUP, writing};
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

/// A second thread is worth its while for so many items.
const SHARED_AT: usize = 4096;
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
        let mut records = Batch::new(import);
        self.ledger.reserve(items.len());
        let is_large = items.len() >= SHARED_AT && items.iter().all(|item| network(item).is_some());
        let rejected = if is_large && !import.start.remove && self.kernel.has_room_for(items.len()) {
            self.put_all(import, &items, &mut records)
        } else {
            self.one_by_one(import, items, &mut records)
        };
        import.report.rejected += rejected.len() as u64;
        for record in records.finish() {
            if let Err(error) = self.journal.append(&record) {
                self.problems.insert("journal", format!("a list is enforced but not saved: {error}"));
            }
        }
        ImportProgress { done: import.done, rejected }
    }

    fn one_by_one(&mut self, import: &mut Import, items: Vec<ImportItem>, records: &mut Batch) -> Rejections {
        let mut rejected = Rejections::default();
        let mut index = 0;
        let mut items = items.into_iter();
        while items.len() != 0 {
            let group: Vec<Prefix> = items.as_slice().iter().take(GROUP).filter_map(network).collect();
            self.kernel.warm_sources(&group);
            for item in items.by_ref().take(GROUP) {
                if let Err(reason) = self.import_item(import, item, records) {
                    rejected.push(index, &reason);
                }
                index += 1;
            }
        }
        rejected
    }

    /// Ends an import: makes it durable.
    pub(super) fn import_end(&mut self, mut import: Import) -> ImportReport {
        let took = clock::since(import.arrived);
        self.enforcement.observe(took);
        import.report.enforced_in = Some(took);
        // A short list leaves the sweep to the next comparison; a long one's is done while the disk is waited for.
        let is_long = import.done * SWEPT_AT >= self.ledger.len() as u64;
        let Self { kernel, ledger, journal, .. } = self;
        let committed = thread::scope(|scope| {
            if is_long {
                // No thread to be had: the next comparison sweeps.
                let _ = Builder::new().spawn_scoped(scope, || kernel.sweep_filter(ledger.networks()));
            }
            journal.commit()
        });
        if let Err(error) = committed {
            self.problems.insert("journal", format!("a list is enforced but not saved: {error}"));
        }
        // Writes the journal anew after a problem. What remains of it is noted for `status`.
        let _ = self.keep(&[]);
        let ImportReport { added, extended, changed, removed, .. } = &import.report;
        let done = format!("{added} added, {extended} extended, {changed} changed, {removed} removed");
        self.tell_act(&import.note.approved_by, "import", format!("{done}: {}", import.note.reason));
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
        let entropy = self.entropy();
        let Some((decision, change)) = decide(&mut self.ledger, import, subject, entropy)? else { return Ok(()) };
        if let Err(error) = apply_one(&mut self.kernel, &put(&decision, &import.clock)) {
            return Err(self.no_room(&decision, change, &error));
        }
        import.count(change);
        records.put(decision, change);
        Ok(())
    }

    /// A chunk of networks that all find room: this thread decides, another one writes the tables.
    fn put_all(&mut self, import: &mut Import, items: &[ImportItem], records: &mut Batch) -> Rejections {
        let (entropy, mut rejected) = (self.entropy(), Rejections::default());
        let Self { ledger, kernel, .. } = self;
        let failed = writing(kernel, |tables| {
            for (first, group) in (0..).step_by(GROUP).zip(items.chunks(GROUP)) {
                let mut ops = Vec::with_capacity(GROUP);
                for (index, prefix) in (first..).zip(group.iter().filter_map(network)) {
                    match decide(ledger, import, Subject::Ip(prefix), entropy) {
                        Ok(None) => {}
                        Ok(Some((decision, change))) => {
                            ops.push((index, put(&decision, &import.clock)));
                            import.count(change);
                            records.put(decision, change);
                        }
                        Err(reason) => rejected.push(index, &reason),
                    }
                }
                tables.write(ops);
            }
        });
        self.take_back(import, items, &failed, records);
        for (index, error) in &failed {
            rejected.push(*index, &error.to_string());
        }
        rejected
    }

    /// What the kernel could not take is taken back, where it is new. (A line that repeats such an entry counts as unchanged.)
    fn take_back(&mut self, import: &mut Import, items: &[ImportItem], failed: &[Failed], records: &mut Batch) {
        let lost: HashSet<Prefix> =
            failed.iter().filter_map(|(index, _)| items.get(*index as usize).and_then(network)).collect();
        if lost.is_empty() {
            return;
        }
        records.added.retain(|(id, prefix)| {
            let is_lost = lost.contains(prefix);
            if is_lost {
                self.ledger.unblock_id(*id);
                import.report.added -= 1;
            }
            !is_lost
        });
        for (_, error) in failed {
            self.note_if_full(error);
        }
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

impl Import {
    fn order(&self, subject: Subject) -> Order {
        Order {
            subject,
            scope: self.scope.clone(),
            action: self.start.action,
            rate: self.start.rate,
            until: self.until,
            shorten: self.start.shorten,
            wide: self.start.wide,
            note: Arc::clone(&self.note),
        }
    }

    fn count(&mut self, change: Change) {
        let counter = match change {
            Change::Added => &mut self.report.added,
            Change::Extended => &mut self.report.extended,
            Change::Changed | Change::Shortened => &mut self.report.changed,
            Change::Unchanged => &mut self.report.unchanged,
        };
        *counter += 1;
    }
}

/// Enters an order into the ledger; nothing comes out when nothing changes.
fn decide(
    ledger: &mut Ledger,
    import: &mut Import,
    subject: Subject,
    entropy: u32,
) -> Result<Option<(Decision, Change)>, String> {
    let blocked = ledger.block(import.order(subject), import.note.created, entropy);
    let Blocked { decision, change } = blocked.map_err(|refusal| refusal.to_string())?;
    if change == Change::Unchanged {
        import.count(change);
        return Ok(None);
    }
    Ok(Some((decision, change)))
}

fn network(item: &ImportItem) -> Option<Prefix> {
    match item {
        ImportItem::Network(prefix) => Some(*prefix),
        ImportItem::Token(_) => None,
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
