//! What a text looks like around its evidence. In: a reading, the rules that fired on it. Out: one trait of each of [`GROUPS`], a small number.
//! Never here: what traits say ([`super::weigh`]).
//!
//! Only texts on which a rule fired are looked at, and of them no more than [`MOST`] bytes: what is ordinary costs nothing.
use super::command::is_list;
use super::evidence::Evidence;
use super::own::{is_line, is_program, is_statement, owns_its_strings};
use super::pasted::{is_head, is_json, is_shown, words};
use super::text::Text;
use crate::content::{Place, WHOLE_PATH};

/// Each kind of trait and how many there are of it.
pub(super) const GROUPS: [(&str, usize); 29] = [
    ("length", 9),
    ("lines", 6),
    ("words before", 6),
    ("words behind", 6),
    ("share of words", 7),
    ("begins", KINDS),
    ("ends", KINDS),
    ("before the sign", KINDS),
    ("the sign", KINDS),
    ("open quotes", 4),
    ("closes", 4),
    ("sentences", 4),
    ("place", 6),
    ("shown", 2),
    ("own line", 2),
    ("program", 2),
    ("statement", 3),
    ("ticks", 3),
    ("rules", 4),
    ("confidence", 11),
    ("weight", 11),
    ("tags", 6),
    ("indented", 4),
    ("links", 4),
    ("blanks", 6),
    ("cut", 3),
    ("document", 3),
    ("lines before", 5),
    ("list", 2),
];

/// The traits of a text, in the order of [`GROUPS`].
pub(super) type Traits = [usize; GROUPS.len()];

/// Bytes of a text that are looked at.
const MOST: usize = 4096;

/// What is said of `text` and of the place where the first rule fired.
pub(super) fn traits(text: &Text<'_>, evidence: &Evidence) -> Traits {
    let raw = text.raw.get(..text.raw.len().min(MOST)).unwrap_or_default();
    let lower = text.lower.get(..text.lower.len().min(MOST)).unwrap_or_default();
    let at = evidence.begin().min(lower.len());
    let (before, behind) = lower.split_at(at);
    let near = before.get(at.saturating_sub(NEAR)..).unwrap_or_default();
    let far = behind.get(..behind.len().min(NEAR)).unwrap_or_default();
    [
        steps(text.raw.len(), &[9, 17, 33, 65, 129, 257, 513, 1025]),
        steps(count(raw, b'\n'), &[1, 2, 4, 8, 16]),
        steps(words(near), &[1, 2, 3, 5, 9]),
        steps(words(far), &[1, 2, 4, 8, 16]),
        steps(share(raw, |byte| byte.is_ascii_alphabetic() || *byte == b' '), &[40, 55, 65, 75, 85, 92]),
        kind(raw.first()),
        kind(raw.trim_ascii_end().last()),
        kind(before.last()),
        kind(behind.first()),
        open_quotes(lower),
        closes(lower),
        steps(sentences(raw), &[1, 2, 4]),
        place(text),
        usize::from(is_shown(lower, at)),
        usize::from(at > 0 && is_line(lower, at)),
        usize::from(is_program(lower)),
        statement(lower),
        ticks(lower),
        steps(evidence.count(), &[2, 3, 4]),
        usize::from(evidence.confidence() / 10),
        usize::from(evidence.weight() / 10),
        steps(tags(lower), &[1, 2, 4, 8, 16]),
        steps(indented(lower), &[1, 3, 6]),
        steps(pairs(lower, b"//"), &[1, 2, 4]),
        steps(share(raw, |byte| *byte == b' '), &[1, 5, 10, 15, 20]),
        cut(lower),
        if is_head(lower) { 1 } else { 2 * usize::from(is_json(lower)) },
        steps(count(before, b'\n'), &[1, 2, 3, 6]),
        usize::from(is_list(lower)),
    ]
}

/// Bytes before and behind the first sign in which words are counted.
const NEAR: usize = 200;

/// How many of the limits `value` reaches.
fn steps(value: usize, limits: &[usize]) -> usize {
    limits.iter().take_while(|limit| value >= **limit).count()
}

fn count(text: &[u8], sign: u8) -> usize {
    text.split(|byte| *byte == sign).count() - 1
}

