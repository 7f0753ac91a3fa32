//! A sign of something wrong, as a filter raises it. In: digests, addresses, counts, masked words. Out: plain data. Never here:
//! raw values of calls.
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use enforcer_policy::{Action, Rate, Scope, Subject};
use serde::{Deserialize, Serialize};

use crate::filters::Word;

/// What a filter has to say. Filter, service and time are added by who runs it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sign {
    /// What was noticed, such as `credential_stuffing`.
    pub kind: Word,
    /// Method and path template, such as `GET /accounts/{}`, when it is about one.
    pub endpoint: Option<Arc<str>>,
    /// Who: the first is the one it is about, the others have to do with it.
    pub subjects: Vec<Subject>,
    /// Why it is believed.
    pub facts: Vec<Fact>,
    /// How sure it is: 0 to 100.
    pub confidence: u8,
    /// How bad it would be.
    pub severity: Severity,
    /// Which risk it is.
    pub risk: Risk,
    /// What the owner of the service can do about it.
    pub fix: Word,
    /// What would stop it.
    pub suggestion: Option<Suggestion>,
}

/// One piece of evidence.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Fact {
    /// What was counted or seen.
    pub name: Word,
    /// How many, or which.
    pub value: FactValue,
}

/// A count, or a word that may be shown.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum FactValue {
    /// How many.
    Count(u64),
    /// A word of the project, a template, or masked text.
    Word(Word),
}

/// How bad it would be.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    Low,
    /// To be mended in time.
    Medium,
    /// To be looked at today.
    High,
    /// Somebody is being harmed.
    Critical,
}

/// The OWASP API Security Top 10 of 2023.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum Risk {
    /// Broken object level authorization.
    #[serde(rename = "API1:2023")]
    ObjectAuthorization,
    /// Broken authentication.
    #[serde(rename = "API2:2023")]
    Authentication,
    /// Broken object property level authorization.
    #[serde(rename = "API3:2023")]
    PropertyAuthorization,
    /// Unrestricted resource consumption.
    #[serde(rename = "API4:2023")]
    ResourceConsumption,
    /// Broken function level authorization.
    #[serde(rename = "API5:2023")]
    FunctionAuthorization,
    /// Unrestricted access to sensitive business flows.
    #[serde(rename = "API6:2023")]
    BusinessFlows,
    /// Server side request forgery.
    #[serde(rename = "API7:2023")]
    RequestForgery,
    /// Security misconfiguration.
    #[serde(rename = "API8:2023")]
    Misconfiguration,
    /// Improper inventory management.
    #[serde(rename = "API9:2023")]
    Inventory,
    /// Unsafe consumption of APIs.
    #[serde(rename = "API10:2023")]
    Consumption,
}

/// What would stop it: the narrowest subject in the narrowest scope.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Suggestion {
    /// Who.
    pub subject: Subject,
    /// Where.
    pub scope: Scope,
    /// What happens.
    #[serde(with = "enforcer_policy::serial")]
    pub action: Action,
    /// With [`Action::Limit`] only.
    #[serde(with = "enforcer_policy::serial")]
    pub rate: Option<Rate>,
    /// For how long.
    pub lasts: Duration,
}

impl Sign {
    /// A sign without endpoint, subjects and evidence.
    pub const fn new(kind: &'static str, risk: Risk, severity: Severity, confidence: u8, fix: &'static str) -> Self {
        Self {
            kind: Cow::Borrowed(kind),
            endpoint: None,
            subjects: Vec::new(),
            facts: Vec::new(),
            confidence,
            severity,
            risk,
            fix: Cow::Borrowed(fix),
            suggestion: None,
        }
    }

    /// About this endpoint.
    #[must_use]
    pub fn at(mut self, endpoint: &Arc<str>) -> Self {
        self.endpoint = Some(Arc::clone(endpoint));
        self
    }

    /// About this subject, or with it when there is one already.
    #[must_use]
    pub fn by(mut self, subject: Subject) -> Self {
        if !self.subjects.contains(&subject) {
            self.subjects.push(subject);
        }
        self
    }

    /// With a count as evidence.
    #[must_use]
    pub fn count(mut self, name: &'static str, count: impl Into<u64>) -> Self {
        self.facts.push(Fact { name: Cow::Borrowed(name), value: FactValue::Count(count.into()) });
        self
    }

    /// With a word as evidence; the caller sees to it that it may be shown.
    #[must_use]
    pub fn word(mut self, name: &'static str, word: impl Into<Word>) -> Self {
        self.facts.push(Fact { name: Cow::Borrowed(name), value: FactValue::Word(word.into()) });
        self
    }

    /// With what would stop it.
    #[must_use]
    pub fn suggest(mut self, suggestion: Option<Suggestion>) -> Self {
        self.suggestion = suggestion;
        self
    }
}

impl Suggestion {
    /// Refuses a subject in a scope. Packets of an address are dropped everywhere: they belong to no service yet.
    pub fn refuse(subject: Subject, scope: Scope, lasts: Duration) -> Self {
        let (scope, action) =
            if subject.token().is_some() { (scope, Action::Deny) } else { (Scope::All, Action::Drop) };
        Self { subject, scope, action, rate: None, lasts }
    }

    /// Lets a subject have a rate only; `None` for addresses, which cannot be limited.
    pub fn limit(subject: Subject, scope: Scope, per_minute: u32, lasts: Duration) -> Option<Self> {
        subject.token()?;
        let per_minute = per_minute.clamp(1, PER_MINUTE);
        let rate = Some(Rate { per_minute, burst: per_minute.div_ceil(6) });
        Some(Self { subject, scope, action: Action::Limit, rate, lasts })
    }
}

impl Severity {
    /// The word used everywhere.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

impl Risk {
    /// As the list numbers it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ObjectAuthorization => "API1:2023",
            Self::Authentication => "API2:2023",
            Self::PropertyAuthorization => "API3:2023",
            Self::ResourceConsumption => "API4:2023",
            Self::FunctionAuthorization => "API5:2023",
            Self::BusinessFlows => "API6:2023",
            Self::RequestForgery => "API7:2023",
            Self::Misconfiguration => "API8:2023",
            Self::Inventory => "API9:2023",
            Self::Consumption => "API10:2023",
        }
    }
}

/// The highest rate that is suggested.
const PER_MINUTE: u32 = 1_000_000;
