//! A policy that comes stage by stage, and changes that need two people.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use enforcer_tests::{Agent, CLIENT, Center, Client, Net, Nginx, PAY, Request, eventually};
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(20);
const LONG: Duration = Duration::from_mins(1);

struct Fleet {
    // Agents go before the networks they live in.
    agents: Vec<Agent>,
    _servers: Vec<Nginx>,
    center: Center,
    nets: Vec<Net>,
    token: String,
}

/// Customers of one host, until dropped.
struct Customers {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Fleet {
    /// A canary, and another host.
    fn start() -> Self {
        let nets = vec![Net::new(), Net::new()];
        let servers = nets.iter().map(Nginx::start).collect();
        let center = Center::start(&nets);
        let token = center.token("ada", "operator");
        let mut agents: Vec<Agent> = nets.iter().map(|net| Agent::start(net, PAY)).collect();
        for (number, (net, agent)) in nets.iter().zip(&mut agents).enumerate() {
            center.enroll(net, agent, number, &[if number == 0 { "canary" } else { "edge" }]);
        }
        let fleet = Self { agents, _servers: servers, center, nets, token };
        eventually(SOON, "both hosts are heard of", || {
            fleet.center.states(&fleet.token).iter().filter(|(state, _)| state == "in sync").count() == 2
        });
        fleet
    }

    /// One customer on each host, with this device, request after request.
    fn customers(&self, device: &'static str) -> Vec<Customers> {
        self.nets.iter().map(|net| Customers::of(net, device)).collect()
    }

    fn statuses(&self, device: &str) -> Vec<u16> {
        self.nets.iter().map(|net| net.answer_to(device)).collect()
    }

    #[track_caller]
    fn answer(&self, device: &str, statuses: [u16; 2]) {
        eventually(SOON, &format!("{device} gets {statuses:?}"), || self.statuses(device) == statuses);
    }

    fn ask(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        self.center.ask(&self.token, method, path, body)
    }

    #[track_caller]
    fn apply(&self, text: &str, stages: &str, bake: u32) {
        let files = json!({"files": [{"name": "a", "text": text}], "comment": "staged"});
        let path = format!("/policy?stages={stages}&bake={bake}&bound=2");
        let (status, answer) = self.ask("PUT", &path, &files);
        assert_eq!(status, 200, "{answer}");
    }

    fn rollout(&self) -> Value {
        self.ask("GET", "/policy/rollout", &Value::Null).1["rollout"].clone()
    }

    #[track_caller]
    fn phase(&self, phase: &str, stages: usize) {
        let mut seen = Value::Null;
        eventually(LONG, &format!("{phase} at stage {stages}"), || {
            seen = self.rollout();
            seen["phase"] == phase && seen["waves"].as_array().map(Vec::len) == Some(stages)
        });
    }

    /// The command line of a person with this token.
    fn policy(&self, token: &str, arguments: &[&str]) -> (Option<i32>, String) {
        let file = self.nets[0].folder().join("token");
        fs::write(&file, token).expect("a file can be written");
        let (token, authority) = (file.display().to_string(), self.center.authority().display().to_string());
        let center = ["--center", "https://10.78.0.1:9443", "--token-file", &token, "--authority", &authority];
        let output = self.agents[0].cli(&[&["policy"], arguments, &center].concat());
        (output.code, output.stdout + &output.stderr)
    }
}

impl Customers {
    fn of(net: &Net, device: &'static str) -> Self {
        let (space, stop) = (net.client.clone(), Arc::new(AtomicBool::new(false)));
        let over = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            while !over.load(Ordering::Relaxed) {
                // One that is refused loses its connection, and comes again.
                let Ok(mut client) = Client::connect(&space, CLIENT.web4()) else { continue };
                let _refused = client.request(&Request::get("/health").device(device));
            }
        });
        Self { stop, thread: Some(thread) }
    }
}

impl Drop for Customers {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // What it has to say is in the status of the rollout.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn deny(device: &str) -> String {
    format!("[[decision]]\ndevice = \"{device}\"\naction = \"deny\"\n")
}

/// Given a canary and another host, with customers. When a policy comes in stages, and the center is killed in the middle. Then the canary
/// refuses first, nobody else may change policy meanwhile, the center goes on where it was, and in the end all hosts refuse.
#[test]
fn a_policy_comes_stage_by_stage_and_outlives_the_center() {
    let mut fleet = Fleet::start();
    assert_eq!(fleet.ask("PUT", "/policy", &json!({"files": [{"name": "a", "text": deny("goes")}]})).0, 200);
    fleet.answer("goes", [403, 403]);
    let _customers = fleet.customers("a-customer");
    fleet.apply(&deny("stolen"), "canary,edge,all", 6);
    fleet.answer("stolen", [403, 200]);
    assert_eq!(fleet.statuses("goes"), [403, 403], "what ends, ends with the last stage");
    let other = json!({"files": [{"name": "a", "text": deny("other")}]});
    assert_eq!(fleet.ask("PUT", "/policy", &other).0, 409, "one at a time");
    let device = fleet.center.block_device(&fleet.token, "emergency");
    fleet.answer("emergency", [403, 403]);

    fleet.center.kill9();
    assert_eq!(fleet.statuses("stolen"), [403, 200]);
    fleet.center.restart();
    assert_eq!(fleet.rollout()["waves"].as_array().map(Vec::len), Some(1));
    fleet.phase("baking", 2);
    fleet.answer("stolen", [403, 403]);
    fleet.phase("finished", 3);
    fleet.answer("goes", [200, 200]);
    assert_eq!((fleet.statuses("stolen"), fleet.statuses("emergency")), (vec![403; 2], vec![403; 2]), "{device}");
    let revisions = fleet.ask("GET", "/revisions", &Value::Null).1;
    let comments: Vec<_> =
        revisions["items"].as_array().into_iter().flatten().map(|one| one["comment"].clone()).collect();
    assert!(comments.contains(&json!("stage edge: staged")), "{comments:?}");
    eventually(SOON, "the end is an event", || {
        fleet.ask("GET", "/events?host=center", &Value::Null).1.to_string().contains("rollout_finished")
    });
}

