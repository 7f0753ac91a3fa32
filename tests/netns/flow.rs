//! A blocked flow is one connection, not its client.

use std::{net::SocketAddr, time::Duration};

use enforcer_tests::{Agent, CLIENT, Client, Flags, Frame, Net, Nginx, RawTcp, Request, Tap};

/// Given two connections of one client. When one is blocked in the middle. Then its requests get no answer, while the other
/// goes on and new ones are made; unblocked, what was held back arrives.
#[test]
fn one_connection_is_blocked_and_the_others_go_on() {
    let net = Net::new();
    let nginx = Nginx::start(&net);
    let agent = Agent::start(&net, "");
    for to in [CLIENT.web4(), CLIENT.web6()] {
        let mut blocked = RawTcp::connect(&net.client, to);
        let mut other = Client::connect(&net.client, to).expect("connects");
        let flow = format!("tcp {} > {to}", blocked.own());
        agent.done(&["block", "flow", &flow]);
        let served = nginx.served().len();
        blocked.send(&[&Request::get("/health").bytes()]).expect("sent");
        assert_eq!(other.request(&Request::get("/health")).map(|answer| answer.status), Ok(200));
        assert!(Client::connect(&net.client, to).is_ok());
        assert_eq!(blocked.read_to_end(Duration::from_millis(300)).0, b"");
        assert_eq!(nginx.served_when(served + 1).len(), served + 1);
        agent.done(&["unblock", "flow", &flow]);
        let (answer, _) = blocked.read_until(Duration::from_secs(10), |received| received.ends_with(b"}\n"));
        assert!(answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
    }
    let dropped = agent.metric("enforcer_packets_total", &[("reason", "blocked_flow"), ("verdict", "drop")]);
    assert!(dropped.is_some_and(|dropped| dropped >= 2.0), "{dropped:?}");
}

/// Given a blocked five-tuple. When packets differ from it in one part each. Then only the exact one is dropped.
#[test]
fn every_part_of_the_five_tuple_counts() {
    let net = Net::new();
    let agent = Agent::start(&net, "");
    let tap = Tap::open(&net, &CLIENT);
    let at = |text: &str| text.parse::<SocketAddr>().expect("an address");
    let (from, to) = (at("203.0.113.7:5555"), at("10.77.1.1:8080"));
    agent.done(&["block", "flow", &format!("tcp {from} > {to}")]);
    let tcp = |from, to| Frame::on(&CLIENT).tcp(from, to, Flags::ACK, 1, b"");
    let frames = [
        tcp(from, to),
        Frame::on(&CLIENT).vlan(7).tcp(from, to, Flags::SYN, 1, b""),
        Frame::on(&CLIENT).udp(from, to, b""),
        tcp(at("203.0.113.8:5555"), to),
        tcp(at("203.0.113.7:5556"), to),
        tcp(from, at("10.77.1.2:8080")),
        tcp(from, at("10.77.1.1:8081")),
        tcp(at("203.0.113.7:8080"), at("10.77.1.1:5555")),
    ];
    assert_eq!(tap.deliver(&frames), [false, false, true, true, true, true, true, true]);
    agent.done(&["block", "flow", &format!("tcp {from} > {to}"), "--action", "observe"]);
    assert_eq!(tap.deliver(&frames[..1]), [true]);
}
