//! Fragments are judged by their source; those without ports can belong to no blocked flow, and pass counted.

use std::net::SocketAddr;

use enforcer_tests::{ATTACKER, Agent, Frame, Net, Tap};

/// Given a blocked network. When first, middle and last fragments of both families come from it, also behind extension
/// headers. Then all are dropped, and those of others pass and are counted as fragments.
#[test]
fn fragments_of_a_blocked_source_are_dropped() {
    let net = Net::new();
    let agent = Agent::start(&net, "");
    let tap = Tap::open(&net, &ATTACKER);
    agent.done(&["block", "ip", "203.0.113.0/24"]);
    agent.done(&["block", "ip", "2001:db8:7::/48"]);
    let frames = |four: &str, six: &str| {
        let (four, six): (SocketAddr, SocketAddr) = (four.parse().expect("v4"), six.parse().expect("v6"));
        let on = || Frame::on(&ATTACKER);
        [
            on().fragment(0, true).udp(four, ATTACKER.web4(), &[0; 64]),
            on().fragment(9, true).udp(four, ATTACKER.web4(), &[0; 64]),
            on().fragment(185, false).udp(four, ATTACKER.web4(), b"end"),
            on().fragment(0, true).udp(six, ATTACKER.web6(), &[0; 64]),
            on().fragment(185, false).udp(six, ATTACKER.web6(), b"end"),
            on().extension(0, &[1, 4]).extension(60, &[1, 4]).fragment(185, false).udp(six, ATTACKER.web6(), b"end"),
        ]
    };
    assert_eq!(tap.deliver(&frames("203.0.113.7:1", "[2001:db8:7::1]:1")), [false; 6]);
    let count = |reason| agent.metric("enforcer_packets_total", &[("reason", reason)]).unwrap_or_default();
    let before = count("fragment");
    assert_eq!(tap.deliver(&frames("203.0.114.7:1", "[2001:db8:8::1]:1")), [true; 6]);
    // The first ones have ports, so they are plain packets.
    assert!((count("fragment") - before - 4.0).abs() < 0.5, "{} more", count("fragment") - before);
    assert!((count("blocked_source") - 6.0).abs() < 0.5);
}

/// Given a blocked flow. When its packets come in fragments. Then the one that carries the ports is dropped, so that the
/// packet cannot be put together.
#[test]
fn the_fragment_with_ports_belongs_to_its_flow() {
    let net = Net::new();
    let agent = Agent::start(&net, "");
    let tap = Tap::open(&net, &ATTACKER);
    let from: SocketAddr = "203.0.113.7:5555".parse().expect("an address");
    agent.done(&["block", "flow", &format!("udp {from} > {}", ATTACKER.web4())]);
    let frames = [
        Frame::on(&ATTACKER).fragment(0, true).udp(from, ATTACKER.web4(), &[0; 64]),
        Frame::on(&ATTACKER).fragment(9, false).udp(from, ATTACKER.web4(), &[0; 64]),
    ];
    assert_eq!(tap.deliver(&frames), [false, true]);
}
