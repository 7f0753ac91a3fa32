//! The room on heads that servers meet, and on every prefix and damage of them.
use bytes::Bytes;
use enforcer_common::Take;
use enforcer_common::limits::{HEAD_LINES, HEAD_WINDOW};
use enforcer_policy::Endpoint;
use proptest::prelude::*;

use super::*;

fn whole(text: &str) -> Head {
    Head::read(&Bytes::copy_from_slice(text.as_bytes())).unwrap().unwrap()
}

fn with(lines: &[&str]) -> Head {
    whole(&format!("POST /a HTTP/1.1\r\n{}\r\n\r\n", lines.join("\r\n")))
}

#[test]
fn the_parts_of_a_head_are_views_of_its_bytes() {
    let bytes = Bytes::from_static(b"\r\nPUT /a?b HTTP/1.0\r\nHost: x\r\nA: \t1 2 \t\r\nempty:\r\n\r\nbody");
    let head = Head::read(&bytes).unwrap().unwrap();
    assert_eq!((&head.method[..], &head.target[..], head.version), (&b"PUT"[..], &b"/a?b"[..], Version::Http10));
    assert_eq!(head.values("a").collect::<Vec<_>>(), ["1 2"]);
    assert_eq!((head.headers.len(), &bytes[head.end..]), (3, &b"body"[..]));
    let inside = |part: &Bytes| bytes.as_ptr_range().contains(&part.as_ptr());
    assert!(inside(&head.method) && inside(&head.target) && head.headers.iter().all(|h| inside(&h.name)));
    assert_eq!(head.framing, Framing::None);
}

#[test]
fn a_head_is_open_until_its_last_byte() {
    let text = b"\r\nGET /a HTTP/1.1\r\nHost: a\r\nX-Device-Id: abc\r\n\r\n";
    for end in 0..text.len() {
        assert_eq!(Head::read(&Bytes::copy_from_slice(&text[..end])), Ok(None), "prefix of {end}");
    }
    assert_eq!(whole(std::str::from_utf8(text).unwrap()).end, text.len());
}

#[test]
fn what_is_too_long_or_no_request_is_said() {
    let read = |text: String| Head::read(&Bytes::from(text));
    assert!(matches!(read("\u{16}\u{3}".into()), Err(HeadError::NotHttp(_))));
    assert!(matches!(read("PRI * HTTP/2.0\r\n\r\n".into()), Err(HeadError::NotHttp(_))));
    assert_eq!(read(format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(HEAD_WINDOW))), Err(HeadError::TooLong));
    assert_eq!(read(format!("GET / HTTP/1.1\r\n{}\r\n", "a:b\r\n".repeat(HEAD_LINES))), Err(HeadError::TooLong));
}

#[test]
fn the_body_is_as_long_as_the_rfc_says_or_refused() {
    use Ambiguity as A;
    use Framing as F;
    for (lines, expected) in [
        (&["Host: a"][..], F::None),
        (&["Content-Length: 12"], F::Length(12)),
        (&["content-length:\t012 ", "CONTENT-LENGTH: 12"], F::Length(12)),
        (&["Content-Length: 12", "Content-Length: 13"], F::Refused(A::DifferingLengths)),
        (&["Content-Length: 12, 12"], F::Refused(A::BadLength)),
        (&["Content-Length: +12"], F::Refused(A::BadLength)),
        (&["Content-Length:"], F::Refused(A::BadLength)),
        (&["Content-Length: 99999999999999999999"], F::Refused(A::BadLength)),
        (&["Transfer-Encoding: chunked"], F::Chunked),
        (&["transfer-encoding: CHUNKED "], F::Chunked),
        (&["Transfer-Encoding: gzip, chunked"], F::Refused(A::BadCoding)),
        (&["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"], F::Refused(A::BadCoding)),
        (&["Transfer-Encoding: identity"], F::Refused(A::BadCoding)),
        (&["Transfer-Encoding:"], F::Refused(A::BadCoding)),
        (&["Transfer-Encoding: chunked", "Content-Length: 5"], F::Refused(A::BothLengths)),
        (&["Host: a\r\n b"], F::Refused(A::Folded)),
        (&["Content-Length : 5"], F::Refused(A::Spaced)),
        (&["X : 5"], F::None),
        (&["X: a\u{1}b"], F::Refused(A::Control)),
    ] {
        assert_eq!(with(lines).framing, expected, "{lines:?}");
    }
    assert_eq!(with(&["X : 5"]).ambiguities(), [A::Spaced]);
    let old = whole("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n");
    assert_eq!(old.framing, F::Refused(A::BadCoding));
}

