//! The address that trusted proxies forward for: read from the right, believed only of them.

use std::time::Duration;

use enforcer_tests::{ATTACKER, Agent, CLIENT, Client, Failure, Lines, Link, Net, Nginx, PAY, Request, eventually};

/// Of the client that is blocked.
const BLOCKED: &str = "198.51.100.7";
/// The proxy in front of the one that connects.
const FIRST_PROXY: &str = "192.0.2.10";

/// Given two proxies in a row, both trusted, and a blocked client. When requests of many clients come over one connection,
/// with forged addresses to the left of the true one. Then exactly those of the blocked client are refused.
#[test]
fn only_the_true_client_is_refused() {
    let (net, nginx, agent) = ground("forwarded = [{ header = \"X-Forwarded-For\" }]\n");
    let mut connection = None;
    let mut served = 0;
    for number in 0..1000 {
        let client = if number % 10 == 3 { BLOCKED.to_owned() } else { format!("203.0.113.{}", number % 250) };
        // Whoever forges writes first, and writes anything.
        let forged = ["", "1.2.3.4, ", "198.51.100.7, ", "unknown, 192.0.2.10, ", "198.51.100.7, 198.51.100.7, "];
        let value = format!("{}{client}, {FIRST_PROXY}", forged[number % forged.len()]);
        let mut open = connection.take().unwrap_or_else(|| connect(&net, &CLIENT));
        let request = Request::get("/health").header("X-Request-Number", &number.to_string());
        let answer = open.request(&request.header("X-Forwarded-For", &value)).expect("an answer");
        let expected = if client == BLOCKED { 403 } else { 200 };
        assert_eq!(answer.status, expected, "request {number}, forwarded for {value}");
        served += usize::from(expected == 200);
        connection = (!answer.closes()).then_some(open);
    }
    let log = nginx.served_when(served);
    assert!(log.iter().all(|line| line.number.is_some_and(|number| number % 10 != 3)), "a blocked client was served");
    assert_eq!((log.len(), agent.counted("blocked_forwarded")), (900, 100));
}

/// Given the same. When the address comes in any form of the header. Then the blocked client is refused and nobody else.
#[test]
fn lists_are_read_from_the_right() {
    let (net, _nginx, _agent) = ground("forwarded = [{ header = \"X-Forwarded-For\" }]\n");
    check(&net, "X-Forwarded-For", &LISTS);
    // Two lines are one list.
    let two = |first: &str, second: &str| {
        let request = Request::get("/health").header("X-Forwarded-For", first).header("X-Forwarded-For", second);
        connect(&net, &CLIENT).request(&request).map(|answer| answer.status)
    };
    assert_eq!(two("203.0.113.9", "198.51.100.7, 192.0.2.10"), Ok(403));
    assert_eq!(two("198.51.100.7", "192.0.2.10"), Ok(403));
    assert_eq!(two("198.51.100.7", "203.0.113.9"), Ok(200));
}

/// The same for `Forwarded`.
#[test]
fn forwarded_is_read_from_the_right() {
    let (net, _nginx, _agent) = ground("forwarded = [{ header = \"Forwarded\" }]\n");
    check(&net, "Forwarded", &FORWARDED);
}

/// The same for a header with one address.
#[test]
fn a_single_address_is_read() {
    let (net, _nginx, _agent) = ground("forwarded = [{ header = \"X-Real-IP\", single = true }]\n");
    check(&net, "X-Real-IP", &SINGLE);
}

/// Given a source that is no trusted proxy. When it forwards for anybody. Then it is not believed.
#[test]
fn nobody_else_is_believed() {
    let (net, nginx, agent) = ground("forwarded = [{ header = \"X-Forwarded-For\" }]\n");
    let ask = |value: &str| {
        let request = Request::get("/health").header("X-Forwarded-For", value);
        connect(&net, &ATTACKER).request(&request).map(|answer| answer.status)
    };
    for value in [BLOCKED, "198.51.100.7, 192.0.2.10", "203.0.113.9, 198.51.100.7"] {
        assert_eq!(ask(value), Ok(200), "{value}");
    }
    // Its own address counts, whatever it says.
    agent.block_ip("10.77.2.2");
    let request = Request::get("/health").header("X-Forwarded-For", "203.0.113.9");
    let silent =
        Client::connect_from(&net.attacker, ATTACKER.peer4.into(), ATTACKER.web4(), Duration::from_millis(300));
    let answer = silent.and_then(|mut client| client.request(&request)).map(|answer| answer.status);
    assert_eq!(answer, Err(Failure::TimedOut));
    assert_eq!(nginx.served_when(3).len(), 3);
}

