//! Dashboards and rules name only what agent and center export, and are what operators are promised. In: `deploy/`, `docs/metrics.md` and `docs/center-metrics.md` (made
//! from the lists of families, see `enforcer/src/metrics/` and `center/src/metrics/`). Out: every offender.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use enforcer_common::{Reason, Verdict};
use enforcer_tests::{dashboards, queries, shipped};
use serde_json::Value;

use super::promql::named;

/// Labels by series, as they are exported, and those of the recording rules (which carry what their expressions leave).
struct Exported(BTreeMap<String, BTreeSet<String>>);

impl Exported {
    fn read() -> Self {
        let page = ["docs/metrics.md", "docs/center-metrics.md"]
            .map(|page| fs::read_to_string(super::root().join(page)).expect("a page of metrics"))
            .concat();
        let mut series = BTreeMap::from([("up".to_owned(), BTreeSet::new()), ("ALERTS".to_owned(), BTreeSet::new())]);
        for line in page.lines().filter(|line| line.starts_with("| `enforcer_")) {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            let (name, kind) = (cells[1].trim_matches('`'), cells[2]);
            let labels: BTreeSet<String> = cells[3]
                .split(", ")
                .map(|label| label.trim_matches('`').to_owned())
                .filter(|label| !label.is_empty())
                .collect();
            if kind == "histogram" {
                let with_bound = labels.iter().cloned().chain(["le".to_owned()]).collect();
                series.insert(format!("{name}_bucket"), with_bound);
                series.insert(format!("{name}_count"), labels.clone());
                series.insert(format!("{name}_sum"), labels);
            } else {
                series.insert(name.to_owned(), labels);
            }
        }
        assert!(series.len() > 40, "the page of all metrics has changed its form");
        for rule in rules("recording.yml") {
            let groups = named(text(&rule, "expr")).groups.into_iter().collect();
            series.insert(text(&rule, "record").to_owned(), groups);
        }
        Self(series)
    }

    /// What is wrong with an expression.
    fn flaws(&self, expression: &str) -> Vec<String> {
        let (named, mut flaws) = (named(expression), Vec::new());
        let mut labels: BTreeSet<&str> = BTreeSet::from(["job", "instance", "alertname"]);
        for selector in &named.selectors {
            let Some(known) = self.0.get(&selector.series) else {
                flaws.push(format!("{} is not exported", selector.series));
                continue;
            };
            for (label, value) in &selector.matchers {
                if !known.contains(label) && !["job", "instance"].contains(&label.as_str()) {
                    flaws.push(format!("{} has no label {label}", selector.series));
                }
                flaws.extend(unknown_values(&selector.series, label, value));
            }
            labels.extend(known.iter().map(String::as_str));
        }
        flaws.extend(
            named
                .groups
                .iter()
                .filter(|label| !labels.contains(label.as_str()))
                .map(|label| format!("no series has {label}")),
        );
        flaws
    }
}

/// Values of closed lists that no series can have; a pattern must fit one of the list.
fn unknown_values(series: &str, label: &str, pattern: &str) -> Vec<String> {
    let layer =
        ["packet", "request", "segment"].into_iter().find(|layer| series.starts_with(&format!("enforcer_{layer}")));
    let layer = layer.map(|layer| if layer == "segment" { "stream" } else { layer });
    let known: Vec<&str> = match label {
        "reason" => {
            Reason::ALL.iter().filter(|reason| Some(reason.layer()) == layer).map(|reason| reason.name()).collect()
        }
        "verdict" => Verdict::ALL.iter().map(|verdict| verdict.name()).chain(["refuse"]).collect(),
        "class" => vec!["1xx", "2xx", "3xx", "4xx", "5xx", "other"],
        "mode" => vec!["clsact", "generic", "native", "tcx"],
        _ => return Vec::new(),
    };
    let fits = |one: &str| match one.strip_suffix(".*") {
        Some(start) => known.iter().any(|known| known.starts_with(start)),
        None => known.contains(&one),
    };
    pattern.split('|').filter(|one| !fits(one)).map(|one| format!("{series} is never of {label} {one}")).collect()
}

#[test]
fn dashboards_ask_for_what_is_exported() {
    let (exported, mut flaws) = (Exported::read(), Vec::new());
    for query in queries() {
        flaws.extend(exported.flaws(&query.expression).into_iter().map(|flaw| format!("{}: {flaw}", query.place)));
    }
    assert_eq!(flaws, Vec::<String>::new());
}

#[test]
fn rules_ask_for_what_is_exported() {
    let (exported, mut flaws) = (Exported::read(), Vec::new());
    for rule in [rules("recording.yml"), rules("alerts.yml")].concat() {
        flaws.extend(exported.flaws(text(&rule, "expr")).into_iter().map(|flaw| format!("{rule}: {flaw}")));
    }
    assert_eq!(flaws, Vec::<String>::new());
}

