//! The scanner on the host: what it finds, and every prefix of every head.
use enforcer_common::limits::HEAD_WINDOW;
use enforcer_common::{Address, Phase, Reason, SipKey, SubjectKind, Take, Watch, Watchlist, siphash};
use proptest::prelude::*;

use super::*;

mod addresses;
mod first_line;

const KEY: SipKey = SipKey([11, 12]);

fn list() -> &'static Watchlist {
    let mut list = Watchlist::new();
    let watches = [
        (SubjectKind::Device, "X-Device-Id", Take::Whole, ""),
        (SubjectKind::Device, "User-Agent", Take::After, "DeviceId/"),
        (SubjectKind::Session, "Cookie", Take::Cookie, "sid="),
        (SubjectKind::Session, "Authorization", Take::Scheme, "Bearer "),
    ];
    for (at, (kind, name, take, pattern)) in watches.into_iter().enumerate() {
        list.set(Watchlist::BUILT_IN + at, Watch::new(kind, name, take, pattern).unwrap());
    }
    Box::leak(Box::new(list))
}

/// What lies behind the bytes is rubbish from "earlier segments".
fn work_with(bytes: &[u8]) -> Box<Work> {
    // SAFETY: all fields are plain numbers and a pointer; on the heap from the start, since it is large.
    let mut work: Box<Work> = unsafe { Box::<Work>::new_zeroed().assume_init() };
    work.head.fill(b'\n');
    let length = bytes.len().min(HEAD_WINDOW);
    work.head[..length].copy_from_slice(&bytes[..length]);
    work.length = u32::try_from(length).unwrap();
    work.watches = u32::MAX;
    work.list = list();
    work
}

/// Scans `head`; gives the outcome and the tokens.
fn scanned(head: &[u8]) -> (Result<(), Reason>, Vec<String>) {
    let mut work = work_with(head);
    let outcome = scan(&mut work);
    let found = work.found as usize;
    let tokens: Vec<Token> = work.tokens[..found].iter().filter(|t| t.kind != Token::VALUE).copied().collect();
    let texts = tokens.iter().map(|t| {
        let bytes = &head[usize::from(t.start)..usize::from(t.start + t.length)];
        assert_eq!(digest_token(&mut work, *t, KEY), siphash(KEY, bytes));
        String::from_utf8_lossy(bytes).into_owned()
    });
    (outcome, texts.collect())
}

fn head(lines: &[&str]) -> Vec<u8> {
    format!("GET /a?b HTTP/1.1\r\n{}\r\n\r\n", lines.join("\r\n")).into_bytes()
}

#[test]
fn finds_a_header_in_any_case_with_blanks_around_the_value() {
    for line in ["X-Device-Id: abc-1", "x-device-id:abc-1", "X-DEVICE-ID: \t abc-1 \t "] {
        assert_eq!(scanned(&head(&["Host: a", line, "Accept: */*"])), (Ok(()), vec!["abc-1".into()]), "{line}");
    }
    let bare = b"POST / HTTP/1.0\nX-Device-Id: abc-1\n\n";
    assert_eq!(scanned(bare), (Ok(()), vec!["abc-1".into()]));
    let blank = [b"\r\n\r\n", &head(&["X-Device-Id: abc-1"])[..]].concat();
    assert_eq!(scanned(&blank), (Ok(()), vec!["abc-1".into()]));
}

#[test]
fn finds_a_token_inside_a_value() {
    let agent = "User-Agent: Mozilla/5.0 (D; Deep) App/3 DeviceId/tok_9; DeviceId/";
    assert_eq!(scanned(&head(&[agent])), (Ok(()), vec!["tok_9".into()]));
    assert_eq!(scanned(&head(&["User-Agent: DeviceId/a DeviceId/b"])).1, ["a", "b"]);
}

#[test]
fn finds_a_session_in_a_cookie_or_behind_a_scheme() {
    for (line, token) in [
        ("Cookie: sid=abc", "abc"),
        ("cookie: a=1; sid=abc; b=2", "abc"),
        ("Cookie: a=1; sid =abc", "abc"),
        ("Cookie: sid \t = \tabc; b=2", "abc"),
        ("Authorization: Bearer\tabc", "abc"),
        ("Authorization: bearer \t  abc\u{b}", "abc"),
        ("Cookie: a=1;sid=\"abc\";", "abc"),
        ("Cookie: xsid=no; sid=abc", "abc"),
        ("Authorization: Bearer abc.def", "abc.def"),
        ("Authorization: bEARER   abc.def", "abc.def"),
    ] {
        assert_eq!(scanned(&head(&[line])), (Ok(()), vec![token.into()]), "{line}");
    }
    for line in ["Cookie: xsid=abc", "Cookie: SID=abc", "Authorization: Basic abc", "Authorization: a Bearer abc"] {
        assert_eq!(scanned(&head(&[line])), (Ok(()), vec![]), "{line}");
    }
}

