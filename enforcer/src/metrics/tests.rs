//! The page, whole, and the documentation made of the same list.
use std::path::PathBuf;
use std::time::Duration;

use enforcer_common::{Counter, Reason, ServiceCounters, SubjectKind, Verdict};
use enforcer_policy::Moment;

use super::*;
use crate::cli::golden::{golden, same};
use crate::wire::{FilterReport, KindCount};

fn filter() -> FilterReport {
    FilterReport {
        filter: "logins".to_owned(),
        version: None,
        title: String::new(),
        risk: String::new(),
        service: "pay".to_owned(),
        mode: "observe".to_owned(),
        stopped: None,
        calls: 10,
        total_nanos: 25_000,
        worst_nanos: 9000,
        signs: 2,
        held_bytes: 4096,
        forgotten: 0,
    }
}

fn snapshot() -> Snapshot {
    let mut enforcement = Latency::default();
    for micros in [90, 300, 700, 20_000_000] {
        enforcement.observe(Duration::from_micros(micros));
    }
    let kinds = |count| vec![KindCount { kind: SubjectKind::Device, count }];
    Snapshot {
        build: Build { version: "1.2.3".to_owned(), abi: 1 },
        counters: vec![
            (Reason::Clean, Some(Verdict::Pass), Counter { count: 10, bytes: 1000 }),
            (Reason::Ipv4Malformed, Some(Verdict::Pass), Counter { count: 1, bytes: 20 }),
            (Reason::BlockedDevice, None, Counter { count: 3, bytes: 900 }),
            (Reason::OverLimit, Some(Verdict::Limit), Counter { count: 2, bytes: 600 }),
            (Reason::Body, Some(Verdict::Pass), Counter { count: 5, bytes: 7000 }),
        ],
        services: vec![ServiceRequests::new(
            "pay",
            &ServiceCounters { requests: [7, 0, 2, 3, 0, 0], ..ServiceCounters::default() },
        )],
        decisions: PolicyCounts { intended: kinds(4), installed: kinds(3) },
        allowed: 2,
        maps: vec![MapFill { map: "identities".to_owned(), used: 3, capacity: 100_000 }],
        events: EventTotals { seen: 3, lost: 0, samples: 9, samples_lost: 1 },
        attachments: vec![Attachment {
            interface: "veth\"\\0".to_owned(),
            hook: "xdp".to_owned(),
            mode: "native".to_owned(),
        }],
        bypass: true,
        lease: Some(Lease { length: Duration::from_secs(30), left: Duration::from_millis(29_500) }),
        drift: Drift { last_check: Some(Moment(1_767_225_600_500)), differences: 1, repaired: 5 },
        orders_refused: 6,
        enforcement,
        findings: FindingCounts { new: 3, forgotten: 1, decided: 2, lost: 4, filters: vec![filter()] },
        published: vec![("loaded", 2), ("refused", 1), ("stopped", 0)],
        spool: SpoolCounts { waiting: 7, bytes: 2048, most: 1 << 26, dropped: 1, delivered: 90 },
        crowdsec: CrowdSecCounts {
            wanted: 3,
            behind_local: 1,
            left_out: vec![("scope", 2)],
            last: Some(Moment(1_767_225_600_500)),
        },
        apis: ApiCounts { endpoints: vec![("pay".to_owned(), 12)], forgotten: vec![("endpoints", 3)], unread: 1 },
    }
}

#[test]
fn the_page_is_what_was_reviewed() {
    golden("metrics.txt", &render(&snapshot()));
}

#[test]
fn the_page_has_every_family_with_help_and_nothing_else() {
    let page = render(&snapshot());
    let named: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix("# HELP ")).collect();
    assert_eq!(named.len(), families::ALL.len());
    for family in families::ALL {
        let name = family.full_name();
        assert!(page.contains(&format!(" {}\n", family.help)), "{name} has no help");
        assert!(page.lines().any(|line| line.starts_with(&name)), "{name} has no series");
    }
    let samples = page.lines().filter(|line| !line.starts_with('#'));
    assert!(samples.clone().count() > 30 && samples.into_iter().all(|line| line.starts_with("enforcer_")));
    assert!(page.ends_with("# EOF\n"));
}

#[test]
fn an_empty_snapshot_is_a_page_too() {
    assert!(render(&Snapshot::default()).ends_with("# EOF\n"));
}

#[test]
fn the_documentation_is_current() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/metrics.md");
    same(&path, &families::documentation());
}
