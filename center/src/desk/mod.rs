//! The desk: the one place where policy changes. Plans, signs, numbers, keeps.
//!
//! In: orders of people, and the store. Out: revisions, and deliveries for hosts. Never here: HTTP, who may do what. A change is
//! kept and signed, or it has not happened.
//!
//! What a change costs depends on the change, not on what is held: whatever looks at everything happens elsewhere ([`take_snapshot`]).
mod asked;
mod change;
mod deliveries;
mod follow;
mod index;
mod proposals;
mod refusal;
mod rollout;
mod signature;
mod snapshot;
mod sources;
mod telling;
mod trial;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use enforcer_common::SipKey;
use enforcer_policy::document::Document;
use enforcer_policy::plan::{Guard, Plan};
use enforcer_policy::revision::{Content, Delta, Digest, EVERYONE, Entry, Head, Known, MOST_DECISIONS, Signed, Signer};
use enforcer_policy::{DecisionId, Event, Moment, Order, Scope, Subject};

use crate::rules::Rules;
use crate::store::{Along, Row, Store, StoreError};
use crate::{clock, secret};
pub use asked::{Asked, Done};
use deliveries::Deliveries;
pub use deliveries::News;
use index::{Drawn, Index};
pub use proposals::{Proposal, Way};
pub use refusal::DeskError;
use refusal::not_cut_off;
use rollout::Rolling;
pub use rollout::{ALL, Course, HostNow, RolloutShown};
pub use signature::{Approval, Signature};
pub use snapshot::take_snapshot;
use sources::Wishes;
pub use sources::{LeftOut, Taken, Want, Wants};
use telling::{counted, told};

/// A new revision lasts this long unknown to a host; then the host takes it for a replay.
const LIFE: Duration = Duration::from_hours(30 * 24);
/// Revisions that one delta may span; a host further behind gets everything.
const SPAN: u64 = 1000;

/// The policy and its history.
pub struct Desk {
    signer: Arc<Signer>,
    key: SipKey,
    store: Store,
    rules: Rules,
    rollout: Option<Rolling>,
    /// What sources want, by their names.
    sources: BTreeMap<String, Wishes>,
    /// Events of the desk itself that nobody has fetched yet.
    told: Vec<Event>,
    /// The request that the next change answers.
    asked: Option<Asked>,
    number: u64,
    hash: Digest,
    /// The revision before the present one.
    before: Known,
    content: Content,
    index: Index,
    deliveries: Deliveries,
}

impl Desk {
    /// From the store: the snapshot, and what came after. The result must be what the last head signed.
    pub fn open(store: Store, signer: Signer, key: SipKey) -> anyhow::Result<Self> {
        let mut desk = Self::read(store, signer, key)?;
        // One that was kept and never published has nothing to undo.
        if desk.trial()?.is_some_and(|(revision, _)| revision > desk.number) {
            desk.store.forget_trial()?;
        }
        desk.open_rollout()?;
        match desk.store.note("center", "started", &format!("revision {}", desk.number)) {
            // It serves hosts without, too.
            Err(StoreError::Log(error)) => tracing::warn!(%error, "the log does not say that this center has started"),
            noted => noted?,
        }
        Ok(desk)
    }

    /// The same, to look only.
    pub fn read(store: Store, signer: Signer, key: SipKey) -> anyhow::Result<Self> {
        let empty = || Self {
            signer: Arc::new(signer),
            key,
            store,
            rules: Rules::default(),
            rollout: None,
            sources: BTreeMap::new(),
            told: Vec::new(),
            asked: None,
            number: 0,
            hash: Digest::default(),
            before: Known::default(),
            content: Content::default(),
            index: Index::default(),
            deliveries: Deliveries::default(),
        };
        let mut desk = empty();
        let basis = desk.store.others()?;
        desk.begin_at_snapshot()?;
        if let Err(error) = desk.catch_up() {
            anyhow::ensure!(desk.deliveries.latest().is_some(), error);
            tracing::warn!(
                error = format!("{error:#}"),
                "the snapshot does not lead to the last revision; starting without it"
            );
            desk = Self { number: 0, hash: Digest::default(), content: Content::default(), ..desk };
            desk.deliveries = Deliveries::default();
            desk.catch_up()?;
        }
        desk.index = Index::of(&desk.content);
        desk.store.plan_on(basis);
        Ok(desk)
    }

    /// Reads the revisions after the present one, and compares the result with what the last head signed.
    fn catch_up(&mut self) -> anyhow::Result<()> {
        loop {
            let rows = self.store.revisions(self.number, 100)?;
            if rows.is_empty() {
                break;
            }
            for row in rows {
                let damaged = || format!("revision {} is damaged", row.number);
                let delta = Delta::unpack(&row.delta, row.plain).with_context(damaged)?;
                self.deliveries.count(&delta);
                self.content.apply(delta);
                self.before = self.known();
                (self.number, self.hash) = (row.number, Signed::from_bytes(row.head).hash());
            }
        }
        let number = self.number;
        if let Some(head) = self.store.head(number)? {
            let head = Signed::from_bytes(head)
                .open(&self.signer.public())
                .context("the last revision is not this center's")?;
            anyhow::ensure!(
                head.content == self.content.digest(),
                "the store does not hold what revision {number} says"
            );
        }
        Ok(())
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
        self.replace_by(&Way::Applied, content, guard, forced, by)
    }

