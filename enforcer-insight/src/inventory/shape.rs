//! The shape of a segment of a path: what can be no word, by its letters alone. In: a segment after decoding. Out: its
//! [`Shape`]; nothing where it may be a word. Never here: what stands beside it; names are learned by their number.
use serde::{Deserialize, Serialize};

/// What stood where a template has a parameter.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Shape {
    /// A day, a month, or a moment.
    Date,
    /// An address of mail.
    Email,
    /// Digits.
    Integer,
    /// A word, of which there are many alike.
    Name,
    /// Hexadecimal, base64, and what else no one would think of.
    Token,
    /// A UUID.
    Uuid,
}

/// Tells whether a text has a shape.
pub(super) type Is = fn(&str) -> bool;

/// Longest segment that can be a word, bytes.
pub(super) const WORD: usize = 64;
/// Shortest hexadecimal number that is none by chance.
const HEX: usize = 8;
/// Shortest part of a segment that is a token when digits are strewn through it.
const STREWN: usize = 12;
/// And when there are but two of them.
const LONG: usize = 16;
/// Words that name nobody: they stay apart however many names stand beside them.
const WORDS: &[&str] = &[
    "_count",
    "_search",
    "active",
    "all",
    "archive",
    "archived",
    "batch",
    "bulk",
    "count",
    "current",
    "default",
    "export",
    "favicon.ico",
    "health",
    "healthz",
    "history",
    "import",
    "index",
    "info",
    "latest",
    "list",
    "login",
    "logout",
    "lookup",
    "me",
    "metadata",
    "mine",
    "new",
    "next",
    "ping",
    "previous",
    "query",
    "recent",
    "refresh",
    "register",
    "robots.txt",
    "schema",
    "search",
    "self",
    "settings",
    "statistics",
    "stats",
    "status",
    "summary",
    "template",
    "today",
    "validate",
    "version",
    "whoami",
];

/// The shape of a segment that can be no word.
pub(super) fn shape_of(segment: &[u8]) -> Option<Shape> {
    // Most segments and keys are words: only digits, signs and what is too long can make them anything else.
    if segment.len() <= WORD && segment.iter().all(|byte| byte.is_ascii_alphabetic() || *byte == b'_') {
        return None;
    }
    let Some(text) = std::str::from_utf8(segment).ok().filter(|text| is_short(text)) else { return Some(Shape::Token) };
    let shapes: [(Shape, Is); 5] = [
        (Shape::Integer, is_digits),
        (Shape::Uuid, is_uuid),
        (Shape::Date, |text| is_date(text) || is_moment(text)),
        (Shape::Email, is_email),
        (Shape::Token, is_token),
    ];
    shapes.into_iter().find(|(_, is)| is(text)).map(|(shape, _)| shape)
}

/// True for a word that stays apart, and for a version such as `v2`.
pub(super) fn stays_apart(word: &str) -> bool {
    WORDS.binary_search(&word).is_ok() || word.strip_prefix(['v', 'V']).is_some_and(is_digits)
}

/// True for words that may be numbers of things: `A1001`, `order-17`.
pub(super) fn is_numbered(word: &str) -> bool {
    word.bytes().any(|byte| byte.is_ascii_digit())
}

/// True when there is nothing but digits.
pub(super) fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// True for 32 hexadecimal digits in five groups.
pub(super) fn is_uuid(text: &str) -> bool {
    let groups = text.split('-').map(str::len);
    groups.eq([8, 4, 4, 4, 12]) && text.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
}

/// True for a day or a month of a year with four digits.
pub(super) fn is_date(text: &str) -> bool {
    let mut parts = text.split('-');
    let mut number = |digits: usize, most: u16| {
        let part = parts.next().filter(|part| part.len() == digits && is_digits(part))?;
        part.parse::<u16>().ok().filter(|number| (1..=most).contains(number))
    };
    let month = number(4, 9999).and_then(|_| number(2, 12));
    let day = if text.len() > "2026-11".len() { number(2, 31) } else { month };
    month.is_some() && day.is_some() && parts.next().is_none()
}

/// True for a day with a time of day.
pub(super) fn is_moment(text: &str) -> bool {
    let Some((day, time)) = text.split_once(['T', 't']) else { return false };
    let sign = |byte: u8| byte.is_ascii_digit() || b":.+-Zz".contains(&byte);
    is_date(day) && day.len() == "2026-11-22".len() && time.len() >= 4 && time.bytes().all(sign)
}

