//! The same refusal on every kind of buffer: tagged, merged into super-packets or not, with checksums finished or left open.

use std::{fs, net::SocketAddr, time::Duration};

use enforcer_tests::{
    Agent, CLIENT, Flags, Frame, Namespace, Net, Nginx, PAY, Reply, Request, Requests, Summary, Tap, eventually, notice,
};

/// Given a blocked device. When its request comes with no, one or two tags, checksums finished. Then a whole refusal goes
/// back with the same tags and right checksums, and continues the client's numbers. No socket has a part in it: this is
/// also what a router does with it.
#[test]
fn a_tagged_request_is_refused_under_its_tags() {
    let net = Net::new();
    let agent = Agent::start(&net, PAY);
    let id = agent.block_device("mallory", "deny");
    let tap = Tap::open(&net, &CLIENT);
    // Else tags travel beside the packet, where a tap does not see them.
    net.host.exec("ethtool -K client0 txvlan off tx-vlan-stag-hw-insert off");
    let frame = || Frame::on(&CLIENT);
    let tagged = [
        (frame(), vec![]),
        (frame().vlan(7), vec![(0x8100, 7)]),
        (frame().provider_vlan(8).vlan(9), vec![(0x88a8, 8), (0x8100, 9)]),
    ];
    let peers = [(CLIENT.peer4.into(), CLIENT.web4()), (CLIENT.peer6.into(), CLIENT.web6())];
    let cases = tagged.iter().flat_map(|frame| peers.map(|peer| (frame, peer)));
    // A port each: what follows a refusal on its connection is not judged again.
    for (((frame, tags), (peer, web)), port) in cases.zip(5555..) {
        let (from, request) = (SocketAddr::new(peer, port), Request::get("/").device("mallory").bytes());
        tap.segments();
        tap.send(&frame.tcp(from, web, Flags::ACK, 1000, &request));
        let mut refusal = None;
        eventually(Duration::from_secs(5), "a refusal goes out", || {
            refusal = tap.segments().into_iter().find(|segment| segment.to == from);
            refusal.is_some()
        });
        let Reply { payload, window, .. } = refusal.clone().expect("it has gone out");
        // The harness ends each payload with a mark of eight bytes.
        let acknowledge = 1000 + u32::try_from(request.len()).expect("a short request") + 8;
        let flags = 1 | 8 | 16;
        let (link, tags) = ([CLIENT.peer_mac, CLIENT.host_mac], tags.clone());
        let (from, to, timestamp) = (web, from, None);
        let expected =
            Reply { link, tags, from, to, sequence: 0, acknowledge, flags, window, timestamp, payload, is_sound: true };
        assert_eq!(refusal, Some(expected.clone()));
        let text = String::from_utf8_lossy(&expected.payload).into_owned();
        assert!(text.starts_with("HTTP/1.1 403") && text.ends_with(&notice(&id)), "{text}");
    }
    assert_eq!((agent.requests("pay", "deny"), agent.counted("refusal_failed")), (6, 0));
}

/// Given any setting of the offloads on either side, with and without a packet program. When small and large requests
/// come. Then refusals arrive (a client drops what has a wrong checksum), clean uploads are served, and nothing fails.
#[test]
fn offloads_do_not_matter() {
    let settings = [
        ("", ""),
        // Checksums finished in requests, and checked in refusals.
        ("tx off rx off", ""),
        ("tx off tso off gso off", "gro on"),
        ("tx on gso on tso on", "gro off tx off"),
        ("rx off", "tx off tso off gso off"),
        ("tx off rx off sg off", "tx off rx off gro off"),
    ];
    for (number, (client, host)) in settings.into_iter().enumerate() {
        let net = Net::new();
        // Super-packets reach the host only where no packet program is.
        let fastpath = if number % 2 == 0 { "[]" } else { "[\"client0\"]" };
        let service = format!("{PAY}interfaces = [\"client0\"]\n\n[fastpath]\ninterfaces = {fastpath}\n");
        let (nginx, agent) = (Nginx::start(&net), Agent::start(&net, &service));
        agent.block_device("mallory", "deny");
        set(&net, client, host);
        for web in [CLIENT.web4(), CLIENT.web6()] {
            let device = |number: usize| Some(if number.is_multiple_of(5) { "mallory" } else { "alice" }.to_owned());
            let outcomes = Requests::to(web).connections(4).total(100).device(device).run(&net.client);
            let counts = [("200".to_owned(), 80), ("403".to_owned(), 20)];
            assert_eq!(Summary::of(&outcomes).counts, counts.into(), "{client:?}, {host:?}");
            for (device, status) in [("alice", "200"), ("mallory", "403")] {
                assert_eq!(upload(&net, web, device), status, "{client:?}, {host:?}");
            }
        }
        assert_eq!(nginx.served_when(162).len(), 162);
        let (denied, repeated) = (agent.requests("pay", "deny"), net.client.repeated_segments());
        assert!((42..=42 + repeated).contains(&denied), "{denied} with {client:?}, {host:?}");
        let wrong = [&net.client, &net.host].map(Namespace::wrong_checksums);
        assert_eq!((agent.counted("refusal_failed"), wrong), (0, [0, 0]), "{client:?}, {host:?}");
    }
}

fn set(net: &Net, client: &str, host: &str) {
    for (space, interface, settings) in [(&net.client, "eth0", client), (&net.host, "client0", host)] {
        if !settings.is_empty() {
            space.exec(&format!("ethtool -K {interface} {settings}"));
        }
    }
}

/// The status of 300 KB posted: super-packets, where the sender makes them.
fn upload(net: &Net, web: SocketAddr, device: &str) -> String {
    let file = net.folder().join("upload");
    fs::write(&file, vec![b'.'; 300_000]).expect("the upload can be written");
    let mut curl = net.client.command("curl");
    curl.args(["--silent", "--max-time", "5", "--output", "/dev/null", "--write-out", "%{http_code}"]);
    curl.args(["--header", &format!("X-Device-Id: {device}"), "--header", "Expect:", "--data-binary"]);
    let done = curl.arg(format!("@{}", file.display())).arg(format!("http://{web}/api/upload")).output();
    String::from_utf8_lossy(&done.expect("curl starts").stdout).into_owned()
}
