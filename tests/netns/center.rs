//! Three hosts and their center.

use std::time::{Duration, Instant};

use enforcer_tests::{Agent, CLIENT, Center, Client, Net, Nginx, PAY, eventually};
use serde_json::json;

const SOON: Duration = Duration::from_secs(20);

struct Fleet {
    // Agents go before the networks they live in.
    agents: Vec<Agent>,
    _servers: Vec<Nginx>,
    center: Center,
    nets: Vec<Net>,
    token: String,
}

impl Fleet {
    fn start(hosts: usize) -> Self {
        let nets: Vec<Net> = (0..hosts).map(|_| Net::new()).collect();
        let servers = nets.iter().map(Nginx::start).collect();
        let center = Center::start(&nets);
        let token = center.token("ada", "operator");
        let mut agents: Vec<Agent> = nets.iter().map(|net| Agent::start(net, PAY)).collect();
        for (number, (net, agent)) in nets.iter().zip(&mut agents).enumerate() {
            center.enroll(net, agent, number, &[if number == 0 { "edge" } else { "inner" }]);
        }
        Self { agents, _servers: servers, center, nets, token }
    }

    /// What each host answers to this device.
    fn statuses(&self, device: &str) -> Vec<u16> {
        self.nets.iter().map(|net| net.answer_to(device)).collect()
    }

    #[track_caller]
    fn all_answer(&self, device: &str, status: u16) {
        eventually(SOON, "all hosts answer alike", || self.statuses(device).iter().all(|one| *one == status));
    }

    #[track_caller]
    fn in_sync(&self, revision: u64) {
        let mut states = Vec::new();
        eventually(SOON, &format!("all hosts in sync at revision {revision}"), || {
            states = self.center.states(&self.token);
            states.iter().filter(|state| **state == ("in sync".to_owned(), revision)).count() == self.nets.len()
        });
    }
}

/// Given three hosts. When a decision is entered at the center, and ended there. Then the device is refused on all three, and
/// served again; each host has acknowledged what its kernel holds.
#[test]
fn a_decision_at_the_center_holds_on_every_host() {
    let fleet = Fleet::start(3);
    for round in 0..10 {
        let device = format!("stolen-device-{round}");
        assert_eq!(fleet.statuses(&device), [200; 3]);
        let id = fleet.center.block_device(&fleet.token, &device);
        fleet.all_answer(&device, 403);
        if round == 0 {
            let (status, _) = fleet.center.ask(&fleet.token, "DELETE", &format!("/decisions/{id}"), &json!(null));
            assert_eq!(status, 200);
            fleet.all_answer(&device, 200);
        }
    }
    fleet.in_sync(11);
    assert_eq!(fleet.statuses("somebody-else"), [200; 3]);
    let verified = fleet.center.cli(&["audit", "verify"]);
    assert!(verified["entries"].as_u64() > Some(20), "{verified}");
    let status = fleet.agents[0].json(&["status"]);
    assert_eq!((&status["center"]["connected"], &status["center"]["revision"]), (&json!(true), &json!(11)), "{status}");
    // The fleet's key took the place of the host's own, which is told; nothing else is wrong.
    let problems = status["problems"].as_array().cloned().unwrap_or_default();
    assert!(problems.iter().all(|one| one.to_string().contains("the identity key has changed")), "{status}");
}

/// Given hosts with a decision of the center. When the center is killed, started, and restored from a backup that is older than
/// what the hosts have. Then they go on enforcing, work by hand goes on, and nothing older is believed.
#[test]
fn nothing_that_happens_to_the_center_touches_enforcement() {
    let mut fleet = Fleet::start(3);
    fleet.center.block_device(&fleet.token, "stolen-device-1");
    fleet.all_answer("stolen-device-1", 403);
    fleet.in_sync(1);

    fleet.center.kill9();
    fleet.center.backup();
    assert_eq!(fleet.statuses("stolen-device-1"), [403; 3]);
    fleet.agents[1].block_device("broken-glass-1", "deny");
    assert_eq!(fleet.statuses("broken-glass-1"), [200, 403, 200]);
    fleet.agents[2].kill9();
    fleet.agents[2].restart();
    assert_eq!(fleet.statuses("stolen-device-1"), [403; 3]);

    fleet.center.restart();
    fleet.center.block_device(&fleet.token, "stolen-device-2");
    fleet.all_answer("stolen-device-2", 403);
    assert_eq!(fleet.statuses("broken-glass-1"), [200, 403, 200]);
    fleet.in_sync(2);

    fleet.center.kill9();
    fleet.center.restore();
    fleet.center.restart();
    // The same number as the hosts have, and another content.
    fleet.center.block_device(&fleet.token, "another-branch");
    fleet.center.block_device(&fleet.token, "another-branch-2");
    eventually(SOON, "the hosts say that they are not at the center's revision", || {
        fleet
            .agents
            .iter()
            .all(|agent| agent.json(&["status"])["problems"].to_string().contains("not one of this center's"))
    });
    assert!(fleet.center.states(&fleet.token).iter().all(|(state, number)| state == "forked" && *number == 2));
    assert_eq!(fleet.statuses("another-branch"), [200; 3]);
    for device in ["stolen-device-1", "stolen-device-2"] {
        assert_eq!(fleet.statuses(device), [403; 3], "{device}");
    }
}