/// The check itself must not be blind.
#[test]
fn what_is_not_exported_is_found() {
    let exported = Exported::read();
    let flaws = |expression| exported.flaws(expression).join("; ");
    assert_eq!(flaws("rate(enforcer_request_total[5m])"), "enforcer_request_total is not exported");
    assert_eq!(flaws("enforcer_bypass{service=\"pay\"}"), "enforcer_bypass has no label service");
    assert_eq!(flaws("sum by (map) (enforcer_bypass)"), "no series has map");
    assert_eq!(
        flaws("enforcer_packets_total{reason=~\"clean|blocked_device\"}"),
        "enforcer_packets_total is never of reason blocked_device"
    );
}

#[test]
fn dashboards_are_fit_for_provisioning() {
    let mut flaws = Vec::new();
    let names: Vec<String> = dashboards().iter().map(|(name, _)| name.clone()).collect();
    assert_eq!(names, ["center.json", "fleet.json", "host.json", "investigation.json", "service.json"]);
    for (name, board) in dashboards() {
        let mut want = |holds: bool, what: &str| {
            if !holds {
                flaws.push(format!("{name}: {what}"));
            }
        };
        let stem = name.trim_end_matches(".json");
        want(board["uid"] == format!("enforcer-{stem}"), "its uid is not made of its name");
        want(board["editable"] == false && board["id"].is_null(), "it is editable, or bound to one server");
        want(board["templating"]["list"][0]["type"] == "datasource", "its first variable is not the data source");
        for panel in board["panels"].as_array().into_iter().flatten() {
            let title = panel["title"].as_str().unwrap_or_default();
            let place = |key: &str| panel["gridPos"][key].as_u64().unwrap_or(99);
            want(place("x") + place("w") <= 24, &format!("{title} is wider than the grid"));
            if panel["type"] == "row" {
                continue;
            }
            want(
                panel["description"].as_str().is_some_and(|text| text.ends_with('.')),
                &format!("{title} is not described"),
            );
            want(!panel["fieldConfig"]["defaults"]["unit"].is_null(), &format!("{title} has no unit"));
            for target in panel["targets"].as_array().into_iter().flatten() {
                let text = target["expr"].as_str().unwrap_or_default();
                want(target["datasource"]["uid"] == "${datasource}", &format!("{title} asks a fixed data source"));
                want(text.contains("job=~\"$job\""), &format!("{title} asks all jobs"));
                want(!text.contains("[5m]"), &format!("{title} has a fixed span in place of $__rate_interval"));
            }
        }
    }
    assert_eq!(flaws, Vec::<String>::new());
}

#[test]
fn alerts_lead_to_a_runbook_and_are_tested() {
    let runbooks = fs::read_to_string(super::root().join("docs/RUNBOOKS.md")).expect("the runbooks");
    let tests = parsed("tests.yml");
    let mut flaws = Vec::new();
    for rule in rules("alerts.yml") {
        let name = text(&rule, "alert");
        let mut want = |holds: bool, what: &str| {
            if !holds {
                flaws.push(format!("{name}: {what}"));
            }
        };
        want(["critical", "info", "warning"].contains(&text(&rule["labels"], "severity")), "no severity");
        want(["summary", "description"].iter().all(|key| text(&rule["annotations"], key).len() > 10), "not described");
        want(
            text(&rule["annotations"], "runbook") == format!("docs/RUNBOOKS.md#{}", name.to_lowercase()),
            "no runbook",
        );
        want(runbooks.contains(&format!("\n### {name}\n")), "its runbook is not written");
        let cases = tests["tests"].as_array().into_iter().flatten();
        let cases: Vec<&Value> = cases
            .flat_map(|test| test["alert_rule_test"].as_array().into_iter().flatten())
            .filter(|case| case["alertname"] == name)
            .collect();
        let fires = |case: &&Value| case["exp_alerts"].as_array().is_some_and(|alerts| !alerts.is_empty());
        want(cases.iter().any(fires), "no test in which it fires");
        want(cases.iter().any(|case| !fires(case)), "no test in which it clears");
    }
    assert_eq!(flaws, Vec::<String>::new());
}

fn rules(file: &str) -> Vec<Value> {
    let groups = parsed(file)["groups"].as_array().cloned().unwrap_or_default();
    let rules: Vec<Value> =
        groups.iter().flat_map(|group| group["rules"].as_array().cloned().unwrap_or_default()).collect();
    assert!(rules.len() > 5, "{file} has changed its form");
    rules
}

fn parsed(file: &str) -> Value {
    let text = fs::read_to_string(shipped("prometheus").join(file)).expect("readable text");
    serde_saphyr::from_str(&text).expect("a file of rules is YAML")
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}
