//! Decisions of the center in this host's ledger and kernel, beside those that were made here.
//!
//! In: verified changes, from the sync room. Out: orders to the ledger, the kernel and the journal, as `block` gives them; and
//! what the kernel holds, read back. Never here: the network, signatures.
//!
//! A decision that was made on this host stands before the center's on the same subject and scope, until it ends. One of the
//! center's that was ended here by hand stays ended, until the center ends or changes it itself.
mod services;
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use enforcer_policy::document::{Allow, Base};
use enforcer_policy::reach::{Answer, Question};
use enforcer_policy::revision::{Delta, Digest, Entry, Known, Leaves};
use enforcer_policy::{
    Allowed, Decision, DecisionId, MapOp, Moment, Note, Order, Origin, put, put_allow, remove, remove_allow,
};

use super::Shared;
use super::clock;
use super::core::Core;
use crate::apply::apply_one;
use crate::config::LeftOut;
use crate::store::Record;
use crate::sync::{Held, Host, Phase, Shelf, Skipped, Traffic};
use crate::wire::CenterReport;

/// Decisions that are carried out at once; then others may speak to the agent.
const AT_ONCE: usize = 1024;

/// What is known of the center's policy here.
#[derive(Default)]
pub(super) struct CenterState {
    groups: Vec<String>,
    state_dir: PathBuf,
    /// Everything but its decisions.
    base: Base,
    /// What of that cannot be carried out here.
    left_out: Vec<LeftOut>,
    /// They failed as a whole, and are tried again.
    unserved: bool,
    entries: BTreeMap<DecisionId, (Arc<Entry>, Standing)>,
    skipped: Skipped,
    held: Leaves,
    lifted: BTreeSet<DecisionId>,
    waiting: BTreeSet<DecisionId>,
    /// Decisions of the center that the journal knows and the accepted revisions do not: of a revision that was enforced when
    /// the agent died, and not kept yet. They stay until the center has spoken.
    unexplained: BTreeSet<DecisionId>,
    /// It has spoken since the start.
    heard: bool,
    report: Option<CenterReport>,
}

/// What became of a decision here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Standing {
    Elsewhere,
    Failed,
    Held,
    Lifted,
    Local,
}

impl CenterState {
    fn is_for(&self, allow: &Allow) -> bool {
        allow.groups.is_empty() || allow.groups.iter().any(|group| self.groups.contains(group))
    }

    fn count(&mut self, standing: Standing) -> Option<&mut u64> {
        match standing {
            Standing::Elsewhere => Some(&mut self.skipped.elsewhere),
            Standing::Failed => Some(&mut self.skipped.failed),
            Standing::Held => None,
            Standing::Lifted => Some(&mut self.skipped.lifted),
            Standing::Local => Some(&mut self.skipped.local),
        }
    }

    fn note(&mut self, entry: &Arc<Entry>, standing: Standing) {
        let id = entry.decision.id;
        self.drop_standing(id);
        if let Some(count) = self.count(standing) {
            *count += 1;
        }
        match standing {
            Standing::Held => drop(self.held.put(id, entry.leaf())),
            Standing::Local => drop(self.waiting.insert(id)),
            Standing::Elsewhere | Standing::Failed | Standing::Lifted => {}
        }
        self.entries.insert(id, (Arc::clone(entry), standing));
    }

    fn drop_standing(&mut self, id: DecisionId) -> Option<(Arc<Entry>, Standing)> {
        let (entry, standing) = self.entries.remove(&id)?;
        if let Some(count) = self.count(standing) {
            *count -= 1;
        }
        self.held.take(id);
        self.waiting.remove(&id);
        Some((entry, standing))
    }
}

impl Core {
    /// At the start, before anybody is served: what was accepted earlier, against what the journal brought back.
    pub(super) fn open_center(&mut self, lifted: BTreeSet<DecisionId>, content: &Delta, name: &str) {
        self.center.lifted = lifted;
        self.center.report = Some(CenterReport { host: name.to_owned(), ..CenterReport::default() });
        let wanted: BTreeSet<DecisionId> = content.put.iter().map(|entry| entry.decision.id).collect();
        let stale = |decision: &Decision| decision.note.origin == Origin::Center && !wanted.contains(&decision.id);
        self.center.unexplained = self.ledger.iter().filter(stale).map(|decision| decision.id).collect();
        // Services and the allowlist are as they were in force, which may be newer than this: nothing of them goes before the center
        // has spoken.
        let mut records = Vec::new();
        for allow in content.base.iter().flat_map(|base| &base.allow) {
            if self.center.is_for(allow) {
                self.allow_one(allow, &mut records);
            }
        }
        // A problem for `status`, and noted there.
        let _ = self.keep(&records);
        self.take_center(&Delta { base: None, ..content.clone() });
    }

