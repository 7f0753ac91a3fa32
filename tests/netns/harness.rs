//! The harness itself: before it judges the agent, it must carry traffic, count it, and leave nothing behind.

use std::{
    fs,
    net::{IpAddr, SocketAddr},
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    time::Duration,
};

use enforcer_tests::{
    ATTACKER, CLIENT, Client, Ending, Failure, Flags, Frame, Net, Nginx, RawTcp, Request, Requests, Summary, Tap,
    WEB_PORT, eventually,
};

const SHORT: Duration = Duration::from_secs(5);

/// Given both neighbours. When each connects over both families. Then nginx answers, over kept-alive connections.
#[test]
fn neighbours_reach_the_api_over_both_families() {
    let net = Net::new();
    let _nginx = Nginx::start(&net);
    for (space, link) in [(&net.client, &CLIENT), (&net.attacker, &ATTACKER)] {
        for web in [link.web4(), link.web6()] {
            let mut client = Client::connect(space, web).expect("connects");
            for _ in 0..3 {
                let response = client.request(&Request::get("/api/accounts/7").device("abc")).expect("an answer");
                assert_eq!(response.status, 200);
                assert!(response.text().contains("\"account\":7"), "{}", response.text());
            }
        }
    }
}

/// Given 20 connections. When they send 2,000 requests, one in five of them from a device. Then nginx has logged each
/// once, with its device, and holds no connection when they are gone.
#[test]
fn nginx_logs_every_request_once() {
    let net = Net::new();
    let nginx = Nginx::start(&net);
    let device = |number: usize| number.is_multiple_of(5).then(|| format!("device {number}"));
    let outcomes = Requests::to(CLIENT.web4()).connections(20).total(2000).device(device).run(&net.client);
    assert_eq!(Summary::of(&outcomes).counts, [("200".to_owned(), 2000)].into());

    let mut served = nginx.served_when(2000);
    served.sort_by_key(|served| served.number);
    let numbers: Vec<_> = served.iter().filter_map(|served| served.number).collect();
    assert_eq!(numbers, (0..2000).collect::<Vec<_>>());
    assert!(served.iter().all(|served| served.device == device(served.number.expect("a number"))));
    eventually(SHORT, "nginx has closed its connections", || nginx.open_connections() == 0);
}

/// Given a steady load. When it runs for a while and is stopped. Then its rate was kept and nothing failed.
#[test]
fn a_steady_load_keeps_its_rate() {
    let net = Net::new();
    let _nginx = Nginx::start(&net);
    let load = Requests::to(CLIENT.web4()).connections(8).per_second(1000).start(&net.client);
    eventually(SHORT, "500 answers", || load.answered() >= 500);
    let outcomes = load.stop();
    let first = outcomes.iter().map(|outcome| outcome.sent).min().expect("some were sent");
    let last = outcomes.iter().map(|outcome| outcome.sent).max().expect("some were sent");
    assert!(last - first >= Duration::from_millis(450), "500 requests took only {:?}", last - first);
    assert!(outcomes.iter().all(|outcome| outcome.status() == Some(200)), "{}", Summary::of(&outcomes));
}

/// Given a network lent to the attacker. When it connects from addresses in it. Then the host answers each.
#[test]
fn lent_addresses_can_be_used() {
    let net = Net::new();
    let nginx = Nginx::start(&net);
    net.lend(&ATTACKER, "203.0.113.0/24");
    net.lend(&ATTACKER, "2001:db8:7::/64");
    for (from, to) in [
        ("203.0.113.0", ATTACKER.web4()),
        ("203.0.113.255", ATTACKER.web4()),
        ("2001:db8:7::", ATTACKER.web6()),
        ("2001:db8:7::ffff:ffff:ffff:ffff", ATTACKER.web6()),
    ] {
        let from: IpAddr = from.parse().expect("an address");
        let outcomes = Requests::to(to).from(from).run(&net.attacker);
        assert_eq!(outcomes[0].status(), Some(200), "from {from}: {:?}", outcomes[0]);
    }
    assert_eq!(nginx.served_when(4).len(), 4);
}

/// Given nothing that listens, and an address that nobody has. When a client asks. Then each failure has its own name.
#[test]
fn failures_have_names() {
    let net = Net::new();
    let closed = SocketAddr::new(CLIENT.host4.into(), 9);
    assert_eq!(
        Client::connect(&net.client, closed).err(),
        Some(Failure::Connect(std::io::ErrorKind::ConnectionRefused))
    );

    net.host.exec("nft add table inet t");
    net.host.exec("nft add chain inet t in { type filter hook input priority 0 ; }");
    net.host.exec(&format!("nft add rule inet t in tcp dport {WEB_PORT} drop"));
    let silent = Requests::to(CLIENT.web4()).patience(Duration::from_millis(300)).run(&net.client);
    assert_eq!(silent[0].answer, Err(Failure::TimedOut));
}

