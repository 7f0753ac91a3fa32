//! How events look to others: ECS, OCSF, CEF.
//!
//! In: an event that is kept. Out: one line without line breaks, or the same as JSON. Never here: where it goes. What each format looks
//! like for each kind of event is in `center/tests/golden/`.
mod alert;
mod cef;
mod ecs;
mod ocsf;

use enforcer_policy::{Event, EventKind};
use serde::Deserialize;
use serde_json::Value;

use crate::store::KeptEvent;
pub use alert::alert;

/// A format.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// `ArcSight` Common Event Format, version 0.
    Cef,
    /// Elastic Common Schema 8, JSON.
    #[default]
    Ecs,
    /// Open Cybersecurity Schema Framework 1.3, JSON.
    Ocsf,
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Cef, Self::Ecs, Self::Ocsf];

    /// The word used everywhere.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cef => "cef",
            Self::Ecs => "ecs",
            Self::Ocsf => "ocsf",
        }
    }
}

/// One line.
pub fn line(kept: &KeptEvent, format: Format) -> String {
    let value = value(kept, format);
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// As JSON; what is no JSON is a text.
pub(super) fn value(kept: &KeptEvent, format: Format) -> Value {
    match format {
        Format::Cef => Value::String(cef::line(kept)),
        Format::Ecs => ecs::document(kept),
        Format::Ocsf => ocsf::document(kept),
    }
}

/// 1 for what is only worth knowing, to 5 for harm that is being done.
pub(super) fn severity(event: &Event) -> u8 {
    match (event.severity.as_deref(), event.kind) {
        (Some("critical"), _) => 5,
        (Some("high"), _) => 4,
        (Some("low"), _) | (None, EventKind::Refusal | EventKind::Act | EventKind::Gap) => 2,
        (Some("medium"), _) | (_, EventKind::Finding) => 3,
        (_, _) => 1,
    }
}

/// The id of an event for life: what is sent twice has the same one twice.
fn id(kept: &KeptEvent) -> String {
    match kept.event.sequence {
        0 => format!("center/{}", kept.number),
        sequence => format!("{}/{}/{sequence}", kept.host, kept.spool),
    }
}

/// Method and path template of an endpoint.
fn endpoint(event: &Event) -> Option<(&str, &str)> {
    event.endpoint.as_deref()?.split_once(' ')
}

/// True when something was kept from happening.
fn refused(event: &Event) -> bool {
    event.verdict.as_deref().is_some_and(|verdict| matches!(verdict, "deny" | "drop" | "limit" | "reset"))
}

/// Leaves out what is not there.
fn without_nulls(value: Value) -> Value {
    let Value::Object(fields) = value else { return value };
    let kept = fields.into_iter().map(|(name, value)| (name, without_nulls(value)));
    let is_empty = |value: &Value| value.is_null() || value.as_object().is_some_and(serde_json::Map::is_empty);
    Value::Object(kept.filter(|(_, value)| !is_empty(value)).collect())
}
