//! A blocked network is exactly its addresses: the first and the last are inside, the neighbours are not.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use enforcer_tests::{ATTACKER, Agent, Frame, FrameBuilder, Net, Tap, xdp_programs};

/// Given networks of common and odd lengths, all blocked, the XDP program in the driver. When frames come from the first,
/// the middle and the last address of each and from both neighbours, without a VLAN tag, with one and with two. Then exactly
/// those from inside are dropped, and counted.
#[test]
fn first_middle_and_last_are_dropped_and_neighbours_pass() {
    let net = Net::new();
    let agent = blocking(&net, &NETWORKS);
    assert_eq!(xdp_programs(&net.host, ATTACKER.interface).len(), 1);
    assert!(agent.done(&["status"]).contains("native"), "{}", agent.done(&["status"]));
    let tap = Tap::open(&net, &ATTACKER);
    let plain = Frame::on(&ATTACKER);
    for builder in [&plain, &plain.clone().vlan(7), &plain.clone().provider_vlan(7).vlan(8)] {
        let before = dropped(&agent);
        for network in NETWORKS {
            let (inside, outside) = addresses(network);
            let frames: Vec<Frame> = inside.iter().chain(&outside).map(|from| datagram(builder, *from)).collect();
            assert_eq!(tap.deliver(&frames), [false, false, false, true, true], "{network} {inside:?} {outside:?}");
        }
        assert_eq!(dropped(&agent) - before, 3 * NETWORKS.len());
    }
}

/// Given the same networks. When each is unblocked. Then all of it passes, while the others stay blocked.
#[test]
fn unblocking_one_network_leaves_the_others() {
    let net = Net::new();
    let agent = blocking(&net, &NETWORKS);
    let tap = Tap::open(&net, &ATTACKER);
    let plain = Frame::on(&ATTACKER);
    for (done, network) in NETWORKS.iter().enumerate() {
        agent.done(&["unblock", "ip", network]);
        let frames: Vec<Frame> = NETWORKS.iter().map(|network| datagram(&plain, addresses(network).0[1])).collect();
        let expected: Vec<bool> = (0..NETWORKS.len()).map(|at| at <= done).collect();
        assert_eq!(tap.deliver(&frames), expected, "after {network}");
    }
}

/// Given networks inside each other. When the innermost and the outermost end one after the other. Then what is left holds.
#[test]
fn nested_networks_hold_each_for_itself() {
    let net = Net::new();
    let agent = blocking(&net, &["20.0.0.0/8", "20.1.0.0/16", "20.1.2.0/23", "20.1.2.0/24", "20.1.2.3"]);
    let tap = Tap::open(&net, &ATTACKER);
    let sources = ["20.1.2.3", "20.1.2.4", "20.1.3.4", "20.1.4.4", "20.2.4.4"];
    assert_eq!(tap.passing(&sources), [false; 5]);
    agent.done(&["unblock", "ip", "20.0.0.0/8"]);
    assert_eq!(tap.passing(&sources), [false, false, false, false, true]);
    agent.done(&["unblock", "ip", "20.1.2.0/24"]);
    assert_eq!(tap.passing(&sources), [false, false, false, false, true]);
    agent.done(&["unblock", "ip", "20.1.0.0/16"]);
    assert_eq!(tap.passing(&sources), [false, false, false, true, true]);
    agent.done(&["unblock", "ip", "20.1.2.0/23"]);
    assert_eq!(tap.passing(&sources), [false, true, true, true, true]);
}

/// Given an IPv4 network. When IPv6 packets carry its addresses mapped. Then they are the same addresses.
#[test]
fn a_mapped_source_is_its_ipv4_address() {
    let net = Net::new();
    let _agent = blocking(&net, &["203.0.113.0/24"]);
    let tap = Tap::open(&net, &ATTACKER);
    let sources = ["::ffff:203.0.113.0", "::ffff:203.0.113.255", "::ffff:203.0.112.255", "::ffff:203.0.114.0"];
    assert_eq!(tap.passing(&sources), [false, false, true, true]);
}

