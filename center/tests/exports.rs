//! What exports write, for each kind of event: compared with golden files. `UPDATE=1 cargo test -p enforcer-center --test exports`
//! writes them anew; read what changed before it is committed.
//!
//! In: events. Out: lines. Never here: receivers (the namespace suite has real ones).
#![expect(clippy::unwrap_used, reason = "helpers of tests: what cannot be done fails them")]

use std::path::PathBuf;

use enforcer_center::export::{Format, alert, line};
use enforcer_center::store::KeptEvent;
use enforcer_policy::{DecisionId, Event, EventKind, Moment};

const TIME: Moment = Moment(1_767_225_600_500);

fn events() -> Vec<Event> {
    let text = |text: &str| Some(text.to_owned());
    let new = |kind, what: &str, message: &str| Event::new(kind, TIME, what, message);
    let refusal = Event {
        service: text("pay"),
        endpoint: text("GET /accounts/{id}"),
        subject_kind: text("device"),
        decision: Some(DecisionId(0xabc)),
        verdict: text("deny"),
        source: Some([192, 0, 2, 7].into()),
        count: Some(40),
        bytes: Some(9000),
        last: Some(Moment(TIME.0 + 4000)),
        ..new(EventKind::Refusal, "blocked_device", "blocked_device met 40 times")
    };
    vec![
        refusal.clone(),
        Event { verdict: text("observe"), source: Some("2001:db8::7".parse().unwrap()), endpoint: None, ..refusal },
        Event {
            service: text("pay"),
            endpoint: text("POST /login"),
            subject_kind: text("ip"),
            subject: text("192.0.2.7"),
            filter: text("logins"),
            finding: text("00000000000000aa"),
            severity: text("high"),
            risk: text("API2:2023"),
            confidence: Some(90),
            count: Some(1),
            ..new(EventKind::Finding, "credential_stuffing", "a|b=c\\d on POST /login; it waits for a person")
        },
        Event {
            who: text("ada"),
            decision: Some(DecisionId(0xdef)),
            subject_kind: text("session"),
            subject: text("ab…yz"),
            ..new(EventKind::Act, "unblock", "unblock session ab…yz: deny; a mistake")
        },
        Event { severity: text("high"), ..new(EventKind::Health, "hooks", "the interface eth7 does not exist (yet)") },
        new(EventKind::Notice, "map_full", "the map identities is full"),
        Event {
            count: Some(3),
            severity: text("medium"),
            ..new(EventKind::Gap, "lost", "events 4 to 6 were given up")
        },
        new(EventKind::Other, "of tomorrow", ""),
    ]
}

fn kept() -> impl Iterator<Item = KeptEvent> {
    (7..).zip(events()).map(|(number, event)| {
        let sequence = if event.kind == EventKind::Gap { 0 } else { number * 10 };
        let (host, spool) = ("edge-1".to_owned(), "00000000000000ee".to_owned());
        KeptEvent { number, host, spool, received: Moment(TIME.0 + 5000), event: Event { sequence, ..event } }
    })
}

#[test]
fn formats_are_what_was_reviewed() {
    for format in Format::ALL {
        let text: String = kept().map(|one| line(&one, format) + "\n").collect();
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/{}.txt", format.name()));
        if std::env::var_os("UPDATE").is_some() {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, &text).unwrap();
        }
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text, "{}", path.display());
    }
}

#[test]
fn an_alert_of_crowdsec_is_what_was_reviewed() {
    let now = Moment(TIME.0 + 9000);
    let written = |ban| -> Vec<String> {
        kept().filter_map(|one| alert(&one, ban, now)).map(|one| format!("{one:#}\n")).collect()
    };
    let (plain, banned) = (written(None), written(Some("4h")));
    assert_eq!((plain.len(), banned.len()), (1, 1), "only a finding about an address is one");
    let text = plain.concat() + &banned.concat();
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/alert.txt");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap_or_default(), text, "{}", path.display());
}

#[test]
fn one_event_is_one_line_and_json_has_no_nulls() {
    for one in kept() {
        for format in Format::ALL {
            let line = line(&one, format);
            assert!(!line.contains('\n'), "{line}");
            if format != Format::Cef {
                let value: serde_json::Value = serde_json::from_str(&line).unwrap();
                assert!(!value.to_string().contains("null"), "{value}");
            }
        }
    }
}

#[test]
fn nothing_in_an_event_can_forge_a_field() {
    let event = Event::new(EventKind::Act, TIME, "x|9|", "y act=allowed\nCEF:0|");
    let one = KeptEvent { event, ..kept().next().unwrap() };
    let line = line(&one, Format::Cef);
    assert!(line.contains("|act:x\\|9\\||") && line.contains("msg=y act\\=allowed CEF:0|"), "{line}");
}
