//! Dashboards and rules, asked by Debian's real Prometheus of a real agent under traffic.

use std::{
    fs,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use enforcer_tests::{
    ATTACKER, Agent, CLIENT, Center, Client, Net, Nginx, PAY, Prometheus, Query, RawTcp, Request, Requests, Tap,
    eventually, queries, shipped,
};

const SOON: Duration = Duration::from_mins(1);

/// Given an agent under traffic of every kind, and its center. When each query of each panel, variable and recording rule is asked. Then each
/// returns numbers; and every alerting rule can be evaluated.
#[test]
fn every_panel_shows_data() {
    let lab = Lab::start();
    let queries: Vec<Query> = queries().into_iter().chain(lab.recorded()).collect();
    assert!(queries.len() > 80, "only {} queries were found", queries.len());
    let mut empty = queries;
    lab.under_traffic(|| {
        let started = Instant::now();
        while !empty.is_empty() && started.elapsed() < SOON {
            empty.retain(|query| !lab.shows(query));
        }
    });
    assert!(empty.is_empty(), "without data: {empty:#?}");
    let ill: Vec<_> = lab.prometheus.rules().into_iter().filter(|rule| rule["health"] != "ok").collect();
    assert!(ill.is_empty(), "{ill:#?}");
}

/// Given rules that are shipped, and an agent. When an operator switches enforcement off, and on again. Then the alert wakes, and
/// sleeps again.
#[test]
fn an_alert_wakes_and_sleeps() {
    let lab = Lab::start();
    let woken = || {
        let alerts = lab.prometheus.query("ALERTS{alertname=\"EnforcerBypassOn\"}");
        alerts.iter().any(|(labels, _)| labels["instance"] == INSTANCE && labels["severity"] == "critical")
    };
    eventually(SOON, "the agent was scraped", || !lab.prometheus.query("enforcer_bypass").is_empty());
    assert!(!woken());
    lab.agent.done(&["bypass", "on"]);
    eventually(SOON, "the alert wakes", woken);
    lab.agent.done(&["bypass", "off"]);
    eventually(SOON, "the alert sleeps", || !woken());
}

struct Lab {
    prometheus: Prometheus,
    agent: Agent,
    _nginx: Nginx,
    center: Center,
    operator: String,
    net: Net,
}

impl Lab {
    fn start() -> Self {
        let net = Net::new();
        let nginx = Nginx::start(&net);
        let mut agent = Agent::start(&net, &format!("{PAY}filters = {{all = \"observe\"}}\n"));
        let nets = [net];
        let mut center = Center::start(&nets);
        let [net] = nets;
        let (list, archive) = (net.folder().join("list.txt"), net.folder().join("archive.jsonl"));
        fs::write(&list, "45.9.20.0/24\n").expect("a list can be written");
        center.follow(&format!("[list.drop]\nfile = \"{}\"\n", list.display()));
        center.export(&format!("[export.archive]\nto = \"file\"\npath = \"{}\"\n", archive.display()));
        center.enroll(&net, &mut agent, 0, &[]);
        let operator = center.token("ada", "operator");
        let rules = shipped("prometheus");
        let prometheus = Prometheus::start(&net, &center, &[&rules.join("recording.yml"), &rules.join("alerts.yml")]);
        Self { prometheus, agent, _nginx: nginx, center, operator, net }
    }

    /// What is no number (a quantile of nothing, a share of nothing) would be an empty panel.
    fn shows(&self, query: &Query) -> bool {
        self.prometheus.query(&filled_in(query)).iter().any(|(_, value)| value.is_finite())
    }

    /// Every recording rule, asked for by its name.
    fn recorded(&self) -> Vec<Query> {
        let rules = self.prometheus.rules();
        let recording = rules.iter().filter(|rule| rule["type"] == "recording");
        let name = |rule: &serde_json::Value| rule["name"].as_str().unwrap_or_default().to_owned();
        recording.map(|rule| Query { place: "recording.yml".to_owned(), expression: name(rule) }).collect()
    }

    /// Does something while requests pass, are refused and are observed, packets are dropped, passwords are tried, and an operator
    /// blocks and unblocks.
    fn under_traffic(&self, work: impl FnOnce()) {
        self.agent.block_device("mallory", "deny");
        self.agent.block_device("trudy", "observe");
        self.agent.block_ip("203.0.113.0/24");
        let devices = ["alice", "mallory", "trudy", "bob"];
        let load = Requests::to(CLIENT.web4()).connections(4).per_second(40);
        let load =
            load.device(move |number| devices.get(number % 5).map(|name| (*name).to_owned())).start(&self.net.client);
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| self.act_until(&done));
            // Ended also when the work panics, or the thread would go on for ever.
            let _end = OnDrop(&done);
            work();
        });
        load.stop();
    }

    fn act_until(&self, done: &AtomicBool) {
        let mut round = 0;
        while !done.load(Ordering::Relaxed) {
            self.act(round);
            round += 1;
        }
    }

    fn act(&self, round: usize) {
        assert_eq!(Tap::open(&self.net, &ATTACKER).passing(&["203.0.113.1"; 5]), [false; 5]);
        self.try_password(round);
        RawTcp::connect(&self.net.client, CLIENT.web4()).send(&[&TLS_HELLO]).expect("sent");
        let id = self.agent.block_device(&format!("thief-{round}"), "deny");
        self.agent.done(&["unblock", &id]);
        self.center.block_device(&self.operator, &format!("wanted-{round}"));
    }

    fn try_password(&self, number: usize) {
        let Ok(mut client) = Client::connect(&self.net.client, CLIENT.web4()) else { return };
        let body = format!("{{\"user\":\"user{number}\",\"password\":\"hunter{number}\"}}");
        // Refused sooner or later, should a filter be sure enough.
        let _status = client.request(&Request::post("/login", &body).header("Content-Type", "application/json"));
    }
}

struct OnDrop<'a>(&'a AtomicBool);

impl Drop for OnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// As Grafana does it: the variables of the dashboards, and a span of a few scrapes.
fn filled_in(query: &Query) -> String {
    let (job, instance) =
        if query.place.starts_with("center.json") { ("enforcer-center", CENTER) } else { ("enforcer", INSTANCE) };
    let variables =
        [("$__rate_interval", "10s"), ("$__range", "1m"), ("$job", job), ("$instance", instance), ("$service", "pay")];
    let text = query.expression.clone();
    let filled = variables.iter().fold(text, |text, (name, value)| text.replace(name, value));
    assert!(!filled.contains('$'), "a variable that the test does not know: {filled}");
    filled
}

/// How a caller begins who means TLS, on a port that is for plain HTTP.
const TLS_HELLO: [u8; 11] = [0x16, 3, 1, 0, 200, 1, 0, 0, 196, 3, 3];
const INSTANCE: &str = "127.0.0.1:9920";
const CENTER: &str = "10.78.0.1:9443";
