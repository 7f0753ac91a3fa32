//! Requests on an interface in generic mode: the packet program in the stack must leave the classifier behind it whole packets.

use enforcer_tests::{Agent, CLIENT, Net, Nginx, PAY, Requests, Summary};

/// Given generic mode. When requests come, also after a restart. Then those of a blocked device are refused and the others
/// served, as in the driver's mode.
#[test]
fn requests_are_judged_behind_the_generic_mode() {
    let net = Net::new();
    let nginx = Nginx::start(&net);
    let mut agent = Agent::start(&net, &format!("{PAY}\n[fastpath]\ninterfaces = [\"client0\"]\nmode = \"generic\"\n"));
    assert_eq!(agent.json(&["status"])["attachments"][2]["mode"], "generic");
    agent.block_device("mallory", "deny");
    for round in 1..=2 {
        for web in [CLIENT.web4(), CLIENT.web6()] {
            let device = |number: usize| Some(if number.is_multiple_of(5) { "mallory" } else { "alice" }.to_owned());
            let outcomes = Requests::to(web).connections(4).total(100).device(device).run(&net.client);
            let counts = [("200".to_owned(), 80), ("403".to_owned(), 20)];
            assert_eq!(Summary::of(&outcomes).counts, counts.into());
        }
        assert_eq!(nginx.served_when(160 * round).len(), 160 * round);
        agent.kill9();
        agent.restart();
    }
}
