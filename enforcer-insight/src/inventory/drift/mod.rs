//! What calls show against what a specification says. In: endpoints of one service, and a specification. Out: each difference, in
//! both directions. Never here: which of the two is right.
mod compare;
mod contract;
mod spec;

use serde::{Deserialize, Serialize};

pub use compare::drift;
pub use spec::{Spec, SpecError};

/// The kinds of differences.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// It is called, and the specification does not have it.
    Shadow,
    /// The specification has it, and it was never called.
    Zombie,
    /// It is called, and the specification says that it should not be any more.
    Deprecated,
    /// Calls were served without the credentials that the specification asks for.
    MissingAuth,
    /// A parameter or field that the specification does not have.
    Undocumented,
    /// A parameter or field of another type.
    ChangedType,
}

impl Kind {
    /// The word used everywhere.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Shadow => "shadow",
            Self::Zombie => "zombie",
            Self::Deprecated => "deprecated",
            Self::MissingAuth => "missing-auth",
            Self::Undocumented => "undocumented",
            Self::ChangedType => "changed-type",
        }
    }
}

/// One difference.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct Drift {
    /// What differs.
    pub kind: Kind,
    /// The path, as it is called, or as the specification has it when it was never called.
    pub path: String,
    /// The method.
    pub method: String,
    /// For parameters and fields: `path`, `query`, `request` or `answer`, and the name.
    pub field: Option<String>,
    /// What the specification says of its type.
    pub specified: Option<String>,
    /// What was seen instead; for calls, how many.
    pub seen: Option<String>,
}

#[cfg(test)]
mod tests;
