//! An alert of CrowdSec, as its local API takes it (`POST /v1/alerts`).
//!
//! In: a finding about an address. Out: the alert, or none for what CrowdSec has no place for. Never here: who takes it.
//!
//! `remediation` says that the profiles of whoever runs CrowdSec decide what follows; with a ban of our own they do not. A ban lasts from
//! `stop_at` on, so that is now where there is one. Refusals are no findings, so what CrowdSec has decided never comes back to it as an alert.
use std::net::IpAddr;

use enforcer_policy::document::rfc3339;
use enforcer_policy::{Event, EventKind, Moment};
use serde_json::{Value, json};

use super::{endpoint, id};
use crate::store::KeptEvent;

/// The alert; none for an event that is no finding about an address. `ban`: how long the address is to be banned, as CrowdSec writes it.
pub fn alert(kept: &KeptEvent, ban: Option<&str>, now: Moment) -> Option<Value> {
    let event = &kept.event;
    let address = address(event)?.to_string();
    let scenario = format!("enforcer/{}", event.what);
    let count = i32::try_from(event.count.unwrap_or(1)).unwrap_or(i32::MAX);
    let stop = if ban.is_some() { now } else { event.last.unwrap_or(event.time) };
    let mut alert = json!({
        "scenario": scenario, "scenario_hash": "", "scenario_version": env!("CARGO_PKG_VERSION"),
        "message": event.message, "events_count": count, "start_at": rfc3339(event.time), "stop_at": rfc3339(stop),
        "capacity": 0, "leakspeed": "0", "simulated": false, "remediation": true,
        "source": {"scope": "Ip", "value": address, "ip": address},
        "events": [{"timestamp": rfc3339(event.last.unwrap_or(event.time)), "meta": meta(kept)}],
    });
    if let Some(ban) = ban {
        alert["decisions"] = json!([{
            "duration": ban, "origin": "enforcer", "scenario": scenario, "scope": "Ip", "type": "ban", "value": address,
        }]);
    }
    Some(alert)
}

/// The address that a finding is about. Where a request came from is not enough: that may be a load balancer.
fn address(event: &Event) -> Option<IpAddr> {
    let is_about = event.kind == EventKind::Finding && event.subject_kind.as_deref() == Some("ip");
    event.subject.as_deref().filter(|_| is_about)?.parse().ok()
}

/// What else is known, as names and texts.
fn meta(kept: &KeptEvent) -> Value {
    let event = &kept.event;
    let place = endpoint(event);
    let confidence = event.confidence.map(|percent| percent.to_string());
    let id = id(kept);
    let rows = [
        ("enforcer_id", Some(id.as_str())),
        ("host", Some(kept.host.as_str())),
        ("service", event.service.as_deref()),
        ("method", place.map(|(method, _)| method)),
        ("path", place.map(|(_, path)| path)),
        ("filter", event.filter.as_deref()),
        ("finding", event.finding.as_deref()),
        ("severity", event.severity.as_deref()),
        ("risk", event.risk.as_deref()),
        ("confidence", confidence.as_deref()),
    ];
    let pair = |(key, value): (&str, Option<&str>)| value.map(|value| json!({"key": key, "value": value}));
    rows.into_iter().filter_map(pair).collect()
}
