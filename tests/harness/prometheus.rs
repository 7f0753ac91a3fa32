//! Debian's real Prometheus beside an agent, with the project's rules.
//!
//! In: a network whose host runs an agent. Out: what a dashboard would be answered. Never here: the system's Prometheus; this one has
//! its own folder, and an address of the test's namespace only.

use std::{
    fmt::Write as _,
    fs::{self, File},
    path::Path,
    time::Duration,
};

use serde_json::Value;

use crate::{center::Center, namespace::Namespace, netns::Net, process::Process, wait::eventually};

/// A running Prometheus.
#[derive(Debug)]
pub struct Prometheus {
    host: Namespace,
    _process: Process,
}

impl Prometheus {
    /// Starts it in the network's API host, where it scrapes the agent as job `enforcer` and the center as `enforcer-center`, and returns when
    /// it answers.
    #[track_caller]
    pub fn start(net: &Net, center: &Center, rules: &[&Path]) -> Self {
        let folder = net.folder().join("prometheus");
        fs::create_dir_all(&folder).expect("a folder can be made");
        let config = folder.join("prometheus.yml");
        let token = folder.join("token");
        fs::write(&token, center.token("prometheus", "viewer")).expect("a token can be written");
        fs::write(&config, configuration(rules, &center.authority(), &token))
            .expect("the configuration can be written");
        let log = File::create(folder.join("log")).expect("a log can be made");
        let mut command = net.host.command("prometheus");
        command.arg(format!("--config.file={}", config.display()));
        command.arg(format!("--storage.tsdb.path={}", folder.join("data").display()));
        command.arg(format!("--web.listen-address={ADDRESS}"));
        let process = Process::start(command.stderr(log));
        let prometheus = Self { host: net.host.clone(), _process: process };
        eventually(DEADLINE, "Prometheus is ready", || prometheus.curl("/-/ready", &[]).is_some());
        prometheus
    }

    /// What an expression is now: one entry for each series, with its labels and its value.
    #[track_caller]
    pub fn query(&self, expression: &str) -> Vec<(Value, f64)> {
        let answer = self.api("/api/v1/query", &[&format!("query={expression}")]);
        assert_eq!(answer["status"], "success", "{expression}: {answer:#}");
        let series = answer["data"]["result"].as_array().cloned().unwrap_or_default();
        let value = |one: &Value| one["value"][1].as_str().and_then(|text| text.parse().ok()).unwrap_or(f64::NAN);
        series.iter().map(|one| (one["metric"].clone(), value(one))).collect()
    }

    /// All rules, with their health.
    #[track_caller]
    pub fn rules(&self) -> Vec<Value> {
        let answer = self.api("/api/v1/rules", &[]);
        let groups = answer["data"]["groups"].as_array().cloned().unwrap_or_default();
        groups.iter().flat_map(|group| group["rules"].as_array().cloned().unwrap_or_default()).collect()
    }

    #[track_caller]
    fn api(&self, path: &str, data: &[&str]) -> Value {
        let printed = self.curl(path, data).unwrap_or_else(|| panic!("Prometheus does not answer {path} {data:?}"));
        serde_json::from_str(&printed).unwrap_or_else(|error| panic!("no JSON ({error}): {printed}"))
    }

    fn curl(&self, path: &str, data: &[&str]) -> Option<String> {
        let mut command = self.host.command("curl");
        command.args(["--silent", "--show-error", "--max-time", "10", "--get"]);
        command.args(data.iter().flat_map(|one| ["--data-urlencode", one]));
        let output = command.arg(format!("http://{ADDRESS}{path}")).output().expect("curl is installed");
        // Before it is ready it answers with 503.
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        (output.status.success() && !text.contains("Service Unavailable")).then_some(text)
    }
}

fn configuration(rules: &[&Path], authority: &Path, token: &Path) -> String {
    let (authority, token) = (authority.display(), token.display());
    let mut text = format!(
        "global: {{scrape_interval: 500ms, scrape_timeout: 500ms, evaluation_interval: 500ms}}\n\
         scrape_configs:\n  - job_name: enforcer\n    static_configs: [{{targets: ['127.0.0.1:9920']}}]\n  \
         - job_name: enforcer-center\n    scheme: https\n    metrics_path: /v1/metrics\n    \
         authorization: {{credentials_file: '{token}'}}\n    tls_config: {{ca_file: '{authority}'}}\n    \
         static_configs: [{{targets: ['10.78.0.1:9443']}}]\nrule_files:\n",
    );
    for file in rules {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  - {}", file.display());
    }
    text
}

const DEADLINE: Duration = Duration::from_secs(30);
const ADDRESS: &str = "127.0.0.1:9090";
