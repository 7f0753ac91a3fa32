//! Round trips of every message in both forms, and the bytes and JSON that other releases rely on.
use std::time::Duration;

use enforcer_common::{
    Action, Address, AllowKind, Counter, Prefix, Rate, Reason, ServiceCounters, SubjectKind, Verdict,
};
use enforcer_policy::{DecisionId, Moment, Origin};
use proptest::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::*;
use enforcer_policy::reach::{Estimate, Reached};

fn both_ways<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(value: &T) {
    let frame = encode(value).unwrap();
    assert_eq!(read_frame::<T>(&mut frame.as_slice()).unwrap().as_ref(), Some(value));
    let json = serde_json::to_string(value).unwrap();
    assert_eq!(&serde_json::from_str::<T>(&json).unwrap(), value, "{json}");
}

fn decision() -> DecisionReport {
    DecisionReport {
        id: DecisionId(0x0192_abcd_ef01_2345),
        kind: SubjectKind::Ip,
        subject: "203.0.113.0/24".to_owned(),
        service: None,
        endpoint: None,
        action: Action::Drop,
        rate: None,
        until: Some(Moment(1_767_225_600_000)),
        reason: "scan".to_owned(),
        origin: Origin::Cli,
        approved_by: "root".to_owned(),
        created: Moment(1_767_222_000_000),
    }
}

fn event() -> EventReport {
    EventReport {
        time: Moment(1_767_222_000_123),
        reason: Reason::BlockedDevice,
        verdict: Verdict::Deny,
        kind: Some(SubjectKind::Device),
        decision: Some(decision().id),
        service: Some("pay".to_owned()),
        source: "2001:db8::7".parse().unwrap(),
        source_port: 40_000,
        destination: "2001:db8::1".parse().unwrap(),
        destination_port: 443,
        protocol: EventReport::protocol_name(6),
        interface: "eth0".to_owned(),
        digest: Some("00000000000000ff".to_owned()),
        bytes: 512,
    }
}

#[test]
fn json_speaks_to_people() {
    let report = BlockReport {
        decision: decision(),
        change: Change::Added,
        enforced_in: Some(Duration::from_micros(1500)),
        warnings: Vec::new(),
    };
    assert_eq!(
        serde_json::to_string(&report).unwrap(),
        concat!(
            r#"{"decision":{"id":"0192abcdef012345","kind":"ip","subject":"203.0.113.0/24","service":null,"#,
            r#""endpoint":null,"action":"drop","rate":null,"until":"2026-01-01T00:00:00.000Z","reason":"scan","origin":"cli","#,
            r#""approved_by":"root","created":"2025-12-31T23:00:00.000Z"},"change":"added","#,
            r#""enforced_in_seconds":0.0015,"warnings":[]}"#
        )
    );
}

/// The one frame that must never change, whatever [`PROTOCOL`] says.
#[test]
fn hello_has_its_bytes_for_good() {
    let hello = Hello { protocol: 300, version: "1.2".to_owned() };
    assert_eq!(encode(&hello).unwrap(), [6, 0, 0, 0, 0xac, 0x02, 3, b'1', b'.', b'2']);
}

#[test]
fn requests_have_their_bytes() {
    let item = ImportItem::Network(Prefix::new(Address::v4([203, 0, 113, 0]), 120));
    let bytes = encode(&Request::ImportChunk(vec![item])).unwrap();
    assert_eq!(bytes, [12, 0, 0, 0, 13, 1, 0, 0, 0x80, 0xe2, 0x81, 0xd8, 0xfc, 0xff, 0x3f, 120]);
    assert_eq!(encode(&Request::Status).unwrap(), [1, 0, 0, 0, 18]);
}

fn owner() -> ApiOwner {
    ApiOwner {
        address: "[::]:80".to_owned(),
        process: Some("nginx".to_owned()),
        unit: Some("nginx.service".to_owned()),
        container: None,
        pod: None,
        user: 33,
        group: None,
    }
}

#[test]
fn owners_have_their_bytes() {
    let part = ApisPart { bytes: vec![7], last: true, owners: [("a".to_owned(), vec![owner()])].into() };
    let wanted =
        [b"\x01\x07\x01\x01\x01a\x01\x07[::]:80\x01\x05nginx\x01\x0dnginx.service".as_slice(), &[0, 0, 33, 0]].concat();
    assert_eq!(encode(&part).unwrap().split_off(4), wanted);
}

#[test]
fn a_full_chunk_fits_in_a_frame() {
    let item = ImportItem::Network(Prefix::host(Address::v6([0xff; 16])));
    let networks = encode(&Request::ImportChunk(vec![item; IMPORT_ITEMS])).unwrap();
    let token = ImportItem::Token(Raw::new("x".repeat(IMPORT_BYTES / IMPORT_ITEMS)));
    let tokens = encode(&Request::ImportChunk(vec![token; IMPORT_ITEMS])).unwrap();
    assert!(networks.len() < FRAME_MAX && tokens.len() < FRAME_MAX);
}

#[test]
fn raw_values_stay_out_of_debug() {
    let request = Request::Why(WhySubject::Token { kind: SubjectKind::Session, value: Raw::new("secret-token") });
    assert!(!format!("{request:?}").contains("secret"));
}