    fn replace_by(
        &mut self,
        way: &Way,
        content: &Content,
        guard: &Guard,
        forced: bool,
        by: &Signature,
    ) -> Result<Plan, DeskError> {
        self.no_trial()?;
        let plan = Plan::between(&self.content, content, guard);
        not_cut_off(&plan.lockouts, forced)?;
        let delta = self.content.delta_to(content);
        if !delta.is_empty() {
            let detail = counted(&plan);
            self.clear(way, !plan.lockouts.is_empty(), &delta, by, &detail)?;
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
        let mut drawn = Drawn::new(now)?;
        let mut entries = BTreeMap::new();
        for (order, groups) in orders {
            order.check(now)?;
            let Order { subject, scope, action, rate, until, note, .. } = order;
            let id = self.id(&subject, &scope, &mut drawn);
            let decision = enforcer_policy::Decision { id, subject, scope, action, rate, until, note };
            // The last word on a subject counts.
            entries.insert(id, Arc::new(Entry { decision, groups, written: false }));
        }
        let entries: Vec<Arc<Entry>> = entries.into_values().collect();
        let hit = guard.hit(entries.iter().map(|entry| &entry.decision), &self.content);
        not_cut_off(&hit, forced)?;
        let detail = entries.first().map_or_else(String::new, |entry| told(entry, entries.len()));
        let delta = Delta { put: entries.clone(), ..Delta::default() };
        self.clear(&Way::Decided, !hit.is_empty(), &delta, by, &detail)?;
        self.publish(delta, by, "decided", &detail)?;
        Ok(entries)
    }

    /// Ends a decision; none when there is none of this id.
    pub fn end(&mut self, id: DecisionId, by: &Signature) -> Result<Option<Arc<Entry>>, DeskError> {
        let Some(entry) = self.content.entry(id).cloned() else { return Ok(None) };
        let (detail, delta) = (told(&entry, 1), Delta { remove: vec![id], ..Delta::default() });
        self.clear(&Way::Ended, false, &delta, by, &detail)?;
        self.publish(delta, by, "ended", &detail)?;
        Ok(Some(entry))
    }

    /// The decision on a subject in a scope.
    pub fn on(&self, subject: &Subject, scope: &Scope) -> Option<&Arc<Entry>> {
        self.content.entry(self.index.on(subject, scope)?)
    }

    /// Whether a host's revision is one of ours.
    pub fn is_ours(&self, known: Known) -> anyhow::Result<bool> {
        if known == self.known() || known == self.before {
            return Ok(true);
        }
        is_ours(&self.store, known)
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

    /// Signs, keeps, and only then believes. Decisions whose end has come go with the next change.
    fn publish(&mut self, delta: Delta, by: &Signature, what: &str, detail: &str) -> Result<(), DeskError> {
        self.publish_and(delta, by, what, detail, Vec::new())
    }

    /// The same; what goes along with it happens with it, or both have not happened.
    fn publish_and(
        &mut self,
        mut delta: Delta,
        by: &Signature,
        what: &str,
        detail: &str,
        mut along: Vec<Along>,
    ) -> Result<(), DeskError> {
        let now = clock::now();
        let named: std::collections::HashSet<_> =
            delta.put.iter().map(|entry| entry.decision.id).chain(delta.remove.iter().copied()).collect();
        delta.remove.extend(self.index.over(now).filter(|id| !named.contains(id)));
        let undo = self.content.apply(delta.clone());
        if self.content.len() > MOST_DECISIONS && self.content.len() > self.index.len() {
            let wanted = self.content.len();
            self.content.apply(undo);
            return Err(DeskError::Full(wanted));
        }
        let approved = |by: &Approval| Along::Approved { proposal: by.proposal, who: by.who.clone() };
        along.extend(by.approval.as_ref().map(approved));
        let answered = self.asked.as_ref().map(|asked| asked.row(Done::Published(self.number + 1, &delta.put)));
        along.extend(answered.map(|row| Along::Answered(Box::new(row))));
        match self.keep(&delta, by, now, (what, detail, &along)) {
            Ok(signed) => {
                self.before = self.known();
                self.number += 1;
                self.hash = signed.hash();
                self.deliveries.changed(&delta);
                self.index.change(&undo, &delta);
                self.disturb_sources(&undo, &delta, &by.author, now);
                Ok(())
            }
            Err(error) => {
                self.content.apply(undo);
                Err(error.into())
            }
        }
    }

    fn keep(
        &mut self,
        delta: &Delta,
        by: &Signature,
        made: Moment,
        (what, detail, along): (&str, &str, &[Along]),
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
            approver: by.approval.as_ref().map(|approval| approval.who.clone()),
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
        self.store.publish(&row, &by.author, what, &format!("revision {number}: {detail}"), along)?;
        Ok(signed)
    }

    /// The id of the decision on a subject in a scope, or a fresh one.
    fn id(&self, subject: &Subject, scope: &Scope, drawn: &mut Drawn) -> DecisionId {
        let key = (subject.clone(), scope.clone());
        self.index.of_key(&key).unwrap_or_else(|| drawn.id(key, |id| self.content.entry(id).is_some()))
    }
}

/// Whether a revision is one of this store's.
pub fn is_ours(store: &Store, known: Known) -> anyhow::Result<bool> {
    let head = store.head(known.number)?;
    Ok(known.number == 0 || head.is_some_and(|head| Signed::from_bytes(head).hash() == known.hash))
}
