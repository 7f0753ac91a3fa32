//! The PROXY protocol: the address that a load balancer names before the first request of a connection.

use std::net::{Ipv4Addr, Ipv6Addr};

use enforcer_tests::{ATTACKER, Agent, CLIENT, Link, Net, Nginx, PAY, PROXIED_PORT, RawTcp, Request, Response};

/// Given a service behind a load balancer that speaks the PROXY protocol, and a blocked client. When connections come with a
/// header of either version, cut anywhere. Then those of the blocked client are refused and all others are served.
#[test]
fn the_named_client_counts() {
    let (net, nginx, agent) = ground();
    let mut served = 0;
    for (name, header, expected) in headers() {
        let bytes = [header.clone(), Request::get("/health").bytes()].concat();
        // nginx itself takes a header only in one piece.
        for cut in [0].into_iter().chain((header.len()..bytes.len()).step_by(3)) {
            let status = ask(&net, &CLIENT, &[&bytes[..cut], &bytes[cut..]]);
            assert_eq!(status, Some(expected), "{name}, cut after {cut}");
            served += usize::from(expected == 200);
        }
        let (front, request) = bytes.split_at(header.len());
        let single: Vec<&[u8]> = [front].into_iter().chain(request.chunks(1)).collect();
        assert_eq!(ask(&net, &CLIENT, &single), Some(expected), "{name}, then single bytes");
        served += usize::from(expected == 200);
    }
    assert_eq!(nginx.served_when(served).iter().filter(|line| line.status == 200).count(), served);
    assert!(agent.counted("blocked_forwarded") > 0, "nothing was refused for its forwarded address");
}

/// Given the same. When a device is blocked. Then it is refused behind the header too, in later requests as well.
#[test]
fn requests_behind_the_header_are_judged() {
    let (net, _nginx, agent) = ground();
    agent.block_device("mallory", "deny");
    let header = one(Ipv4Addr::new(203, 0, 113, 9));
    let request = |device| Request::get("/health").device(device).bytes();
    assert_eq!(ask(&net, &CLIENT, &[&header, &request("mallory")]), Some(403));
    assert_eq!(ask(&net, &CLIENT, &[&header, &request("alice")]), Some(200));
    let both = [header, request("alice"), request("mallory")].concat();
    assert!(statuses(&net, &CLIENT, &[&both], 2).contains(&403), "a later request was not judged");
}

/// Given the same. When the blocked client writes such a header itself. Then it is not believed, and does not confuse.
#[test]
fn nobody_else_names_a_client() {
    let (net, _nginx, agent) = ground();
    agent.block_device("mallory", "deny");
    let header = one(Ipv4Addr::new(198, 51, 100, 7));
    assert_eq!(ask(&net, &ATTACKER, &[&header, &Request::get("/health").bytes()]), Some(200));
    let evil = Request::get("/health").device("mallory").bytes();
    assert_eq!(ask(&net, &ATTACKER, &[&header, &evil]), Some(403));
}

fn ground() -> (Net, Nginx, Agent) {
    let net = Net::new();
    let nginx = Nginx::start(&net);
    let service = PAY.replace("8080", &PROXIED_PORT.to_string());
    let agent = Agent::start(&net, &format!("{service}proxy_protocol = true\n"));
    agent.done(&["allow", &CLIENT.peer4.to_string(), "--as", "proxy", "--reason", "load balancer"]);
    agent.block_ip("198.51.100.7");
    agent.block_ip("2001:db8::7");
    (net, nginx, agent)
}

fn ask(net: &Net, link: &'static Link, pieces: &[&[u8]]) -> Option<u16> {
    statuses(net, link, pieces, 1).first().copied()
}

fn statuses(net: &Net, link: &'static Link, pieces: &[&[u8]], count: usize) -> Vec<u16> {
    let mut web = link.web4();
    web.set_port(PROXIED_PORT);
    let mut raw = RawTcp::connect(net.peer(link), web);
    // A refusal may come before all is sent.
    let _refused = raw.send(pieces);
    let all = |mut received: &[u8]| {
        let mut statuses = Vec::new();
        while let Ok(Some((response, length))) = Response::parse(received) {
            statuses.push(response.status);
            received = &received[length..];
        }
        statuses
    };
    let enough = |received: &[u8]| all(received).len() >= count;
    all(&raw.read_until(std::time::Duration::from_secs(5), enough).0)
}

fn headers() -> Vec<(&'static str, Vec<u8>, u16)> {
    let (blocked, other) = (Ipv4Addr::new(198, 51, 100, 7), Ipv4Addr::new(203, 0, 113, 9));
    let (blocked6, other6) = ("2001:db8::7", "2001:db8::9");
    vec![
        ("version 1, the blocked client", one(blocked), 403),
        ("version 1, another", one(other), 200),
        ("version 1, IPv6, the blocked client", one6(blocked6), 403),
        ("version 1, IPv6, another", one6(other6), 200),
        ("version 1, unknown", b"PROXY UNKNOWN\r\n".to_vec(), 200),
        ("version 2, the blocked client", two(0x21, 0x11, &[&blocked.octets(), &[10, 0, 0, 1], PORTS]), 403),
        ("version 2, another", two(0x21, 0x11, &[&other.octets(), &[10, 0, 0, 1], PORTS]), 200),
        ("version 2, IPv6, the blocked client", two(0x21, 0x21, &[&six(blocked6), &six("::1"), PORTS]), 403),
        ("version 2, IPv6, another", two(0x21, 0x21, &[&six(other6), &six("::1"), PORTS]), 200),
        ("version 2 with more fields", two(0x21, 0x11, &[&blocked.octets(), &[10, 0, 0, 1], PORTS, FIELDS]), 403),
        ("version 2, of the balancer itself", two(0x20, 0x00, &[]), 200),
    ]
}

fn one(client: Ipv4Addr) -> Vec<u8> {
    format!("PROXY TCP4 {client} 10.0.0.1 4711 80\r\n").into_bytes()
}

fn one6(client: &str) -> Vec<u8> {
    format!("PROXY TCP6 {client} ::1 4711 80\r\n").into_bytes()
}

fn two(command: u8, family: u8, parts: &[&[u8]]) -> Vec<u8> {
    let rest = parts.concat();
    let length = u16::try_from(rest.len()).expect("a short header").to_be_bytes();
    [b"\r\n\r\n\0\r\nQUIT\n", &[command, family][..], &length, &rest].concat()
}

fn six(address: &str) -> [u8; 16] {
    address.parse::<Ipv6Addr>().expect("an address").octets()
}

const PORTS: &[u8] = &[0x12, 0x67, 0, 80];
/// An unknown field of three bytes.
const FIELDS: &[u8] = &[0xe0, 0, 3, 1, 2, 3];
