//! Captures made of a conversation in every order that networks have. In: segments as tests write them. Out: the same calls.
use std::net::IpAddr;

use enforcer_common::{Address, Prefix, SipKey, SubjectKind, Take, siphash};
use etherparse::PacketBuilder;
use proptest::prelude::*;

use super::*;

const KEY: SipKey = SipKey([3, 4]);
const CLIENT: [u8; 4] = [192, 0, 2, 10];
const SERVER: [u8; 4] = [192, 0, 2, 1];

fn scene() -> Scene {
    let identity =
        |kind, header: &str, take| Identity { kind, header: header.to_owned(), take, pattern: String::new() };
    let service = Served {
        name: "pay".into(),
        ports: vec![8080],
        hosts: Vec::new(),
        paths: Vec::new(),
        identities: vec![
            identity(SubjectKind::Device, "x-device-id", Take::Whole),
            identity(SubjectKind::Ip, "x-forwarded-for", Take::ForwardedFor),
        ],
    };
    let proxies = vec![Prefix::host(Address::v4(CLIENT)), Prefix::host(Address::v4([192, 0, 2, 9]))];
    Scene { services: vec![service], proxies, key: KEY }
}

/// A piece of one side: where it begins in what that side says.
#[derive(Clone, Debug)]
struct Piece {
    asks: bool,
    at: usize,
    bytes: Vec<u8>,
}

fn frame(piece: &Piece, flags: &str) -> Vec<u8> {
    let (from, to, ports) =
        if piece.asks { (CLIENT, SERVER, (40_000, 8080)) } else { (SERVER, CLIENT, (8080, 40_000)) };
    // The numbers begin anew in the middle of it.
    let begin = u32::MAX - 40;
    let sequence = begin.wrapping_add(u32::from(flags != "syn")).wrapping_add(u32::try_from(piece.at).unwrap());
    let builder = PacketBuilder::ethernet2([2; 6], [4; 6]).ipv4(from, to, 64).tcp(ports.0, ports.1, sequence, 64_000);
    let builder = match flags {
        "syn" if piece.asks => builder.syn(),
        "syn" => builder.syn().ack(1),
        "fin" => builder.fin().ack(1),
        _ => builder.ack(1),
    };
    let mut bytes = Vec::new();
    builder.write(&mut bytes, &piece.bytes).unwrap();
    bytes
}

/// A file in the older format, with a millisecond between packets.
fn file(frames: &[Vec<u8>]) -> Vec<u8> {
    let mut file = Vec::new();
    for word in [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 262_144, 1] {
        file.extend(word.to_le_bytes());
    }
    for (at, frame) in (0_u32..).zip(frames) {
        let length = u32::try_from(frame.len()).unwrap();
        for word in [1_800_000_000 + at / 1000, at % 1000 * 1000, length, length] {
            file.extend(word.to_le_bytes());
        }
        file.extend(frame);
    }
    file
}

/// The same in the newer, times in nanoseconds.
fn newer(frames: &[Vec<u8>]) -> Vec<u8> {
    let mut file = Vec::new();
    let mut block = |kind: u32, body: &[u8]| {
        let padded = body.len().next_multiple_of(4);
        let length = u32::try_from(padded + 12).unwrap();
        file.extend([kind.to_le_bytes(), length.to_le_bytes()].concat());
        file.extend(body);
        file.resize(file.len() + padded - body.len(), 0);
        file.extend(length.to_le_bytes());
    };
    block(0x0a0d_0d0a, &[0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255]);
    block(1, &[1, 0, 0, 0, 0, 0, 4, 0, 9, 0, 1, 0, 9, 0, 0, 0, 0, 0, 0, 0]);
    for (at, frame) in (0_u64..).zip(frames) {
        let time = 1_800_000_000_000_000_000 + at * 1_000_000;
        let length = u32::try_from(frame.len()).unwrap();
        let times = [u32::try_from(time >> 32).unwrap(), u32::try_from(time & 0xffff_ffff).unwrap()];
        let words: Vec<u8> =
            [0, times[0], times[1], length, length].iter().flat_map(|word: &u32| word.to_le_bytes()).collect();
        block(6, &[words, frame.clone()].concat());
    }
    file
}

fn calls(file: &[u8]) -> (Vec<Call>, Counts) {
    let mut calls = Vec::new();
    let counts = read(file, &scene(), &mut |call| calls.push(call)).unwrap();
    (calls, counts)
}

