//! The agent needs three capabilities and nothing else, and keeps nothing else.

use std::{fs, os::unix::fs::PermissionsExt as _, path::PathBuf};

use enforcer_tests::{ATTACKER, Agent, CLIENT, Client, Net, Nginx, Request, Tap, program};

/// Given a user who is not root, with `CAP_BPF`, `CAP_NET_ADMIN` and `CAP_PERFMON`, and a BPF file system of their own. When
/// they run the agent. Then it loads, attaches, blocks packets and requests, and adopts what it left when it comes back.
#[test]
fn three_capabilities_are_enough() {
    let net = Net::new();
    let _nginx = Nginx::start(&net);
    let service = "[[service]]\nname = \"pay\"\nports = [8080]\ndevice = [{ header = \"X-Device-Id\" }]\n";
    let mut agent = Agent::start_program(&net, &unprivileged(&net, "+bpf,+net_admin,+perfmon"), service);
    let tap = Tap::open(&net, &ATTACKER);
    agent.done(&["block", "ip", "203.0.113.0/24"]);
    agent.done(&["block", "device", "mallory"]);
    for restarted in [false, true] {
        if restarted {
            agent.kill9();
            agent.restart();
        }
        assert_eq!(of_process(&agent, "Uid:"), format!("{USER}\t{USER}\t{USER}\t{USER}"));
        assert_eq!(of_process(&agent, "CapEff:"), NEEDED);
        assert_eq!(tap.passing(&["203.0.113.7", "203.0.114.7"]), [false, true]);
        let mut client = Client::connect(&net.client, CLIENT.web4()).expect("connects");
        assert_eq!(client.request(&Request::get("/health").device("mallory")).map(|answer| answer.status), Ok(403));
        assert_eq!(agent.json(&["status"])["problems"], serde_json::json!([]));
        assert_eq!(agent.json(&["status"])["attachments"].as_array().map(Vec::len), Some(6));
    }
}

/// Given an agent started as root. When it is ready. Then every thread of it holds the three capabilities only, can get no
/// others, and it still enforces and answers.
#[test]
fn root_keeps_three_capabilities() {
    let net = Net::new();
    let agent = Agent::start(&net, "");
    let tap = Tap::open(&net, &ATTACKER);
    for name in ["CapEff:", "CapPrm:", "CapBnd:"] {
        assert_eq!(of_process(&agent, name), NEEDED, "{name}");
    }
    for name in ["CapInh:", "CapAmb:"] {
        assert_eq!(of_process(&agent, name), "0000000000000000", "{name}");
    }
    assert_eq!(of_process(&agent, "NoNewPrivs:"), "1");
    agent.done(&["block", "ip", "203.0.113.7"]);
    assert!(!tap.passes("203.0.113.7"));
}

/// Given a user who lacks one of the three. When they run the agent. Then it says which are needed, and ends.
#[test]
fn one_capability_too_few_is_told() {
    let net = Net::new();
    let agent = Agent::start(&net, "");
    let config = agent.state().with_file_name("other.toml");
    let place = |name: &str| agent.state().with_file_name(name).display().to_string();
    let text = format!(
        "[agent]\nstate_dir = {:?}\nsocket = {:?}\nbpffs = {:?}\nmetrics = \"off\"\n",
        place("other"),
        place("other.sock"),
        place("bpf/other")
    );
    fs::write(&config, text).expect("written");
    let mut command = net.host.command(unprivileged(&net, "+bpf,+net_admin"));
    let output = command.args(["run", "--config"]).arg(&config).output().expect("it starts");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{complaint}");
    assert!(complaint.contains("CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON"), "{complaint}");
}

/// A line of the process's status; the same for all of its threads.
fn of_process(agent: &Agent, name: &str) -> String {
    let threads = fs::read_dir(format!("/proc/{}/task", agent.id())).expect("the agent runs").flatten();
    let lines = threads.map(|thread| {
        let status = fs::read_to_string(thread.path().join("status")).expect("readable");
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        line.trim().to_owned()
    });
    let lines: std::collections::BTreeSet<String> = lines.collect();
    assert_eq!(lines.len(), 1, "threads differ in {name}: {lines:?}");
    lines.into_iter().collect()
}

/// A program that is the agent run by a user who is not root, in folders of their own.
fn unprivileged(net: &Net, capabilities: &str) -> PathBuf {
    // Where the agent was built may be out of reach for others.
    let (copy, script) = (net.folder().join("enforcer"), net.folder().join("unprivileged"));
    fs::copy(program(), &copy).expect("copied");
    let text = format!(
        "#!/bin/sh\nchown -R {USER}:{USER} {}\nexec setpriv --reuid {USER} --regid {USER} --clear-groups \
         --inh-caps=-all,{capabilities} --ambient-caps=-all,{capabilities} {} \"$@\"\n",
        net.folder().join("agent").display(),
        copy.display()
    );
    fs::write(&script, text).expect("written");
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("made executable");
    script
}

/// Nobody's.
const USER: u32 = 64_917;
/// Bits 12, 38 and 39.
const NEEDED: &str = "000000c000001000";
