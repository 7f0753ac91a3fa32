//! What a lost agent means: decisions hold (`keep`), or everything passes after a while (`pass-after`).

use std::time::{Duration, Instant};

use enforcer_tests::{ATTACKER, Agent, CLIENT, Client, Net, Nginx, Request, Tap, eventually};

/// Given `pass-after 2s`, a blocked address and a blocked device. When the agent is killed. Then both are refused for as
/// long as the lease lasts, and pass afterwards; a new agent refuses them again and has counted those that passed.
#[test]
fn after_a_lease_everything_passes() {
    let net = Net::new();
    let _nginx = Nginx::start(&net);
    let mut agent = Agent::start(&net, &["[agent]\nlost_agent = \"pass-after 2s\"\n", SERVICE].concat());
    let tap = Tap::open(&net, &ATTACKER);
    agent.done(&["block", "ip", "203.0.113.0/24"]);
    agent.done(&["block", "device", "mallory"]);
    assert!(agent.done(&["status"]).contains("pass-after 2s"));
    agent.kill9();
    let killed = Instant::now();
    // The last sign of life was up to a second before.
    while killed.elapsed() < Duration::from_millis(900) {
        let (passes, status) = (tap.passes("203.0.113.7"), status(&net));
        assert!(
            killed.elapsed() > Duration::from_millis(900) || (!passes && status == Some(403)),
            "{passes} {status:?}"
        );
    }
    eventually(Duration::from_millis(2600), "everything passes", || {
        tap.passes("203.0.113.7") && status(&net) == Some(200)
    });
    agent.restart();
    assert!(!tap.passes("203.0.113.7"));
    assert_eq!(status(&net), Some(403));
    for (family, reason) in [("packets", "lease_lost"), ("requests", "request_lease_lost")] {
        let labels = [("reason", reason), ("verdict", "pass")];
        let counted = agent.metric(&format!("enforcer_{family}_total"), &labels);
        assert!(counted.is_some_and(|counted| counted > 0.0), "{reason}: {counted:?}");
    }
}

/// Given `pass-after 2s` and an agent that lives. When far more time than the lease has passed. Then decisions still hold.
#[test]
fn a_living_agent_renews_its_lease() {
    let net = Net::new();
    let agent = Agent::start(&net, "[agent]\nlost_agent = \"pass-after 2s\"\n");
    let tap = Tap::open(&net, &ATTACKER);
    agent.done(&["block", "ip", "203.0.113.0/24"]);
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(4) {
        assert!(!tap.passes("203.0.113.7"), "after {:?}", started.elapsed());
    }
    assert!(agent.metric("enforcer_lease_left_seconds", &[]).is_some_and(|left| left > 0.0));
}

/// Given `keep`. When the agent is killed. Then its decisions go on holding.
#[test]
fn kept_decisions_need_no_agent() {
    let net = Net::new();
    let mut agent = Agent::start(&net, "[agent]\nlost_agent = \"keep\"\n");
    let tap = Tap::open(&net, &ATTACKER);
    agent.done(&["block", "ip", "203.0.113.0/24"]);
    agent.kill9();
    let killed = Instant::now();
    while killed.elapsed() < Duration::from_secs(4) {
        assert_eq!(tap.passing(&["203.0.113.7", "203.0.114.7"]), [false, true], "after {:?}", killed.elapsed());
    }
}

fn status(net: &Net) -> Option<u16> {
    let client = Client::connect(&net.client, CLIENT.web4());
    client
        .and_then(|mut client| client.request(&Request::get("/health").device("mallory")))
        .ok()
        .map(|answer| answer.status)
}

const SERVICE: &str = "[[service]]\nname = \"pay\"\nports = [8080]\ndevice = [{ header = \"X-Device-Id\" }]\n";
