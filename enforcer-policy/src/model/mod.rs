//! The nouns of policy: moments, ids, subjects, scopes, notes, decisions, allowlist entries.
//!
//! In: values that were already understood. Out: plain data that the socket and the journal can carry. Never here: rules
//! about what may be decided (that is the ledger), raw identities (only their digests).
mod endpoint;
mod id;
mod rate;
mod scope;
mod subject;
mod template;

use std::sync::Arc;
use std::time::Duration;

use enforcer_common::{Action, AllowKind, Prefix, Rate};
use serde::{Deserialize, Serialize};

pub use endpoint::{Endpoint, EndpointError, EndpointFault};
pub(crate) use id::hex;
pub use id::{DecisionId, IdError};
pub use rate::{RateError, parse_rate};
pub use scope::{Scope, service_id};
pub use subject::{Subject, Token, mask};
pub use template::Template;

/// A point in time: unix milliseconds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Moment(pub u64);

impl Moment {
    /// The moment `time` later; the end of time if that is past it.
    #[must_use]
    pub fn plus(self, time: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(time.as_millis()).unwrap_or(u64::MAX)))
    }

    /// The time from here to `later`; zero when that is not later.
    pub fn until(self, later: Self) -> Duration {
        Duration::from_millis(later.0.saturating_sub(self.0))
    }
}

/// Where a decision came from.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// Came with a signed revision of the center.
    Center,
    /// Typed on the command line.
    Cli,
    /// Imported with others from a list.
    List,
    /// Written in the configuration file.
    File,
    /// A filter was sure enough to make it by itself, or a person agreed with a finding.
    Finding,
    /// Came from a CrowdSec.
    CrowdSec,
}

impl Origin {
    /// The word used everywhere.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Center => "center",
            Self::Cli => "cli",
            Self::List => "list",
            Self::File => "file",
            Self::Finding => "finding",
            Self::CrowdSec => "crowdsec",
        }
    }
}

/// Why something was decided, and by whom. Shared: a million imported lines have one note.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Note {
    /// In the operator's words.
    pub reason: String,
    /// Where it came from.
    pub origin: Origin,
    /// Who stands for it.
    pub approved_by: String,
    /// When it was written.
    pub created: Moment,
}

impl Note {
    /// What stands for it when no person does: a list, a CrowdSec.
    pub fn source(&self) -> Option<&str> {
        self.approved_by.strip_prefix(SOURCE)
    }
}

/// Who is refused what, where, and until when.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Decision {
    /// One id for life.
    pub id: DecisionId,
    /// Who.
    pub subject: Subject,
    /// Where.
    pub scope: Scope,
    /// What happens.
    #[serde(with = "crate::serial")]
    pub action: Action,
    /// How many requests may pass; only with [`Action::Limit`].
    #[serde(with = "crate::serial")]
    pub rate: Option<Rate>,
    /// When it ends; `None` is never.
    pub until: Option<Moment>,
    /// Why.
    pub note: Arc<Note>,
}

/// Who is never refused: beats every decision.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Allowed {
    /// Who.
    #[serde(with = "crate::serial")]
    pub prefix: Prefix,
    /// How far it reaches.
    #[serde(with = "crate::serial")]
    pub kind: AllowKind,
    /// When it ends; `None` is never.
    pub until: Option<Moment>,
    /// Why.
    pub note: Arc<Note>,
}

/// Stands before the name of a source where a person's name would be. No person may be called so.
pub const SOURCE: &str = "source:";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_stops_at_its_ends() {
        assert_eq!(Moment(1_000).plus(Duration::from_secs(2)), Moment(3_000));
        assert_eq!(Moment(u64::MAX - 1).plus(Duration::MAX), Moment(u64::MAX));
        assert_eq!(Moment(1_000).until(Moment(1_500)), Duration::from_millis(500));
        assert_eq!(Moment(1_500).until(Moment(1_000)), Duration::ZERO);
    }
}
