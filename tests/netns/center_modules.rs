//! Modules that a center publishes: on every host that trusts their key, and on no other.
use std::fs;
use std::time::Duration;

use enforcer_tests::{Agent, CLIENT, Center, Load, Net, Nginx, PAY, Requests, Summary, eventually};
use serde_json::{Value, json};

use crate::modules::{SAY, module};

const SOON: Duration = Duration::from_secs(30);

/// Given two hosts of one center under steady traffic. When a module is published before they trust its key, and after; when another version comes, one
/// that a stranger has signed, and one for one host; when an agent starts without the center, and when the module is withdrawn. Then it runs where its key
/// is trusted and finds something, takes the place of the one before, is refused with its reason on the host and at the center, is there after the start, and
/// goes; all other filters keep what they know, and every request is served.
#[test]
fn published_modules_come_and_go_under_traffic() {
    let mut lab = Lab::start("");
    lab.publish("watch", "1.0.0", "own", &["--set", "page=3"], 5);
    lab.publish("watch", "1.0.0", "own", &[], 0);
    for host in 0..2 {
        eventually(SOON, "a host that trusts nobody refuses it", || {
            lab.told(host, "watch", "refused", "trusts no key")
        });
        assert_eq!(lab.problems(host), "", "which is no problem: it was chosen");
        assert!(lab.filter(host, "watch").is_none());
    }
    lab.trust();
    for host in 0..2 {
        eventually(SOON, "it runs", || lab.told(host, "watch", "loaded", ""));
        eventually(SOON, "it finds something", || lab.found(host, "watch"));
        eventually(SOON, "it observes", || lab.filter(host, "watch").is_some_and(|one| one["mode"] == "observe"));
    }
    let before: Vec<u64> = (0..2).map(|host| lab.calls(host, "protocol")).collect();
    lab.publish("watch", "1.0.1", "own", &[], 0);
    for (host, before) in before.into_iter().enumerate() {
        eventually(SOON, "the other version runs", || lab.version(host, "watch") == json!("1.0.1"));
        assert!(lab.calls(host, "protocol") >= before, "the others have not begun anew");
    }
    lab.publish("watch", "6.6.6", "foreign", &[], 0);
    for host in 0..2 {
        eventually(SOON, "the center knows that it is refused", || {
            lab.told(host, "watch", "refused", "does not trust")
        });
        assert!(lab.problems(host).contains("version 1.0.1 goes on"), "{}", lab.problems(host));
        assert_eq!(lab.version(host, "watch"), "1.0.1");
    }
    let status = lab.agents[0].done(&["status"]);
    assert!(status.contains("PUBLISHED") && status.contains("does not trust"), "{status}");
    assert_eq!(lab.agents[0].metric("enforcer_published_modules", &[("state", "refused")]), Some(1.0));
    lab.unsigned_is_not_taken();

    lab.publish("watch", "1.0.2", "own", &[], 0);
    lab.publish("edge-only", "1.0.0", "own", &["--hosts", "edge"], 0);
    eventually(SOON, "the host of the group has both", || {
        lab.version(0, "watch") == "1.0.2" && lab.filter(0, "edge-only").is_some() && lab.problems(0).is_empty()
    });
    eventually(SOON, "the other has one", || {
        lab.version(1, "watch") == "1.0.2" && lab.filter(1, "edge-only").is_none()
    });
    let matrix = "[group.edge]\n[service.pay]\nports = [8080]\n[filter.watch]\n[matrix.watch]\npay = \"enforce\"\n";
    let files = json!({"files": [{"name": "a", "text": matrix}]});
    assert_eq!(lab.center.ask(&lab.operator, "PUT", "/policy", &files).0, 200);
    eventually(SOON, "the matrix names it", || lab.filter(1, "watch").is_some_and(|one| one["mode"] == "enforce"));

    lab.center.kill9();
    lab.agents[0].stop();
    lab.agents[0].restart();
    eventually(SOON, "it is there without the center", || {
        lab.version(0, "watch") == "1.0.2" && lab.filter(0, "edge-only").is_some()
    });
    assert_eq!(lab.filter(0, "watch").expect("it is listed")["mode"], "enforce");
    lab.center.restart();
    for name in ["watch", "edge-only"] {
        lab.run(0, &["filter", "withdraw", name], Some(0));
    }
    for host in 0..2 {
        eventually(SOON, "it goes", || lab.filter(host, "watch").is_none() && lab.filter(host, "edge-only").is_none());
        assert!(lab.calls(host, "protocol") > 0);
    }
    lab.run(0, &["filter", "published"], Some(3));
    let audit = lab.center.ask(&lab.operator, "GET", "/audit?limit=1000", &Value::Null).1.to_string();
    assert!(audit.contains("module published") && audit.contains("module withdrawn"), "{audit}");
    lab.served();
}

