//! From a document to the content of a revision: raw identities become digests, decisions get their ids.
//!
//! In: a document, the fleet's key, what is there now. Out: the new content. Never here: a raw identity that goes on living.
//!
//! Decisions that were made by hand or by detectors (not `written`) are none of a file's business and stay.
use std::collections::HashMap;
use std::sync::Arc;

use enforcer_common::{SipKey, siphash};

use super::{Document, WrittenDecision, WrittenSubject};
use crate::revision::{Content, Entry};
use crate::{Decision, DecisionId, Moment, Note, Order, Origin, Refusal, Scope, Subject, Token, mask};

/// A decision that cannot be made.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the decision on {subject}: {refusal}")]
pub struct Unsealed {
    /// On whom; tokens are masked.
    pub subject: String,
    /// Why not.
    #[source]
    pub refusal: Refusal,
}

impl WrittenSubject {
    /// What tells decisions of one reading apart; not for eyes: it may hold a raw token.
    pub(super) fn key(&self, scope: &Scope) -> String {
        match self {
            Self::Known(subject) => match subject.token() {
                Some(token) => format!("{} {:016x} {scope}", subject.kind().name(), token.digest),
                None => format!("{subject} {scope}"),
            },
            Self::Raw(kind, raw) => format!("{} raw {raw} {scope}", kind.name()),
        }
    }

    /// As a subject; the raw value ends here.
    pub fn sealed(self, key: SipKey) -> Option<Subject> {
        match self {
            Self::Known(subject) => Some(subject),
            Self::Raw(kind, raw) => {
                let raw = raw.trim();
                Subject::with_token(kind, Token { digest: siphash(key, raw.as_bytes()), masked: mask(raw) })
            }
        }
    }
}

impl Document {
    /// The content that has this document's base and decisions, and what else `current` has.
    ///
    /// A decision on a subject and scope that has one keeps its id; new ones are numbered by `next`.
    pub fn sealed(
        self,
        key: SipKey,
        current: &Content,
        author: &str,
        now: Moment,
        mut next: impl FnMut() -> u32,
    ) -> Result<Content, Unsealed> {
        let held: HashMap<(&Subject, &Scope), &Arc<Entry>> =
            current.entries().map(|entry| ((&entry.decision.subject, &entry.decision.scope), entry)).collect();
        let mut entries: Vec<Entry> = Vec::new();
        let mut taken: std::collections::BTreeSet<DecisionId> = std::collections::BTreeSet::new();
        for written in self.decisions {
            let Some(subject) = written.subject.clone().sealed(key) else { continue };
            let known = held.get(&(&subject, &written.scope)).copied();
            let entry = entry(written, subject, known, author, now, || fresh(now, &mut next, &taken, current))?;
            taken.insert(entry.decision.id);
            entries.push(entry);
        }
        let stays = |entry: &&Arc<Entry>| !entry.written && !taken.contains(&entry.decision.id);
        let over = |entry: &&Arc<Entry>| entry.decision.until.is_some_and(|until| until <= now);
        entries.extend(current.entries().filter(stays).filter(|entry| !over(entry)).map(|entry| (**entry).clone()));
        Ok(Content::new(self.base, entries))
    }
}

fn entry(
    written: WrittenDecision,
    subject: Subject,
    known: Option<&Arc<Entry>>,
    author: &str,
    now: Moment,
    id: impl FnOnce() -> DecisionId,
) -> Result<Entry, Unsealed> {
    let WrittenDecision { subject: _, scope, action, rate, until, reason, groups } = written;
    let same = |entry: &&Arc<Entry>| {
        let held = &entry.decision;
        // What a source has decided is a file's own from now on.
        held.note.source().is_none()
            && held.note.reason == reason
            && (held.action, held.rate, held.until) == (action, rate, until)
    };
    let note = known.filter(same).map_or_else(
        || {
            Arc::new(Note {
                reason: reason.clone(),
                origin: Origin::Center,
                approved_by: author.to_owned(),
                created: now,
            })
        },
        |entry| Arc::clone(&entry.decision.note),
    );
    let order = Order { subject, scope, action, rate, until, shorten: true, wide: true, note };
    order.check(now).map_err(|refusal| Unsealed { subject: order.subject.to_string(), refusal })?;
    let Order { subject, scope, action, rate, until, note, .. } = order;
    let id = known.map_or_else(id, |entry| entry.decision.id);
    Ok(Entry { decision: Decision { id, subject, scope, action, rate, until, note }, groups, written: true })
}

fn fresh(
    now: Moment,
    next: &mut impl FnMut() -> u32,
    taken: &std::collections::BTreeSet<DecisionId>,
    current: &Content,
) -> DecisionId {
    let mut id = DecisionId::new(now, next());
    while taken.contains(&id) || current.entry(id).is_some() {
        id = DecisionId(id.0 + 1);
    }
    id
}