/// Given a decision made at the center and on a host. When either is ended, or the host restarted. Then the other stands, and
/// what was ended by hand stays ended.
#[test]
fn decisions_of_host_and_center_live_side_by_side() {
    let mut fleet = Fleet::start(1);
    let device = ["device", "--value", "both-have-it"];
    fleet.agents[0].block(&[&device[..], &["--action", "deny"]].concat());
    let id = fleet.center.block_device(&fleet.token, "both-have-it");
    fleet.in_sync(1);
    fleet.agents[0].done(&[&["unblock"], &device[..]].concat());
    eventually(SOON, "the center's decision takes the place of the host's", || fleet.statuses("both-have-it") == [403]);

    fleet.agents[0].done(&[&["unblock"], &device[..]].concat());
    assert_eq!(fleet.statuses("both-have-it"), [200]);
    fleet.agents[0].stop();
    fleet.agents[0].restart();
    assert_eq!(fleet.statuses("both-have-it"), [200]);
    fleet.center.block_device(&fleet.token, "both-have-it");
    eventually(SOON, "a new word of the center counts", || fleet.statuses("both-have-it") == [403]);
    let (status, _) = fleet.center.ask(&fleet.token, "DELETE", &format!("/decisions/{id}"), &json!(null));
    assert_eq!(status, 200);
    fleet.all_answer("both-have-it", 200);
}

/// Given hosts. When a policy that cuts everybody off is on trial, and agents and center are dead at its deadline. Then each
/// kernel undoes it by itself; the center says so when it is back, and what was in force before holds all the time.
#[test]
fn a_trial_that_nobody_confirms_undoes_itself() {
    let mut fleet = Fleet::start(2);
    fleet.center.block_device(&fleet.token, "blocked-before");
    fleet.all_answer("blocked-before", 403);
    let connects = |net: &Net| {
        Client::connect_from(&net.client, CLIENT.peer4.into(), CLIENT.web4(), Duration::from_millis(300)).is_ok()
    };
    let half = |network: &str| format!("[[decision]]\nip = \"{network}/1\"\naction = \"drop\"\n");
    let everybody = half("0.0.0.0") + &half("128.0.0.0");
    let files = json!({"files": [{"name": "a", "text": everybody}], "comment": "forced"});
    let (_, plan) = fleet.center.ask(&fleet.token, "POST", "/policy/plan", &files);
    assert!(plan["plan"]["lockouts"].as_array().is_some_and(|found| !found.is_empty()), "{plan}");
    assert_eq!(fleet.center.ask(&fleet.token, "PUT", "/policy", &files).0, 422);
    let (status, tried) = fleet.center.ask(&fleet.token, "PUT", "/policy?confirm_within=10", &files);
    assert_eq!(status, 200, "{tried}");
    eventually(SOON, "nobody reaches any host", || !fleet.nets.iter().any(connects));
    fleet.agents.iter_mut().for_each(Agent::kill9);
    fleet.center.kill9();
    eventually(SOON, "each kernel undoes it", || fleet.nets.iter().all(connects));
    assert_eq!(fleet.statuses("blocked-before"), [403; 2]);

    fleet.center.restart();
    fleet.agents.iter_mut().for_each(Agent::restart);
    fleet.in_sync(3);
    assert_eq!(fleet.center.ask(&fleet.token, "POST", "/policy/confirm", &json!(null)).0, 409);
    assert_eq!((fleet.nets.iter().all(connects), fleet.statuses("blocked-before")), (true, vec![403; 2]));
}