const ASKED: &str = "GET /accounts/7 HTTP/1.1\r\nHost: a\r\nX-Device-Id: ada\r\nX-Forwarded-For: 203.0.113.5, 192.0.2.9\r\n\r\n\
                     POST /pay HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n\
                     HEAD /last HTTP/1.1\r\nHost: a\r\n\r\n";
const TOLD: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 100 Continue\r\n\r\n\
                    HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n4;x\r\ndone\r\n0\r\n\r\n\
                    HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n";

/// The whole conversation in pieces of these sizes; what is asked comes before what is told.
fn pieces(asked: &[usize], told: &[usize]) -> Vec<Piece> {
    let cut = |asks: bool, text: &str, sizes: &[usize]| {
        let (mut at, mut found) = (0, Vec::new());
        for size in sizes.iter().copied().chain([text.len()]) {
            let end = (at + size).min(text.len());
            found.push(Piece { asks, at, bytes: text.as_bytes()[at..end].to_vec() });
            at = end;
        }
        found.into_iter().filter(|piece| !piece.bytes.is_empty()).collect::<Vec<_>>()
    };
    [cut(true, ASKED, asked), cut(false, TOLD, told)].concat()
}

fn whole(pieces: &[Piece]) -> Vec<Vec<u8>> {
    let empty = |asks, at| Piece { asks, at, bytes: Vec::new() };
    let mut frames = vec![frame(&empty(true, 0), "syn"), frame(&empty(false, 0), "syn")];
    frames.extend(pieces.iter().map(|piece| frame(piece, "")));
    frames.extend([frame(&empty(true, ASKED.len()), "fin"), frame(&empty(false, TOLD.len()), "fin")]);
    frames
}

/// What a call says, without its times.
fn told(call: &Call) -> (String, String, String, u16, String, u64, bool) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let answer = call.answer.as_ref().unwrap();
    let head = (text(&call.head.method), text(&call.head.target), text(&call.body));
    (head.0, head.1, head.2, answer.status, text(&answer.body), answer.bytes, answer.complete)
}

#[test]
fn requests_meet_their_answers() {
    let (calls, counts) = calls(&file(&whole(&pieces(&[], &[]))));
    let lines: Vec<_> = calls.iter().map(told).collect();
    let line = |method: &str, target: &str, body: &str, status, answer: &str, bytes| {
        (method.to_owned(), target.to_owned(), body.to_owned(), status, answer.to_owned(), bytes, true)
    };
    assert_eq!(
        lines,
        [
            line("GET", "/accounts/7", "", 200, "ok", 40),
            line("POST", "/pay", "abcde", 201, "done", 68),
            line("HEAD", "/last", "", 200, "", 39),
        ]
    );
    assert_eq!((counts.packets, counts.segments, counts.calls, counts.lost, counts.unread), (6, 6, 3, 0, 0));
    let first = &calls[0];
    assert_eq!(first.digest(SubjectKind::Device), Some(siphash(KEY, b"ada")));
    assert_eq!((first.client, first.source), (IpAddr::from([203, 0, 113, 5]), IpAddr::from(CLIENT)));
    assert_eq!(first.time.0, 1_800_000_000_002);
    assert_eq!(first.answer.as_ref().unwrap().whole.as_millis(), 1);
}

#[test]
fn both_formats_say_the_same() {
    let frames = whole(&pieces(&[30, 70], &[9]));
    assert_eq!(calls(&file(&frames)), calls(&newer(&frames)));
}

#[test]
fn a_capture_may_begin_in_the_middle_and_end_anywhere() {
    // No handshake: the first segment is where it begins.
    let frames: Vec<Vec<u8>> = pieces(&[], &[]).iter().map(|piece| frame(piece, "")).collect();
    assert_eq!(calls(&file(&frames)).0.len(), 3);
    // The server's last words are missing: the request is there without them.
    let (open, counts) = calls(&file(&frames[..1]));
    assert_eq!((open.len(), open[0].answer.is_none(), counts.lost), (3, true, 0));
    let bytes = file(&whole(&pieces(&[50], &[50])));
    for end in 24..bytes.len() {
        let mut count = 0;
        let outcome = read(&bytes[..end], &scene(), &mut |_| count += 1);
        let few = outcome.map_or(true, |counts| counts.packets <= 8 && counts.calls == count);
        assert!(few && count <= 3, "{end}");
    }
}

