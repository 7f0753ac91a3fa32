//! `why` says what the data path does, step by step, and it is what happens.

use enforcer_tests::{ATTACKER, Agent, Net, Tap};

/// Given addresses in every situation. When `why` is asked and a packet is sent. Then both agree, and the last step says why.
#[test]
fn why_says_what_happens_to_an_address() {
    let net = Net::new();
    let agent = Agent::start(&net, "");
    let tap = Tap::open(&net, &ATTACKER);
    agent.done(&["block", "ip", "203.0.113.0/24", "--reason", "scan of /login"]);
    agent.done(&["block", "ip", "203.0.113.128/25", "--action", "observe"]);
    agent.done(&["block", "ip", "198.51.100.0/24", "--action", "observe"]);
    agent.done(&["allow", "203.0.113.7"]);
    for (address, verdict, passes, last) in [
        ("203.0.113.8", "drop", false, "it is dropped"),
        ("203.0.113.200", "drop", false, "it is dropped"),
        ("203.0.113.7", "pass", true, "the allowlist entry 203.0.113.7 wins"),
        ("198.51.100.1", "observe", true, "it is counted and passes"),
        ("192.0.2.1", "pass", true, "the kernel holds no decision in force for it"),
    ] {
        let why = agent.json(&["why", "ip", address]);
        let step = why["because"].as_array().and_then(|steps| steps.last()).expect("steps");
        assert_eq!((&why["verdict"], step), (&verdict.into(), &last.into()), "{address}: {why:#}");
        assert_eq!(tap.passes(address), passes, "{address}");
    }
    let why = agent.json(&["why", "ip", "203.0.113.200"]);
    assert_eq!(why["decisions"].as_array().map(Vec::len), Some(2), "{why:#}");
    assert!(agent.done(&["why", "ip", "203.0.113.8"]).contains("scan of /login"));

    agent.done(&["bypass", "on"]);
    let why = agent.json(&["why", "ip", "203.0.113.8"]);
    assert_eq!((&why["verdict"], &why["because"][0]), (&"pass".into(), &"bypass is on: everything passes".into()));
}

/// Given decisions on a device and a flow. When `why` is asked, by value and by the decision's id. Then it answers with the
/// decision and what the kernel holds, and never shows the device's value.
#[test]
fn why_knows_devices_flows_and_ids() {
    let net = Net::new();
    let agent =
        Agent::start(&net, "[[service]]\nname = \"pay\"\nports = [8080]\ndevice = [{ header = \"X-Device-Id\" }]\n");
    let device = agent.json(&["block", "device", "mallory-device-7", "--service", "pay", "--for", "1h"]);
    let flow = agent.json(&["block", "flow", "tcp 203.0.113.9:1 > 10.77.2.1:80"]);
    let id = |report: &serde_json::Value| report["decision"]["id"].as_str().expect("an id").to_owned();
    for (arguments, verdict, map) in [
        (["why", "device", "mallory-device-7"], "deny", "identities"),
        (["why", "decision", &id(&device)], "deny", "identities"),
        (["why", "decision", &id(&flow)], "drop", "flows"),
    ] {
        let why = agent.json(&arguments);
        assert_eq!((&why["verdict"], &why["kernel"][0]["map"]), (&verdict.into(), &map.into()), "{why:#}");
        assert_eq!(why["kernel"][0]["held"], "present", "{why:#}");
        assert!(!why.to_string().contains("mallory"), "{why:#}");
    }
    assert_eq!(agent.json(&["why", "device", "someone-else"])["verdict"], "pass");
    assert_eq!(agent.cli(&["why", "decision", "0000000000000001"]).code, Some(3));
}
