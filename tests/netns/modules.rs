//! Filters that are files: signed, loaded, stopped and replaced while real traffic runs.

use std::fs;
use std::time::Duration;

use enforcer_tests::{Agent, CLIENT, Load, Net, Nginx, PAY, Requests, Summary, eventually};
use serde_json::Value;

const SOON: Duration = Duration::from_secs(20);

/// Given steady traffic and a signed module. When it finds something, when another module beside it loops, and when that one is
/// mended and read again. Then the findings are there, the looping one was stopped in less than a second, the first one kept what it
/// knew, and every request was served.
#[test]
fn modules_come_loop_and_are_mended_under_traffic() {
    let mut lab = Lab::start();
    lab.put("watch", "1.0.0", SAY);
    lab.reload(&["watch"]);
    eventually(SOON, "the module finds something", || lab.found("watch"));
    eventually(SOON, "it is listed", || lab.filter("watch").is_some_and(|one| one["version"] == "1.0.0"));

    lab.put("mine", "1.0.0", "(loop $on (br $on))");
    lab.reload(&["watch", "mine"]);
    eventually(SOON, "the one that loops is stopped", || {
        lab.filter("mine").is_some_and(|one| one["stopped"].is_string())
    });
    let stopped = lab.filter("mine").expect("it is listed");
    assert!(stopped["stopped"].as_str().is_some_and(|why| why.contains("steps")), "{stopped:#}");
    assert!(stopped["worst_nanos"].as_u64().is_some_and(|nanos| nanos < 1_000_000_000), "{stopped:#}");
    let before = lab.calls("watch");
    eventually(SOON, "the other one goes on", || lab.calls("watch") > before + 100);

    lab.put("mine", "1.0.1", SAY);
    let before = lab.calls("watch");
    lab.agent.done(&["reload"]);
    eventually(SOON, "the mended one runs", || {
        lab.filter("mine").is_some_and(|one| one["version"] == "1.0.1" && one["stopped"].is_null())
    });
    eventually(SOON, "and finds something", || lab.found("mine"));
    assert!(lab.calls("watch") >= before, "who stays has not begun anew");
    let built_in = lab.filter("protocol").expect("the filters that come with the agent run");
    assert!(built_in["stopped"].is_null() && built_in["calls"].as_u64() > Some(100), "{built_in:#}");
    let table = lab.agent.done(&["filters"]);
    assert!(table.contains("mine 1.0.1"), "{table}");
    lab.served();
}

/// Given a module at work. When its file is changed by somebody without its key, when it is taken away, and when the agent starts
/// with it. Then the reload is refused with what to do, the old one goes on, and the agent starts without it.
#[test]
fn what_was_not_signed_is_not_run() {
    let mut lab = Lab::start();
    lab.put("watch", "1.0.0", SAY);
    lab.reload(&["watch"]);
    eventually(SOON, "it runs", || lab.calls("watch") > 0);
    fs::write(lab.file("watch"), module("watch", "6.6.6", SAY)).expect("written");
    let refused = lab.agent.cli(&["reload"]);
    assert_eq!(refused.code, Some(1), "{refused:#?}");
    assert!(refused.stderr.contains("not signed") && refused.stderr.contains("enforcer filter sign"), "{refused:#?}");
    let before = lab.calls("watch");
    eventually(SOON, "the old one goes on", || lab.calls("watch") > before);
    assert_eq!(lab.filter("watch").expect("it is listed")["version"], "1.0.0");

    fs::remove_file(lab.file("watch")).expect("it was there");
    lab.agent.stop();
    lab.agent.restart();
    let problems = lab.agent.json(&["status"])["problems"].to_string();
    assert!(problems.contains("watch.wasm cannot be read"), "{problems}");
    eventually(SOON, "the others run", || lab.filter("protocol").is_some_and(|one| one["calls"].as_u64() > Some(0)));
    lab.put("watch", "1.0.1", SAY);
    lab.agent.done(&["reload"]);
    eventually(SOON, "it runs again", || lab.calls("watch") > 0);
    assert_eq!(lab.agent.json(&["status"])["problems"], serde_json::json!([]));
    lab.served();
}