/// True for something before an `@`, and something with a dot behind it.
pub(super) fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else { return false };
    let dotted = domain.split('.').count() > 1 && domain.split('.').all(|label| !label.is_empty());
    !local.is_empty() && dotted && !domain.contains(['@', ' '])
}

fn is_short(text: &str) -> bool {
    text.len() <= WORD && !text.chars().any(char::is_control)
}

fn is_token(text: &str) -> bool {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    let letters = text.chars().any(char::is_alphabetic);
    let hex = text.len() >= HEX && digits > 0 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let bare = !letters && digits >= 3;
    hex || bare || text.split(['-', '_', '.', '~', '=']).any(is_strewn)
}

/// True when digits stand between letters more than once, or make up much of a long part.
fn is_strewn(part: &str) -> bool {
    let bytes = part.as_bytes();
    let digits = bytes.iter().filter(|byte| byte.is_ascii_digit()).count();
    let ends = |two: &&[u8]| matches!(two, [one, two] if one.is_ascii_digit() && !two.is_ascii_digit());
    let strewn = bytes.windows(2).filter(ends).count() >= 2;
    let (some, many) = (digits * 4 >= part.len(), digits * 3 >= part.len());
    (part.len() >= STREWN && (many || (strewn && some))) || (part.len() >= LONG && strewn)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn words_that_stay_apart_are_in_order() {
        assert!(WORDS.is_sorted(), "they are searched by halves");
        assert!(stays_apart("me") && stays_apart("v2") && !stays_apart("anna") && !stays_apart("v"));
    }

    #[test]
    fn shapes_are_told_from_words() {
        let shaped: &[(Shape, &[&str])] = &[
            (Shape::Integer, &["0", "17", "00042", "20261122"]),
            (Shape::Uuid, &["550e8400-e29b-41d4-a716-446655440000", "550E8400-E29B-41D4-A716-446655440000"]),
            (Shape::Date, &["2026-11-22", "2026-11", "2026-11-22T09:30:00Z", "2026-11-22T09:30:00.5+09:00"]),
            (Shape::Email, &["anna@bank.example", "o'brien+x@mail.bank.example"]),
            (
                Shape::Token,
                &[
                    "deadbeef01",
                    "5f2b8c9a1d3e4f5a6b7c8d9e",
                    "ord_1a2b3c4d5e6f7g8h",
                    "01ARZ3NDEKTSV4RRFFQ69G5FAV",
                    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJlMTIz",
                    "DE89370400440532013000",
                    "+821012345678",
                    "37.5665,126.9780",
                ],
            ),
        ];
        for (shape, texts) in shaped {
            texts.iter().for_each(|text| assert_eq!(shape_of(text.as_bytes()), Some(*shape), "{text}"));
        }
    }

    #[test]
    fn words_have_no_shape() {
        for word in [
            "users",
            "v1",
            "oauth2",
            "iso-20022-payments",
            "sha256",
            "x509",
            "me",
            "feedface",
            "deadbeef",
            "anna.smith",
            "1.1",
            "getUserByIdV2",
            "계좌",
            "O'Brien",
            "@scope",
            "a@b",
            "how-to-pay-in-2026",
            "3dsecure2auth",
            "app.js",
            "INV-1001",
        ] {
            assert_eq!(shape_of(word.as_bytes()), None, "{word}");
        }
    }

    #[test]
    fn what_cannot_be_shown_is_a_token() {
        assert_eq!(shape_of(b"\xff\xfe"), Some(Shape::Token));
        assert_eq!(shape_of(b"a\nb"), Some(Shape::Token));
        assert_eq!(shape_of("x".repeat(WORD + 1).as_bytes()), Some(Shape::Token));
    }

    proptest! {
        #[test]
        fn every_number_and_uuid_has_its_shape(number: u64, uuid: u128) {
            prop_assert_eq!(shape_of(number.to_string().as_bytes()), Some(Shape::Integer));
            let hex = format!("{uuid:032x}");
            let text = format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]);
            prop_assert_eq!(shape_of(text.as_bytes()), Some(Shape::Uuid));
        }

        #[test]
        fn any_bytes_have_a_shape_or_are_text(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            prop_assert!(shape_of(&bytes).is_some() || std::str::from_utf8(&bytes).is_ok());
        }
    }
}