/// Given a center where two people decide on modules. When one person publishes one. Then it waits, and hosts get it when somebody else has approved it.
#[test]
fn where_two_decide_a_module_waits_for_the_second_one() {
    let mut lab = Lab::start("second_person = [\"modules\"]\n");
    lab.trust();
    let approver = lab.center.token("bea", "approver");
    let named_alike = lab.center.token("A.D.A", "approver");
    lab.publish("watch", "1.0.0", "own", &["--mode", "off", "--comment", "as agreed"], 3);
    let listed = lab.run(0, &["filter", "published"], Some(0));
    assert!(listed.contains("watch") && listed.contains("waits"), "{listed}");
    assert!(lab.filter(0, "watch").is_none());
    lab.run_as(&lab.operator, 0, &["filter", "approve", "watch"], Some(5));
    lab.run_as(&named_alike, 0, &["filter", "approve", "watch"], Some(5));
    lab.run_as(&approver, 0, &["filter", "approve", "watch"], Some(0));
    for host in 0..2 {
        eventually(SOON, "it is loaded", || lab.told(host, "watch", "loaded", ""));
        assert!(lab.filter(host, "watch").is_none(), "it was published with the mode off");
    }
    let page = lab.center.ask(&approver, "GET", "/modules", &Value::Null).1;
    assert_eq!((&page["items"][0]["author"], &page["items"][0]["approved_by"]), (&json!("ada"), &json!("bea")));
    assert_eq!(page["waiting"], json!([]));
}

struct Lab {
    // Agents go before the networks they live in.
    agents: Vec<Agent>,
    loads: Vec<Load>,
    center: Center,
    operator: String,
    public: String,
    _servers: Vec<Nginx>,
    nets: Vec<Net>,
}

impl Lab {
    fn start(rules: &str) -> Self {
        let nets = vec![Net::new(), Net::new()];
        let servers = nets.iter().map(Nginx::start).collect();
        let mut center = Center::start(&nets);
        if !rules.is_empty() {
            center.rules(rules);
        }
        let operator = center.token("ada", "operator");
        let mut agents: Vec<Agent> = nets.iter().map(|net| Agent::start(net, PAY)).collect();
        for (number, (net, agent)) in nets.iter().zip(&mut agents).enumerate() {
            center.enroll(net, agent, number, &[if number == 0 { "edge" } else { "core" }]);
        }
        let load = |net: &Net| {
            let requests = Requests::to(CLIENT.web4()).connections(2).per_second(100);
            requests.device(|_| Some("alice".into())).start(&net.client)
        };
        let loads = nets.iter().map(load).collect();
        let mut lab = Self { agents, loads, center, operator, public: String::new(), _servers: servers, nets };
        lab.public = lab.key("own");
        lab.key("foreign");
        lab
    }

    fn place(&self, name: &str) -> String {
        self.nets[0].folder().join(name).display().to_string()
    }

    /// Makes a key; the public one.
    fn key(&self, name: &str) -> String {
        let made = self.agents[0].json(&["filter", "key", &self.place(name)]);
        made["public"].as_str().expect("a key").to_owned()
    }

    /// Both hosts trust our key from now on.
    fn trust(&mut self) {
        let text = format!("{PAY}[published]\nkeys = [{:?}]\n", self.public);
        for agent in &mut self.agents {
            agent.reload(&text);
        }
    }