#[test]
fn a_folded_value_is_read_to_its_end() {
    for lines in [
        "X-Device-Id:\r\n abc-1",
        "X-Device-Id: \r\n \r\n\tabc-1 ",
        "User-Agent: Mozilla\r\n DeviceId/abc-1 (x)",
        "Host: a\r\n X-Device-Id: abc-1",
        "X-Device-Id : abc-1",
    ] {
        assert_eq!(scanned(&head(&[lines])), (Ok(()), vec!["abc-1".into()]), "{lines:?}");
    }
}

#[test]
fn near_misses_are_not_found() {
    for line in [
        "X-Device-Idx: a",
        "X-Device-I: a",
        "Y-Device-Id: a",
        "X-Device-Id:",
        "User-Agent: deviceid/a",
        "User-Agent: DeviceId a",
        "Cookie: X-Device-Id: a",
    ] {
        assert_eq!(scanned(&head(&["Host: a", line])), (Ok(()), vec![]), "{line}");
    }
    let body = [&head(&["Content-Length: 20"])[..], b"X-Device-Id: abc\r\n\r\n"].concat();
    assert_eq!(scanned(&body).1, Vec::<String>::new());
}

#[test]
fn says_what_the_bytes_are() {
    for (bytes, reason) in [
        (&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], Reason::Http2),
        (b"HELLO\r\n", Reason::NotHttp),
        (b"HELLO: world\r\n", Reason::NotHttp),
        (b"PRI * HTTP/2.0\r\n", Reason::HeadOpen),
        (b"{\"a\": 1}", Reason::NotHttp),
        (b"\x16\x03\x01", Reason::Tls),
        (b"GET / HTTP/1.1\r\nHost: a\r\n", Reason::HeadOpen),
        (b"GET", Reason::HeadOpen),
        (b"\r\n\r", Reason::HeadOpen),
        (b" GET / HTTP/1.1", Reason::HeadOpen),
    ] {
        assert_eq!(scanned(bytes).0, Err(reason), "{}", String::from_utf8_lossy(bytes));
    }
}

#[test]
fn what_an_earlier_segment_left_over_is_not_read() {
    let mut work = work_with(b"GET / HTTP/1.1\r\n\r\n");
    work.length = 2;
    assert_eq!(scan(&mut work), Err(Reason::HeadOpen));
}

#[test]
fn a_head_at_the_bound_is_read_and_a_longer_one_as_far_as_it_goes() {
    let line = "X-Device-Id: abc";
    let rest = HEAD_WINDOW - head(&[line, "X-Fill: "]).len();
    let filler = |more: usize| format!("X-Fill: {}", "a".repeat(rest - 1 + more));
    assert_eq!(scanned(&head(&[&filler(0), line])), (Ok(()), vec!["abc".into()]));
    assert_eq!(scanned(&head(&[line, &filler(99)])), (Err(Reason::HeadTooLong), vec!["abc".into()]));
    assert_eq!(scanned(&head(&[&filler(99), line])), (Err(Reason::HeadTooLong), vec![]));
}

#[test]
fn every_prefix_of_a_head_is_open() {
    let whole = head(&["Host: a", "X-Device-Id: abc", "User-Agent: DeviceId/def", "Cookie: sid=x"]);
    for end in 1..whole.len() {
        assert_eq!(scanned(&whole[..end]), (Err(Reason::HeadOpen), vec![]), "prefix of {end}");
    }
    assert_eq!(scanned(&whole).0, Ok(()));
}

/// How long the body is said to be, and whether servers may differ.
fn framed(lines: &[&str]) -> (Option<u64>, bool, u32) {
    let mut work = work_with(&head(lines));
    scan(&mut work).unwrap();
    let length = (work.framing & Framing::LENGTH != 0).then_some(work.body);
    (length, work.framing & Framing::CHUNKED != 0, work.odd)
}

