//! A finding: a sign with its filter, its service and its times. In: signs. Out: plain data with one id for life. Never here: raw
//! values of calls.
use std::fmt;
use std::sync::Arc;

use enforcer_common::{SipKey, siphash};
use enforcer_policy::{Moment, Subject};
use serde::{Deserialize, Serialize};

use super::sign::{Fact, Risk, Severity, Sign, Suggestion};
use crate::filters::Word;

/// What a finding is known by: the same for the same filter, kind, service, endpoint and subject, on every host.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FindingId(#[serde(with = "enforcer_policy::serial::hex")] pub u64);

/// What a filter noticed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Finding {
    /// One for life.
    pub id: FindingId,
    /// The filter that noticed it.
    pub filter: Word,
    /// What it is, such as `credential_stuffing`.
    pub kind: Word,
    /// Where.
    pub service: Arc<str>,
    /// Method and path template, when it is about one.
    pub endpoint: Option<Arc<str>>,
    /// Who: the first is the one it is about.
    pub subjects: Vec<Subject>,
    /// Why it is believed, as it was seen last.
    pub facts: Vec<Fact>,
    /// How sure it is: 0 to 100, the highest so far.
    pub confidence: u8,
    /// How bad it would be, the worst so far.
    pub severity: Severity,
    /// Which risk it is.
    pub risk: Risk,
    /// What the owner of the service can do about it.
    pub fix: Word,
    /// What would stop it.
    pub suggestion: Option<Suggestion>,
    /// When it was raised first.
    pub first: Moment,
    /// And last.
    pub last: Moment,
    /// How many times it was raised.
    pub count: u64,
}

impl Finding {
    /// A finding that was raised once.
    pub fn new(filter: &Word, service: &Arc<str>, sign: Sign, now: Moment) -> Self {
        let id = FindingId::of(filter, &sign.kind, service, sign.endpoint.as_deref(), sign.subjects.first());
        let Sign { kind, endpoint, subjects, facts, confidence, severity, risk, fix, suggestion } = sign;
        let (filter, service) = (filter.clone(), Arc::clone(service));
        let confidence = confidence.min(100);
        let times = (now, now, 1);
        let (first, last, count) = times;
        Self {
            id,
            filter,
            kind,
            service,
            endpoint,
            subjects,
            facts,
            confidence,
            severity,
            risk,
            fix,
            suggestion,
            first,
            last,
            count,
        }
    }

    /// The one it is about.
    pub fn subject(&self) -> Option<&Subject> {
        self.subjects.first()
    }

    /// Takes what was raised again: newer evidence, the highest confidence, others that have to do with it.
    pub(super) fn absorb(&mut self, other: Self) {
        self.last = self.last.max(other.last);
        self.first = self.first.min(other.first);
        self.count = self.count.saturating_add(other.count);
        self.severity = self.severity.max(other.severity);
        // A suggestion goes with the confidence that it was made with.
        if other.confidence >= self.confidence {
            self.confidence = other.confidence;
            if other.suggestion.is_some() {
                self.suggestion = other.suggestion;
            }
        }
        self.facts = other.facts;
        for subject in other.subjects {
            if self.subjects.len() < SUBJECTS && !self.subjects.contains(&subject) {
                self.subjects.push(subject);
            }
        }
    }
}

impl FindingId {
    /// The id of these words, none of which holds a zero byte.
    pub fn of(filter: &str, kind: &str, service: &str, endpoint: Option<&str>, subject: Option<&Subject>) -> Self {
        let subject = subject.map(key).unwrap_or_default();
        let text = [filter, kind, service, endpoint.unwrap_or_default(), &subject].join("\0");
        Self(siphash(PUBLIC, text.as_bytes()))
    }
}

/// A subject as text without a mask, which differs with what is known of its token.
pub(super) fn key(subject: &Subject) -> String {
    let kind = subject.kind().name();
    subject.token().map_or_else(|| format!("{kind} {subject}"), |token| format!("{kind} {:016x}", token.digest))
}

impl fmt::Display for FindingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// Others that have to do with a finding.
const SUBJECTS: usize = 8;
/// Not a secret: ids are the same on all hosts, so that the center can join their findings.
const PUBLIC: SipKey = SipKey([0x656e_666f_7263_6572, 0x6669_6e64_696e_6773]);
