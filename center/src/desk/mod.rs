//! The desk: the one place where policy changes. Plans, signs, numbers, keeps.
//!
//! In: orders of people, and the store. Out: revisions, and deliveries for hosts. Never here: HTTP, who may do what. A change is
//! kept and signed, or it has not happened.
mod trial;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use enforcer_common::SipKey;
use enforcer_policy::document::Document;
use enforcer_policy::plan::{Guard, Plan};
use enforcer_policy::revision::{
    Content, Delta, Digest, EVERYONE, Entry, Head, Known, Signed, Signer, deliver_delta, deliver_snapshot, path,
};
use enforcer_policy::{DecisionId, Moment, Order, Refusal, Scope, Subject};

use crate::store::{Row, SnapshotRow, Store};
use crate::{clock, secret};

/// A new revision lasts this long unknown to a host; then the host takes it for a replay.
const LIFE: Duration = Duration::from_hours(30 * 24);
/// Revisions that one delta may span; a host further behind gets everything.
const SPAN: u64 = 1000;
/// Revisions between snapshots in the store.
const SNAPSHOTS: u64 = 200;

/// What stands behind a change.
#[derive(Clone, Debug)]
pub struct Signature {
    /// Who made it.
    pub author: String,
    /// Who else stands for it.
    pub approver: Option<String>,
    /// Why.
    pub comment: String,
}

