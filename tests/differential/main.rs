//! The kernel's parser against the agent's, on generated heads: whatever the agent finds, the kernel finds too. In: heads that
//! are valid, odd, damaged, cut at every byte. Out: the smallest bytes on which the kernel would let by what the agent knows.
#![expect(clippy::unwrap_used, reason = "a test")]

mod compare;

use std::sync::LazyLock;

use compare::Ground;
use proptest::prelude::*;

static GROUND: LazyLock<Ground> = LazyLock::new(|| Ground::new().unwrap());

/// A line that has to be read, or one that need not make sense.
fn header() -> impl Strategy<Value = String> {
    let sound = prop_oneof![
        2 => "(?i-u)content-length: {0,2}[0-9]{1,19}",
        1 => "(?i-u)transfer-encoding: {0,2}chunked",
        1 => "(?i-u)x-device-id: {0,2}[a-z]{1,9}",
        1 => "(?i-u)host: {0,2}api\\.bank\\.example(:80)?",
        4 => "[A-Z][a-z]{1,9}: [a-z]{0,9}",
    ];
    prop_oneof![2 => sound.prop_map(|line| line + "\r\n"), 1 => any_header()]
}

fn any_header() -> impl Strategy<Value = String> {
    let name = prop_oneof![
        3 => "(?i)(x-device-id|user-agent|cookie|authorization|x-api-key|host)",
        2 => "(?i)(content-length|transfer-encoding)",
        1 => "[A-Za-z-]{1,12}",
    ];
    let value = prop_oneof![
        3 => "[A-Za-z0-9_.-]{1,20}",
        2 => "(sid=|xsid=|a=1|; ?|\"|,|b){0,8}",
        2 => "(?i)(bearer) {1,3}[a-z.]{0,8}",
        2 => "(App/1 |DeviceId/|deviceid/|[a-z]{1,3}|;|\\(|\\)|,| ){0,8}",
        2 => "(?i)(chunked|gzip|identity|,|, | ){0,3}",
        2 => "[0-9+, ]{0,20}",
        2 => "(?i)(api\\.bank\\.example|other)(:80)?",
        1 => "[ -~\\x80-\\xff]{0,30}",
    ];
    (
        name,
        "( ?|\t)",
        prop_oneof![12 => "( {0,2}|\t)", 1 => " {56,64}"],
        value,
        "( |\t){0,2}",
        prop_oneof![9 => Just("\r\n"), 1 => Just("\n")],
    )
        .prop_map(|(name, spaced, before, value, after, end)| {
            // Blanks before a colon only now and then: most servers refuse them.
            let spaced = if before.len() == 2 { spaced } else { String::new() };
            format!("{name}{spaced}:{before}{value}{after}{end}")
        })
}

fn target() -> impl Strategy<Value = String> {
    let piece = "(a|b|7|\\.|%2e|%2f|%61|%5c|;x|\\\\|/){1,4}";
    let odd = prop::collection::vec(piece, 0..6).prop_map(|pieces| format!("/{}", pieces.join("/")));
    let plain = prop::collection::vec("(a|b|7|abc)", 0..5).prop_map(|pieces| format!("/{}", pieces.join("/")));
    let query = "(\\?[a-z/.=%]{0,8})?(#x)?";
    let path = prop_oneof![2 => plain, 2 => odd, 1 => "/[!-~]{0,12}"];
    let whole = prop_oneof![8 => Just(""), 1 => Just("http://api.bank.example:80"), 1 => Just("x")];
    (whole, path, query).prop_map(|(whole, path, query)| format!("{whole}{path}{query}"))
}

fn head() -> impl Strategy<Value = Vec<u8>> {
    let method = prop_oneof![6 => Just("GET".to_owned()), 3 => Just("POST".to_owned()), 1 => "[A-Za-z_-]{1,60}"];
    let version = prop_oneof![5 => Just("1.1"), 1 => Just("1.0")];
    let blank = prop_oneof![6 => Just(""), 1 => Just("\r\n"), 1 => Just("\n\r\n")];
    (blank, method, target(), version, prop::collection::vec(header(), 0..8)).prop_map(
        |(blank, method, target, version, headers)| {
            format!("{blank}{method} {target} HTTP/{version}\r\n{}\r\n", headers.concat()).into_bytes()
        },
    )
}

/// Bytes that make parsers differ.
fn damage() -> impl Strategy<Value = Vec<u8>> {
    let strange: [&[u8]; 14] = [
        b"\r", b"\n", b"\0", b" ", b"\t", b":", b"\r\n ", b"\r\n\t", b"\x0b", b"\x7f", b"\x80", b"\r\r\n", b"\n\n",
        b"%",
    ];
    prop_oneof![
        prop::sample::select(strange.to_vec()).prop_map(<[u8]>::to_vec),
        prop::collection::vec(any::<u8>(), 0..3)
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, ..ProptestConfig::default() })]

    #[test]
    fn whatever_the_agent_finds_in_a_head_the_kernel_finds(head in head()) {
        prop_assert_eq!(GROUND.differences(&head), Vec::<String>::new(), "{}", head.escape_ascii());
    }

    #[test]
    fn the_same_after_damage(
        mut head in head(), damage in prop::collection::vec((any::<prop::sample::Index>(), 0..3_usize, damage()), 1..4),
    ) {
        for (at, gone, bytes) in damage {
            let at = at.index(head.len());
            let end = (at + gone).min(head.len());
            head.splice(at..end, bytes);
            prop_assume!(!head.is_empty());
        }
        prop_assert_eq!(GROUND.differences(&head), Vec::<String>::new(), "{}", head.escape_ascii());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn the_same_for_every_beginning_of_a_head(head in head()) {
        for end in 0..head.len() {
            prop_assert_eq!(GROUND.differences(&head[..end]), Vec::<String>::new(), "{}", head[..end].escape_ascii());
        }
    }
}

#[test]
fn both_sides_know_the_same_operator() {
    let head = b"GET /a/7 HTTP/1.1\r\nX-Device-Id: abc\r\nCookie: sid=s\r\n\r\n";
    assert!(GROUND.differences(head).is_empty());
}

/// A generator that says nothing would prove nothing.
#[test]
fn most_generated_heads_are_about_something() {
    use proptest::strategy::ValueTree as _;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let heads: Vec<Vec<u8>> = (0..1000).map(|_| head().new_tree(&mut runner).unwrap().current()).collect();
    let facts: Vec<_> = heads.iter().map(|head| GROUND.facts(head)).collect();
    let share = |what: fn(&compare::Facts) -> bool| facts.iter().filter(|facts| what(facts)).count();
    let counts = [share(|f| f.tokens > 0), share(|f| f.places > 1), share(|f| f.framed), share(|f| f.odd)];
    assert!(counts.iter().all(|count| *count >= 150), "{counts:?} of 1000, at least 150");
}
