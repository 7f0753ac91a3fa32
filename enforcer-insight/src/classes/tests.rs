//! What is data and what only looks like it. Numbers here are made up, or those that issuers publish for tests.
use bytes::Bytes;
use proptest::prelude::*;

use super::checks::{card, digits, iban, luhn, verhoeff};
use super::{Data, Found, classes, classify, mask};
use crate::content::{Contents, Place, Value};

fn value(name: &str, text: &str) -> Value {
    Value { place: Place::Json, name: name.into(), readings: vec![Bytes::copy_from_slice(text.as_bytes())] }
}

fn found(name: &str, text: &str) -> Vec<Data> {
    classes(&value(name, text))
}

#[test]
fn patterns_compile() {
    assert!(super::finders::compiles());
}

#[test]
fn data_with_check_digits_are_found() {
    let cases = [
        ("note", "my card is 4111 1111 1111 1111, thanks", Data::Card),
        ("pan", "5555555555554444", Data::Card),
        ("text", "3782-822463-10005", Data::Card),
        ("text", "pay to DE89 3704 0044 0532 0130 00 please", Data::Iban),
        ("text", "GB82WEST12345698765432", Data::Iban),
        ("text", "900101-1234568", Data::NationalKorea),
        ("text", "219-09-9999", Data::NationalUs),
        ("text", "AB 12 34 56 C", Data::NationalUk),
        ("tax_id", "86095742719", Data::NationalGermany),
        ("text", "2 55 08 14 168 025 38", Data::NationalFrance),
        ("text", "12345678Z", Data::NationalSpain),
        ("text", "X1234567L", Data::NationalSpain),
        ("text", "RSSMRA85T10A562S", Data::NationalItaly),
        ("bsn", "111222333", Data::NationalNetherlands),
        ("pesel", "44051401359", Data::NationalPoland),
        ("text", "529.982.247-25", Data::NationalBrazil),
        ("text", "2341 2341 2346", Data::NationalIndia),
        ("text", "call +49 30 901820 now", Data::Phone),
        ("text", "+14155552671", Data::Phone),
        ("text", "010-1234-5678", Data::Phone),
        ("text", "(415) 555-2671", Data::Phone),
        ("customer.mobile", "0170 1234567", Data::Phone),
        ("text", "write to ann.lee@mail.example.org!", Data::Email),
        ("text", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl", Data::Jwt),
        ("text", "-----BEGIN RSA PRIVATE KEY-----\nMIIE", Data::PrivateKey),
        ("text", concat!("AKIA", "ABCDEFGHIJKLMNOP"), Data::CloudKey),
        ("login.password", "hunter2", Data::Password),
        ("client_secret", "0123456789abcdef", Data::Secret),
    ];
    for (name, text, class) in cases {
        assert!(found(name, text).contains(&class), "{name} {text}: {:?}", found(name, text));
    }
}

#[test]
fn what_looks_like_data_is_none() {
    let cases = [
        ("id", "4111111111111111"),
        ("text", "4111111111111112"),
        ("created", "1700000000000"),
        ("text", "550e8400-e29b-41d4-a716-446655440000"),
        ("price", "1234567.89"),
        ("version", "10.15.7.20240101"),
        ("text", "192.168.100.200"),
        ("text", "2026-11-22T09:00:00.000Z"),
        ("text", "20261122090000"),
        ("text", "12345678901"),
        ("text", "000-12-3456"),
        ("text", "DE89370400440532013001"),
        ("password", "********"),
        ("password", "null"),
        ("password_policy", "at least 12"),
        ("text", "user@localhost"),
        ("hash", "4111111111111111aaaa"),
        ("text", "sha256-4111111111111111x"),
        ("coordinates", "52.520008, 13.404954"),
        ("text", "12345678A"),
    ];
    for (name, text) in cases {
        assert_eq!(found(name, text), [], "{name} {text}");
    }
}

#[test]
fn data_are_counted_by_field_and_never_shown() {
    let values = vec![
        value("users[].email", "a@x.example"),
        value("users[].email", "b@x.example, c@x.example"),
        value("n", "1"),
    ];
    let all = classify(&Contents { values, forgotten: 0 });
    assert_eq!(all, [Found { place: Place::Json, name: "users[].email".into(), class: Data::Email, count: 3 }]);
}

#[test]
fn masks_show_little() {
    assert_eq!(&*mask(Data::Card, "4111 1111 1111 1234"), "•••• 1234");
    assert_eq!(&*mask(Data::Email, "ann@mail.example.org"), "a•••@•••.org");
    assert_eq!(&*mask(Data::Password, "hunter2"), "••••");
    assert_eq!(&*mask(Data::Iban, "DE89370400440532013000"), "DE••••00");
}

/// Values of each kind.
const EACH: usize = 4_000;

/// Clean JSON as programs send it, always the same: the share of values in which anything is found.
#[test]
fn clean_values_are_rarely_data() {
    let mut state = 7_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 11
    };
    let mut wrong = std::collections::BTreeMap::<(&str, Data), usize>::new();
    for _ in 0..EACH {
        let (a, b) = (next(), next());
        let cases = [
            ("order_id", format!("{:016}", a % 10_000_000_000_000_000)),
            ("value", format!("{:016}", a % 10_000_000_000_000_000)),
            ("timestamp", (1_600_000_000_000 + a % 400_000_000_000).to_string()),
            ("at", (1_600_000_000_000_000 + a % 400_000_000_000_000).to_string()),
            ("text", (1_600_000_000 + a % 400_000_000).to_string()),
            (
                "uuid",
                format!(
                    "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
                    a >> 10 & 0xffff_ffff,
                    b & 0xffff,
                    a & 0xfff,
                    b >> 20 & 0xfff,
                    b & 0xffff_ffff_ffff
                ),
            ),
            (
                "text",
                format!(
                    "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
                    a >> 10 & 0xffff_ffff,
                    b & 0xffff,
                    a & 0xfff,
                    b >> 20 & 0xfff,
                    b & 0xffff_ffff_ffff
                ),
            ),
            ("price", format!("{}.{:02}", a % 100_000, b % 100)),
            ("text", format!("v{}.{}.{}", a % 30, b % 30, a % 999)),
            ("number", format!("{:011}", a % 100_000_000_000)),
            ("number", format!("{:09}", a % 1_000_000_000)),
            ("text", format!("20{:02}-{:02}-{:02}", a % 30, b % 12 + 1, a % 28 + 1)),
            ("sha", format!("{a:013x}{b:013x}{a:013x}")),
            ("text", format!("{}.{}.{}.{}", a % 256, b % 256, a % 199, b % 99)),
            ("point", format!("{}.{:07},{}.{:07}", a % 90, b % 10_000_000, b % 180, a % 10_000_000)),
        ];
        for (name, text) in &cases {
            for class in found(name, text) {
                *wrong.entry((*name, class)).or_default() += 1;
            }
        }
    }
    let all: usize = wrong.iter().filter(|((name, _), _)| *name != "value").map(|(_, count)| count).sum();
    assert!(all * 1000 < EACH * 14, "one in a thousand at most: {wrong:?}");
    let plain = wrong.get(&("value", Data::Card)).copied().unwrap_or_default();
    assert!(plain * 100 < EACH * 4, "sixteen digits without any hint: those that issuers could give, {wrong:?}");
}

