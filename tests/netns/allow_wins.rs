//! The allowlist beats every decision, whichever came first.

use enforcer_tests::{ATTACKER, Agent, CLIENT, Client, Frame, Net, Nginx, Request, Tap};

/// Given an allowed address. When it, and networks around it, are blocked, then allowed no longer. Then it passes as long as
/// it is allowed, its neighbours never do, and each packet that was let through is counted.
#[test]
fn an_entry_made_before_the_decision_wins() {
    let net = Net::new();
    let agent = Agent::start(&net, "");
    let tap = Tap::open(&net, &ATTACKER);
    for (address, network, neighbour) in
        [("203.0.113.7", "203.0.113.0/24", "203.0.113.8"), ("2001:db8::7", "2001:db8::/64", "2001:db8::8")]
    {
        agent.done(&["allow", address, "--reason", "ours"]);
        for subject in [address, network] {
            let warnings = agent.json(&["block", "ip", subject])["warnings"].to_string();
            assert!(warnings.contains("allowlist"), "{subject}: {warnings}");
        }
        assert_eq!(tap.passing(&[address, neighbour]), [true, false]);
        agent.done(&["allow", address, "--remove"]);
        assert_eq!(tap.passing(&[address, neighbour]), [false, false]);
    }
    assert_eq!(agent.metric("enforcer_packets_total", &[("reason", "allowed"), ("verdict", "pass")]), Some(2.0));
}

/// Given blocked addresses. When one, or a network of them, is allowed afterwards. Then it passes at once.
#[test]
fn an_entry_made_after_the_decision_wins() {
    let net = Net::new();
    let agent = Agent::start(&net, "");
    let tap = Tap::open(&net, &ATTACKER);
    let sources = ["203.0.113.7", "203.0.113.8", "203.0.114.1", "2001:db8::7"];
    agent.done(&["block", "ip", "203.0.112.0/20"]);
    agent.done(&["block", "ip", "203.0.113.7"]);
    agent.done(&["block", "ip", "2001:db8::7"]);
    assert_eq!(tap.passing(&sources), [false; 4]);
    agent.done(&["allow", "203.0.113.0/24", "--as", "proxy"]);
    assert_eq!(tap.passing(&sources), [true, true, false, false]);
    agent.done(&["allow", "2001:db8::/32"]);
    assert_eq!(tap.passing(&sources), [true, true, false, true]);
}

/// Given nested decisions and entries: blocked /16, allowed /24 in it, blocked address in that, and both around again. Then
/// the allowed network passes as a whole, whatever is blocked inside or around it.
#[test]
fn nesting_does_not_matter() {
    let net = Net::new();
    let agent = Agent::start(&net, "[[allow]]\nnetwork = \"20.5.6.0/24\"\nas = \"full\"\n");
    let tap = Tap::open(&net, &ATTACKER);
    for blocked in ["20.5.0.0/16", "20.5.6.7", "20.5.6.0/25", "20.0.0.0/8"] {
        agent.done(&["block", "ip", blocked]);
        assert_eq!(tap.passing(&["20.5.6.7", "20.5.6.200"]), [true, true], "after {blocked}");
    }
    assert_eq!(tap.passing(&["20.5.5.255", "20.5.7.0"]), [false, false]);
    let refused = agent.cli(&["allow", "20.5.6.0/24", "--remove"]);
    assert_eq!(refused.code, Some(5), "an entry of the configuration is not removed by a command: {refused:#?}");
    assert!(tap.passes("20.5.6.7"));
}

/// Given a blocked flow. When its client is allowed. Then the flow passes.
#[test]
fn an_allowed_client_has_no_blocked_flow() {
    let net = Net::new();
    let agent = Agent::start(&net, "");
    let tap = Tap::open(&net, &ATTACKER);
    let from = "203.0.113.7:5555".parse().expect("an address");
    let frame = || [Frame::on(&ATTACKER).udp(from, ATTACKER.web4(), b"")];
    agent.done(&["block", "flow", &format!("udp {from} > {}", ATTACKER.web4())]);
    assert_eq!(tap.deliver(&frame()), [false]);
    agent.done(&["allow", "203.0.113.7"]);
    assert_eq!(tap.deliver(&frame()), [true]);
}

/// Given a blocked device. When the address it comes from is allowed as a proxy, and then in full. Then the proxy's requests
/// are still judged, and those of the fully allowed address are not.
#[test]
fn a_proxy_is_allowed_without_its_requests() {
    let net = Net::new();
    let _nginx = Nginx::start(&net);
    let service = "[[service]]\nname = \"pay\"\nports = [8080]\ndevice = [{ header = \"X-Device-Id\" }]\n";
    let agent = Agent::start(&net, service);
    agent.done(&["block", "device", "mallory"]);
    let status = || {
        let client = Client::connect(&net.client, CLIENT.web4());
        client
            .and_then(|mut client| client.request(&Request::get("/health").device("mallory")))
            .map(|answer| answer.status)
    };
    for (kind, expected) in [("proxy", 403), ("full", 200), ("proxy", 403)] {
        agent.done(&["allow", &CLIENT.peer4.to_string(), "--as", kind]);
        assert_eq!(status(), Ok(expected), "{kind}");
    }
}
