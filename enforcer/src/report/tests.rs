//! What a report says of a month, and that nothing of strangers becomes HTML.
use enforcer_common::{Action, SubjectKind};
use enforcer_policy::{DecisionId, Origin};

use super::*;
use crate::wire::{Drift, EventTotals, PolicyCounts, ServiceReport};

const NOVEMBER: &str = "2026-11";
const IN: Moment = Moment(1_794_000_000_000);
const BEFORE: Moment = Moment(1_790_000_000_000);

fn status() -> StatusReport {
    let service = ServiceReport {
        name: "pay".to_owned(),
        ports: vec![80],
        interfaces: vec!["eth0".to_owned()],
        mode: "enforce".to_owned(),
        from: "center".to_owned(),
        requests: Vec::new(),
    };
    StatusReport {
        version: "0.1.0".to_owned(),
        abi: 1,
        pid: 1,
        started: BEFORE,
        config_path: String::new(),
        bypass: false,
        lost_agent: "keep".to_owned(),
        attachments: Vec::new(),
        services: vec![service],
        decisions: PolicyCounts::default(),
        allowed: 0,
        maps: Vec::new(),
        drift: Drift { last_check: None, differences: 0, repaired: 3 },
        events: EventTotals::default(),
        center: None,
        published: Vec::new(),
        problems: vec!["a <problem>".to_owned()],
    }
}

fn decision(created: Moment, until: Option<Moment>) -> DecisionReport {
    DecisionReport {
        id: DecisionId(7),
        kind: SubjectKind::Device,
        subject: "AB…<i>".to_owned(),
        service: Some("pay".to_owned()),
        endpoint: None,
        action: Action::Deny,
        rate: None,
        until,
        reason: "stolen & sold".to_owned(),
        origin: Origin::Cli,
        approved_by: "ada".to_owned(),
        created,
    }
}

fn endpoint(path: &str, first: Moment, last: Moment, risk: u8) -> ApiLine {
    ApiLine {
        service: "pay".to_owned(),
        method: "GET".to_owned(),
        path: path.to_owned(),
        calls: 5,
        refused: 0,
        open: 0,
        errors: 0,
        clients: 1,
        auth: Vec::new(),
        first_byte_p95_micros: None,
        first: Some(first),
        last: Some(last),
        risk,
    }
}

fn report() -> Report {
    let month: Month = NOVEMBER.parse().unwrap();
    let mut decisions = Decided::default();
    for (created, until) in [(BEFORE, None), (IN, Some(IN)), (Moment(IN.0 - 5), None)] {
        decisions.count(&decision(created, until), month);
    }
    let endpoints = vec![
        endpoint("/old", BEFORE, BEFORE, 10),
        endpoint("/new/<script>", IN, IN, 80),
        endpoint("/usual", BEFORE, IN, 20),
    ];
    let sources = Sources {
        now: IN,
        host: "edge-1".to_owned(),
        status: status(),
        filters: Vec::new(),
        findings: Vec::new(),
        all_findings: 0,
        exceptions: Vec::new(),
        endpoints,
        decisions,
    };
    Report::of(sources, month)
}

#[test]
fn a_month_knows_what_is_new_silent_and_decided() {
    let report = report();
    let paths = |lines: &[ApiLine]| lines.iter().map(|one| one.path.clone()).collect::<Vec<_>>();
    assert_eq!(paths(&report.inventory.new), ["/new/<script>"]);
    assert_eq!(paths(&report.inventory.silent), ["/old"]);
    assert_eq!(paths(&report.inventory.risky), ["/new/<script>"]);
    assert_eq!((report.decisions.in_force, report.decisions.for_good), (3, 2));
    assert_eq!(report.decisions.made["cli"]["ada"], 2);
    assert_eq!(report.decisions.latest.iter().map(|one| one.created.0 % 1000).collect::<Vec<_>>(), [995, 0]);
    assert_eq!((report.coverage[0].filters["walking"].as_str(), report.drift), ("off", (0, 3)));
}

#[test]
fn the_page_escapes_what_strangers_sent() {
    let page = page(&report());
    assert!(
        page.contains("/new/&lt;script&gt;")
            && page.contains("stolen &amp; sold")
            && page.contains("a &lt;problem&gt;")
    );
    assert!(!page.contains("<script>") && !page.contains("<i>"), "{page}");
    for chapter in ["Inventory", "Coverage", "Findings", "Decisions", "Exceptions", "Kernel and policy"] {
        assert!(page.contains(&format!("<h2>{chapter}</h2>")), "{chapter}");
    }
}

#[test]
fn only_the_latest_decisions_are_kept() {
    let mut decided = Decided::default();
    let month: Month = NOVEMBER.parse().unwrap();
    for number in 0..500 {
        decided.count(&decision(Moment(IN.0 + (number * 7) % 500), None), month);
    }
    assert_eq!((decided.latest.len(), decided.latest[0].created.0 - IN.0), (SHOWN, 300));
    assert_eq!(decided.made["cli"]["ada"], 500);
}