proptest! {
    #[test]
    fn one_wrong_digit_is_noticed(body in proptest::collection::vec(0_u32..10, 15), at in 0_usize..16, by in 1_u32..10) {
        let whole = |check: u32| body.iter().copied().chain([check]).collect::<Vec<u32>>();
        let check = (0..10).find(|check| luhn(&whole(*check))).unwrap();
        let mut changed = whole(check);
        changed[at] = (changed[at] + by) % 10;
        prop_assert!(!luhn(&changed));
        let check = (0..10).find(|check| verhoeff(&whole(*check))).unwrap();
        let mut changed = whole(check);
        changed[at] = (changed[at] + by) % 10;
        prop_assert!(!verhoeff(&changed));
        let mut swapped = whole(check);
        if at < 15 && swapped[at] != swapped[at + 1] {
            swapped.swap(at, at + 1);
            prop_assert!(!verhoeff(&swapped));
        }
    }

    #[test]
    fn cards_are_found_in_any_text(body in proptest::collection::vec(0_u32..10, 14), before in "[a-z ]{0,20}", sign in "[ -]?") {
        let all = |check: u32| [4].into_iter().chain(body.iter().copied()).chain([check]).collect::<Vec<u32>>();
        let number = (0..10).map(all).find(|number| luhn(number)).unwrap();
        prop_assume!(card(&number));
        let text: Vec<String> = number.chunks(4).map(|group| group.iter().map(u32::to_string).collect()).collect();
        let text = format!("{before} {}.", text.join(&sign));
        prop_assert!(found("text", &text).contains(&Data::Card), "{text}");
    }

    #[test]
    fn no_bytes_break_the_finders(bytes in proptest::collection::vec(any::<u8>(), 0..200), name in "[a-z_.]{0,20}") {
        let value = Value { place: Place::Json, name: name.into(), readings: vec![bytes.into()] };
        prop_assert_eq!(classes(&value), classes(&value));
    }
}

#[test]
fn checks_know_their_examples() {
    assert!(iban(b"NL91ABNA0417164300") && !iban(b"NL91ABNA0417164301"));
    assert!(verhoeff(&digits(b"2363")) && !verhoeff(&digits(b"2364")));
}
