//! A service on `lo`: behind a proxy on the same host that ends TLS, this is the first place where a request can be read.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use enforcer_tests::{Agent, CLIENT, Net, Nginx, PAY, Proxy, Requests, Summary, eventually, notice};

/// Given a reverse proxy that reaches the API over `lo`, and a service on `lo`. When requests come in through it. Then the
/// blocked ones get the notice, passed on by the proxy, and the API sees only the others.
#[test]
fn requests_behind_a_local_proxy_are_judged_on_lo() {
    for api in [IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv6Addr::LOCALHOST)] {
        let net = Net::new();
        let (nginx, proxy) = (Nginx::start(&net), Proxy::start(&net, api));
        let agent = Agent::start(&net, &format!("{PAY}interfaces = [\"lo\"]\n\n[fastpath]\ninterfaces = [\"lo\"]\n"));
        let id = agent.block_device("mallory", "deny");
        let device = |number: usize| Some(if number.is_multiple_of(5) { "mallory" } else { "alice" }.to_owned());
        let front = SocketAddr::new(CLIENT.host4.into(), Proxy::PORT);
        let outcomes = Requests::to(front).connections(4).total(500).device(device).run(&net.client);

        let (blocked, clean): (Vec<_>, Vec<_>) = outcomes.iter().partition(|outcome| outcome.number.is_multiple_of(5));
        assert_eq!(Summary::of(clean).counts, [("200".to_owned(), 400)].into());
        for outcome in blocked {
            let refusal = outcome.answer.as_ref().expect("an answer");
            assert_eq!((refusal.status, refusal.text()), (403, notice(&id)));
        }
        assert!(nginx.served_when(400).iter().all(|served| served.device.as_deref() == Some("alice")));
        assert_eq!((nginx.served().len(), agent.requests("pay", "deny")), (400, 100));
        drop(proxy);
        eventually(Duration::from_secs(5), "no socket is left", || nginx.open_connections() == 0);
    }
}