#[test]
fn the_body_is_as_long_as_the_rfc_says_and_doubts_are_marked() {
    for (lines, expected) in [
        (&["Host: a"][..], (None, false, 0)),
        (&["Content-Length: 12"], (Some(12), false, 0)),
        (&["content-length:\t012 "], (Some(12), false, 0)),
        (&["Content-Length: 12", "Content-Length: 12"], (Some(12), false, 0)),
        (&["Content-Length: 12", "Content-Length: 13"], (Some(12), false, Odd::LENGTH)),
        (&["Content-Length: 12, 12"], (None, false, Odd::LENGTH)),
        (&["Content-Length: +12"], (None, false, Odd::LENGTH)),
        (&["Content-Length:"], (None, false, Odd::LENGTH)),
        (&["Content-Length: 9999999999999999999"], (None, false, Odd::LENGTH)),
        (&["Transfer-Encoding: chunked"], (None, true, 0)),
        (&["transfer-encoding: CHUNKED "], (None, true, 0)),
        (&["Transfer-Encoding: gzip, chunked"], (None, true, Odd::CODING)),
        (&["Transfer-Encoding: xchunked"], (None, false, Odd::CODING)),
        (&["Transfer-Encoding: chunked, identity"], (None, false, Odd::CODING)),
        (&["Transfer-Encoding: chunked", "Content-Length: 5"], (Some(5), true, Odd::CODING)),
        (&["Host: a\r\n b"], (None, false, Odd::FOLDED)),
        (&["Content-Length : 5"], (Some(5), false, Odd::SPACED)),
        (&["X: a\rb"], (None, false, Odd::CONTROL)),
        (&["X: a\0b"], (None, false, Odd::CONTROL)),
    ] {
        assert_eq!(framed(lines), expected, "{lines:?}");
    }
}

/// Reads chunk text in pieces of `piece` bytes; gives the body's bytes, what is left behind it, and whether it was malformed.
fn unchunked(mut bytes: &[u8], piece: usize) -> (Vec<u8>, Vec<u8>, bool) {
    let (mut phase, mut left, mut digits, mut body) = (Phase::ChunkSize as u32, 0, 0, Vec::new());
    while !bytes.is_empty() && phase != Phase::Head as u32 {
        if phase == Phase::ChunkData as u32 {
            let count = usize::try_from(left).unwrap().min(bytes.len());
            body.extend(&bytes[..count]);
            (bytes, left, phase) = (&bytes[count..], 0, Phase::ChunkEnd as u32);
            continue;
        }
        let mut work = work_with(&bytes[..piece.min(bytes.len())]);
        (work.phase, work.left, work.digits) = (phase, left, digits);
        read_chunk_text(&mut work);
        (phase, left, digits) = (work.phase, work.left, work.digits);
        if work.odd != 0 {
            return (body, bytes.to_vec(), true);
        }
        bytes = &bytes[work.consumed as usize..];
    }
    (body, bytes.to_vec(), false)
}

#[test]
fn chunks_are_read_wherever_their_text_is_split() {
    let whole = b"5\r\nhello\r\n00A;name=\"v\"\r\n0123456789\r\n0\r\nX-Trailer: GET / HTTP/1.1\r\n\r\nGET /next";
    for piece in 1..64 {
        assert_eq!(unchunked(whole, piece), (b"hello0123456789".to_vec(), b"GET /next".to_vec(), false), "{piece}");
    }
    for bad in ["\r\n", "x\r\n", "-1\r\n", "1 ;\r\nab", "0x5\r\n", "1234567890abcdef0\r\n"] {
        assert!(unchunked(bad.as_bytes(), 64).2 || bad == "0x5\r\n", "{bad:?}");
    }
    assert!(unchunked(b"0x5\r\n", 64).2);
}

fn target(line: &str) -> (u64, usize, bool, bool) {
    let mut work = work_with(format!("{line}\r\n\r\n").as_bytes());
    scan(&mut work).unwrap();
    read_target(&mut work, KEY);
    (work.method, work.segments as usize, work.odd_path != 0, work.odd_host != 0)
}

#[test]
fn reads_the_target_and_marks_what_servers_may_read_differently() {
    let get = u64::from_le_bytes(*b"GET\0\0\0\0\0");
    for (path, segments, odd) in [
        ("/", 0, false),
        ("/?a=/b", 0, false),
        ("/a", 1, false),
        ("/a/bc/d?x=%20", 3, false),
        ("/a/", 1, true),
        ("//a", 1, true),
        ("/a//b", 2, true),
        ("/a/./b", 2, true),
        ("/a/../b", 2, true),
        ("/a/...", 2, false),
        ("/%61", 1, true),
        ("/a;b=1", 1, true),
        ("/a\\b", 1, true),
        ("/a\u{b}b", 1, true),
    ] {
        for begin in ["GET ", "\r\r GET\t", "GET\u{c} "] {
            assert_eq!(target(&format!("{begin}{path} HTTP/1.1")), (get, segments, odd, false), "{begin}{path}");
        }
    }
    assert_eq!(target("GET /a"), (get, 1, false, false), "without a version");
    assert_eq!(target("GET http://h/a HTTP/1.1"), (get, 2, true, true));
    let mut work = work_with(b"GET /accounts/7 HTTP/1.1\r\n\r\n");
    scan(&mut work).unwrap();
    read_target(&mut work, KEY);
    assert_eq!(work.path[..2], [siphash(KEY, b"accounts"), siphash(KEY, b"7")]);
}

