//! What a module says. In: JSON from its memory, its manifest, the call it is about. Out: a sign; nothing when it breaks the rules.
//! Never here: text that the module chose: names are those of its manifest, identities those of the call.
use std::time::Duration;

use enforcer_insight::filters::Seen;
use enforcer_insight::findings::{Fact, FactValue, Sign, Suggestion};
use enforcer_policy::{Scope, Subject, SubjectKind};
use serde::Deserialize;

use crate::manifest::Manifest;

/// A sign in the words of a module.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Raise {
    kind: String,
    confidence: u8,
    #[serde(default)]
    who: Who,
    /// It is about the endpoint of the call, too.
    #[serde(default)]
    endpoint: bool,
    #[serde(default)]
    counts: Vec<(String, u64)>,
    suggest: Option<Suggest>,
}

/// Who it is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Who {
    Address,
    ApiKey,
    Consumer,
    Device,
    #[default]
    Nobody,
    Session,
    User,
}

/// What would stop it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Suggest {
    action: Act,
    scope: Where,
    seconds: u32,
    /// With `limit` only.
    #[serde(default)]
    per_minute: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Act {
    Deny,
    Limit,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Where {
    Endpoint,
    Service,
}

impl Raise {
    /// Reads it; nothing when it is no such JSON, or names what the manifest does not.
    pub(crate) fn read(text: &[u8], manifest: &Manifest) -> Option<Self> {
        let raise: Self = serde_json::from_slice(text).ok()?;
        let kind = manifest.kind(&raise.kind)?;
        let known = |(name, _): &(String, u64)| kind.counts.iter().any(|count| count == name);
        let fits = raise.confidence <= 100 && raise.counts.len() <= kind.counts.len();
        (fits && raise.counts.iter().all(known)).then_some(raise)
    }

    /// The sign; nothing when it speaks of a call where there is none.
    pub(crate) fn sign(self, manifest: &Manifest, seen: Option<&Seen<'_>>) -> Option<Sign> {
        let kind = manifest.kind(&self.kind)?;
        let of_call = self.endpoint || self.who != Who::Nobody || self.suggest.is_some();
        if of_call && seen.is_none() {
            return None;
        }
        let subject = seen.and_then(|seen| self.who.subject(seen));
        let suggested = seen.zip(self.suggest).zip(subject.clone());
        let suggestion = suggested.and_then(|((seen, suggest), subject)| suggest.suggestion(seen, subject));
        let fact =
            |(name, count): (String, u64)| Fact { name: name_of(&name, &kind.counts), value: FactValue::Count(count) };
        Some(Sign {
            kind: kind.name.clone(),
            endpoint: seen.filter(|_| self.endpoint).map(|seen| seen.spot.text.clone()),
            subjects: subject.into_iter().collect(),
            facts: self.counts.into_iter().map(fact).collect(),
            confidence: self.confidence,
            severity: kind.severity,
            risk: kind.risk,
            fix: kind.fix.clone(),
            suggestion,
        })
    }
}

/// The name as it stands in the manifest.
fn name_of(name: &str, known: &[enforcer_insight::filters::Word]) -> enforcer_insight::filters::Word {
    known.iter().find(|one| *one == name).cloned().unwrap_or_default()
}

impl Who {
    /// The one of the call; nobody when it does not bear one of this kind.
    fn subject(self, seen: &Seen<'_>) -> Option<Subject> {
        let party = |kind| seen.party(kind).map(|party| party.subject);
        match self {
            Self::Address => Some(seen.address().subject),
            Self::ApiKey => party(SubjectKind::ApiKey),
            Self::Consumer => Some(seen.consumer.subject.clone()),
            Self::Device => party(SubjectKind::Device),
            Self::Nobody => None,
            Self::Session => party(SubjectKind::Session),
            Self::User => party(SubjectKind::User),
        }
    }
}

impl Suggest {
    fn suggestion(self, seen: &Seen<'_>, subject: Subject) -> Option<Suggestion> {
        let lasts = Duration::from_secs(u64::from(self.seconds.clamp(SHORTEST, LONGEST)));
        let scope: Scope = match self.scope {
            Where::Endpoint => seen.scope(),
            Where::Service => seen.service(),
        };
        match self.action {
            Act::Deny => Some(Suggestion::refuse(subject, scope, lasts)),
            Act::Limit => Suggestion::limit(subject, scope, self.per_minute, lasts),
        }
    }
}

/// Seconds that a decision may last which a module suggests: a minute to thirty days.
const SHORTEST: u32 = 60;
const LONGEST: u32 = 2_592_000;
