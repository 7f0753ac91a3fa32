//! First lines: what is a request, and where lines end.
use enforcer_common::Reason;

use super::{answered, head, scanned};

/// Found by the fuzzer of answers. Servers that take all returns off the end of a line take such a request line.
#[test]
fn only_a_line_of_nothing_but_carriage_returns_is_passed_over() {
    for (begin, device) in [
        ("GET / HTTP/1.1\r\r\n", true),
        ("\r\r\r\nGET / HTTP/1.1\r\n", true),
        ("\r\r\r\r\r\r\r\r\r\r\r\nGET / HTTP/1.1\r\n", true),
        ("GET / HTTP/1.1\r\n\r\n", false),
    ] {
        let tokens = scanned(format!("{begin}X-Device-Id: abc\r\n\r\n").as_bytes()).1;
        assert_eq!(tokens, if device { vec!["abc".to_owned()] } else { vec![] }, "{begin:?}");
    }
    assert_eq!(answered(b"\xff:  3\r\r\nHTTP/1.1 200 \n\n"), Err(Reason::NotHttp));
}

#[test]
fn a_version_of_any_digits_is_one() {
    let scanned = |version: &str| scanned(format!("GET /a {version}\r\nX-Device-Id: abc\r\n\r\n").as_bytes());
    for version in [
        "HTTP/1.1",
        "http/1.0",
        "HTTP/1.10",
        "HTTP/01.1",
        "HTTP/1.00000000000000001 ",
        "HTTP/2.0",
        "HTTP/3.0",
        "RTSP/1.0",
        "XHTTP/1.1",
        "",
        "\u{b}\u{c}HTTP/1.1",
    ] {
        assert_eq!(scanned(version), (Ok(()), vec!["abc".to_owned()]), "{version}");
    }
}

/// llhttp of before 2023 and Python's own server end a line with a carriage return, and the head with one at a line's beginning.
#[test]
fn a_carriage_return_alone_ends_a_line_and_perhaps_the_head() {
    let abc = vec!["abc".to_owned()];
    for line in ["A: b\rX-Device-Id: abc", "X-Device-Id: abc\rA: b", "X-Device-Id: abc\r:", "A\r\rX-Device-Id: abc"] {
        assert_eq!(scanned(&head(&[line])), (Ok(()), abc.clone()), "{line:?}");
    }
    for rest in ["\rx", "\r\u{b}"] {
        let open = format!("GET / HTTP/1.1\r\nX-Device-Id: abc\r\n{rest}");
        assert_eq!(scanned(open.as_bytes()), (Err(Reason::HeadOpen), abc.clone()), "{open:?}");
    }
}

#[test]
fn only_the_whole_preface_is_one_of_http2() {
    let begin = "PRI * HTTP/2.0\r\n";
    assert_eq!(scanned(format!("{begin}\r\nSM\r\n\r\n").as_bytes()).0, Err(Reason::Http2));
    assert_eq!(scanned(format!("{begin}X-Device-Id: abc\r\n\r\n").as_bytes()), (Ok(()), vec!["abc".to_owned()]));
}