    /// Carries out a part of a change.
    fn take_center(&mut self, delta: &Delta) {
        let mut records = Vec::new();
        if let Some(base) = &delta.base {
            self.allow_center(&base.allow, &mut records);
            self.serve_center(base);
        }
        for entry in &delta.put {
            if self.center.drop_standing(entry.decision.id).is_some_and(|(old, _)| old != *entry) {
                self.center.lifted.remove(&entry.decision.id);
            }
            let standing = self.stand(entry, &mut records);
            self.center.note(entry, standing);
        }
        for id in &delta.remove {
            self.center.lifted.remove(id);
            if let Some((_, Standing::Held | Standing::Failed)) = self.center.drop_standing(*id) {
                self.end_center(*id, &mut records);
            }
        }
        // A problem for `status`, and noted there.
        let _ = self.keep(&records);
    }

    /// The center has spoken: what it did not name is over.
    fn settle(&mut self, base: &Base) {
        if !std::mem::replace(&mut self.center.heard, true) {
            self.take_center(&Delta { base: Some(base.clone()), ..Delta::default() });
        }
        let mut unexplained = std::mem::take(&mut self.center.unexplained);
        unexplained.retain(|id| !self.center.entries.contains_key(id));
        let mut records = Vec::new();
        for id in unexplained {
            self.end_center(id, &mut records);
        }
        if !records.is_empty() {
            // A problem for `status`, and noted there.
            let _ = self.keep(&records);
        }
    }

    /// Brings one decision into force, if it is for this host and nothing here stands before it.
    fn stand(&mut self, entry: &Entry, records: &mut Vec<Record>) -> Standing {
        let wanted = &entry.decision;
        let known = wanted.scope.service().is_none_or(|name| self.serves(name));
        if !known || !entry.is_for(&self.center.groups) {
            self.end_center(wanted.id, records);
            return Standing::Elsewhere;
        }
        if self.center.lifted.contains(&wanted.id) {
            return Standing::Lifted;
        }
        let before = self.ledger.get(&wanted.subject, &wanted.scope);
        if before.as_ref().is_some_and(|before| before.note.origin != Origin::Center) {
            return Standing::Local;
        }
        if wanted.until.is_some_and(|until| until <= clock::now()) {
            // Over on every host: there is nothing to hold.
            self.end_center(wanted.id, records);
            return Standing::Held;
        }
        if before.as_ref() == Some(wanted) && self.is_in_kernel(wanted) {
            return Standing::Held;
        }
        if self.enforce_center(wanted, before) {
            records.push(Record::Put(wanted.clone()));
            Standing::Held
        } else {
            Standing::Failed
        }
    }

    /// Ledger, kernel, and a look at what the kernel then holds. When it fails, ledger and kernel are as they were.
    fn enforce_center(&mut self, wanted: &Decision, before: Option<Decision>) -> bool {
        if let Err(refusal) = sound(wanted) {
            tracing::error!(id = %wanted.id, %refusal, "a decision of the center makes no sense here");
            return false;
        }
        if let Err(trouble) = self.place(&wanted.scope) {
            tracing::error!(id = %wanted.id, trouble.message, "a decision of the center has no place here");
            return false;
        }
        let arrived = crate::kernel::monotonic();
        self.ledger.insert_raw(wanted.clone());
        if let Err(error) = apply_one(&mut self.kernel, &put(wanted, &clock::both())) {
            self.ledger.unblock_id(wanted.id);
            if let Some(before) = before {
                self.ledger.insert_raw(before);
            }
            tracing::error!(id = %wanted.id, %error, "a decision of the center could not be enforced");
            self.note_if_full(&error);
            return false;
        }
        self.enforcement.observe(clock::since(arrived));
        self.is_in_kernel(wanted)
    }

    fn is_in_kernel(&self, decision: &Decision) -> bool {
        let op = put(decision, &clock::both());
        if let MapOp::PutSource { prefix, rule } = op {
            self.kernel.source(prefix).is_some_and(|held| held.is_like(rule))
        } else if let MapOp::PutIdentity { key, .. } = op {
            self.kernel.identity(&key).is_ok_and(|held| held.is_some())
        } else if let MapOp::PutFlow { key, .. } = op {
            self.kernel.flow(&key).is_ok_and(|held| held.is_some())
        } else {
            false
        }
    }

    /// Takes one of the center's decisions out, if it is in force.
    fn end_center(&mut self, id: DecisionId, records: &mut Vec<Record>) {
        let Some(decision) = self.ledger.by_id(id).filter(|one| one.note.origin == Origin::Center) else { return };
        if let Err(error) = apply_one(&mut self.kernel, &remove(&decision)) {
            tracing::warn!(%id, %error, "an ended decision could not be taken out; the next comparison tries again");
        }
        self.ledger.unblock_id(id);
        records.push(Record::Remove(id));
    }

    /// The center's allowlist beside the host's own, which stands before it.
    fn allow_center(&mut self, wanted: &[Allow], records: &mut Vec<Record>) {
        let wanted: BTreeMap<_, _> =
            wanted.iter().filter(|allow| self.center.is_for(allow)).map(|allow| (allow.network, allow)).collect();
        let gone = |one: &&Allowed| one.note.origin == Origin::Center && !wanted.contains_key(&one.prefix);
        let gone: Vec<_> = self.ledger.allowlist().filter(gone).map(|one| one.prefix).collect();
        for allow in wanted.values() {
            self.allow_one(allow, records);
        }
        for prefix in gone {
            if !self.config.allow.iter().any(|entry| entry.prefix == prefix)
                && let Err(error) = apply_one(&mut self.kernel, &remove_allow(prefix))
            {
                tracing::warn!(%prefix, %error, "an allowlist entry could not be taken out");
            }
            self.ledger.disallow(prefix);
            records.push(Record::Disallow(prefix));
        }
    }

