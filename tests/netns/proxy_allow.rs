//! The two reaches of the allowlist: a proxy is never blocked itself, an exempt address may do anything.

use std::time::Duration;

use enforcer_tests::{ATTACKER, Agent, Failure, Net, Nginx, PAY, Requests};

/// Given a load balancer inside a blocked network, and a blocked device behind it. When it is allowed as a proxy. Then
/// requests pass but not the device's; allowed in full, the device's too; taken off the list, nothing passes.
#[test]
fn a_proxy_passes_but_a_blocked_device_behind_it_does_not() {
    let net = Net::new();
    let (nginx, agent) = (Nginx::start(&net), Agent::start(&net, PAY));
    let proxy = ATTACKER.peer4.to_string();
    let ask = |device: &'static str| {
        let patience = Duration::from_millis(500);
        let load = Requests::to(ATTACKER.web4()).patience(patience).device(|_| Some(device.into()));
        let answer = load.run(&net.attacker).remove(0).answer;
        answer.map(|response| response.status)
    };
    let allow = |reach| agent.done(&["allow", &proxy, "--as", reach, "--reason", "load balancer"]);

    allow("proxy");
    agent.block_ip("10.77.2.0/24");
    agent.block_device("mallory", "deny");
    assert_eq!((ask("alice"), ask("mallory")), (Ok(200), Ok(403)));
    assert!(agent.counted("allowed") > 0, "the source decision did not even match");
    assert_eq!(agent.counted("blocked_source"), 0);

    allow("full");
    assert_eq!((ask("alice"), ask("mallory")), (Ok(200), Ok(200)));
    assert_eq!((agent.counted("request_allowed"), agent.counted("blocked_device")), (1, 1));
    assert_eq!(nginx.served_when(3).len(), 3);

    agent.done(&["allow", &proxy, "--remove"]);
    assert_eq!((ask("alice"), ask("mallory")), (Err(Failure::TimedOut), Err(Failure::TimedOut)));
    assert_eq!(nginx.served().len(), 3);
}
