//! What the kernel is known to see less of than the agent. Each is here in its smallest form: when the kernel learns one, its
//! test fails, and it goes from here and from [`known`] to what the generated heads must keep.
use super::compare::{Ground, known};

/// The kernel differs on `head`, and that is known.
fn differs(head: &str) {
    let differences = Ground::new().unwrap().differences(head.as_bytes());
    assert!(!differences.is_empty(), "no longer: take it out of `known`: {head:?}");
    assert!(known(head.as_bytes()).is_some(), "{differences:?}");
}

#[test]
fn blanks_around_a_cookies_equals_sign_hide_it() {
    differs("GET / HTTP/1.1\r\nCookie: sid =a\r\n\r\n");
    differs("GET / HTTP/1.1\r\nCookie: sid= a\r\n\r\n");
}

#[test]
fn a_tab_behind_a_scheme_hides_its_token() {
    differs("GET / HTTP/1.1\r\nAuthorization: Bearer\ta\r\n\r\n");
}

#[test]
fn a_folded_value_is_only_read_as_a_whole() {
    differs("GET / HTTP/1.1\r\nX-Device-Id: a\r\n b\r\n\r\n");
}
