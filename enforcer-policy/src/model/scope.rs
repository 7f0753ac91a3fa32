//! Where a decision holds: everywhere, or on one service.
//!
//! In: a service's name. Out: [`Scope`], and the number the kernel knows the service by. Never here: which services exist.
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Where a decision holds.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Scope {
    /// Everywhere. Its word is `all`, so no service may have that name.
    All,
    /// On the service of this name.
    Service(Arc<str>),
}

impl Scope {
    /// The scope of a word as people write it: `all`, or a service's name.
    pub fn named(word: &str) -> Self {
        if word == ALL { Self::All } else { Self::Service(word.into()) }
    }

    /// The number the kernel knows it by; 0 for all.
    pub fn service_id(&self) -> u32 {
        match self {
            Self::All => 0,
            Self::Service(name) => service_id(name),
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.pad(ALL),
            Self::Service(name) => f.pad(name),
        }
    }
}

impl Serialize for Scope {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            _ if serializer.is_human_readable() => serializer.collect_str(self),
            Self::All => serializer.serialize_none(),
            Self::Service(name) => serializer.serialize_some(&**name),
        }
    }
}

impl<'de> Deserialize<'de> for Scope {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            return String::deserialize(deserializer).map(|word| Self::named(&word));
        }
        Ok(Option::<Arc<str>>::deserialize(deserializer)?.map_or(Self::All, Self::Service))
    }
}

/// The number of a service: FNV-1a of its name, so that it stays the same over restarts and hosts. Never 0.
pub fn service_id(name: &str) -> u32 {
    let id = name.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    id.max(1)
}

const ALL: &str = "all";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_has_the_published_digest_of_its_name() {
        assert_eq!(service_id(""), 0x811c_9dc5);
        assert_eq!(service_id("a"), 0xe40c_292c);
        assert_eq!(service_id("foobar"), 0xbf9c_f968);
        assert_eq!(Scope::All.service_id(), 0);
    }

    #[test]
    fn both_forms_come_back() {
        for scope in [Scope::All, Scope::named("pay")] {
            let text = serde_json::to_string(&scope).unwrap();
            assert_eq!(text, format!("\"{scope}\""));
            assert_eq!(serde_json::from_str::<Scope>(&text).unwrap(), scope);
            assert_eq!(postcard::from_bytes::<Scope>(&postcard::to_stdvec(&scope).unwrap()).unwrap(), scope);
        }
    }
}
