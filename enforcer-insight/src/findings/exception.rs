//! What people said is all right. In: exceptions. Out: does one cover a finding. Never here: judging findings.
use std::collections::BTreeMap;
use std::sync::Arc;

use enforcer_policy::{Moment, Subject};
use serde::{Deserialize, Serialize};

use super::finding::{Finding, FindingId};
use crate::filters::Word;

/// Findings of this filter and kind on this service are all right.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Exception {
    /// The filter.
    pub filter: Word,
    /// What it notices.
    pub kind: Word,
    /// Where.
    pub service: Arc<str>,
    /// On this endpoint; `None` is on any, and for findings without one.
    pub endpoint: Option<Arc<str>>,
    /// Of this subject; `None` is of any.
    pub subject: Option<Subject>,
    /// Until then; `None` is for ever.
    pub until: Option<Moment>,
    /// Why, in the words of who said so.
    pub reason: String,
}

impl Exception {
    /// The narrowest exception that covers a finding.
    pub fn from_finding(finding: &Finding, reason: &str) -> Self {
        Self {
            filter: finding.filter.clone(),
            kind: finding.kind.clone(),
            service: Arc::clone(&finding.service),
            endpoint: finding.endpoint.clone(),
            subject: finding.subject().cloned(),
            until: None,
            reason: reason.to_owned(),
        }
    }

    /// The findings with this id are covered by it.
    pub fn covers(&self) -> FindingId {
        FindingId::of(&self.filter, &self.kind, &self.service, self.endpoint.as_deref(), self.subject.as_ref())
    }
}

/// All exceptions.
#[derive(Clone, Debug, Default)]
pub struct Exceptions(BTreeMap<FindingId, Exception>);

impl Exceptions {
    /// Adds one, in place of the same one. False when there is no room: then nothing has changed.
    pub fn add(&mut self, exception: Exception) -> bool {
        let id = exception.covers();
        let room = self.0.len() < LIMIT || self.0.contains_key(&id);
        if room {
            self.0.insert(id, exception);
        }
        room
    }

    /// Takes one away.
    pub fn remove(&mut self, id: FindingId) -> Option<Exception> {
        self.0.remove(&id)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Exception> {
        self.0.values()
    }

    /// The one that covers a finding now: the same, any subject, any endpoint, or both.
    pub fn covering(&self, finding: &Finding, now: Moment) -> Option<&Exception> {
        if self.0.is_empty() {
            return None;
        }
        let (endpoint, subject) = (finding.endpoint.as_deref(), finding.subject());
        let wider = [(endpoint, subject), (endpoint, None), (None, subject), (None, None)];
        let id =
            |(endpoint, subject)| FindingId::of(&finding.filter, &finding.kind, &finding.service, endpoint, subject);
        let holds = |exception: &&Exception| exception.until.is_none_or(|until| now < until);
        wider.into_iter().find_map(|wide| self.0.get(&id(wide)).filter(holds))
    }
}

/// More than people will ever write.
const LIMIT: usize = 10_000;