#[test]
fn what_is_no_capture_is_refused() {
    for bytes in [&b""[..], b"GET / HTTP/1.1\r\n\r\n", &[0; 100]] {
        assert!(matches!(read(bytes, &scene(), &mut |_| ()), Err(CaptureError::Format)), "{bytes:?}");
    }
    let mut bytes = file(&whole(&pieces(&[], &[])));
    bytes.truncate(bytes.len() - 3);
    let Err(CaptureError::Damaged { packets, .. }) = read(&bytes[..], &scene(), &mut |_| ()) else {
        panic!("it is whole")
    };
    assert_eq!(packets, 5);
}

#[test]
fn what_is_no_http_is_lost_and_counted() {
    let tls = Piece { asks: true, at: 0, bytes: b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec() };
    let (calls, counts) = calls(&file(&[frame(&tls, "")]));
    assert_eq!((calls.len(), counts.lost), (0, 1));
}

#[test]
fn behind_a_request_that_servers_read_differently_nothing_is_believed() {
    let text =
        "POST /a HTTP/1.1\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /b HTTP/1.1\r\n\r\n";
    let (calls, counts) = calls(&file(&[frame(&Piece { asks: true, at: 0, bytes: text.into() }, "")]));
    assert_eq!((calls.len(), counts.lost), (1, 1));
}

#[test]
fn thousands_of_interim_answers_and_segments_out_of_order_are_survived() {
    let asked = Piece { asks: true, at: 0, bytes: b"GET / HTTP/1.1\r\nHost: a\r\n\r\n".to_vec() };
    let interim =
        |at: usize| Piece { asks: false, at: at * 60_000, bytes: b"HTTP/1.1 100 C\r\n\r\n".repeat(60_000 / 18) };
    let last = Piece { asks: false, at: 60_000 / 18 * 18, bytes: b"HTTP/1.1 204 N\r\n\r\n".to_vec() };
    let (one, counts) = calls(&file(&[frame(&asked, ""), frame(&interim(0), ""), frame(&last, "")]));
    assert_eq!((one[0].status(), counts.lost), (Some(204), 0));
    let holes = (0..6_000).map(|at| frame(&Piece { asks: true, at: 40 + at * 2, bytes: b"x".to_vec() }, ""));
    let (_, counts) = calls(&file(&std::iter::once(frame(&asked, "")).chain(holes).collect::<Vec<_>>()));
    assert!(counts.lost >= 1, "{counts:?}");
}

proptest! {
    #[test]
    fn the_order_and_the_size_of_segments_make_no_difference(
        asked in prop::collection::vec(1_usize..60, 0..12),
        told_sizes in prop::collection::vec(1_usize..60, 0..12),
        swaps in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 0..6),
        again in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
    ) {
        let mut all = pieces(&asked, &told_sizes);
        let asks = all.iter().filter(|piece| piece.asks).count();
        // A side's segments may come in any order, and twice; answers come after what they answer.
        for (one, two) in swaps {
            all[..asks].swap(one.index(asks), two.index(asks));
            let rest = &mut all[asks..];
            let length = rest.len();
            rest.swap(one.index(length), two.index(length));
        }
        for index in again {
            let piece = all[index.index(all.len())].clone();
            let at = if piece.asks { 0 } else { all.len() };
            all.insert(at, piece);
        }
        let (found, counts) = calls(&file(&whole(&all)));
        let (plain, _) = calls(&file(&whole(&pieces(&[], &[]))));
        prop_assert_eq!(counts.lost, 0);
        prop_assert_eq!(found.iter().map(told).collect::<Vec<_>>(), plain.iter().map(told).collect::<Vec<_>>());
    }

    #[test]
    fn any_bytes_are_survived(
        bytes in prop::collection::vec(any::<u8>(), 0..400), at in any::<prop::sample::Index>(), cut in 0_usize..80,
    ) {
        let mut file = file(&whole(&pieces(&[40], &[40])));
        let from = 24 + at.index(file.len() - 24);
        let to = (from + cut).min(file.len());
        file.splice(from..to, bytes);
        // It may be damaged; it must come back.
        drop(read(&file[..], &scene(), &mut |_| ()));
    }
}
