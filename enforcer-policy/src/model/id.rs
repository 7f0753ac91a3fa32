//! The id of a decision: time ordered, 16 hexadecimal digits to people, eight bytes to machines.
//!
//! In: the time and some randomness, or text. Out: [`DecisionId`]. Never here: uniqueness, which the ledger sees to.
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::Moment;

/// The id of a decision, for life.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct DecisionId(pub u64);

/// What was given is not an id.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("not a decision id: give its 16 hexadecimal digits as printed by `enforcer list`")]
pub struct IdError;

/// Randomness below the milliseconds.
const ENTROPY_BITS: u32 = 20;

impl DecisionId {
    /// An id of this moment: later moments have greater ids. Never 0, which means "none" to the kernel.
    pub const fn new(now: Moment, entropy: u32) -> Self {
        let id = now.0 << ENTROPY_BITS | (entropy & ((1 << ENTROPY_BITS) - 1)) as u64;
        Self(if id == 0 { 1 } else { id })
    }
}

impl fmt::Display for DecisionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl FromStr for DecisionId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        match hex(text) {
            Some(id) if id != 0 => Ok(Self(id)),
            _ => Err(IdError),
        }
    }
}

impl Serialize for DecisionId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() { serializer.collect_str(self) } else { serializer.serialize_u64(self.0) }
    }
}

impl<'de> Deserialize<'de> for DecisionId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
        } else {
            u64::deserialize(deserializer).map(Self)
        }
    }
}

/// Exactly 16 lower-case hexadecimal digits. `from_str_radix` alone would take a sign, capitals and short forms.
pub(crate) fn hex(text: &str) -> Option<u64> {
    let plain = text.len() == 16 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    if plain { u64::from_str_radix(text, 16).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_id_is_never_zero() {
        assert_eq!(DecisionId::new(Moment(0), 0), DecisionId(1));
        assert_eq!(DecisionId::new(Moment(0), 1 << 20), DecisionId(1));
    }

    #[test]
    fn only_the_printed_form_is_an_id() {
        for text in
            ["", "0", "0000000000000000", "+00000000000000a", "000000000000000A", "00000000000000000a", "……………x"]
        {
            assert_eq!(text.parse::<DecisionId>(), Err(IdError), "{text}");
        }
    }

    proptest! {
        #[test]
        fn later_ids_are_greater(ms in 0_u64..1 << 43, later in 1_u64..1 << 20, a in any::<u32>(), b in any::<u32>()) {
            prop_assert!(DecisionId::new(Moment(ms), a) < DecisionId::new(Moment(ms + later), b));
        }

        #[test]
        fn text_and_bytes_come_back(id in 1_u64..) {
            let id = DecisionId(id);
            prop_assert_eq!(id.to_string().parse(), Ok(id));
            prop_assert_eq!(serde_json::to_string(&id).unwrap(), format!("\"{id}\""));
            prop_assert_eq!(serde_json::from_str::<DecisionId>(&format!("\"{id}\"")).unwrap(), id);
            prop_assert_eq!(postcard::from_bytes::<DecisionId>(&postcard::to_stdvec(&id).unwrap()).unwrap(), id);
        }
    }
}
