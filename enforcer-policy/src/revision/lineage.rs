//! From a delivery to an accepted revision: the host's own copy of the policy, and the rules by which it moves.
//!
//! In: bytes and the time. Out: what changed, or the flaw; then nothing has changed. Never here: what becomes of the change.
use super::body::Delta;
use super::content::Content;
use super::delivery::{Kind, Opened};
use super::digest::Digest;
use super::flaw::Flaw;
use super::head::{EVERYONE, Head, Signed};
use super::key::Verifier;
use crate::Moment;

/// A revision that a host has.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Known {
    /// Its number; 0 before the first.
    pub number: u64,
    /// Its hash; zeros before the first.
    pub hash: Digest,
}

/// A host's copy of the policy.
#[derive(Debug)]
pub struct Replica {
    key: Verifier,
    known: Known,
    head: Option<Head>,
    content: Content,
}

/// A revision that was accepted.
#[derive(Debug)]
pub struct Accepted {
    /// What changed. A snapshot is turned into a change, too.
    pub delta: Delta,
    /// Undoes it, by [`Replica::undo`].
    undo: (Delta, Known, Option<Head>),
    /// Whether everything was sent.
    pub kind: Kind,
}

impl Replica {
    /// Nothing yet, and the key that was pinned.
    pub fn new(key: Verifier) -> Self {
        Self { key, known: Known::default(), head: None, content: Content::default() }
    }

    /// The revision it is at.
    pub const fn known(&self) -> Known {
        self.known
    }

    /// What its head says; none before the first.
    pub const fn head(&self) -> Option<&Head> {
        self.head.as_ref()
    }

    /// The policy.
    pub const fn content(&self) -> &Content {
        &self.content
    }

    /// The digest of the decisions, for comparison with what the kernel holds.
    pub fn decisions_digest(&mut self) -> Digest {
        self.content.decisions_digest()
    }

    /// Verifies a delivery and moves to it. `now` is `None` for what was accepted before and comes from the host's own disk: it
    /// may have become too old meanwhile.
    pub fn accept(&mut self, bytes: &[u8], groups: &[String], now: Option<Moment>) -> Result<Accepted, Flaw> {
        let opened = Opened::new(bytes, &self.key)?;
        let (head, hash) = self.descent(&opened.heads)?;
        if head.group != EVERYONE && !groups.contains(&head.group) {
            return Err(Flaw::Group);
        }
        now.map_or(Ok(()), |now| timely(&head, now))?;
        let delta = self.change(&opened)?;
        let undo = self.content.apply(delta.clone());
        if self.content.digest() != head.content || self.content.len() as u64 != head.decisions {
            self.content.apply(undo);
            return Err(Flaw::Content);
        }
        let known = std::mem::replace(&mut self.known, Known { number: head.number, hash });
        Ok(Accepted { delta, undo: (undo, known, self.head.replace(head)), kind: opened.kind })
    }

    /// Goes back to before the last accepted revision.
    pub fn undo(&mut self, accepted: Accepted) {
        let (undo, known, head) = accepted.undo;
        self.content.apply(undo);
        (self.known, self.head) = (known, head);
    }

    /// The target's head, when each signed head leads to the next and the last one to what is known.
    fn descent(&self, heads: &[Signed]) -> Result<(Head, Digest), Flaw> {
        let (first, rest) = heads.split_first().ok_or(Flaw::Malformed)?;
        let target = first.open(&self.key)?;
        let known = self.known;
        if target.number <= known.number {
            return Err(Flaw::Lower { number: target.number, known: known.number });
        }
        let forked = Flaw::Forked { known: known.number };
        let mut at = target.clone();
        for signed in rest {
            let head = signed.open(&self.key)?;
            if !names(&at, head.number, signed.hash()) {
                return Err(forked);
            }
            at = head;
        }
        // Who has nothing takes any beginning: only the key speaks for it.
        let descends = known.number == 0 || names(&at, known.number, known.hash);
        if descends { Ok((target, first.hash())) } else { Err(forked) }
    }

    fn change(&self, opened: &Opened<'_>) -> Result<Delta, Flaw> {
        let delta = opened.delta()?;
        match opened.kind {
            Kind::Delta if opened.from != self.known.number => Err(Flaw::OtherBase { from: opened.from }),
            Kind::Delta => Ok(delta),
            Kind::Snapshot if !delta.remove.is_empty() => Err(Flaw::NotCanonical),
            Kind::Snapshot => {
                let base = delta.base.ok_or(Flaw::NotCanonical)?;
                let entries = delta.put.into_iter().map(std::sync::Arc::unwrap_or_clone);
                Ok(self.content.delta_to(&Content::new(base, entries)))
            }
        }
    }
}

/// The numbers of the heads that a delivery from `known` to `target` needs, the target first.
pub fn path(target: u64, known: u64) -> Vec<u64> {
    let mut numbers = vec![target];
    let mut at = target;
    while known != 0 && at > known && at - 1 != known && Head::ancestor_of(at) != known {
        let ancestor = Head::ancestor_of(at);
        at = if ancestor > known { ancestor } else { at - 1 };
        numbers.push(at);
    }
    numbers
}

/// Whether a head names this revision as one that it follows.
fn names(head: &Head, number: u64, hash: Digest) -> bool {
    (number == head.number.saturating_sub(1) && head.previous == hash)
        || (number == Head::ancestor_of(head.number) && head.ancestor == hash)
}

fn timely(head: &Head, now: Moment) -> Result<(), Flaw> {
    if head.not_after <= now {
        Err(Flaw::Expired)
    } else if head.made > now.plus(SKEW) {
        Err(Flaw::Future)
    } else {
        Ok(())
    }
}

/// Clocks of hosts differ; by more than this only when something is wrong.
const SKEW: std::time::Duration = std::time::Duration::from_mins(5);