/// Given a request in pieces of three bytes. When it is sent by hand. Then nginx puts it together and answers.
#[test]
fn segments_can_be_chosen() {
    let net = Net::new();
    let nginx = Nginx::start(&net);
    let mut raw = RawTcp::connect(&net.client, CLIENT.web4());
    raw.send_chopped(&Request::get("/health").header("Connection", "close").bytes(), 3).expect("sent");
    let (answer, ending) = raw.read_to_end(SHORT);
    assert!(answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
    assert_eq!(ending, Ending::Closed);
    assert_eq!(nginx.served_when(1)[0].uri, "/health");
}

/// Given a tap. When frames of all kinds are sent, and nothing is in their way. Then all are seen to arrive: whatever is
/// missing in a later test was dropped.
#[test]
fn a_tap_sees_every_kind_of_frame() {
    let net = Net::new();
    let tap = Tap::open(&net, &ATTACKER);
    let at = |text: &str| text.parse::<SocketAddr>().expect("an address");
    let (four, six) = (at("198.51.100.9:1000"), at("[2001:db8::9]:1000"));
    let frames = [
        Frame::on(&ATTACKER).udp(four, ATTACKER.web4(), b"plain"),
        Frame::on(&ATTACKER).tcp(four, ATTACKER.web4(), Flags::SYN, 1, b""),
        Frame::on(&ATTACKER).vlan(7).udp(four, ATTACKER.web4(), b"tagged"),
        Frame::on(&ATTACKER).provider_vlan(7).vlan(8).udp(six, ATTACKER.web6(), b"tagged twice"),
        Frame::on(&ATTACKER).fragment(0, true).udp(four, ATTACKER.web4(), &[0; 64]),
        Frame::on(&ATTACKER).extension(0, &[1, 4]).fragment(185, false).udp(six, ATTACKER.web6(), b"last part"),
        Frame::on(&ATTACKER).udp(six, ATTACKER.web6(), b"plain"),
        Frame::on(&ATTACKER).ethernet(0x88b5, b"neither"),
        Frame::on(&ATTACKER).udp(four, ATTACKER.web4(), b"cut").cut(30),
    ];
    assert_eq!(tap.deliver(&frames), [true; 9]);
}

/// Given UDP frames made by hand. When one is sent to a socket. Then the kernel takes it: its checksums are right.
#[test]
fn crafted_frames_are_accepted_by_the_stack() {
    let net = Net::new();
    let tap = Tap::open(&net, &CLIENT);
    for (from, to) in [
        (SocketAddr::new(CLIENT.peer4.into(), 1000), SocketAddr::new(CLIENT.host4.into(), 5000)),
        (SocketAddr::new(CLIENT.peer6.into(), 1000), SocketAddr::new(CLIENT.host6.into(), 5000)),
    ] {
        let socket = net.host.inside(|| std::net::UdpSocket::bind(to)).expect("binds");
        socket.set_read_timeout(Some(SHORT)).expect("a timeout");
        tap.send(&Frame::on(&CLIENT).udp(from, to, b"hello"));
        let (mut buffer, expected) = ([0; 64], 5 + 8);
        let (length, sender) = socket.recv_from(&mut buffer).expect("the datagram arrives");
        assert_eq!((&buffer[..5], length, sender), (&b"hello"[..], expected, from));
    }
}

/// Given a network with something running in it. When the test panics. Then neither namespace nor process nor folder is
/// left.
#[test]
fn a_panic_leaves_nothing_behind() {
    let mut left = None;
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let net = Net::new();
        let sleeper = net.client.spawn("sleep 1000");
        // Until it has entered the namespace, nobody knows where it belongs.
        let command = format!("/proc/{}/cmdline", sleeper.id());
        eventually(SHORT, "it runs", || fs::read(&command).is_ok_and(|text| text.starts_with(b"sleep")));
        left = Some((net.client.path(), net.folder().to_owned(), sleeper.id()));
        std::mem::forget(sleeper);
        panic!("on purpose");
    }));
    assert!(panicked.is_err());
    let (space, folder, id) = left.expect("the network was made");
    assert!(!space.exists() && !folder.exists());
    let process = format!("/proc/{id}/cmdline");
    eventually(SHORT, "the process is dead", || fs::read(Path::new(&process)).unwrap_or_default().is_empty());
}
