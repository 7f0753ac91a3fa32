//! Decisions outlive the agent and the host: what was acknowledged comes back, and what was torn is told.

use std::{fs, io::Write as _};

use enforcer_tests::{ATTACKER, Agent, Net, Tap};

/// Given decisions of every kind, some changed and some taken back. When the host reboots (nothing pinned is left). Then the
/// new agent has the same list, and the kernel enforces it.
#[test]
fn decisions_survive_a_reboot() {
    let net = Net::new();
    let mut agent = Agent::start(&net, SERVICE);
    let tap = Tap::open(&net, &ATTACKER);
    for order in ORDERS {
        agent.done(order);
    }
    let list = b"20.1.0.0/16\n20.2.0.1\n2001:db8:5::/48\n";
    assert_eq!(agent.cli_with(&["block", "ip", "--file", "-", "--reason", "a list"], list).code, Some(0));
    let told = |agent: &Agent| (agent.json(&["list"]), agent.json(&["allow", "--list"]));
    let before = told(&agent);
    for _ in 0..2 {
        reboot(&mut agent);
        assert_eq!(told(&agent), before);
        let sources = ["203.0.113.7", "203.0.113.8", "198.51.100.1", "20.1.2.3", "20.2.0.1", "2001:db8:5::1"];
        assert_eq!(tap.passing(&sources), [true, false, true, false, false, false]);
        let installed = |kind| agent.metric("enforcer_decisions_installed", &[("kind", kind)]);
        assert_eq!((installed("ip"), installed("device"), installed("flow")), (Some(4.0), Some(1.0), Some(1.0)));
    }
}

/// Given a journal whose end was torn in a crash. When the agent starts. Then what came before is in force, and status and
/// log say what was lost and where it is kept; the start after that is clean.
#[test]
fn a_torn_journal_is_told() {
    let net = Net::new();
    let mut agent = Agent::start(&net, "");
    let tap = Tap::open(&net, &ATTACKER);
    agent.done(&["block", "ip", "203.0.113.7"]);
    agent.done(&["block", "ip", "203.0.113.8"]);
    agent.kill9();
    let journal = agent.state().join("journal");
    let mut file = fs::File::options().append(true).open(&journal).expect("the journal is there");
    file.write_all(&[40, 0, 0, 0, 1, 2, 3]).expect("written");
    drop(file);
    fs::remove_dir_all(agent.pins()).expect("pins can be removed");
    agent.restart();
    assert_eq!(tap.passing(&["203.0.113.7", "203.0.113.8"]), [false, false]);
    let problems = agent.json(&["status"])["problems"].to_string();
    assert!(problems.contains("the journal ended in 7 bytes that could not be read"), "{problems}");
    assert_eq!(fs::read(agent.state().join("journal.torn-1")).expect("the torn end is kept").len(), 7);
    reboot(&mut agent);
    assert_eq!(agent.json(&["status"])["problems"], serde_json::json!([]));
    assert_eq!(tap.passing(&["203.0.113.7", "203.0.113.8"]), [false, false]);
}

/// Given a journal cut in the middle of its last record. When the agent starts. Then all but that decision are in force.
#[test]
fn a_cut_journal_costs_its_last_record_only() {
    let net = Net::new();
    let mut agent = Agent::start(&net, "");
    let tap = Tap::open(&net, &ATTACKER);
    agent.done(&["block", "ip", "203.0.113.7"]);
    agent.done(&["block", "ip", "203.0.113.8"]);
    agent.kill9();
    let journal = fs::File::options().write(true).open(agent.state().join("journal")).expect("the journal is there");
    let length = journal.metadata().expect("a length").len();
    journal.set_len(length - 3).expect("cut");
    fs::remove_dir_all(agent.pins()).expect("pins can be removed");
    agent.restart();
    assert_eq!(tap.passing(&["203.0.113.7", "203.0.113.8"]), [false, true]);
    assert!(agent.json(&["status"])["problems"].to_string().contains("the journal ended in"));
}

/// Given a state folder in use. When a second agent is started with it. Then it refuses, and the first goes on.
#[test]
fn two_agents_do_not_share_a_folder() {
    let net = Net::new();
    let agent = Agent::start(&net, "");
    let config = agent.state().with_file_name("enforcer.toml");
    let second = agent.cli(&["run", "--config", &config.display().to_string()]);
    assert_eq!(second.code, Some(1), "{second:#?}");
    assert!(second.stderr.contains("lock") || second.stderr.contains("another"), "{second:#?}");
    agent.done(&["status"]);
}

/// The end of everything that is not on a disk.
fn reboot(agent: &mut Agent) {
    agent.kill9();
    fs::remove_dir_all(agent.pins()).expect("pins can be removed");
    agent.restart();
}

const ORDERS: [&[&str]; 8] = [
    &["block", "ip", "203.0.113.0/24", "--for", "1h", "--reason", "first"],
    &["block", "ip", "203.0.113.0/24", "--for", "2h"],
    &["block", "ip", "198.51.100.0/24"],
    &["unblock", "ip", "198.51.100.0/24"],
    &["block", "device", "mallory", "--service", "pay", "--action", "reset"],
    &["block", "flow", "tcp 203.0.113.9:1 > 10.77.2.1:80"],
    &["allow", "203.0.113.7", "--for", "1d"],
    &["allow", "10.1.0.0/16", "--as", "proxy"],
];

const SERVICE: &str = "[[service]]\nname = \"pay\"\nports = [8080]\ndevice = [{ header = \"X-Device-Id\" }]\n";