struct Lab {
    // The agent goes before the network it lives in.
    agent: Agent,
    load: Option<Load>,
    key: String,
    _nginx: Nginx,
    _net: Net,
}

impl Lab {
    fn start() -> Self {
        let net = Net::new();
        let (nginx, agent) = (Nginx::start(&net), Agent::start(&net, PAY));
        let key = agent.json(&["filter", "key", &place(&agent, "filters.key")])["public"].clone();
        let load = Requests::to(CLIENT.web4()).connections(4).per_second(300).device(|_| Some("alice".into()));
        let load = Some(load.start(&net.client));
        Self { agent, load, key: key.as_str().expect("a key").to_owned(), _nginx: nginx, _net: net }
    }

    fn file(&self, name: &str) -> String {
        place(&self.agent, &format!("{name}.wasm"))
    }

    /// Signs a module and puts it where the configuration says.
    fn put(&self, name: &str, version: &str, call: &str) {
        let new = place(&self.agent, &format!("{name}-{version}.wasm"));
        fs::write(&new, module(name, version, call)).expect("written");
        self.agent.done(&["filter", "sign", &new, "--key", &place(&self.agent, "filters.key")]);
        fs::rename(new, self.file(name)).expect("moved");
    }

    fn reload(&mut self, modules: &[&str]) {
        let module = |name: &&str| {
            let (file, key) = (self.file(name), &self.key);
            format!("[[module]]\nname = {name:?}\nfile = {file:?}\nkeys = [{key:?}]\n")
        };
        let text = format!("{PAY}{}", modules.iter().map(module).collect::<String>());
        self.agent.reload(&text);
    }

    fn filter(&self, name: &str) -> Option<Value> {
        let filters = self.agent.json(&["filters"]);
        filters.as_array()?.iter().find(|one| one["filter"] == name).cloned()
    }

    fn calls(&self, name: &str) -> u64 {
        self.filter(name).and_then(|one| one["calls"].as_u64()).unwrap_or_default()
    }

    fn found(&self, name: &str) -> bool {
        let found = self.agent.json(&["findings"]);
        found["findings"].as_array().is_some_and(|all| all.iter().any(|one| one["filter"] == name))
    }

    /// Every request was.
    fn served(&mut self) {
        let outcomes = self.load.take().expect("the load runs").stop();
        assert!(outcomes.len() > 300, "{}", outcomes.len());
        assert!(outcomes.iter().all(|outcome| outcome.status() == Some(200)), "{}", Summary::of(&outcomes));
    }
}

fn place(agent: &Agent, name: &str) -> String {
    agent.state().with_file_name(name).display().to_string()
}

/// Raises a sign about whoever calls.
pub(crate) const SAY: &str = "(call $raise (i32.const 0) (i32.const 64))";

/// A module that does this at each call.
pub(crate) fn module(name: &str, version: &str, call: &str) -> Vec<u8> {
    let sign = format!("{:<64}", r#"{"kind":"seen","confidence":50,"who":"consumer"}"#).replace('"', "\\\"");
    let manifest = format!(
        r#"{{"abi":1,"name":"{name}","version":"{version}","title":"a test","risk":"API9:2023","kinds":[{{"name":"seen","severity":"low","fix":"nothing"}}]}}"#
    );
    let text = format!(
        r#"(module
            (import "enforcer" "raise" (func $raise (param i32 i32)))
            (memory (export "memory") 2)
            (data (i32.const 0) "{sign}")
            (func (export "enforcer_abi") (result i32) (i32.const 1))
            (func (export "enforcer_room") (param i32) (result i32) (i32.const 1024))
            (func (export "enforcer_start") (param i32 i32))
            (func (export "enforcer_call") (param i32 i32) {call})
            (@custom "enforcer.manifest" "{}"))"#,
        manifest.replace('"', "\\\"")
    );
    wat::parse_str(text).expect("it is a module")
}