/// Given as many addresses as the tables are made for, so that some overflow their buckets. When frames come from each.
/// Then none passes.
#[test]
fn addresses_that_overflow_their_buckets_are_dropped_too() {
    let net = Net::new();
    let agent = Agent::start(&net, "[limits]\naddresses_v4 = 1365\naddresses_v6 = 1365\n");
    let four = (0..1300_u32).map(|at| IpAddr::V4((0x1400_0000 + at * 2011).into()));
    let six = (0..1300_u128).map(|at| IpAddr::V6(((0x2a00_u128 << 112) | (at * 0x0001_0000_0007)).into()));
    let all: Vec<IpAddr> = four.chain(six).collect();
    let list: Vec<String> = all.iter().map(ToString::to_string).collect();
    let output = agent.cli_with(&["block", "ip", "--file", "-"], list.join("\n").as_bytes());
    assert_eq!(output.code, Some(0), "{output:#?}");
    let spilled = agent.metric("enforcer_map_entries", &[("map", "spill")]);
    assert!(spilled.is_some_and(|spilled| spilled > 0.0), "nothing overflowed ({spilled:?}): the test proves nothing");
    let tap = Tap::open(&net, &ATTACKER);
    let frames: Vec<Frame> = all.iter().map(|from| datagram(&Frame::on(&ATTACKER), *from)).collect();
    assert_eq!(tap.deliver(&frames).iter().filter(|passed| **passed).count(), 0);
    let output = agent.cli_with(&["unblock", "ip", "--file", "-"], list.join("\n").as_bytes());
    assert_eq!(output.code, Some(0), "{output:#?}");
    assert_eq!(tap.deliver(&frames).iter().filter(|passed| !**passed).count(), 0);
}

fn blocking(net: &Net, networks: &[&str]) -> Agent {
    let agent = Agent::start(net, "");
    for network in networks {
        agent.done(&["block", "ip", network, "--reason", "test"]);
    }
    agent
}

fn dropped(agent: &Agent) -> usize {
    let reasons = agent.json(&["top", "--once"])["reasons"].clone();
    let mut reasons = reasons.as_array().into_iter().flatten();
    let count = reasons.find(|known| known["reason"] == "blocked_source").and_then(|known| known["count"].as_u64());
    usize::try_from(count.expect("a counter")).expect("a small number")
}

fn datagram(builder: &FrameBuilder, from: IpAddr) -> Frame {
    let to = if from.is_ipv4() { ATTACKER.web4() } else { ATTACKER.web6() };
    builder.udp(SocketAddr::new(from, 40_001), to, b"probe")
}

/// First, middle and last address; and the neighbours.
fn addresses(network: &str) -> ([IpAddr; 3], [IpAddr; 2]) {
    let (base, length) = network.split_once('/').unwrap_or((network, ""));
    let base: IpAddr = base.parse().expect("an address");
    let fixed = match length.parse::<u32>() {
        Ok(length) if base.is_ipv4() => 96 + length,
        Ok(length) => length,
        Err(_alone) => 128,
    };
    let first = match base {
        IpAddr::V4(four) => four.to_ipv6_mapped().to_bits(),
        IpAddr::V6(six) => six.to_bits(),
    };
    let last = first | (1_u128 << (128 - fixed)).wrapping_sub(1);
    let address = |bits: u128| Ipv6Addr::from_bits(bits).to_canonical();
    let middle = first + (last - first) / 2;
    ([first, middle, last].map(address), [first - 1, last + 1].map(address))
}

const NETWORKS: [&str; 17] = [
    "20.128.0.0/9",
    "30.1.8.0/21",
    "203.0.113.0/24",
    "40.0.0.32/27",
    "41.0.0.4/30",
    "42.0.0.2/31",
    "43.0.0.9/32",
    "::ffff:44.0.0.0/120",
    "::ffff:45.0.0.7",
    "2a00:1000::/29",
    "2a02:0:8::/45",
    "2a03:0:5::/48",
    "2a04:0:0:8::/61",
    "2001:db8:7::/64",
    "2001:db8:8::2/127",
    "2001:db8:9::1/128",
    "2001:db8:a::ffff",
];