fn share(text: &[u8], of: impl Fn(&u8) -> bool) -> usize {
    text.iter().filter(|byte| of(byte)).count() * 100 / text.len().max(1)
}

/// Kinds of bytes; the last is for none.
const KINDS: usize = 14;

fn kind(byte: Option<&u8>) -> usize {
    match byte.copied() {
        Some(b'a'..=b'z') => 0,
        Some(b'A'..=b'Z' | 0x80..) => 1,
        Some(b'0'..=b'9') => 2,
        Some(b' ' | b'\t') => 3,
        Some(b'\r' | b'\n' | 0) => 4,
        Some(b'\'') => 5,
        Some(b'"') => 6,
        Some(b'<') => 7,
        Some(b'>' | b')' | b']' | b'}') => 8,
        Some(b';' | b'|' | b'&' | b'`') => 9,
        Some(b'.' | b',' | b'!' | b'?' | b':') => 10,
        Some(b'$' | b'{' | b'(' | b'[' | b'%') => 11,
        Some(_) => 12,
        None => 13,
    }
}

/// Quotes that nothing closes, apostrophes aside: single ones, double ones, both.
fn open_quotes(text: &[u8]) -> usize {
    let letter = |at: usize| text.get(at).is_some_and(u8::is_ascii_alphabetic);
    let apostrophe = |at: usize| at > 0 && letter(at - 1) && letter(at + 1);
    let quote = |(at, byte): &(usize, &u8)| **byte == b'\'' && !apostrophe(*at);
    let single = text.iter().enumerate().filter(quote).count() % 2;
    let double = count(text, b'"') % 2;
    single + 2 * double
}

/// What is closed that was not opened: nothing, a parenthesis, a bracket or brace, a tag behind a quote.
fn closes(text: &[u8]) -> usize {
    let (mut round, mut other) = (0_i32, 0_i32);
    for byte in text {
        match byte {
            b'(' => round += 1,
            b')' if round == 0 => return 1,
            b')' => round -= 1,
            b'[' | b'{' => other += 1,
            b']' | b'}' if other == 0 => return 2,
            b']' | b'}' => other -= 1,
            b'>' if !text.contains(&b'<') => return 3,
            _ => {}
        }
    }
    0
}

/// Ends of sentences that another follows.
fn sentences(text: &[u8]) -> usize {
    let end = |three: &&[u8]| matches!(three, [b'.' | b'!' | b'?' | b':', b' ' | b'\n' | b'\r', next] if next.is_ascii_uppercase() || *next == b'\n');
    text.windows(3).filter(end).count()
}

fn place(text: &Text<'_>) -> usize {
    match text.place {
        Place::Path if text.name == WHOLE_PATH => 0,
        Place::Path => 1,
        Place::Query => 2,
        Place::Header => 3,
        Place::Cookie => 4,
        Place::Form | Place::Json | Place::Multipart | Place::Xml | Place::Text => 5,
    }
}

fn statement(text: &[u8]) -> usize {
    if is_statement(text) { 2 } else { usize::from(owns_its_strings(text)) }
}

/// Backticks, and fences of three.
fn ticks(text: &[u8]) -> usize {
    if pairs(text, b"``") > 0 { 2 } else { usize::from(text.contains(&b'`')) }
}

fn tags(text: &[u8]) -> usize {
    text.windows(2).filter(|two| matches!(two, [b'<', b'a'..=b'z' | b'/' | b'!'])).count()
}

fn indented(text: &[u8]) -> usize {
    text.windows(3).filter(|three| matches!(three, [b'\n', b' ', b' '] | [b'\n', b'\t', _])).count()
}

fn pairs(text: &[u8], pair: &[u8]) -> usize {
    text.windows(2).filter(|two| *two == pair).count()
}

/// How the end is cut off: by a sign of a comment, by one that another command or name follows, or not.
fn cut(text: &[u8]) -> usize {
    let text = text.trim_ascii_end();
    let comment =
        [&b"--"[..], b"-- -", b"--+", b"#", b"/*", b"//", b"%00", b"<!--"].iter().any(|end| text.ends_with(end));
    if comment { 1 } else { 2 * usize::from(text.ends_with(b"'") || text.ends_with(b"=") || text.ends_with(b"(")) }
}
