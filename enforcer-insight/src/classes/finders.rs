//! Finds data in a text. In: a text, the hints of its name. Out: the classes of what stands in it. Never here: checks, names.
//!
//! A pattern finds candidates, what stands around them must not belong to them, a check decides. Digits that carry no separators are taken
//! only where the name does not say that they are something else.
use std::sync::LazyLock;

use super::checks::{card, digits, iban};
use super::names::Hints;
use super::{Data, MOST_IN_VALUE, nations};
use crate::pattern::Pattern;

/// Adds the class of everything that is found.
pub(super) fn find(text: &[u8], hints: Hints, found: &mut Vec<Data>) {
    let signs = Signs::of(text);
    for finder in FINDERS.iter().filter(|finder| signs.suffice(&finder.needs)) {
        for (begin, end) in finder.pattern.all(text).take(MOST_IN_VALUE) {
            let candidate = text.get(begin..end).unwrap_or_default();
            if stands_alone(text, begin, end) && (finder.is_data)(candidate, hints) {
                found.push(finder.class);
            }
        }
    }
}

/// A way to find one class.
struct Finder {
    class: Data,
    pattern: Pattern,
    needs: Signs,
    is_data: fn(&[u8], Hints) -> bool,
}

/// What a text has, or the least that a pattern needs: most texts have too little for most patterns.
#[derive(Clone, Copy, Default)]
struct Signs {
    bytes: usize,
    digits: usize,
    /// Letters in upper case.
    upper: bool,
    /// The sign of mail.
    at: bool,
}

impl Signs {
    fn of(text: &[u8]) -> Self {
        let mut signs = Self { bytes: text.len(), ..Self::default() };
        for byte in text {
            signs.digits += usize::from(byte.is_ascii_digit());
            signs.upper |= byte.is_ascii_uppercase();
            signs.at |= *byte == b'@';
        }
        signs
    }

    const fn suffice(&self, needs: &Self) -> bool {
        self.bytes >= needs.bytes
            && self.digits >= needs.digits
            && (self.upper || !needs.upper)
            && (self.at || !needs.at)
    }
}

/// What stands before and behind belongs to other words.
fn stands_alone(text: &[u8], begin: usize, end: usize) -> bool {
    let part = |byte: Option<&u8>| {
        byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_' || *byte >= 0x80 && byte & 0xc0 == 0)
    };
    let before = begin.checked_sub(1).and_then(|at| text.get(at));
    let behind = text.get(end);
    // A dot or hyphen with a digit behind it goes on.
    let goes_on = matches!(behind, Some(b'.' | b'-' | b',')) && text.get(end + 1).is_some_and(u8::is_ascii_digit);
    let went_on = matches!(before, Some(b'.' | b'-' | b','))
        && begin.checked_sub(2).and_then(|at| text.get(at)).is_some_and(u8::is_ascii_alphanumeric);
    !part(before) && !part(behind) && !goes_on && !went_on && before != Some(&b'+')
}

/// Letters and digits only, in upper case.
fn dense(text: &[u8]) -> Vec<u8> {
    text.iter().filter(|byte| byte.is_ascii_alphanumeric()).map(u8::to_ascii_uppercase).collect()
}

fn is_parted(text: &[u8]) -> bool {
    text.iter().any(|byte| !byte.is_ascii_alphanumeric())
}

/// Groups of a card: four by four, or as the issuer of shorter ones has them.
fn is_card(text: &[u8], hints: Hints) -> bool {
    let groups: Vec<usize> = text.split(|byte| matches!(byte, b' ' | b'-')).map(<[u8]>::len).collect();
    let grouped = match &groups[..] {
        [_] | [4, 6, 4 | 5] => true,
        [rest @ .., last] => rest.iter().all(|group| *group == 4) && *last <= 4,
        [] => false,
    };
    let named = hints.class == Some(Data::Card);
    grouped && (named || groups.len() > 1 || !hints.other) && card(&digits(text))
}

/// With a plus and a country, or as countries write their own.
fn is_phone(text: &[u8], hints: Hints) -> bool {
    let count = digits(text).len();
    let named = hints.class == Some(Data::Phone);
    match text.first() {
        Some(b'+') => (8..=15).contains(&count) && (named || count >= 10),
        _ => named || (!hints.other && (9..=11).contains(&count)),
    }
}

macro_rules! named {
    ($class:expr, $check:path) => {
        |text, hints| {
            let named = hints.class == Some($class);
            (named || (is_parted(text) && !hints.other)) && $check(&dense(text))
        }
    };
}

macro_rules! strict {
    ($class:expr, $check:path) => {
        |text, hints| hints.class == Some($class) && $check(&dense(text))
    };
}

macro_rules! shaped {
    ($class:expr, $check:path) => {
        |text, hints| (hints.class == Some($class) || !hints.other) && $check(&dense(text))
    };
}

