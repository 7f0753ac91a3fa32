//! What a decision would hit is what it hits.
use std::time::Duration;

use enforcer_tests::{ATTACKER, Agent, CLIENT, Client, Link, Net, Nginx, PAY, Request, eventually};
use serde_json::Value;

/// Given 40 devices behind one address, one of them with two sessions, and a device elsewhere that is blocked. When blocks are tried dry.
/// Then the agent tells requests, devices, sessions and addresses, warns of the many behind one address, and refuses nobody.
#[test]
fn a_dry_run_tells_whom_a_decision_would_hit_and_changes_nothing() {
    let net = Net::new();
    let _nginx = Nginx::start(&net);
    let agent = Agent::start(&net, &format!("{PAY}session = [{{ cookie = \"sid\" }}]\n"));
    let client = CLIENT.peer4.to_string();
    let nothing = agent.json(&["block", "ip", &client, "--dry-run"]);
    assert_eq!(
        (&nothing["since"], nothing["warnings"].as_array().map(Vec::len)),
        (&Value::Null, Some(1)),
        "{nothing:#}"
    );
    agent.done(&["block", "device", "stolen"]);
    let ask = |link: &Link, device: &str, session: &str| {
        let mut client = Client::connect(net.peer(link), link.web4()).expect("a connection");
        let request = Request::get("/health").device(device).header("Cookie", &format!("sid={session}"));
        client.request(&request).expect("an answer").status
    };
    for device in 0..40 {
        assert_eq!(ask(&CLIENT, &format!("device-{device}"), &format!("session-{device}")), 200);
    }
    assert_eq!(ask(&CLIENT, "device-7", "another"), 200);
    assert_eq!(ask(&ATTACKER, "elsewhere", "third"), 200);
    assert_eq!(ask(&ATTACKER, "stolen", "fourth"), 403);

    let dry = |words: &[&str]| agent.json(&[&["block"], words, &["--dry-run"]].concat());
    let about = |report: &Value, what: &str| report["reached"][what]["about"].as_u64();
    // Refused requests teach nothing; those that were served are all told within a second.
    eventually(Duration::from_secs(10), "the agent has seen all", || {
        about(&dry(&["ip", "0.0.0.0/0", "--wide"]), "requests") == Some(42)
    });
    let address = dry(&["ip", &client]);
    let figures = ["requests", "devices", "sessions", "addresses"].map(|what| about(&address, what));
    assert_eq!(figures, [Some(41), Some(40), Some(41), Some(1)], "{address:#}");
    assert_eq!(address["reached"]["users"], Value::Null, "what no request carried is unknown");
    let warning = address["warnings"][0].as_str().expect("a warning");
    assert!(warning.contains("hides 40 devices"), "{warning}");
    let device = dry(&["device", "device-7"]);
    let figures = ["requests", "devices", "sessions", "addresses"].map(|what| about(&device, what));
    assert_eq!(
        (figures, &device["warnings"]),
        ([Some(2), Some(1), Some(2), Some(1)], &Value::Array(Vec::new())),
        "{device:#}"
    );
    assert_eq!(about(&dry(&["device", "nobody"]), "requests"), Some(0));
    assert!(!device.to_string().contains("device-7"), "{device:#}");

    assert_eq!(ask(&CLIENT, "device-7", "another"), 200);
    assert_eq!(agent.json(&["list"])["total"], 1);
    assert_eq!(agent.cli(&["block", "device", "--file", "-", "--dry-run"]).code, Some(2));
}
