//! Elastic Common Schema, version 8.
//!
//! In: an event. Out: a document; what ECS has no field for is below `enforcer`. Never here: other formats.
use enforcer_policy::document::rfc3339;
use enforcer_policy::{Event, EventKind};
use serde_json::{Value, json};

use super::{endpoint, id, refused, severity, without_nulls};
use crate::store::KeptEvent;

/// The document of an event.
pub(super) fn document(kept: &KeptEvent) -> Value {
    let event = &kept.event;
    let (kind, categories, types) = classes(event);
    let source = event.source.map(|source| source.to_string());
    without_nulls(json!({
        "@timestamp": rfc3339(event.time),
        "ecs": {"version": "8.11.0"},
        "message": event.message,
        "event": {
            "id": id(kept), "kind": kind, "category": categories, "type": types, "action": event.what,
            "outcome": outcome(event), "severity": severity(event), "sequence": kept.number, "module": "enforcer",
            "dataset": format!("enforcer.{}", event.kind.name()), "ingested": rfc3339(kept.received),
            "start": event.last.map(|_| rfc3339(event.time)), "end": event.last.map(rfc3339),
        },
        "host": {"name": kept.host},
        "observer": {"vendor": "Enforcer", "product": "Enforcer", "type": "waf", "name": kept.host},
        "service": {"name": event.service},
        "source": {"ip": source, "bytes": event.bytes},
        "user": {"name": event.who},
        "http": {"request": {"method": endpoint(event).map(|(method, _)| method)}},
        "url": {"path": endpoint(event).map(|(_, path)| path)},
        "rule": {"id": event.finding, "name": event.filter, "category": event.risk},
        "enforcer": {
            "count": event.count, "decision": event.decision, "verdict": event.verdict, "confidence": event.confidence,
            "subject": {"kind": event.subject_kind, "value": event.subject},
        },
    }))
}

fn classes(event: &Event) -> (&'static str, Value, Value) {
    match event.kind {
        EventKind::Act => ("event", json!(["configuration"]), json!(["change"])),
        EventKind::Finding => ("alert", json!(["intrusion_detection", "web"]), json!(["info"])),
        EventKind::Refusal if refused(event) => ("event", json!(["network", "web"]), json!(["denied"])),
        EventKind::Refusal => ("event", json!(["network", "web"]), json!(["allowed"])),
        EventKind::Gap => ("pipeline_error", json!(["host"]), json!(["error"])),
        EventKind::Health => ("state", json!(["host"]), json!(["info"])),
        EventKind::Notice | EventKind::Other => ("event", json!(["host"]), json!(["info"])),
    }
}

fn outcome(event: &Event) -> &'static str {
    match event.kind {
        EventKind::Refusal if refused(event) => "failure",
        EventKind::Act | EventKind::Refusal => "success",
        EventKind::Finding | EventKind::Gap | EventKind::Health | EventKind::Notice | EventKind::Other => "unknown",
    }
}