    fn allow_one(&mut self, allow: &Allow, records: &mut Vec<Record>) {
        let configured = self.config.allow.iter().any(|entry| entry.prefix == allow.network);
        let own = |one: &Allowed| {
            one.prefix == allow.network && (one.note.origin != Origin::Center || one.kind == allow.kind)
        };
        if configured || self.ledger.allowlist().any(own) {
            return;
        }
        let (reason, created) = (allow.reason.clone(), clock::now());
        let note = Note { reason, origin: Origin::Center, approved_by: "center".to_owned(), created };
        let entry = Allowed { prefix: allow.network, kind: allow.kind, until: None, note: Arc::new(note) };
        match apply_one(&mut self.kernel, &put_allow(&entry)) {
            Ok(()) => {
                self.ledger.allow(entry.clone());
                records.push(Record::Allow(entry));
            }
            Err(error) => {
                tracing::error!(network = %allow.network, %error, "an allowlist entry of the center could not be kept");
                self.note_if_full(&error);
            }
        }
    }

    /// A decision was ended by hand: if it was the center's, it stays ended.
    pub(super) fn lift(&mut self, decision: &Decision) {
        let Some((entry, _)) = self.center.entries.get(&decision.id) else { return };
        let entry = Arc::clone(entry);
        self.center.note(&entry, Standing::Lifted);
        self.center.lifted.insert(decision.id);
        if let Err(error) = Shelf::keep_lifted(&self.center.state_dir, &self.center.lifted) {
            self.problems.insert("lifted", format!("ended here, but a restart would bring it back: {error}"));
        }
    }

    /// Services that failed, and decisions of the center that waited for a local one to end.
    pub(super) fn tend_center(&mut self) {
        if self.center.unserved {
            self.serve_again();
        }
        let waiting = self.center.waiting.iter().filter_map(|id| self.center.entries.get(id)).map(|(entry, _)| entry);
        let free = waiting.filter(|entry| self.ledger.get(&entry.decision.subject, &entry.decision.scope).is_none());
        let free: Vec<Arc<Entry>> = free.cloned().collect();
        if !free.is_empty() {
            self.take_center(&Delta { put: free, ..Delta::default() });
        }
    }
}

/// The center has thought about widths; that a decision is a decision is checked here, too.
fn sound(wanted: &Decision) -> Result<(), enforcer_policy::Refusal> {
    let Decision { id: _, subject, scope, action, rate, until, note } = wanted.clone();
    Order { subject, scope, action, rate, until, shorten: true, wide: true, note }.check(clock::now())
}

impl Host for Shared {
    fn now(&self) -> Moment {
        clock::now()
    }

    async fn carry_out(&self, delta: &Delta) {
        self.lock().take_center(&Delta { base: delta.base.clone(), ..Delta::default() });
        for put in delta.put.chunks(AT_ONCE) {
            self.lock().take_center(&Delta { put: put.to_vec(), ..Delta::default() });
            tokio::task::yield_now().await;
        }
        for remove in delta.remove.chunks(AT_ONCE) {
            self.lock().take_center(&Delta { remove: remove.to_vec(), ..Delta::default() });
            tokio::task::yield_now().await;
        }
    }

    fn held(&self) -> Held {
        self.lock().held()
    }

    fn traffic(&self) -> Option<Traffic> {
        Some(self.lock().traffic())
    }

    async fn foresee(&self, question: &Question) -> Answer {
        let mut told = Vec::new();
        for considered in &question.decisions {
            // Each is a look at all callers of a day, and traffic must not wait for all of them.
            told.push(self.lock().tell_center(considered, question.most));
            tokio::task::yield_now().await;
        }
        Answer { since: self.lock().remembers_since(clock::now()), told }
    }

    fn modules_held(&self) -> Digest {
        self.lock().modules_held()
    }

    fn announce_modules(&self, digest: Digest) {
        self.lock().announce_modules(digest);
    }

    fn settled(&self, base: &Base) {
        self.lock().settle(base);
    }

    fn tell(&self, phase: Phase, known: Known) {
        let mut core = self.lock();
        let problem = match &phase {
            Phase::Connected => None,
            Phase::Refused(why) => Some(format!("the center's last revision was refused, the one before stays: {why}")),
            Phase::Lost(why) => Some(format!("no policy comes from the center, what is in force stays: {why}")),
        };
        match problem {
            Some(text) => drop(core.problems.insert("center", text)),
            None => drop(core.problems.remove("center")),
        }
        if let Some(report) = &mut core.center.report {
            report.connected = phase == Phase::Connected;
            report.revision = known.number;
        }
    }
}