/// Given hosts with customers. When a policy that refuses the customers comes to the canary, then it goes back by itself, and the
/// other host has never refused one.
#[test]
fn a_jump_of_refusals_takes_a_policy_back() {
    let fleet = Fleet::start();
    let _customers = fleet.customers("a-customer");
    let harmful = format!("{}{}", deny("a-customer"), deny("stolen"));
    fleet.apply(&harmful, "host:host-0,all", 600);
    fleet.phase("stopped", 1);
    let why = fleet.rollout()["why"].as_str().unwrap_or_default().to_owned();
    assert!(why.contains("in wave host:host-0") && why.contains("the bound is 2.00 %"), "{why}");
    fleet.answer("a-customer", [200, 200]);
    fleet.answer("stolen", [200, 200]);
    let audit = fleet.ask("GET", "/audit?limit=1000", &Value::Null).1.to_string();
    assert!(audit.contains("rollout undone"), "{audit}");
    let page = fleet.center.log();
    assert!(!page.contains("panicked"), "{page}");
    eventually(SOON, "the stop is an event", || {
        fleet.ask("GET", "/events?host=center&kind=notice", &Value::Null).1.to_string().contains("rollout_stopped")
    });

    // By hand, before anything is judged.
    fleet.apply(&deny("stolen"), "canary,all", 600);
    fleet.answer("stolen", [403, 200]);
    let (code, text) = fleet.policy(&fleet.token, &["rollout"]);
    assert!(code == Some(0) && text.contains("baking, 1 of 2 stages are out (canary, all)"), "{text}");
    assert_eq!(fleet.policy(&fleet.token, &["rollout", "promote"]).0, Some(0));
    fleet.answer("stolen", [403, 403]);
    let (code, text) = fleet.policy(&fleet.token, &["rollout", "stop", "--comment", "not today"]);
    assert!(code == Some(0) && text.contains("ada stopped it"), "{text}");
    fleet.answer("stolen", [200, 200]);
}

/// Given a host that is gone, and one that the policy does harm. When a stage waits for the one, then the policy goes back.
#[test]
fn a_host_that_does_not_acknowledge_takes_a_policy_back() {
    let mut fleet = Fleet::start();
    let _customers = fleet.customers("a-customer");
    fleet.agents[0].kill9();
    fleet.apply(&deny("stolen"), "canary,all", 3);
    fleet.phase("stopped", 1);
    let why = fleet.rollout()["why"].as_str().unwrap_or_default().to_owned();
    assert_eq!(why, "host-0 has not acknowledged it");
    assert_eq!(fleet.statuses("stolen"), [200, 200]);
}

/// Given a center whose rules want two people for wide blocks. When one person decides on a network, then it is not in force until somebody
/// else approves it; the author cannot, with whatever token; a single device is blocked at once.
#[test]
fn a_wide_block_waits_for_a_second_person() {
    let mut fleet = Fleet::start();
    fleet.center.rules("second_person = [\"wide\", \"rollback\"]\n");
    let (ada, bea) = (fleet.center.token("Ada", "approver"), fleet.center.token("bea", "approver"));
    fleet.center.block_device(&fleet.token, "emergency");
    fleet.answer("emergency", [403, 403]);

    let connects = |net: &Net| {
        Client::connect_from(&net.client, CLIENT.peer4.into(), CLIENT.web4(), Duration::from_millis(300)).is_ok()
    };
    let file = fleet.nets[0].folder().join("policy.toml");
    let network = format!("{}/16", CLIENT.peer4);
    fs::write(&file, format!("[[decision]]\nip = \"{network}\"\naction = \"drop\"\n")).expect("a file can be written");
    let path = file.display().to_string();
    let (code, text) = fleet.policy(&fleet.token, &["apply", &path, "--force", "--comment", "scan"]);
    assert!(code == Some(3) && text.contains("NOT in force") && text.contains("policy approve 1"), "{text}");
    assert!(fleet.nets.iter().all(connects), "a proposal is in force");
    let (code, text) = fleet.policy(&bea, &["proposals", "1"]);
    assert!(code == Some(0) && text.contains("proposal 1 of ada") && text.contains("1 added"), "{text}");
    for token in [&fleet.token, &ada] {
        let (code, text) = fleet.policy(token, &["approve", "1"]);
        assert_eq!(code, Some(5), "{text}");
    }
    assert!(fleet.nets.iter().all(connects));
    assert_eq!(fleet.policy(&bea, &["approve", "1", "--comment", "seen"]).0, Some(0));
    eventually(SOON, "the network is refused", || !fleet.nets.iter().any(connects));
    let revisions = fleet.ask("GET", "/revisions", &Value::Null).1;
    assert_eq!((&revisions["items"][1]["author"], &revisions["items"][1]["approver"]), (&json!("ada"), &json!("bea")));

    // In stages, with somebody else's word for it.
    let (code, text) = fleet.policy(&fleet.token, &["rollback", "1"]);
    assert!(code == Some(3) && text.contains("rollback"), "{text}");
    assert_eq!(fleet.policy(&fleet.token, &["reject", "2"]).0, Some(0), "who proposed it takes it back");
    assert_eq!(fleet.policy(&bea, &["proposals"]).0, Some(3), "nothing waits");
}
