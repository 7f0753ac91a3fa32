//! The page has every family, and the documentation is made of the same list.
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use prometheus_client::metrics::MetricType;

use super::tally::Latency;
use super::*;

fn snapshot() -> Snapshot {
    let host = |name: &str, state, number| HostFigures { name: name.to_owned(), state, number, seen: 5.5, failed: 1 };
    let tally = Tally::default();
    let _watching = tally.watch();
    tally.publish(7);
    tally.deliver(100);
    tally.keep(Some(7), false);
    tally.keep(Some(6), true);
    tally.lose();
    tally.take(3);
    Snapshot {
        revision: 7,
        decisions: 1000,
        taken: 5,
        proposals: 2,
        rollout_stage: 1,
        hosts: vec![host("edge-1", "in sync", 7), host("edge-2", "behind", 3), host("gone", "revoked", 1)],
        totals: tally.read(),
        last_event: 50,
        exports: vec![("archive".to_owned(), 40, true)],
        sources: vec![("crowdsec".to_owned(), SourceState { held: 3, ..SourceState::default() })],
        modules: [2, 1],
        module_hosts: vec![("loaded", 4), ("refused", 1)],
        files: vec![("center.db", 4096)],
    }
}

#[test]
fn the_page_has_every_family_with_help_and_nothing_else() {
    let page = render(&snapshot());
    let named: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix("# HELP ")).collect();
    assert_eq!(named.len(), families::ALL.len(), "{page}");
    for family in families::ALL {
        let name = family.full_name();
        assert!(page.contains(&format!(" {}\n", family.help)), "{name} has no help");
        assert!(page.lines().any(|line| line.starts_with(&name)), "{name} has no series");
    }
    for line in [
        "enforcer_center_hosts{state=\"behind\"} 1.0",
        "enforcer_center_host_revision{host=\"edge-2\"} 3.0",
        "enforcer_center_export_behind{export=\"archive\"} 10.0",
        "enforcer_center_acknowledgements_total{result=\"refused\"} 1",
        "enforcer_center_reached_seconds_count 1",
        "enforcer_center_watching 1.0",
        "enforcer_center_source_held{source=\"crowdsec\"} 3.0",
        "enforcer_center_source_works{source=\"crowdsec\"} 1.0",
        "enforcer_center_modules{state=\"waiting\"} 1.0",
        "enforcer_center_module_hosts{state=\"loaded\"} 4.0",
    ] {
        assert!(page.lines().any(|one| one == line), "no {line} in\n{page}");
    }
    assert!(!page.contains("host=\"gone\""), "{page}");
    assert!(page.ends_with("# EOF\n") && render(&Snapshot::default()).ends_with("# EOF\n"));
}

#[test]
fn a_revision_is_reached_once_by_each_host() {
    let tally = Tally::default();
    tally.keep(Some(1), false);
    tally.publish(2);
    tally.keep(None, false);
    tally.keep(Some(2), false);
    assert_eq!(tally.read().reached.parts().1, 1);
    let mut latency = Latency::default();
    latency.observe(Duration::from_mins(1));
    assert_eq!(latency.parts().2.last(), Some(&(f64::INFINITY, 1)));
}

#[test]
fn the_documentation_is_current() {
    let mut text = String::from(HEAD);
    for family in families::ALL {
        let labels: Vec<String> = family.labels.iter().map(|label| format!("`{label}`")).collect();
        let kind = match family.kind {
            MetricType::Counter => "counter",
            MetricType::Gauge => "gauge",
            MetricType::Histogram => "histogram",
            MetricType::Info => "info",
            MetricType::Unknown => "unknown",
        };
        let _ = writeln!(text, "| `{}` | {kind} | {} | {} |", family.full_name(), labels.join(", "), family.help);
    }
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/center-metrics.md");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(kept, text, "UPDATE=1 cargo test -p enforcer-center metrics");
}

const HEAD: &str = "\
# Metrics of the center

The center serves these at `/v1/metrics`, where its API is, in OpenMetrics text, to whoever has a token of any role: a viewer's is enough.
This page is generated: `UPDATE=1 cargo test -p enforcer-center metrics`.

```yaml
scrape_configs:
  - job_name: enforcer-center
    scheme: https
    metrics_path: /v1/metrics
    authorization: {credentials_file: /etc/prometheus/enforcer-token}   # enforcer-center token add --name prometheus --role viewer
    tls_config: {ca_file: /etc/prometheus/enforcer-ca.pem}              # ca.pem of the center's folder
    static_configs: [{targets: ['center.bank.example:9443']}]
```

Values of labels are closed lists (`state`, `result`, `file`) or names of hosts, exports and sources, so the number of series is bounded by
these.
Counters begin at 0 when the center starts.

| metric | type | labels | meaning |
|---|---|---|---|
";
