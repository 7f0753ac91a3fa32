//! Where a decision holds: everywhere, on one service, or on one endpoint of it.
//!
//! In: a service's name, or an endpoint. Out: [`Scope`], and the number the kernel knows it by. Never here: which services
//! exist.
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{Endpoint, EndpointError};

/// Where a decision holds.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Scope {
    /// Everywhere. Its word is `all`, so no service may have that name.
    All,
    /// On the service of this name.
    Service(Arc<str>),
    /// On one endpoint of a service.
    Endpoint(Arc<Endpoint>),
}

impl Scope {
    /// The scope of a word as people write it: `all`, or a service's name.
    pub fn named(word: &str) -> Self {
        if word == ALL { Self::All } else { Self::Service(word.into()) }
    }

    /// The scope of a text as people write it: `all`, a service's name, or an endpoint such as `pay:GET /accounts/{id}`.
    pub fn parse(text: &str) -> Result<Self, EndpointError> {
        if text.contains([':', '/']) {
            return text.parse().map(|endpoint| Self::Endpoint(Arc::new(endpoint)));
        }
        Ok(Self::named(text))
    }

    /// The number the kernel knows it by; 0 for all.
    pub fn id(&self) -> u32 {
        match self {
            Self::All => 0,
            Self::Service(name) => service_id(name),
            Self::Endpoint(endpoint) => endpoint.id(),
        }
    }

    /// The service it speaks of; `None` for all.
    pub fn service(&self) -> Option<&str> {
        match self {
            Self::All => None,
            Self::Service(name) => Some(name),
            Self::Endpoint(endpoint) => Some(endpoint.service()),
        }
    }

    /// The endpoint, when it is one.
    pub fn endpoint(&self) -> Option<&Arc<Endpoint>> {
        match self {
            Self::All | Self::Service(_) => None,
            Self::Endpoint(endpoint) => Some(endpoint),
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.pad(ALL),
            Self::Service(name) => f.pad(name),
            Self::Endpoint(endpoint) => f.pad(&endpoint.to_string()),
        }
    }
}

impl Serialize for Scope {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            _ if serializer.is_human_readable() => serializer.collect_str(self),
            Self::All => serializer.serialize_none(),
            Self::Service(name) => serializer.serialize_some(&**name),
            Self::Endpoint(endpoint) => serializer.serialize_some(&endpoint.to_string()),
        }
    }
}

impl<'de> Deserialize<'de> for Scope {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = if deserializer.is_human_readable() {
            Some(String::deserialize(deserializer)?)
        } else {
            Option::<String>::deserialize(deserializer)?
        };
        text.map_or(Ok(Self::All), |text| Self::parse(&text).map_err(de::Error::custom))
    }
}

/// The number of a service: FNV-1a of its name, so that it stays the same over restarts and hosts. Never 0.
pub fn service_id(name: &str) -> u32 {
    fnv(name)
}

/// FNV-1a, 32 bits; 1 in place of 0.
pub(super) fn fnv(text: &str) -> u32 {
    let id = text.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
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
        assert_eq!(Scope::All.id(), 0);
    }

    #[test]
    fn both_forms_come_back() {
        for scope in [Scope::All, Scope::named("pay"), Scope::parse("pay:GET /accounts/{id}").unwrap()] {
            let text = serde_json::to_string(&scope).unwrap();
            assert_eq!(text, format!("\"{scope}\""));
            assert_eq!(serde_json::from_str::<Scope>(&text).unwrap(), scope);
            assert_eq!(postcard::from_bytes::<Scope>(&postcard::to_stdvec(&scope).unwrap()).unwrap(), scope);
        }
    }

    #[test]
    fn a_text_is_all_a_service_or_an_endpoint() {
        assert_eq!(Scope::parse("all"), Ok(Scope::All));
        assert_eq!(Scope::parse("pay"), Ok(Scope::named("pay")));
        let endpoint = Scope::parse("pay:/accounts/{id}").unwrap();
        assert_eq!((endpoint.service(), endpoint.to_string().as_str()), (Some("pay"), "pay:/accounts/{}"));
        assert!(Scope::parse("pay/accounts").is_err() && Scope::parse("pay:").is_err());
        assert!(serde_json::from_str::<Scope>("\"pay:nowhere\"").is_err());
    }
}
