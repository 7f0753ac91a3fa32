//! Everything that is not a plain request: it passes, it is counted under its own reason, and it breaks nothing.

use std::time::Duration;

use enforcer_tests::{
    ATTACKER, Agent, CLIENT, Ending, Flags, Frame, Net, Nginx, Outcome, PAY, RawTcp, Request, Requests, Tap,
};

const SHORT: Duration = Duration::from_secs(5);

/// Given a service. When a first segment is odd. Then the server gets it, and answers as it does without enforcer; it is
/// counted by what it looks like.
#[test]
fn odd_first_segments_reach_the_server() {
    let net = Net::new();
    let (_nginx, agent) = (Nginx::start(&net), Agent::start(&net, PAY));
    agent.block_device("mallory", "deny");
    let hello = [&[0x16, 3, 1, 0, 200, 1, 0, 0, 196, 3, 3][..], &[7; 194]].concat();
    let cases: [(&str, &[u8]); 9] = [
        ("tls", &hello),
        ("http2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        ("request_anonymous", b"GET / RTSP/1.1\r\n\r\n"),
        ("not_http", b"SSH-2.0-OpenSSH_9.2\r\n"),
        ("not_http", &[0; 64]),
        ("not_http", &[0xff; 1400]),
        ("not_http", b"HELO: mallory\r\nX-Device-Id: mallory\r\n\r\n"),
        ("not_http", b"GET\0/ HTTP/1.1\r\nX-Device-Id: mallory\r\n\r\n"),
        ("request_anonymous", b"\r\nGET /health HTTP/1.1\r\n: mallory\r\nX-Device-Id\r\n\r\n"),
    ];
    for (reason, bytes) in cases {
        for web in [CLIENT.web4(), CLIENT.web6()] {
            let before = agent.counted(reason);
            let mut raw = RawTcp::connect(&net.client, web);
            raw.send(&[bytes]).expect("sent");
            // Its own page for errors.
            let is_nginx = |got: &[u8]| String::from_utf8_lossy(got).contains("<center>nginx</center>");
            let (got, _) = raw.read_until(SHORT, is_nginx);
            let shown = String::from_utf8_lossy(bytes);
            assert!(is_nginx(&got), "{shown:?}: {}", String::from_utf8_lossy(&got));
            assert_eq!(agent.counted(reason) - before, 1, "{shown:?} was not counted as {reason}");
        }
    }
    still_works(&net, &agent);
}

/// Given a strict service with a decision. When a connection begins with what nobody can read, TLS or HTTP/2, then it is reset.
#[test]
fn strict_services_refuse_what_cannot_be_read() {
    let net = Net::new();
    let (nginx, agent) = (Nginx::start(&net), Agent::start(&net, &format!("{PAY}strict = true\n")));
    let hello = [&[0x16, 3, 1, 0, 200, 1, 0, 0, 196, 3, 3][..], &[7; 194]].concat();
    agent.block_device("mallory", "deny");
    for bytes in [&hello[..], b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"] {
        let before = agent.counted("strict_refused");
        let mut raw = RawTcp::connect(&net.client, CLIENT.web4());
        raw.send(&[bytes]).expect("sent");
        assert_eq!(raw.read_to_end(SHORT), (Vec::new(), Ending::Reset), "{:?}", String::from_utf8_lossy(bytes));
        assert_eq!(agent.counted("strict_refused") - before, 1);
    }
    assert!(nginx.served().is_empty());
}

/// Given a service. When a head comes in pieces, or is longer than is scanned, or carries a token longer than is hashed.
/// Then the server answers it, and each is counted.
#[test]
fn cut_and_oversized_heads_are_served() {
    let net = Net::new();
    let nginx = Nginx::start(&net);
    // A packet program makes the cable cut everything into packets; without one, segments come as they were sent.
    let agent = Agent::start(&net, &format!("{PAY}interfaces = [\"client0\"]\n\n[fastpath]\n"));
    let head = |request: Request| request.header("Connection", "close").bytes();
    let long = |length| head(Request::get("/health").header("X-Filler", &"x".repeat(length)));
    let cases = [
        ("head_open", head(Request::get("/health").device("alice")), 40),
        ("head_open", long(3000), 2000),
        ("head_too_long", long(9000), usize::MAX),
        ("head_too_long", long(65_536), usize::MAX),
        ("token_too_long", head(Request::get("/health").device(&"y".repeat(2049))), usize::MAX),
        ("token_too_long", head(Request::get("/health").header("User-Agent", &"DeviceId/z ".repeat(70))), usize::MAX),
    ];
    for (reason, bytes, first) in &cases {
        let before = agent.counted(reason);
        let mut raw = RawTcp::connect(&net.client, CLIENT.web4());
        let (first, rest) = bytes.split_at(*first.min(&bytes.len()));
        raw.send(&[first]).expect("sent");
        agent.when_counted(reason, before + 1);
        raw.send(&[rest]).expect("sent");
        let (answer, _) = raw.read_to_end(SHORT);
        assert!(answer.starts_with(b"HTTP/1.1 200"), "{reason}: {}", String::from_utf8_lossy(&answer));
    }
    assert_eq!(nginx.served_when(cases.len()).len(), cases.len());
    agent.block_device("mallory", "deny");
    still_works(&net, &agent);
}

/// Given both programs. When frames end too early, lie about their length or nest too deep. Then all pass, each counted by
/// its cause.
#[test]
fn malformed_frames_pass_and_are_counted() {
    let net = Net::new();
    let (_nginx, agent) = (Nginx::start(&net), Agent::start(&net, PAY));
    agent.block_device("mallory", "deny");
    let tap = Tap::open(&net, &ATTACKER);
    let (four, six) = (ATTACKER.web4(), ATTACKER.web6());
    let frame = || Frame::on(&ATTACKER);
    let patched = |frame: Frame, at: usize, byte: u8| {
        let mut bytes = frame.bytes().to_vec();
        bytes[at] = byte;
        Frame::raw(bytes)
    };
    let deep = (0..9).fold(frame(), |frame, _| frame.extension(60, &[1, 4]));
    let cases = [
        ("not_ip", frame().ethernet(0x88b5, b"neither")),
        ("vlan_too_deep", frame().provider_vlan(1).vlan(2).vlan(3).vlan(4).udp(four, four, b"")),
        ("ipv4_malformed", frame().udp(four, four, b"").cut(14 + 19)),
        ("ipv4_malformed", patched(frame().udp(four, four, b"version"), 14, 0x65)),
        ("ipv4_malformed", patched(frame().udp(four, four, b"header"), 14, 0x44)),
        ("ipv6_malformed", frame().udp(six, six, b"").cut(14 + 39)),
        ("ipv6_malformed", patched(frame().udp(six, six, b"version"), 14, 0x45)),
        ("ipv6_malformed", frame().extension(0, &[1, 4]).udp(six, six, b"").cut(14 + 44)),
        ("ipv6_too_deep", deep.udp(six, six, b"")),
        ("transport_malformed", frame().udp(four, four, b"").cut(14 + 20 + 7)),
        ("transport_malformed", frame().tcp(six, six, Flags::ACK, 1, b"").cut(14 + 40 + 4)),
        ("fragment", frame().fragment(185, false).udp(four, four, b"last part")),
        // Segments that the classifier cannot read either: a short header, one that is longer than the packet.
        ("clean", frame().tcp(four, four, Flags::ACK, 1, b"").cut(14 + 20 + 12)),
        ("clean", patched(frame().tcp(four, four, Flags::ACK, 1, b"GET / HTTP/1.1"), 14 + 20 + 12, 0xf0)),
    ];
    for (reason, frame) in cases {
        let before = agent.counted(reason);
        assert_eq!(tap.deliver(std::slice::from_ref(&frame)), [true], "{reason}: {frame:?}");
        assert!(agent.counted(reason) > before, "not counted as {reason}: {frame:?}");
    }
    // The stack throws it away before anything can watch it arrive.
    tap.send(&Frame::raw([&frame().ethernet(0x8100, b"").bytes()[..14], &[0, 1]].concat()));
    agent.when_counted("ethernet_truncated", 1);
    still_works(&net, &agent);
}

/// The main job is done as before.
fn still_works(net: &Net, agent: &Agent) {
    for web in [CLIENT.web4(), CLIENT.web6()] {
        let device = |number| Some(if number == 0 { "alice" } else { "mallory" }.to_owned());
        let outcomes = Requests::to(web).total(2).device(device).run(&net.client);
        let statuses: Vec<_> = outcomes.iter().map(Outcome::status).collect();
        assert_eq!(statuses, [Some(200), Some(403)]);
    }
    assert_eq!(agent.counted("refusal_failed") + agent.counted("segment_unreadable"), 0);
}