    fn run_as(&self, token: &str, host: usize, words: &[&str], code: Option<i32>) -> String {
        let (secret, authority) = (self.place("token"), self.center.authority().display().to_string());
        fs::write(&secret, token).expect("a file can be written");
        let center = format!("https://10.78.{host}.1:9443");
        let flags = ["--center", &center, "--token-file", &secret, "--authority", &authority];
        let output = self.agents[host].cli(&[words, &flags[..]].concat());
        assert_eq!(output.code, code, "{words:?}: {output:#?}");
        format!("{}{}", output.stdout, output.stderr)
    }

    fn run(&self, host: usize, words: &[&str], code: Option<i32>) -> String {
        self.run_as(&self.operator, host, words, code)
    }

    /// Signs a module with a key, and publishes it.
    fn publish(&self, name: &str, version: &str, key: &str, more: &[&str], code: i32) -> String {
        let file = self.place(&format!("{name}-{version}.wasm"));
        fs::write(&file, module(name, version, SAY)).expect("written");
        self.agents[0].done(&["filter", "sign", &file, "--key", &self.place(key)]);
        self.run(0, &[&["filter", "publish", &file], more].concat(), Some(code))
    }

    fn unsigned_is_not_taken(&self) {
        let file = self.place("unsigned.wasm");
        fs::write(&file, module("watch", "9.9.9", SAY)).expect("written");
        let said = self.run(0, &["filter", "publish", &file], Some(1));
        assert!(said.contains("not signed") && said.contains("enforcer filter sign"), "{said}");
        let body = json!({"module": "AGFzbQEAAAA="});
        let (status, problem) = self.center.ask(&self.operator, "POST", "/modules", &body);
        assert!(status == 400 && problem["detail"].as_str().is_some_and(|why| why.contains("not signed")), "{problem}");
        let viewer = self.center.token("eve", "viewer");
        assert_eq!(self.center.ask(&viewer, "DELETE", "/modules/watch", &Value::Null).0, 403);
    }

    /// Whether the center knows that a module is so on a host.
    fn told(&self, host: usize, name: &str, state: &str, why: &str) -> bool {
        let page = self.center.ask(&self.operator, "GET", "/modules", &Value::Null).1;
        let module = page["items"].as_array().and_then(|all| all.iter().find(|one| one["name"] == name)).cloned();
        let places = module.map(|module| module["hosts"].clone()).unwrap_or_default();
        let place = places.as_array().and_then(|all| all.iter().find(|one| one["host"] == format!("host-{host}")));
        place.is_some_and(|one| one["state"] == state && one["why"].as_str().is_some_and(|text| text.contains(why)))
    }

    /// What `status` says of modules.
    fn problems(&self, host: usize) -> String {
        let problems = self.agents[host].json(&["status"])["problems"].clone();
        let of_modules = |one: &&Value| one.as_str().is_some_and(|text| text.contains("module"));
        let told: Vec<String> =
            problems.as_array().into_iter().flatten().filter(of_modules).map(ToString::to_string).collect();
        told.join("\n")
    }

    fn filter(&self, host: usize, name: &str) -> Option<Value> {
        let filters = self.agents[host].json(&["filters"]);
        filters.as_array()?.iter().find(|one| one["filter"] == name).cloned()
    }

    fn version(&self, host: usize, name: &str) -> Value {
        self.filter(host, name).map(|one| one["version"].clone()).unwrap_or_default()
    }

    fn calls(&self, host: usize, name: &str) -> u64 {
        self.filter(host, name).and_then(|one| one["calls"].as_u64()).unwrap_or_default()
    }

    fn found(&self, host: usize, name: &str) -> bool {
        let found = self.agents[host].json(&["findings"]);
        found["findings"].as_array().is_some_and(|all| all.iter().any(|one| one["filter"] == name))
    }

    /// Every request was.
    fn served(self) {
        for load in self.loads {
            let outcomes = load.stop();
            assert!(outcomes.len() > 100, "{}", outcomes.len());
            assert!(outcomes.iter().all(|outcome| outcome.status() == Some(200)), "{}", Summary::of(&outcomes));
        }
    }
}
