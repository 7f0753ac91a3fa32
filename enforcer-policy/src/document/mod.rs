//! The policy of a fleet as people write it: services, their owners and facts, identity rules, filters, the matrix, the
//! allowlist, groups of hosts, and decisions.
//!
//! In: TOML files, or the content of a revision. Out: a [`Document`] that is valid as a whole, or every problem with file, line
//! and mend; and TOML again. Never here: files as such, raw identities after [`Document::sealed`], what changes (see `plan`).
//!
//! To add a column to services: nothing; `facts` are free. To add a section: a field of [`Base`], its reading, its writing, and
//! its comparison in `plan`.
mod read;
mod seal;
mod sections;
mod terms;
mod write;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use enforcer_common::{Action, AllowKind, Prefix, Rate, SubjectKind};
use serde::{Deserialize, Serialize};

use crate::reading::Problem;
use crate::{Moment, Scope, Subject};

pub use read::LONGEST_FILE;
pub use seal::Unsealed;
pub use terms::{Forwarded, Terms};
pub use write::{rfc3339, to_toml};

/// Everything but the decisions.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Base {
    /// APIs by name.
    pub services: BTreeMap<String, Service>,
    /// The catalogue of filters by name.
    pub filters: BTreeMap<String, Filter>,
    /// Filter, then service.
    pub matrix: BTreeMap<String, BTreeMap<String, Cell>>,
    /// Names of hosts by the name of their group.
    pub groups: BTreeMap<String, BTreeSet<String>>,
    /// Networks that no decision blocks.
    pub allow: Vec<Allow>,
}

/// An API as its owners name it.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Service {
    /// TCP ports.
    pub ports: Vec<u16>,
    /// Host names; none means any.
    pub hosts: Vec<String>,
    /// Path templates; none means any.
    pub paths: Vec<String>,
    /// Who answers for it.
    pub owners: Vec<String>,
    /// The columns of a security check matrix: authentication, encryption, personal data, and whatever else is asked for.
    pub facts: BTreeMap<String, String>,
    /// Where its requests say who they are.
    pub identities: Vec<Identity>,
    /// On which hosts, and how its requests are judged there.
    #[serde(skip)]
    pub terms: Terms,
}

/// One place where requests say who they are.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct Identity {
    /// Whose token.
    #[serde(with = "crate::serial")]
    pub kind: SubjectKind,
    /// Where it stands.
    pub place: IdentityPlace,
}

/// Where a token stands in a request.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IdentityPlace {
    /// As bearer token.
    Bearer,
    /// In this cookie.
    Cookie(String),
    /// In this header, after the pattern if there is one.
    Header(String, Option<String>),
}

/// A security policy module.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Filter {
    /// What it does, in one line.
    pub title: String,
    /// The risk it answers, such as `API1:2023`.
    pub risk: String,
    /// Parameters with their defaults.
    pub parameters: BTreeMap<String, String>,
}

/// One filter on one service.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Cell {
    /// What it may do.
    pub mode: Mode,
    /// Parameters that differ from the filter's own.
    pub parameters: BTreeMap<String, String>,
}

/// What a filter may do on a service.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Nothing.
    #[default]
    Off,
    /// Report.
    Observe,
    /// Report and decide.
    Enforce,
}

impl Mode {
    /// The word used everywhere.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Observe => "observe",
            Self::Enforce => "enforce",
        }
    }
}

/// An entry of the allowlist.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct Allow {
    /// The network.
    #[serde(with = "crate::serial")]
    pub network: Prefix,
    /// How far it reaches.
    #[serde(with = "crate::serial")]
    pub kind: AllowKind,
    /// Why.
    pub reason: String,
    /// On the hosts of these groups; none means on all.
    pub groups: Vec<String>,
}

/// A policy as written, before raw identities have become digests.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Document {
    /// Everything but the decisions.
    pub base: Base,
    /// The decisions.
    pub decisions: Vec<WrittenDecision>,
}

/// A decision in a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WrittenDecision {
    /// Who.
    pub subject: WrittenSubject,
    /// Where.
    pub scope: Scope,
    /// What happens.
    pub action: Action,
    /// With `limit` only.
    pub rate: Option<Rate>,
    /// When it ends.
    pub until: Option<Moment>,
    /// Why.
    pub reason: String,
    /// On the hosts of these groups; none means on all.
    pub groups: Vec<String>,
}

/// Who, as it may be written.
#[derive(Clone, PartialEq, Eq)]
pub enum WrittenSubject {
    /// Without a secret.
    Known(Subject),
    /// A raw token, which becomes a digest as soon as the fleet's key is at hand.
    Raw(SubjectKind, String),
}

/// Raw tokens are not shown.
impl fmt::Debug for WrittenSubject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known(subject) => write!(f, "{subject}"),
            Self::Raw(kind, raw) => write!(f, "{} {}", kind.name(), crate::mask(raw)),
        }
    }
}

/// A mistake in one of several files.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct FileProblem {
    /// The file's name as it was given.
    pub file: String,
    /// The mistake.
    pub problem: Problem,
}

impl fmt::Display for FileProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Problem { line, place, what, mend } = &self.problem;
        write!(f, "{}:{line}: {place}: {what}\n  mend: {mend}", self.file)
    }
}

/// All mistakes of all files; never empty.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub struct FileProblems(pub Vec<FileProblem>);

impl fmt::Display for FileProblems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.0.len();
        write!(f, "{count} {} in the policy", if count == 1 { "problem" } else { "problems" })?;
        self.0.iter().try_for_each(|problem| write!(f, "\n{problem}"))
    }
}

#[cfg(test)]
mod tests;