fn paths(target: &str) -> Vec<String> {
    let read = read_paths(&Bytes::copy_from_slice(target.as_bytes()));
    let text = |path: &Path| path.segments.iter().fold(String::new(), |text, s| format!("{text}/{}", s.escape_ascii()));
    read.paths.iter().map(text).collect()
}

#[test]
fn a_path_is_read_in_every_way_that_servers_read_it() {
    for (target, expected) in [
        ("/", &[""][..]),
        ("/a/b?c=/d", &["/a/b"]),
        ("/a/./b/../c", &["/a/c"]),
        ("/../../a", &["/a"]),
        ("//a//b/", &["//a//b", "/a/b"]),
        ("/%61%2e", &["/a."]),
        ("/%2e%2e/a", &["/a"]),
        ("/a%2fb", &["/a/b", "/a/b"]),
        ("/%2561", &["/%61"]),
        ("/%6", &["/%6"]),
        ("/a;x=1/b", &["/a/b", "/a;x=1/b"]),
        ("/x/..;/a", &["/a", "/x/..;/a"]),
        ("/a\\b", &["/a/b", "/a\\\\b"]),
        ("http://h/a", &["/a"]),
        ("http://h?a", &[""]),
        ("*", &[]),
    ] {
        assert_eq!(paths(target), expected, "{target}");
    }
    let whole = read_paths(&Bytes::from_static(b"http://h:80/a"));
    assert_eq!((whole.authority.as_deref(), &whole.odd[..]), (Some(&b"h:80"[..]), &[Oddity::Whole][..]));
}

#[test]
fn a_decision_on_an_endpoint_cannot_be_walked_around() {
    let endpoint: Endpoint = "pay:GET /admin/{id}/**".parse().unwrap();
    for target in [
        "/admin/7",
        "/admin/7/x",
        "//admin/7",
        "/admin/./7",
        "/x/../admin/7",
        "/%61dmin/7",
        "/admin%2f7",
        "/admin;v=1/7",
        "/x/..;/admin/7",
        "/admin\\7",
        "/x\\..\\admin/7",
        "/admin%5C7",
        "http://h/admin/7",
        "/admin/7;a",
        "/admin//",
        "/x%2f..%2fadmin/7",
    ] {
        assert!(lies_in_endpoint(&whole(&format!("GET {target} HTTP/1.1\r\n\r\n")), &endpoint), "{target}");
    }
    for line in ["GET /admin", "POST /admin/7", "GET /admins/7", "GET /x/admin/7", "GET /admin/7/../..", "OPTIONS *"] {
        assert!(!lies_in_endpoint(&whole(&format!("{line} HTTP/1.1\r\n\r\n")), &endpoint), "{line}");
    }
}

#[test]
fn tokens_are_found_where_servers_find_them() {
    for (line, take, pattern, expected) in [
        ("X-D: abc ", Take::Whole, "", &["abc"][..]),
        ("X-D: A DeviceId/x;DeviceId/y", Take::After, "DeviceId/", &["x", "y"]),
        ("X-D: a=1; sid=abc;xsid=no; sid = \"def\"", Take::Cookie, "sid=", &["abc", "def"]),
        ("X-D: bEARER \t abc", Take::Scheme, "bearer ", &["abc"]),
        ("X-D: Bearer", Take::Scheme, "bearer ", &[]),
        ("X-D: Bearerabc", Take::Scheme, "bearer ", &[]),
        ("X-E: abc", Take::Whole, "", &[]),
    ] {
        assert_eq!(tokens(&with(&[line]), "x-d", take, pattern), expected, "{line}");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = Head::read(&Bytes::from(bytes.clone()));
        if let Ok(Some(head)) = Head::read(&[b"GET / HTTP/1.1\r\n", &bytes[..], b"\r\n\r\n"].concat().into()) {
            let _ = tokens(&head, "cookie", Take::Cookie, "sid=");
        }
        let _ = read_paths(&bytes.into());
    }

    #[test]
    fn a_path_without_oddities_is_its_segments(segments in prop::collection::vec("[a-z0-9.~-]{3,8}", 0..8)) {
        let target = format!("/{}", segments.join("/"));
        let read = read_paths(&Bytes::from(target));
        prop_assert!(read.odd.is_empty() && read.paths.len() == 1);
        prop_assert_eq!(&read.paths[0].segments, &segments);
    }

    #[test]
    fn no_reading_keeps_a_dot_segment(target in "(/|\\.|%2e|%2f|\\\\|;|a){0,16}") {
        for path in read_paths(&Bytes::from(format!("/{target}"))).paths {
            prop_assert!(path.segments.iter().all(|segment| !matches!(&segment[..], b"." | b"..")));
        }
    }
}
