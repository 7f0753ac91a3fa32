//! The types of values: a small set, joined by what was seen. In: values of JSON, of queries and forms. Out: [`Types`]. Never
//! here: the values afterwards.
use serde::{Deserialize, Serialize};

use super::shape::{Is, is_date, is_digits, is_email, is_moment, is_uuid};

/// The types that were seen in one place.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Types(u16);

impl Types {
    /// Nothing was seen.
    pub const NONE: Self = Self(0);
    /// `null`.
    pub const NULL: Self = Self(1);
    /// `true` or `false`.
    pub const BOOLEAN: Self = Self(1 << 1);
    /// A number without fraction.
    pub const INTEGER: Self = Self(1 << 2);
    /// A number with one.
    pub const NUMBER: Self = Self(1 << 3);
    /// Text of no special form.
    pub const TEXT: Self = Self(1 << 4);
    /// A day.
    pub const DATE: Self = Self(1 << 5);
    /// A day and a time.
    pub const MOMENT: Self = Self(1 << 6);
    /// A UUID.
    pub const UUID: Self = Self(1 << 7);
    /// An address of mail.
    pub const EMAIL: Self = Self(1 << 8);
    /// An object.
    pub const OBJECT: Self = Self(1 << 9);
    /// An array.
    pub const ARRAY: Self = Self(1 << 10);
    /// A file.
    pub const FILE: Self = Self(1 << 11);

    /// Both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What is in both.
    #[must_use]
    pub const fn common(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// What is here and not there.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// True when nothing was seen.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// True when all of `other` is here.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Their words, in a fixed order, as schemas have them; the forms of text in brackets.
    pub fn words(self) -> Vec<&'static str> {
        WORDS.iter().filter(|(one, _)| self.has(*one)).map(|(_, word)| *word).collect()
    }

    /// The type of a string of JSON.
    pub fn of_string(text: &str) -> Self {
        let forms: [(Self, Is); 4] =
            [(Self::DATE, is_date), (Self::MOMENT, is_moment), (Self::UUID, is_uuid), (Self::EMAIL, is_email)];
        // Most strings are plain: one look at their letters says so.
        let plain = text.bytes().all(|byte| byte != b'@' && !byte.is_ascii_digit());
        let form = if plain && text.len() != UUID { None } else { forms.into_iter().find(|(_, is)| is(text)) };
        form.map_or(Self::TEXT, |(form, _)| form)
    }

    /// The type of a value of a query or a form, where all are text.
    pub fn of_text(text: &str) -> Self {
        match text {
            "true" | "false" => Self::BOOLEAN,
            _ if is_digits(text.strip_prefix('-').unwrap_or(text)) => Self::INTEGER,
            _ if is_number(text) => Self::NUMBER,
            _ => Self::of_string(text),
        }
    }
}

/// Digits, a point, digits.
fn is_number(text: &str) -> bool {
    let parts = text.strip_prefix('-').unwrap_or(text).split_once('.');
    parts.is_some_and(|(whole, part)| is_digits(whole) && is_digits(part))
}

/// Letters of a UUID.
const UUID: usize = 36;

const WORDS: &[(Types, &str)] = &[
    (Types::ARRAY, "array"),
    (Types::BOOLEAN, "boolean"),
    (Types::FILE, "file"),
    (Types::INTEGER, "integer"),
    (Types::NULL, "null"),
    (Types::NUMBER, "number"),
    (Types::OBJECT, "object"),
    (Types::TEXT, "string"),
    (Types::DATE, "string (date)"),
    (Types::MOMENT, "string (date-time)"),
    (Types::EMAIL, "string (email)"),
    (Types::UUID, "string (uuid)"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_have_the_types_of_their_values() {
        let cases = [
            ("17", Types::INTEGER),
            ("-17", Types::INTEGER),
            ("1.5", Types::NUMBER),
            ("1.5.2", Types::TEXT),
            ("true", Types::BOOLEAN),
            ("2026-11-22", Types::DATE),
            ("2026-11-22T10:00:00Z", Types::MOMENT),
            ("a@b.example", Types::EMAIL),
            ("", Types::TEXT),
            ("NaN", Types::TEXT),
        ];
        for (text, types) in cases {
            assert_eq!(Types::of_text(text), types, "{text}");
        }
        assert_eq!(Types::of_string("17"), Types::TEXT, "a string of JSON is text, whatever it holds");
        assert_eq!(Types::INTEGER.and(Types::DATE).words(), ["integer", "string (date)"]);
    }
}
