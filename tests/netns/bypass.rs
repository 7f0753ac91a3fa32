//! The operator's switch: everything passes while it is on, whatever happens to the agent meanwhile.

use std::fs;

use enforcer_tests::{ATTACKER, Agent, Net, Tap};

/// Given a blocked network. When bypass is switched on and off. Then it passes while it is on, and each packet is counted as
/// such.
#[test]
fn everything_passes_while_bypass_is_on() {
    let net = Net::new();
    let agent = Agent::start(&net, "");
    let tap = Tap::open(&net, &ATTACKER);
    agent.done(&["block", "ip", "203.0.113.0/24"]);
    for _ in 0..2 {
        assert!(!tap.passes("203.0.113.7"));
        agent.done(&["bypass", "on"]);
        assert!(tap.passes("203.0.113.7"));
        assert_eq!(
            (agent.json(&["status"])["bypass"].clone(), agent.metric("enforcer_bypass", &[])),
            (true.into(), Some(1.0))
        );
        agent.done(&["bypass", "off"]);
    }
    assert!(!tap.passes("203.0.113.7"));
    let counted = agent.metric("enforcer_packets_total", &[("reason", "bypass")]);
    // The probe itself and the frame that closes each look.
    assert!(counted.is_some_and(|counted| counted >= 4.0), "{counted:?}");
}

/// Given bypass on, and a decision made meanwhile. When the agent is killed and comes back, also after a reboot. Then bypass
/// is still on; and off again, the decision holds.
#[test]
fn bypass_survives_crash_and_reboot() {
    let net = Net::new();
    let mut agent = Agent::start(&net, "");
    let tap = Tap::open(&net, &ATTACKER);
    agent.done(&["bypass", "on"]);
    let warnings = agent.json(&["block", "ip", "203.0.113.0/24"])["warnings"].to_string();
    assert!(warnings.contains("bypass is on"), "{warnings}");
    for reboot in [false, true] {
        agent.kill9();
        if reboot {
            fs::remove_dir_all(agent.pins()).expect("pins can be removed");
        }
        agent.restart();
        assert_eq!(agent.json(&["status"])["bypass"], true, "reboot: {reboot}");
        assert!(tap.passes("203.0.113.7"));
    }
    agent.done(&["bypass", "off"]);
    assert!(!tap.passes("203.0.113.7"));
    agent.kill9();
    fs::remove_dir_all(agent.pins()).expect("pins can be removed");
    agent.restart();
    assert!(!tap.passes("203.0.113.7"));
}
