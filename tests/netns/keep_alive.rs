//! The main job, at length: many requests over few connections, and exactly those of a blocked device refused.

use std::{net::SocketAddr, time::Duration};

use enforcer_tests::{Agent, CLIENT, Net, Nginx, PAY, Requests, Summary, WEB_PORT, eventually, notice};

const SHORT: Duration = Duration::from_secs(5);

/// Given a blocked device. When 10,000 requests come over 20 keep-alive connections, one in five of them from it. Then
/// exactly those get the notice with the decision's id, nginx has seen exactly the others, and no socket is left.
#[test]
fn exactly_the_requests_of_a_blocked_device_are_refused() {
    exactly_the_blocked(CLIENT.web4());
}

/// The same over IPv6.
#[test]
fn exactly_the_requests_of_a_blocked_device_are_refused_over_ipv6() {
    exactly_the_blocked(CLIENT.web6());
}

fn exactly_the_blocked(web: SocketAddr) {
    let net = Net::new();
    let nginx = Nginx::start(&net);
    let agent = Agent::start(&net, PAY);
    let id = agent.block_device("mallory", "deny");

    let device = |number: usize| if number.is_multiple_of(5) { "mallory".to_owned() } else { format!("dev-{number}") };
    let load = Requests::to(web).connections(20).total(10_000).device(move |number| Some(device(number)));
    let outcomes = load.run(&net.client);

    let (blocked, clean): (Vec<_>, Vec<_>) = outcomes.iter().partition(|outcome| outcome.number.is_multiple_of(5));
    assert_eq!(Summary::of(clean).counts, [("200".to_owned(), 8000)].into());
    assert_eq!(Summary::of(blocked.iter().copied()).counts, [("403".to_owned(), 2000)].into());
    for refusal in blocked.iter().filter_map(|outcome| outcome.answer.as_ref().ok()) {
        assert_eq!((refusal.text(), refusal.closes()), (notice(&id), true));
    }
    let mut served: Vec<_> = nginx.served_when(8000).iter().filter_map(|served| served.number).collect();
    served.sort_unstable();
    assert_eq!(served, (0..10_000).filter(|number| number % 5 != 0).collect::<Vec<_>>());
    let repeated = net.client.repeated_segments();
    for (verdict, sent) in [("pass", 8000), ("deny", 2000)] {
        let counted = agent.requests("pay", verdict);
        assert!((sent..=sent + repeated).contains(&counted), "{counted} times {verdict}; {repeated} were sent again");
    }

    eventually(SHORT, "the server has no socket left", || nginx.open_connections() == 0);
    // The side that closes first waits a minute, as TCP demands; nothing else may stay.
    let open = format!("ss -Htn state connected exclude time-wait dport = :{WEB_PORT}");
    eventually(SHORT, "the client has no socket left", || net.client.exec(&open).is_empty());
}