proptest! {
    #[test]
    fn finds_the_device_wherever_it_stands(
        before in proptest::collection::vec("[A-Za-z-]{1,20}: [ -~]{0,60}", 0..12), device in "[A-Za-z0-9_-]{1,128}",
        after in proptest::collection::vec("[A-Wa-w-]{1,20}: [ -~]{0,60}", 0..4),
    ) {
        let clean = |lines: &[String]| lines.iter().all(|l| {
            let name = l.to_ascii_lowercase();
            ["x-device-id", "user-agent", "cookie", "authorization"].iter().all(|watched| !name.starts_with(watched))
        });
        prop_assume!(clean(&before) && clean(&after));
        let line = format!("x-DeviCE-Id: {device}");
        let lines: Vec<&str> = before.iter().chain([&line]).chain(&after).map(String::as_str).collect();
        prop_assert_eq!(scanned(&head(&lines)), (Ok(()), vec![device]));
    }

    #[test]
    fn no_bytes_make_it_panic(head in proptest::collection::vec(any::<u8>(), 0..600)) {
        let _ = scanned(&head);
        let _ = scanned(&[b"GET / HTTP/1.1\r\n", &head[..]].concat());
    }
}

/// Scans the head of an answer: its status, where it ends, and what it says of the body.
fn answered(head: &[u8]) -> Result<(u32, usize, Option<u64>, bool), Reason> {
    let mut work = work_with(head);
    let status = scan_answer(&mut work)?;
    let length = (work.framing & Framing::LENGTH != 0).then_some(work.body);
    Ok((status, work.end as usize, length, work.framing & Framing::CHUNKED != 0))
}

#[test]
fn an_answer_says_its_status_and_how_long_its_body_is() {
    for (lines, length, chunked) in [
        ("", None, false),
        ("Server: a\r\ncontent-length:\t 12 \r\nContent-Type: text/plain\r\n", Some(12), false),
        ("TRANSFER-ENCODING: Chunked\r\n", None, true),
        (
            "Content-Lengthy: 7\r\nX-Content-Length: 8\r\nTransfer-Encodings: chunked\r\nContent-Length 9\r\n",
            None,
            false,
        ),
    ] {
        let head = format!("HTTP/1.1 404 Not Found\r\n{lines}\r\n");
        assert_eq!(answered(head.as_bytes()), Ok((404, head.len(), length, chunked)), "{lines}");
        let behind = format!("{head}body HTTP/1.1 200 OK\r\n\r\n");
        assert_eq!(answered(behind.as_bytes()), Ok((404, head.len(), length, chunked)), "{lines}");
        for end in 0..head.len() {
            assert_eq!(answered(&head.as_bytes()[..end]), Err(Reason::HeadOpen), "{:?}", &head[..end]);
        }
    }
    assert_eq!(answered(b"HTTP/1.0 200\n\n"), Ok((200, 14, None, false)));
}

#[test]
fn what_is_no_answer_is_told() {
    for other in [
        "GET / HTTP/1.1\r\n\r\n",
        "HTTP/2.0 200 OK\r\n\r\n",
        "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/1.1 OK\r\n\r\n",
        "\x15\x03\x03\0\x02\x02\x28....",
    ] {
        assert_eq!(answered(other.as_bytes()), Err(Reason::NotHttp), "{other:?}");
    }
    let endless = [b"HTTP/1.1 200 OK\r\n", &[b'a'; HEAD_WINDOW][..]].concat();
    assert_eq!(answered(&endless), Err(Reason::HeadTooLong));
}

proptest! {
    #[test]
    fn any_bytes_are_an_answer_or_not(mut bytes in proptest::collection::vec(any::<u8>(), 0..300), begins in any::<bool>()) {
        if begins {
            bytes.splice(0..0, *b"HTTP/1.1 200 OK\r\n");
        }
        if let Ok((status, end, ..)) = answered(&bytes) {
            prop_assert!((100..1000).contains(&status) && end <= bytes.len());
        }
    }
}
