//! Open Cybersecurity Schema Framework, version 1.3.
//!
//! In: an event. Out: a Detection Finding (2004), Network Activity (4001), Entity Management (3004) or Base Event (0); what OCSF has no
//! attribute for is in `unmapped`. Never here: other formats.
use enforcer_policy::{Event, EventKind, Moment};
use serde_json::{Value, json};

use super::{endpoint, id, refused, severity, without_nulls};
use crate::store::KeptEvent;

/// A class of OCSF and what happened within it.
struct Class {
    category: u32,
    number: u32,
    activity: u32,
}

/// The document of an event.
pub(super) fn document(kept: &KeptEvent) -> Value {
    let event = &kept.event;
    let Class { category, number, activity } = class(event);
    let common = json!({
        "category_uid": category, "class_uid": number, "activity_id": activity, "type_uid": number * 100 + activity,
        "time": event.time.0, "message": event.message, "severity_id": severity(event), "count": event.count,
        "start_time": event.last.map(|_| event.time.0), "end_time": event.last.map(|Moment(last)| last),
        "metadata": {
            "version": "1.3.0", "uid": id(kept), "sequence": kept.number, "logged_time": kept.received.0,
            "event_code": event.what, "log_name": event.kind.name(), "profiles": ["host", "security_control"],
            "product": {"name": "Enforcer", "vendor_name": "Enforcer"},
        },
        "device": {"hostname": kept.host, "type_id": 1},
        "unmapped": {
            "service": event.service, "endpoint": event.endpoint, "decision": event.decision, "verdict": event.verdict,
            "subject_kind": event.subject_kind, "subject": event.subject,
        },
    });
    let (Value::Object(mut document), Value::Object(own)) = (common, own(event)) else { return Value::Null };
    document.extend(own);
    without_nulls(Value::Object(document))
}

fn class(event: &Event) -> Class {
    let class = |category, number, activity| Class { category, number, activity };
    match event.kind {
        // Create, update or delete; which one is in the verb.
        EventKind::Act => match event.what.as_str() {
            "block" | "allow" | "import" | "decide finding" => class(3, 3004, 1),
            "unblock" | "disallow" => class(3, 3004, 4),
            _ => class(3, 3004, 3),
        },
        EventKind::Finding if event.count.unwrap_or(1) > 1 => class(2, 2004, 2),
        EventKind::Finding => class(2, 2004, 1),
        EventKind::Refusal => match event.verdict.as_deref() {
            Some("reset") => class(4, 4001, 3),
            Some("deny" | "drop" | "limit") => class(4, 4001, 5),
            _ => class(4, 4001, 6),
        },
        EventKind::Gap | EventKind::Health | EventKind::Notice | EventKind::Other => class(0, 0, 99),
    }
}

/// What only one class has.
fn own(event: &Event) -> Value {
    match event.kind {
        EventKind::Act => json!({
            "actor": {"user": {"name": event.who}},
            "entity": {"name": event.subject.as_deref().unwrap_or(&event.what), "type": event.subject_kind,
                "uid": event.decision},
            "status_id": 1,
        }),
        EventKind::Finding => json!({
            "finding_info": {
                "uid": event.finding, "title": event.what, "desc": event.message, "types": [event.risk],
                "analytic": {"name": event.filter, "type_id": 1},
            },
            "confidence_score": event.confidence,
            "status_id": 1,
        }),
        EventKind::Refusal => json!({
            "action_id": if refused(event) { 2 } else { 1 },
            "disposition_id": if refused(event) { 2 } else { 17 },
            "src_endpoint": {"ip": event.source},
            "dst_endpoint": {"svc_name": event.service},
            "http_request": {
                "http_method": endpoint(event).map(|(method, _)| method),
                "url": {"path": endpoint(event).map(|(_, path)| path)},
            },
            "traffic": {"bytes_in": event.bytes},
        }),
        EventKind::Gap | EventKind::Health | EventKind::Notice | EventKind::Other => json!({}),
    }
}
