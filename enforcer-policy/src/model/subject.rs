//! Who a decision speaks of.
//!
//! In: digests, addresses, flows. Out: [`Subject`], safe to print and to store. Never here: a raw identity that outlives the
//! call to [`mask`].
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

use enforcer_common::{FlowKey, Prefix, SubjectKind};
use serde::{Deserialize, Serialize};

use crate::text::FlowText;

/// Who.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Subject {
    /// A device, by the digest of its token.
    Device(Token),
    /// One connection.
    Flow(#[serde(with = "crate::serial")] FlowKey),
    /// An address or a network.
    Ip(#[serde(with = "crate::serial")] Prefix),
    /// A login session, by the digest of its token.
    Session(Token),
    /// A user, by the digest of its name.
    User(Token),
    /// A partner's key, by its digest.
    ApiKey(Token),
}

impl Subject {
    /// The subject of a token; `None` when this kind has none.
    pub fn with_token(kind: SubjectKind, token: Token) -> Option<Self> {
        match kind {
            SubjectKind::Device => Some(Self::Device(token)),
            SubjectKind::Session => Some(Self::Session(token)),
            SubjectKind::User => Some(Self::User(token)),
            SubjectKind::ApiKey => Some(Self::ApiKey(token)),
            SubjectKind::Flow | SubjectKind::Ip => None,
        }
    }

    /// Its token, when requests carry one.
    pub const fn token(&self) -> Option<&Token> {
        match self {
            Self::Device(token) | Self::Session(token) | Self::User(token) | Self::ApiKey(token) => Some(token),
            Self::Flow(_) | Self::Ip(_) => None,
        }
    }

    /// The network, when it is one.
    pub const fn network(&self) -> Option<Prefix> {
        match self {
            Self::Ip(prefix) => Some(*prefix),
            Self::Device(_) | Self::Flow(_) | Self::Session(_) | Self::User(_) | Self::ApiKey(_) => None,
        }
    }

    /// What kind of subject it is.
    pub const fn kind(&self) -> SubjectKind {
        match self {
            Self::Device(_) => SubjectKind::Device,
            Self::Flow(_) => SubjectKind::Flow,
            Self::Ip(_) => SubjectKind::Ip,
            Self::Session(_) => SubjectKind::Session,
            Self::User(_) => SubjectKind::User,
            Self::ApiKey(_) => SubjectKind::ApiKey,
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Device(token) | Self::Session(token) | Self::User(token) | Self::ApiKey(token) => {
                f.pad(&token.masked)
            }
            Self::Flow(key) => FlowText(*key).fmt(f),
            Self::Ip(prefix) => prefix.fmt(f),
        }
    }
}

/// An identity: its keyed digest, and what may be shown of it. Two tokens of one digest are the same token.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Token {
    /// The keyed digest.
    #[serde(with = "crate::serial::hex")]
    pub digest: u64,
    /// What people get to see; see [`mask`].
    pub masked: Box<str>,
}

impl PartialEq for Token {
    fn eq(&self, other: &Self) -> bool {
        self.digest == other.digest
    }
}

impl Eq for Token {}

impl PartialOrd for Token {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Token {
    fn cmp(&self, other: &Self) -> Ordering {
        self.digest.cmp(&other.digest)
    }
}

impl Hash for Token {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.digest.hash(state);
    }
}

/// What may be shown of a raw identity: its first and last two characters when it has eight or more, else nothing.
///
/// Control characters are replaced, because the text ends up on terminals and its author is the attacker.
pub fn mask(raw: &str) -> Box<str> {
    let shown = |c: char| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
    if raw.chars().nth(LEAST_MASKED - 1).is_none() {
        return HIDDEN.into();
    }
    let mut masked: String = raw.chars().take(2).map(shown).collect();
    masked.push_str(HIDDEN);
    let last: Vec<char> = raw.chars().rev().take(2).map(shown).collect();
    masked.extend(last.into_iter().rev());
    masked.into_boxed_str()
}

const HIDDEN: &str = "…";
/// Fewer characters than this are hidden altogether.
const LEAST_MASKED: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_mask_shows_two_characters_at_either_end_of_long_values_only() {
        let shown: Vec<Box<str>> = ["", "1234567", "12345678", "ünïcödé!", "\u{1b}[2Jabcdef\n"].map(mask).into();
        assert_eq!(shown, ["…", "…", "12…78", "ün…é!", "\u{fffd}[…f\u{fffd}"].map(Box::from));
    }

    #[test]
    fn a_token_is_its_digest() {
        let token = |masked: &str| Subject::Device(Token { digest: 7, masked: masked.into() });
        assert_eq!(token("ab…yz"), token("…"));
        assert_eq!(token("ab…yz").cmp(&token("…")), Ordering::Equal);
        assert_eq!(token("ab…yz").to_string(), "ab…yz");
    }

    #[test]
    fn json_is_what_people_write() {
        let token = Token { digest: 7, masked: "ab…yz".into() };
        let json = serde_json::to_string(&Subject::Device(token)).unwrap();
        assert_eq!(json, r#"{"device":{"digest":"0000000000000007","masked":"ab…yz"}}"#);
        let ip = Subject::Ip(crate::parse_prefix("203.0.113.0/24").unwrap());
        assert_eq!(serde_json::to_string(&ip).unwrap(), r#"{"ip":"203.0.113.0/24"}"#);
    }

    proptest! {
        #[test]
        fn a_mask_has_at_most_four_characters_of_the_value(raw in ".*") {
            let masked = mask(&raw);
            prop_assert!(masked.chars().count() <= 5);
            prop_assert!(raw.chars().count() >= 8 || &*masked == "…");
        }
    }
}
