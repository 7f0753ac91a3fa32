//! The scanner on the host: what it finds, and every prefix of every head.
use enforcer_common::limits::HEAD_WINDOW;
use enforcer_common::{Reason, SipKey, SubjectKind, Watch, Watchlist, siphash};
use proptest::prelude::*;

use super::*;

const KEY: SipKey = SipKey([11, 12]);

fn list() -> &'static Watchlist {
    let mut list = Watchlist::EMPTY;
    list.set(0, Watch::new(SubjectKind::Device, "X-Device-Id", "").unwrap());
    list.set(1, Watch::new(SubjectKind::Device, "User-Agent", "DeviceId/").unwrap());
    Box::leak(Box::new(list))
}

/// Scans `head`; gives the outcome and the tokens. What lies behind the head is rubbish from "earlier segments".
fn scanned(head: &[u8]) -> (Result<(), Reason>, Vec<String>) {
    // SAFETY: all fields are plain numbers and a pointer.
    let mut work: Box<Work> = unsafe { Box::new(std::mem::zeroed()) };
    work.head.fill(b'\n');
    let length = head.len().min(HEAD_WINDOW);
    work.head[..length].copy_from_slice(&head[..length]);
    work.length = u32::try_from(length).unwrap();
    work.watches = 0xff;
    work.list = list();
    let outcome = scan(&mut work);
    let found = work.found as usize;
    let tokens: Vec<Token> = work.tokens[..found].iter().filter(|t| t.kind != Token::VALUE).copied().collect();
    let texts = tokens.iter().map(|t| {
        let bytes = &head[usize::from(t.start)..usize::from(t.start + t.length)];
        assert_eq!(digest_token(&raw mut *work, *t, KEY), siphash(KEY, bytes));
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
fn near_misses_are_not_found() {
    for line in [
        "X-Device-Idx: a",
        "X-Device-I: a",
        "X-Device-Id : a",
        "Y-Device-Id: a",
        "X\rDevice-Id: a",
        "X-Device-Id:",
        "User-Agent: deviceid/a",
        "User-Agent: DeviceId a",
        "Cookie: X-Device-Id: a",
        " X-Device-Id: a",
    ] {
        assert_eq!(scanned(&head(&["Host: a", line])), (Ok(()), vec![]), "{line}");
    }
    let body = [&head(&["Content-Length: 20"])[..], b"X-Device-Id: abc\r\n\r\n"].concat();
    assert_eq!(scanned(&body).1, Vec::<String>::new());
}

#[test]
fn says_what_a_segment_is() {
    assert_eq!(scanned(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").0, Err(Reason::Http2));
    assert_eq!(scanned(b"HELLO world\r\n").0, Err(Reason::NotHttp));
    assert_eq!(scanned(b"A body that has text in it\n").0, Err(Reason::NotHttp));
    assert_eq!(scanned(b"GET / HTTP/1.1\r\nHost: a\r\n").0, Err(Reason::HeadIncomplete));
    assert_eq!(not_a_request(0x16, 3), Some(Reason::Tls));
    assert_eq!(not_a_request(b'{', b'"'), Some(Reason::NotHttp));
}

#[test]
fn what_an_earlier_segment_left_over_is_not_read() {
    // SAFETY: all fields are plain numbers and a pointer.
    let mut work: Box<Work> = unsafe { Box::new(std::mem::zeroed()) };
    work.head[..16].copy_from_slice(b"GET / HTTP/1.1\r\n");
    work.list = list();
    work.length = 2;
    assert_eq!(scan(&mut work), Err(Reason::NotHttp));
}

#[test]
fn a_token_in_the_window_of_a_long_head_is_found_and_one_behind_it_is_not() {
    let filler = format!("X-Fill: {}", "a".repeat(HEAD_WINDOW));
    assert_eq!(scanned(&head(&["X-Device-Id: abc", &filler])), (Err(Reason::HeadTooLong), vec!["abc".into()]));
    assert_eq!(scanned(&head(&[&filler, "X-Device-Id: abc"])), (Err(Reason::HeadTooLong), vec![]));
}

#[test]
fn every_prefix_of_a_head_is_incomplete_and_finds_only_whole_lines() {
    let whole = head(&["Host: a", "X-Device-Id: abc", "User-Agent: DeviceId/def"]);
    for end in 1..whole.len() {
        let (outcome, tokens) = scanned(&whole[..end]);
        let expected = ["abc", "def"].iter().filter(|t| {
            let line = whole.windows(t.len()).position(|w| w == t.as_bytes()).unwrap() + t.len();
            end >= line + 2
        });
        let method = whole[..end].contains(&b' ');
        assert_eq!(outcome, Err(if method { Reason::HeadIncomplete } else { Reason::NotHttp }), "prefix of {end}");
        assert_eq!(tokens, expected.copied().collect::<Vec<_>>(), "prefix of {end}");
    }
}

proptest! {
    #[test]
    fn finds_the_device_wherever_it_stands(
        before in proptest::collection::vec("[A-Za-z-]{1,20}: [ -~]{0,60}", 0..12), device in "[A-Za-z0-9_-]{1,128}",
        after in proptest::collection::vec("[A-Wa-w-]{1,20}: [ -~]{0,60}", 0..4),
    ) {
        let clean = |lines: &[String]| lines.iter().all(|l| {
            let name = l.to_ascii_lowercase();
            !name.starts_with("x-device-id:") && !name.starts_with("user-agent:")
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