#[test]
fn every_request_comes_back() {
    let subject = SubjectInput::Token { kind: SubjectKind::ApiKey, value: Raw::new("ABC") };
    let block = BlockRequest {
        subject: subject.clone(),
        scope: Some("pay:GET /accounts/{id}".to_owned()),
        action: Action::Limit,
        rate: Some(Rate { per_minute: 60, burst: 1 }),
        duration: Some(Duration::from_hours(2)),
        reason: "stolen".to_owned(),
        shorten: false,
        wide: true,
    };
    let list = ListRequest { kind: Some(SubjectKind::Flow), after: Some(decision().id), ..ListRequest::default() };
    for request in [
        Request::Allowlist,
        Request::Apis(Some("pay".to_owned())),
        Request::Foresee(block.clone()),
        Request::Block(block),
        Request::Bypass(false),
        Request::DecideFinding { id: u64::MAX, lasts: Some(Duration::from_hours(2)) },
        Request::Detach,
        Request::Events,
        Request::ExceptFinding { id: 1, reason: "a test".to_owned() },
        Request::Filters,
        Request::Findings { service: Some("pay".to_owned()), id: None, limit: 5 },
        Request::ImportEnd,
        Request::List(list),
        Request::Reload,
        Request::RestartFilter { filter: "logins".to_owned(), service: "pay".to_owned() },
        Request::Status,
        Request::Top,
        Request::Unblock(UnblockBy::Id(decision().id)),
        Request::Unblock(UnblockBy::Subject { subject, scope: None }),
        Request::Why(WhySubject::Ip(Address::v4([192, 0, 2, 1]))),
        Request::Why(WhySubject::Decision(decision().id)),
    ] {
        both_ways(&request);
    }
}

#[test]
fn every_reply_comes_back() {
    let mut rejected = Rejections::default();
    rejected.push(7, "too wide");
    let foreseen = ForeseenReport {
        subject: "203.0.113.0/24".to_owned(),
        scope: "all".to_owned(),
        since: Some(Moment(1_767_222_000_000)),
        reached: Reached { devices: Some(Estimate { about: 2048, give_or_take: 181 }), ..Reached::default() },
        warnings: vec!["beware".to_owned()],
    };
    for reply in [
        Reply::Apis(ApisPart { bytes: vec![0, 255], last: true, owners: [("pay".to_owned(), vec![owner()])].into() }),
        Reply::Foreseen(Box::new(foreseen)),
        Reply::Done,
        Reply::Error(Trouble::new(Exit::Refused, "too wide", "add --wide")),
        Reply::Event(event()),
        Reply::Notice(NoticeReport {
            time: Moment(1_767_222_000_123),
            notice: NoticeKind::MapFull,
            message: "the map flows is full".to_owned(),
        }),
        Reply::Findings("{}".to_owned()),
        Reply::Imported(ImportReport {
            added: 3,
            enforced_in: Some(Duration::from_millis(250)),
            ..ImportReport::default()
        }),
        Reply::Listed(ListReport { decisions: vec![decision()], next: Some(decision().id), total: Some(9) }),
        Reply::Progress(ImportProgress { done: 65_536, rejected }),
        Reply::Unblocked(UnblockReport { ended: vec![decision()], enforced_in: None, still: Vec::new() }),
    ] {
        both_ways(&reply);
    }
}

#[test]
fn every_report_comes_back() {
    let maps = vec![MapFill { map: "flows".to_owned(), used: 1, capacity: 65_536 }];
    let requests = VerdictCount::list(&[5, 0, 1, 2, 0, 0]);
    both_ways(&TopReport {
        at: Moment(1_767_222_000_000),
        cpus: 2,
        bypass: false,
        reasons: vec![ReasonCount::new(Reason::Clean, Counter { count: 1, bytes: u64::MAX })],
        services: vec![ServiceRequests { requests, ..ServiceRequests::new("pay", &ServiceCounters::default()) }],
        maps,
        events: EventTotals { seen: 1, lost: 0, samples: 9, samples_lost: 1 },
        recent: vec![event()],
    });
    let entry = KernelEntry {
        map: "sources4".to_owned(),
        entry: "203.0.113.0/24".to_owned(),
        held: Held::Present,
        action: Some(Action::Drop),
        expires_in: Some(Duration::from_mins(1)),
    };
    both_ways(&WhyReport {
        subject: "203.0.113.7".to_owned(),
        verdict: Verdict::Drop,
        because: vec!["the source is blocked by 203.0.113.0/24".to_owned()],
        decisions: vec![decision()],
        allowed: Vec::new(),
        kernel: vec![entry],
    });
    let check = Check { name: "tcx".to_owned(), state: CheckState::Degraded, detail: "5.15".to_owned(), mend: None };
    both_ways(&DoctorReport { checks: vec![check] });
}

#[test]
fn exits_are_told_apart() {
    assert!(Exit::ALL.iter().all(|exit| Exit::from_code(exit.code()) == *exit));
    assert_eq!(Exit::from_code(77), Exit::Failed);
}

proptest! {
    #[test]
    fn networks_times_and_spans_come_back(
        octets: [u8; 16], length in 0_u8..=128, ms in 0_u64..=253_402_300_799_999, span in 0_u64..1 << 40, kind: bool,
    ) {
        let kind = if kind { AllowKind::Full } else { AllowKind::Proxy };
        let prefix = Prefix::new(Address::v6(octets), length);
        both_ways(&AllowRequest {
            prefix, kind, duration: Some(Duration::from_millis(span)), reason: String::new(), remove: false,
        });
        both_ways(&AllowedEntry {
            network: prefix,
            kind,
            until: Some(Moment(ms)),
            reason: String::new(),
            origin: Origin::File,
            approved_by: String::new(),
            created: Moment(ms),
        });
    }

    #[test]
    fn no_bytes_make_a_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _request = decode::<Request>(&bytes);
        let _reply = decode::<Reply>(&bytes);
        let _frame = read_frame::<Reply>(&mut bytes.as_slice());
    }
}