/// Given a policy on trial. When it is confirmed, or rolled back later. Then it stays past its deadline, and goes.
#[test]
fn what_is_confirmed_stays_until_it_is_rolled_back() {
    let fleet = Fleet::start(1);
    let files = |device: &str| {
        let text = format!("[[decision]]\ndevice = \"{device}\"\naction = \"deny\"\n");
        json!({"files": [{"name": "a", "text": text}], "comment": ""})
    };
    let ask = |method: &str, path: &str, body: &serde_json::Value| fleet.center.ask(&fleet.token, method, path, body).0;
    assert_eq!(ask("PUT", "/policy", &files("first-of-all")), 200);
    fleet.all_answer("first-of-all", 403);
    let begun = Instant::now();
    assert_eq!(ask("PUT", "/policy?confirm_within=8", &files("on-trial")), 200);
    fleet.all_answer("on-trial", 403);
    assert_eq!(fleet.statuses("first-of-all"), [403], "a trial ends nothing");
    assert_eq!(ask("PUT", "/policy", &files("another")), 409, "one at a time");
    assert_eq!(ask("POST", "/policy/confirm", &json!(null)), 200);
    fleet.all_answer("first-of-all", 200);
    fleet.in_sync(3);
    eventually(SOON, "the deadline has passed", || {
        assert_eq!(fleet.statuses("on-trial"), [403], "it is none any more");
        begun.elapsed() > Duration::from_secs(9)
    });
    assert_eq!(ask("POST", "/revisions/7/rollback", &json!(null)), 409);
    assert_eq!(ask("POST", "/revisions/1/rollback", &json!({"comment": "as it was"})), 200);
    fleet.all_answer("first-of-all", 403);
    fleet.all_answer("on-trial", 200);
    fleet.in_sync(4);
}

/// Given policy files. When they are planned and applied with the command line. Then the plan names what changes and whom it would
/// cut off, decisions of a group hold on its hosts only, and roles are kept.
#[test]
fn files_become_the_policy_of_the_fleet() {
    let fleet = Fleet::start(2);
    let (net, agent) = (&fleet.nets[0], &fleet.agents[0]);
    let (policy, token, url) = (net.folder().join("policy.toml"), net.folder().join("token"), "https://10.78.0.1:9443");
    std::fs::write(&token, &fleet.token).expect("a file can be written");
    let text = "[service.pay]\nports = [8080]\n[group.edge]\nhosts = [\"host-0\"]\n[[decision]]\ndevice = \"of-the-edge\"\n\
                action = \"deny\"\ngroups = [\"edge\"]\n[[allow]]\nnetwork = \"10.77.2.0/24\"\n";
    std::fs::write(&policy, text).expect("a file can be written");
    let center = |verb: &str, files: &[&str]| {
        let (token, authority) = (token.display().to_string(), fleet.center.authority().display().to_string());
        let center = ["--center", url, "--token-file", &token, "--authority", &authority];
        agent.cli(&[&["policy", verb, "-o", "json"], files, &center].concat())
    };
    let policy_path = policy.display().to_string();
    let planned = center("plan", &[&policy_path]);
    assert_eq!((planned.code, planned.json()["plan"]["counts"]["added"].as_u64()), (Some(0), Some(4)), "{planned:?}");
    assert_eq!(center("apply", &[&policy_path, "--comment", "first"]).code, Some(0));
    eventually(SOON, "the edge alone refuses", || fleet.statuses("of-the-edge") == [403, 200]);
    fleet.in_sync(1);
    assert!(agent.done(&["allow", "--list"]).contains("10.77.2.0/24"));

    std::fs::write(&policy, format!("{text}[[decision]]\nip = \"10.78.0.0/16\"\naction = \"drop\"\n"))
        .expect("written");
    let cut_off = center("plan", &[&policy_path]);
    assert_eq!(cut_off.code, Some(5), "{cut_off:?}");
    assert_eq!(center("apply", &[&policy_path]).code, Some(5));
    let exported = center("export", &[]).stdout;
    assert!(exported.contains("[service.pay]") && !exported.contains("of-the-edge"), "{exported}");

    let viewer = fleet.center.token("vera", "viewer");
    let asked = json!({"kind": "ip", "value": "192.0.2.1", "action": "drop"});
    assert_eq!(fleet.center.ask(&viewer, "POST", "/decisions", &asked).0, 403);
    assert_eq!(fleet.center.ask("ect_00000000_00", "GET", "/hosts", &json!(null)).0, 401);
    assert_eq!(fleet.center.ask(&viewer, "GET", "/revisions", &json!(null)).1["items"][0]["comment"], "first");
}