/// Why a change is not made.
#[derive(Debug, thiserror::Error)]
pub enum DeskError {
    /// The decision may not be made.
    #[error("{0}")]
    Refused(#[from] Refusal),
    /// Somebody would be cut off.
    #[error("{0} would be cut off")]
    Lockout(String),
    /// A policy is on trial, or none is.
    #[error("{0}")]
    Trial(String),
    /// The center itself fails.
    #[error("{0:#}")]
    Failed(#[from] anyhow::Error),
}

/// The policy and its history.
pub struct Desk {
    signer: Signer,
    key: SipKey,
    store: Store,
    number: u64,
    hash: Digest,
    content: Content,
    by_subject: HashMap<(Subject, Scope), DecisionId>,
    /// Deliveries to the present revision, by the revision they begin at.
    ready: HashMap<u64, Arc<Vec<u8>>>,
}

impl Desk {
    /// From the store: the snapshot, and what came after. The result must be what the last head signed.
    pub fn open(store: Store, signer: Signer, key: SipKey) -> anyhow::Result<Self> {
        let mut desk = Self::read(store, signer, key)?;
        // One that was kept and never published has nothing to undo.
        if desk.trial()?.is_some_and(|(revision, _)| revision > desk.number) {
            desk.store.end_trial()?;
        }
        desk.store.note("center", "started", &format!("revision {}", desk.number))?;
        Ok(desk)
    }

    /// The same, to look only.
    pub fn read(store: Store, signer: Signer, key: SipKey) -> anyhow::Result<Self> {
        let mut content = Content::default();
        let mut number = 0;
        if let Some(row) = store.snapshot()? {
            content.apply(Delta::unpack(&row.body, row.plain).context("the snapshot is damaged")?);
            number = row.number;
        }
        let mut hash = Digest::default();
        if let Some(head) = store.head(number)? {
            hash = Signed::from_bytes(head).hash();
        }
        loop {
            let rows = store.revisions(number, 100)?;
            if rows.is_empty() {
                break;
            }
            for row in rows {
                let damaged = || format!("revision {} is damaged", row.number);
                content.apply(Delta::unpack(&row.delta, row.plain).with_context(damaged)?);
                (number, hash) = (row.number, Signed::from_bytes(row.head).hash());
            }
        }
        if let Some(head) = store.head(number)? {
            let head =
                Signed::from_bytes(head).open(&signer.public()).context("the last revision is not this center's")?;
            anyhow::ensure!(head.content == content.digest(), "the store does not hold what revision {number} says");
        }
        let mut desk =
            Self { signer, key, store, number, hash, content, by_subject: HashMap::new(), ready: HashMap::new() };
        desk.index();
        Ok(desk)
    }

    /// The present revision.
    pub const fn known(&self) -> Known {
        Known { number: self.number, hash: self.hash }
    }

    /// The policy.
    pub const fn content(&self) -> &Content {
        &self.content
    }

    /// The digest of all decisions.
    pub fn decisions_digest(&mut self) -> Digest {
        self.content.decisions_digest()
    }

    /// The store, for what is no policy.
    pub const fn store(&mut self) -> &mut Store {
        &mut self.store
    }

    /// The key of identities.
    pub const fn key(&self) -> SipKey {
        self.key
    }

    /// What hosts pin.
    pub fn public(&self) -> String {
        self.signer.public().to_string()
    }

    /// The content that a document means.
    pub fn meant(&self, document: Document, author: &str) -> anyhow::Result<Content> {
        let ids = secret::random::<4>()?;
        let mut next = u32::from_be_bytes(ids);
        let draw = || {
            next = next.wrapping_mul(747_796_405).wrapping_add(2_891_336_453);
            next >> 8
        };
        Ok(document.sealed(self.key, &self.content, author, clock::now(), draw)?)
    }

    /// Publishes a whole content. Nothing happens when it is what there is.
    pub fn replace(
        &mut self,
        content: &Content,
        guard: &Guard,
        forced: bool,
        by: &Signature,
    ) -> Result<Plan, DeskError> {
        self.no_trial()?;
        let plan = Plan::between(&self.content, content, guard);
        if let Some(first) = plan.lockouts.first().filter(|_| !forced) {
            return Err(DeskError::Lockout(format!("{} ({})", first.address, first.whose)));
        }
        let delta = self.content.delta_to(content);
        if !delta.is_empty() {
            let counts = plan.counts;
            let detail = format!("{} added, {} changed, {} removed", counts.added, counts.changed, counts.removed);
            self.publish(delta, by, "policy applied", &detail)?;
        }
        Ok(plan)
    }

    /// Makes a decision on each subject: one revision. A subject that has one in this scope keeps its id.
    pub fn decide(
        &mut self,
        orders: Vec<(Order, Vec<String>)>,
        guard: &Guard,
        forced: bool,
        by: &Signature,
    ) -> Result<Vec<Arc<Entry>>, DeskError> {
        let now = clock::now();
        let mut entries = Vec::with_capacity(orders.len());
        for (order, groups) in orders {
            order.check(now)?;
            let Order { subject, scope, action, rate, until, note, .. } = order;
            let id = self.id(&subject, &scope, now, entries.len())?;
            let decision = enforcer_policy::Decision { id, subject, scope, action, rate, until, note };
            entries.push(Arc::new(Entry { decision, groups, written: false }));
        }
        let hit = guard.hit(entries.iter().map(|entry| &entry.decision), &self.content);
        if let Some(first) = hit.first().filter(|_| !forced) {
            return Err(DeskError::Lockout(format!("{} ({})", first.address, first.whose)));
        }
        let detail = entries.first().map_or_else(String::new, |entry| told(entry, entries.len()));
        self.publish(Delta { put: entries.clone(), ..Delta::default() }, by, "decided", &detail)?;
        Ok(entries)
    }

    /// Ends a decision; none when there is none of this id.
    pub fn end(&mut self, id: DecisionId, by: &Signature) -> Result<Option<Arc<Entry>>, DeskError> {
        let Some(entry) = self.content.entry(id).cloned() else { return Ok(None) };
        let detail = told(&entry, 1);
        self.publish(Delta { remove: vec![id], ..Delta::default() }, by, "ended", &detail)?;
        Ok(Some(entry))
    }

    /// The decision on a subject in a scope.
    pub fn on(&self, subject: &Subject, scope: &Scope) -> Option<&Arc<Entry>> {
        self.content.entry(*self.by_subject.get(&(subject.clone(), scope.clone()))?)
    }

    /// What brings a host from its revision to the present one; `None` when it has that, or one that is none of ours.
    pub fn delivery(&mut self, from: u64, whole: bool) -> anyhow::Result<Arc<Vec<u8>>> {
        let whole = whole || from == 0 || self.number - from > SPAN;
        // Snapshots are kept under the numbers past the end.
        let place = if whole { u64::MAX - from } else { from };
        if let Some(ready) = self.ready.get(&place) {
            return Ok(Arc::clone(ready));
        }
        let heads = path(self.number, from).into_iter().map(|number| self.head(number));
        let heads = heads.collect::<anyhow::Result<Vec<_>>>()?;
        let bytes = if whole {
            deliver_snapshot(&self.signer, from, &heads, &Delta::snapshot(&self.content))?
        } else {
            deliver_delta(&self.signer, from, &heads, &self.changes(from)?)?
        };
        let bytes = Arc::new(bytes);
        self.ready.insert(place, Arc::clone(&bytes));
        Ok(bytes)
    }

    /// Whether a host's revision is one of ours.
    pub fn is_ours(&self, known: Known) -> anyhow::Result<bool> {
        if known.number == 0 {
            return Ok(true);
        }
        let head = self.store.head(known.number)?;
        Ok(head.is_some_and(|head| Signed::from_bytes(head).hash() == known.hash))
    }

    /// The signed head of a revision.
    pub fn head(&self, number: u64) -> anyhow::Result<Signed> {
        let head = self.store.head(number)?;
        head.map(Signed::from_bytes).with_context(|| format!("revision {number} is not in the store"))
    }

    /// Heads after a number, oldest first.
    pub fn heads(&self, after: u64, limit: usize) -> anyhow::Result<Vec<Head>> {
        let rows = self.store.revisions(after, limit)?;
        let public = self.signer.public();
        rows.into_iter().map(|row| Ok(Signed::from_bytes(row.head).open(&public)?)).collect()
    }

    fn changes(&self, from: u64) -> anyhow::Result<Delta> {
        let rows = self.store.revisions(from, usize::try_from(SPAN)?)?;
        let deltas = rows.iter().map(|row| Ok(Delta::unpack(&row.delta, row.plain)?));
        deltas.collect::<anyhow::Result<Vec<_>>>().map(|deltas| deltas.into_iter().fold(Delta::default(), Delta::then))
    }

    /// Signs, keeps, and only then believes. Decisions whose end has come go with the next change.
    fn publish(&mut self, delta: Delta, by: &Signature, what: &str, detail: &str) -> anyhow::Result<()> {
        self.publish_and(delta, by, what, detail, false)
    }

    /// The same; with `ends_trial` the trial is over with it, or both have not happened.
    fn publish_and(
        &mut self,
        mut delta: Delta,
        by: &Signature,
        what: &str,
        detail: &str,
        ends_trial: bool,
    ) -> anyhow::Result<()> {
        let now = clock::now();
        let put: std::collections::HashSet<_> = delta.put.iter().map(|entry| entry.decision.id).collect();
        let gone: std::collections::HashSet<_> = delta.remove.iter().copied().collect();
        let over = |entry: &&Arc<Entry>| entry.decision.until.is_some_and(|until| until <= now);
        let ended = self.content.entries().filter(over).map(|entry| entry.decision.id);
        delta.remove.extend(ended.filter(|id| !put.contains(id) && !gone.contains(id)));
        let undo = self.content.apply(delta.clone());
        match self.keep(&delta, by, now, (what, detail, ends_trial)) {
            Ok(signed) => {
                self.number += 1;
                self.hash = signed.hash();
                self.ready.clear();
                self.reindex(&undo, &delta);
                self.snapshot_if_due();
                Ok(())
            }
            Err(error) => {
                self.content.apply(undo);
                Err(error)
            }
        }
    }

    fn keep(
        &mut self,
        delta: &Delta,
        by: &Signature,
        made: Moment,
        (what, detail, ends_trial): (&str, &str, bool),
    ) -> anyhow::Result<Signed> {
        let number = self.number + 1;
        let ancestor = match Head::ancestor_of(number) {
            0 => Digest::default(),
            ancestor => self.head(ancestor)?.hash(),
        };
        let head = Head {
            number,
            previous: self.hash,
            ancestor,
            author: by.author.clone(),
            approver: by.approver.clone(),
            comment: by.comment.clone(),
            made,
            not_after: made.plus(LIFE),
            group: EVERYONE.to_owned(),
            content: self.content.digest(),
            decisions: self.content.len() as u64,
        };
        let signed = head.sign(&self.signer)?;
        let (packed, plain) = delta.pack()?;
        let row = Row { number, head: signed.bytes().to_vec(), delta: packed, plain };
        self.store.publish(&row, &by.author, what, &format!("revision {number}: {detail}"), ends_trial)?;
        Ok(signed)
    }

    /// A snapshot only makes starts quicker: when it fails, the next one is tried.
    fn snapshot_if_due(&mut self) {
        if !self.number.is_multiple_of(SNAPSHOTS) {
            return;
        }
        let Ok((body, plain)) = Delta::snapshot(&self.content).pack() else { return };
        if let Err(error) = self.store.keep_snapshot(&SnapshotRow { number: self.number, body, plain }) {
            tracing::warn!(%error, "the snapshot could not be kept");
        }
    }

    fn id(&self, subject: &Subject, scope: &Scope, now: Moment, drawn: usize) -> anyhow::Result<DecisionId> {
        if let Some(id) = self.by_subject.get(&(subject.clone(), scope.clone())) {
            return Ok(*id);
        }
        let random = u32::from_be_bytes(secret::random::<4>()?).wrapping_add(u32::try_from(drawn)?);
        let mut id = DecisionId::new(now, random);
        while self.content.entry(id).is_some() {
            id = DecisionId(id.0 + 1);
        }
        Ok(id)
    }

    fn index(&mut self) {
        let key = |entry: &Arc<Entry>| (entry.decision.subject.clone(), entry.decision.scope.clone());
        self.by_subject = self.content.entries().map(|entry| (key(entry), entry.decision.id)).collect();
    }

    fn reindex(&mut self, undo: &Delta, delta: &Delta) {
        for entry in &undo.put {
            self.by_subject.remove(&(entry.decision.subject.clone(), entry.decision.scope.clone()));
        }
        for entry in &delta.put {
            let key = (entry.decision.subject.clone(), entry.decision.scope.clone());
            self.by_subject.insert(key, entry.decision.id);
        }
    }
}

/// A decision for the audit log; tokens are masked.
fn told(entry: &Entry, of: usize) -> String {
    let decision = &entry.decision;
    let (kind, subject, scope) = (decision.subject.kind().name(), &decision.subject, &decision.scope);
    let others = if of > 1 { format!(" and {} more", of - 1) } else { String::new() };
    format!("{} {kind} {subject} in {scope}{others} ({})", decision.action.name(), decision.id)
}
