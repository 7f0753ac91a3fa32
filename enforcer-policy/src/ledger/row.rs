//! How a decision is kept: packed, 48 bytes for an address.
//!
//! In: decisions. Out: the same decisions. Never here: where rows are kept and how they are found.
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;

use enforcer_common::{Action, Prefix, Rate, SubjectKind};

use crate::{Decision, DecisionId, Endpoint, Moment, Note, Scope, Subject};

/// The end of what never ends: later than every moment.
pub(super) const NEVER: Moment = Moment(u64::MAX);

/// A decision.
pub(super) struct Row {
    pub(super) id: DecisionId,
    pub(super) until: Moment,
    note: Arc<Note>,
    what: What,
}

/// Subject, scope and action. Addresses are the many; all else is boxed, so that it costs them nothing.
enum What {
    Ip(Prefix, Action),
    Other(Box<Other>, Action),
}

/// What is boxed.
#[derive(Clone)]
struct Other {
    subject: Subject,
    scope: Scope,
    rate: Option<Rate>,
}

impl Row {
    pub(super) fn new(decision: Decision) -> Self {
        let Decision { id, subject, scope, action, rate, until, note } = decision;
        let what = match (subject, scope) {
            (Subject::Ip(prefix), Scope::All) => What::Ip(prefix, action),
            (subject, scope) => What::Other(Box::new(Other { subject, scope, rate }), action),
        };
        Self { id, until: until.unwrap_or(NEVER), note, what }
    }

    pub(super) fn decision(&self) -> Decision {
        let Other { subject, scope, rate } = match &self.what {
            What::Ip(prefix, _) => Other { subject: Subject::Ip(*prefix), scope: Scope::All, rate: None },
            What::Other(other, _) => (**other).clone(),
        };
        let until = Some(self.until).filter(|until| *until != NEVER);
        Decision { id: self.id, subject, scope, action: self.action(), rate, until, note: Arc::clone(&self.note) }
    }

    /// Subject, scope and id are for life.
    pub(super) fn amend(&mut self, action: Action, rate: Option<Rate>, until: Moment, note: Arc<Note>) {
        match &mut self.what {
            What::Ip(_, held) => *held = action,
            What::Other(other, held) => (other.rate, *held) = (rate, action),
        }
        self.until = until;
        self.note = note;
    }

    pub(super) fn action(&self) -> Action {
        match self.what {
            What::Ip(_, action) | What::Other(_, action) => action,
        }
    }

    pub(super) fn rate(&self) -> Option<Rate> {
        match &self.what {
            What::Ip(..) => None,
            What::Other(other, _) => other.rate,
        }
    }

    pub(super) fn kind(&self) -> SubjectKind {
        match &self.what {
            What::Ip(..) => SubjectKind::Ip,
            What::Other(other, _) => other.subject.kind(),
        }
    }

    /// The endpoint, when it is a decision on one.
    pub(super) fn endpoint(&self) -> Option<&Arc<Endpoint>> {
        match &self.what {
            What::Ip(..) => None,
            What::Other(other, _) => other.scope.endpoint(),
        }
    }

    /// The network, when it is a decision on one.
    pub(super) fn network(&self) -> Option<Prefix> {
        match self.what {
            What::Ip(prefix, _) => Some(prefix),
            What::Other(..) => None,
        }
    }

    /// True when its scope is this one, or an endpoint of this service.
    pub(super) fn is_within(&self, scope: &Scope) -> bool {
        match (&self.what, scope) {
            (What::Ip(..), _) => *scope == Scope::All,
            (What::Other(other, _), Scope::Service(name)) => other.scope.service() == Some(&**name),
            (What::Other(other, _), Scope::All | Scope::Endpoint(_)) => other.scope == *scope,
        }
    }

    pub(super) fn is_on(&self, subject: &Subject, scope: &Scope) -> bool {
        match (&self.what, subject) {
            (What::Ip(held, _), Subject::Ip(asked)) => held == asked && *scope == Scope::All,
            (What::Ip(..), _) => false,
            (What::Other(other, _), _) => other.subject == *subject && other.scope == *scope,
        }
    }

    /// As [`Keys::hash`] of its subject and scope.
    pub(super) fn hash(&self, keys: &Keys) -> u64 {
        match &self.what {
            What::Ip(prefix, _) => keys.hash_network(*prefix),
            What::Other(other, _) => keys.random.hash_one((&other.subject, &other.scope)),
        }
    }
}

/// Random per process: whoever chooses what gets blocked cannot aim at a bucket.
pub(super) struct Keys {
    random: RandomState,
    words: [u64; 2],
}

impl Default for Keys {
    fn default() -> Self {
        let random = RandomState::new();
        let words = [random.hash_one(1), random.hash_one(2)];
        Self { random, words }
    }
}

impl Keys {
    pub(super) fn hash(&self, subject: &Subject, scope: &Scope) -> u64 {
        match (subject, scope) {
            (Subject::Ip(prefix), Scope::All) => self.hash_network(*prefix),
            _ => self.random.hash_one((subject, scope)),
        }
    }

    /// Two keyed multiplications. `SipHash` would be half of what an insertion costs, and nobody sees these hashes.
    fn hash_network(&self, prefix: Prefix) -> u64 {
        let [one, two] = self.words;
        let address = prefix.address();
        let halves = fold(address.high() ^ one, address.low() ^ two);
        fold(halves ^ two, u64::from(prefix.length()) ^ one)
    }
}

/// The whole product in one word.
fn fold(one: u64, two: u64) -> u64 {
    let product = u128::from(one) * u128::from(two);
    let high = (product >> 64) as u64;
    #[expect(clippy::cast_possible_truncation, reason = "the lower half is what is meant")]
    let low = product as u64;
    high ^ low
}

// A million of these is what the design promises to hold: a wider row is a decision, not an accident.
const _: () = assert!(size_of::<Option<Row>>() == 48);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Origin, Token};

    #[test]
    fn a_row_hashes_as_its_subject_and_scope_and_comes_out_as_it_went_in() {
        let keys = Keys::default();
        let note = Note { reason: "x".into(), origin: Origin::Cli, approved_by: "y".into(), created: Moment(1) };
        let note = Arc::new(note);
        let flow = crate::parse_flow("tcp 1.2.3.4:5 > 6.7.8.9:80").unwrap();
        let prefix = crate::parse_prefix("2001:db8::/32").unwrap();
        let token = Token { digest: 4, masked: "ab…yz".into() };
        let endpoint = Scope::parse("pay:/x").unwrap();
        for subject in [Subject::Ip(prefix), Subject::Flow(flow), Subject::Device(token.clone()), Subject::User(token)]
        {
            for (scope, until) in [(Scope::All, None), (Scope::named("pay"), Some(Moment(7))), (endpoint.clone(), None)]
            {
                let (id, action, note) = (DecisionId(3), Action::Drop, Arc::clone(&note));
                let rate = subject.token().map(|_| Rate { per_minute: 60, burst: 2 });
                let (subject, scope) = (subject.clone(), scope.clone());
                let decision =
                    Decision { id, subject: subject.clone(), scope: scope.clone(), action, rate, until, note };
                let row = Row::new(decision.clone());
                assert_eq!(row.hash(&keys), keys.hash(&subject, &scope));
                assert!(row.is_on(&subject, &scope) && row.is_within(&scope) && row.kind() == subject.kind());
                assert_eq!(row.decision(), decision);
            }
        }
    }
}