static FINDERS: LazyLock<Vec<Finder>> = LazyLock::new(|| {
    let finder = |class, digits, upper, pattern, is_data| {
        // The shortest key is one of a chat; a digit is a byte.
        let bytes = if matches!(class, Data::CloudKey | Data::Jwt | Data::PrivateKey) { 15 } else { digits };
        let needs = Signs { bytes, digits, upper, at: class == Data::Email };
        Finder { class, pattern: Pattern::new(pattern), needs, is_data }
    };
    vec![
        finder(Data::Card, 13, false, r"[2-6](?:[\ -]?[0-9]){12,18}", is_card),
        finder(Data::CloudKey, 0, false, CLOUD_KEYS, |_, _| true),
        finder(Data::Email, 0, false, r"[A-Za-z0-9._%+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,4}[A-Za-z]{2,24}", |_, _| {
            true
        }),
        finder(Data::Iban, 6, true, r"[A-Z]{2}[0-9]{2}(?:\ ?[A-Z0-9]){11,30}", |text, _| trimmed_iban(text)),
        finder(Data::Jwt, 0, true, r"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*", |_, _| true),
        finder(Data::PrivateKey, 0, true, r"-----BEGIN\ (?:[A-Z0-9]+\ )*PRIVATE\ KEY(?:\ BLOCK)?-----", |_, _| true),
        finder(Data::Phone, 7, false, r"\+[1-9](?:[\ .()/-]{0,2}[0-9]){6,14}", is_phone),
        finder(Data::Phone, 9, false, PHONES, is_phone),
        finder(Data::Phone, 7, false, r"[0-9(](?:[\ .()/-]{0,2}[0-9]){6,14}", |text, hints| {
            hints.class == Some(Data::Phone) && is_phone(text, hints)
        }),
        finder(
            Data::NationalBrazil,
            11,
            false,
            r"[0-9]{3}\.?[0-9]{3}\.?[0-9]{3}-?[0-9]{2}",
            named!(Data::NationalBrazil, nations::brazil),
        ),
        finder(
            Data::NationalFrance,
            13,
            false,
            r"[12]\ ?[0-9]{2}\ ?[0-9]{2}\ ?(?:[0-9]{2}|2[AB])\ ?[0-9]{3}\ ?[0-9]{3}\ ?[0-9]{2}",
            shaped!(Data::NationalFrance, nations::france),
        ),
        finder(
            Data::NationalGermany,
            11,
            false,
            r"[1-9][0-9]\ ?[0-9]{3}\ ?[0-9]{3}\ ?[0-9]{3}",
            named!(Data::NationalGermany, nations::germany),
        ),
        finder(
            Data::NationalIndia,
            12,
            false,
            r"[2-9][0-9]{3}[\ -]?[0-9]{4}[\ -]?[0-9]{4}",
            named!(Data::NationalIndia, nations::india),
        ),
        finder(
            Data::NationalItaly,
            5,
            true,
            r"[A-Z]{6}[0-9LMNPQRSTUV]{2}[ABCDEHLMPRST][0-9LMNPQRSTUV]{2}[A-Z][0-9LMNPQRSTUV]{3}[A-Z]",
            shaped!(Data::NationalItaly, nations::italy),
        ),
        finder(
            Data::NationalKorea,
            13,
            false,
            r"[0-9]{6}[\ -]?[1-8][0-9]{6}",
            named!(Data::NationalKorea, nations::korea),
        ),
        finder(
            Data::NationalNetherlands,
            9,
            false,
            r"[0-9]{9}",
            strict!(Data::NationalNetherlands, nations::netherlands),
        ),
        finder(Data::NationalPoland, 11, false, r"[0-9]{11}", strict!(Data::NationalPoland, nations::poland)),
        finder(
            Data::NationalSpain,
            7,
            true,
            r"(?:[0-9]{8}|[XYZ]-?[0-9]{7})-?[A-Z]",
            shaped!(Data::NationalSpain, nations::spain),
        ),
        finder(
            Data::NationalUk,
            6,
            true,
            r"[A-Z]{2}\ ?[0-9]{2}\ ?[0-9]{2}\ ?[0-9]{2}\ ?[A-D]",
            named!(Data::NationalUk, nations::uk),
        ),
        finder(Data::NationalUs, 9, false, r"[0-9]{3}-?[0-9]{2}-?[0-9]{4}", named!(Data::NationalUs, nations::us)),
    ]
});

/// An account number may be followed by a word that the pattern took too: the country tells where it ends.
fn trimmed_iban(text: &[u8]) -> bool {
    let all = dense(text);
    text.iter().all(|byte| !byte.is_ascii_lowercase())
        && (15..=all.len().min(34)).rev().any(|length| iban(all.get(..length).unwrap_or_default()))
}

/// As owners of keys shape them.
const CLOUD_KEYS: &str = r"(?:AKIA|ASIA|AIDA|AROA)[A-Z0-9]{16}|gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{22,82}|glpat-[A-Za-z0-9_-]{20,}|xox[abprs]-[A-Za-z0-9-]{10,}|
    (?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9]{16,}|AIza[A-Za-z0-9_-]{35}|ya29\.[A-Za-z0-9_-]{20,}|SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}|npm_[A-Za-z0-9]{36}|dop_v1_[a-f0-9]{64}|
    shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}|hf_[A-Za-z0-9]{30,}|sk-(?:[a-z]+-)?[A-Za-z0-9_-]{32,}|AccountKey=[A-Za-z0-9+/=]{40,}|hvs\.[A-Za-z0-9_-]{24,}|pypi-AgE[A-Za-z0-9_-]{50,}";

/// Korea, America, Britain, France.
const PHONES: &str = r"01[016789]-[0-9]{3,4}-[0-9]{4}|0(?:2|[3-6][1-5])-[0-9]{3,4}-[0-9]{4}|\([2-9][0-9]{2}\)\ ?[2-9][0-9]{2}-[0-9]{4}|[2-9][0-9]{2}-[2-9][0-9]{2}-[0-9]{4}|
    [2-9][0-9]{2}\.[2-9][0-9]{2}\.[0-9]{4}|07[0-9]{3}\ [0-9]{3}\ ?[0-9]{3}|0[1-9](?:\ [0-9]{2}){4}";

#[cfg(test)]
pub(super) fn compiles() -> bool {
    FINDERS.iter().all(|finder| finder.pattern.compiles())
}
