//! What is shipped for Prometheus and Grafana, as data.
//!
//! In: `deploy/`. Out: dashboards, and every query in them. Never here: a judgement; see `tests/lint` and `tests/netns/watching.rs`.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;

/// One query of a dashboard.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Query {
    /// Whose: dashboard, then panel or variable.
    pub place: String,
    /// As Grafana would send it, with its `$variables`.
    pub expression: String,
}

/// A folder of the repository, from its root.
pub fn shipped(folder: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests lie in the workspace");
    root.join("deploy").join(folder)
}

/// Every dashboard, with the name of its file.
pub fn dashboards() -> Vec<(String, Value)> {
    let folder = fs::read_dir(shipped("grafana")).expect("dashboards are shipped").flatten();
    let mut all: Vec<(String, Value)> = folder
        .map(|entry| {
            let text = fs::read_to_string(entry.path()).expect("readable text");
            let name = entry.file_name().to_string_lossy().into_owned();
            let dashboard = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name} is no JSON: {error}"));
            (name, dashboard)
        })
        .collect();
    all.sort_by(|one, other| one.0.cmp(&other.0));
    all
}

/// Every query of every panel and variable.
pub fn queries() -> Vec<Query> {
    dashboards()
        .iter()
        .flat_map(|(name, dashboard)| [panels(name, dashboard), variables(name, dashboard)].concat())
        .collect()
}

fn panels(name: &str, dashboard: &Value) -> Vec<Query> {
    let panels = dashboard["panels"].as_array().into_iter().flatten();
    let of_panel = |panel: &Value| {
        let place = format!("{name}: {}", panel["title"].as_str().unwrap_or("a panel without a title"));
        let targets = panel["targets"].as_array().cloned().unwrap_or_default();
        let text = |target: &Value| target["expr"].as_str().unwrap_or_default().to_owned();
        targets.iter().map(|target| Query { place: place.clone(), expression: text(target) }).collect::<Vec<_>>()
    };
    panels.flat_map(of_panel).collect()
}

/// `label_values(series, label)` has values where series can be counted by that label.
fn variables(name: &str, dashboard: &Value) -> Vec<Query> {
    let variables = dashboard["templating"]["list"].as_array().into_iter().flatten();
    let of_variable = |variable: &Value| {
        let inside = variable["definition"].as_str()?.strip_prefix("label_values(")?.strip_suffix(')')?;
        let (series, label) = inside.rsplit_once(", ")?;
        let place = format!("{name}: ${}", variable["name"].as_str()?);
        Some(Query { place, expression: format!("count by ({label}) ({series})") })
    };
    variables.filter_map(of_variable).collect()
}