/// A service, two trusted proxies, a blocked client; and one that is blocked over IPv6.
/// Given a proxy that is believed. When requests carry other tokens before and behind the list. Then whoever follows requests is told
/// the true client, also of those that nothing is decided on.
#[test]
fn the_true_client_is_told() {
    let (net, _nginx, agent) = ground("forwarded = [{ header = \"X-Forwarded-For\" }]\n");
    let follower = Lines::of(&mut agent.command(&["requests", "-o", "json"]));
    let list = ("X-Forwarded-For", "203.0.113.9, 192.0.2.10");
    let orders = [[("X-Device-Id", "a"), list], [list, ("X-Device-Id", "a")], [list, ("User-Agent", "DeviceId/a")]];
    for (number, headers) in (0..).zip(orders) {
        let path = format!("/api/told/{number}");
        let mut told = None;
        // The follower is there once the first request is told.
        eventually(Duration::from_secs(10), "a request is told", || {
            let request =
                headers.iter().fold(Request::get(&path), |request, (name, value)| request.header(name, value));
            connect(&net, &CLIENT).request(&request).expect("an answer");
            told = follower.next(Duration::from_millis(300)).filter(|line| line.contains(&path));
            told.is_some()
        });
        let told: serde_json::Value = serde_json::from_str(&told.expect("a line")).expect("JSON");
        assert_eq!(told["client"], "203.0.113.9", "{told}");
    }
}

fn ground(service: &str) -> (Net, Nginx, Agent) {
    let net = Net::new();
    let nginx = Nginx::start(&net);
    let agent = Agent::start(&net, &format!("{PAY}{service}"));
    for proxy in [&CLIENT.peer4.to_string(), FIRST_PROXY, "2001:db8::10"] {
        agent.done(&["allow", proxy, "--as", "proxy", "--reason", "load balancer"]);
    }
    agent.block_ip(BLOCKED);
    agent.block_ip("2001:db8::7");
    // Blocking what is trusted changes nothing: a trusted proxy is never refused.
    agent.block_ip(FIRST_PROXY);
    (net, nginx, agent)
}

fn connect(net: &Net, link: &Link) -> Client {
    Client::connect(net.peer(link), link.web4()).expect("connects")
}

fn check(net: &Net, name: &str, cases: &[(u16, &str)]) {
    for (expected, value) in cases {
        let answer = connect(net, &CLIENT).request(&Request::get("/health").header(name, value));
        assert_eq!(answer.map(|answer| answer.status), Ok(*expected), "{name}: {value}");
    }
}

const LISTS: [(u16, &str); 24] = [
    (403, "198.51.100.7"),
    (403, "198.51.100.7, 192.0.2.10"),
    (403, "198.51.100.7,192.0.2.10"),
    (403, "198.51.100.7 , 192.0.2.10 "),
    (403, "203.0.113.9, 198.51.100.7, 192.0.2.10, 192.0.2.10"),
    (403, "198.51.100.7:4711, 192.0.2.10:80"),
    (403, "::ffff:198.51.100.7"),
    (403, "2001:db8::7"),
    (403, "2001:DB8:0:0:0:0:0:7"),
    (403, "[2001:db8::7]:443, 192.0.2.10"),
    (403, "203.0.113.9, 2001:db8::7, 2001:db8::10"),
    (403, "garbage, 198.51.100.7"),
    (200, "203.0.113.9"),
    (200, "198.51.100.7, 203.0.113.9"),
    (200, "198.51.100.7, 203.0.113.9, 192.0.2.10"),
    (200, "198.51.100.77"),
    (200, "198.51.100.70, 192.0.2.10"),
    (200, "2001:db8::77"),
    (200, "192.0.2.10"),
    (200, "192.0.2.10, 192.0.2.10"),
    (200, ""),
    (200, "unknown"),
    // Nobody vouches for what stands left of an address that cannot be read.
    (200, "198.51.100.7, garbage"),
    (200, "198.51.100.7, unknown, 192.0.2.10"),
];

const FORWARDED: [(u16, &str); 14] = [
    (403, "for=198.51.100.7"),
    (403, "For=\"198.51.100.7:4711\";proto=http;by=203.0.113.43"),
    (403, "proto=https;for=198.51.100.7"),
    (403, "for=203.0.113.9, for=198.51.100.7, for=192.0.2.10"),
    (403, "for=198.51.100.7;proto=http,for=192.0.2.10;proto=http"),
    (403, "FOR=\"[2001:db8::7]\""),
    (403, "for=\"[2001:db8::7]:4711\", for=\"[2001:db8::10]\""),
    (200, "for=203.0.113.9"),
    (200, "for=198.51.100.7, for=203.0.113.9"),
    (200, "for=198.51.100.7, for=203.0.113.9, for=192.0.2.10"),
    (200, "by=198.51.100.7"),
    (200, "for=203.0.113.9;by=198.51.100.7"),
    (200, "host=198.51.100.7;for=203.0.113.9"),
    (200, "for=_hidden"),
];

const SINGLE: [(u16, &str); 6] = [
    (403, "198.51.100.7"),
    (403, " 198.51.100.7 "),
    (403, "2001:db8::7"),
    (200, "203.0.113.9"),
    (200, "198.51.100.70"),
    (200, ""),
];
