//! What services say beyond their places and names: on which hosts, and how their requests are judged.
//!
//! In: a [`Base`]. Out: the bytes of its one written form, and the same back. Never here: TOML (see `sections.rs`, `write.rs`).
//!
//! Terms came after the first form of a base. They stand behind it, and only when there are any: a policy without them has the
//! bytes and digest it always had, and a host that does not know them refuses one with them, as it refuses all that it cannot read.
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Base;

/// How a service is carried out on hosts. The default is what a host's own file means when it says nothing.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is a key of its own in the file")]
pub struct Terms {
    /// On the hosts of these groups, in order and each once; none means on all.
    pub groups: Vec<String>,
    /// Decisions are counted and not carried out.
    pub observe: bool,
    /// What cannot be followed is refused.
    pub strict: bool,
    /// Requests that servers read differently are refused.
    pub deny_ambiguous: bool,
    /// Connections of trusted proxies begin with a PROXY header.
    pub proxy_protocol: bool,
    /// One request in so many goes to filters; 0 for none, all without.
    pub sample: Option<u32>,
    /// Headers in which trusted proxies write the client's address.
    pub forwarded: Vec<Forwarded>,
}

/// A header with forwarded addresses.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct Forwarded {
    /// Its name, in lower case.
    pub header: String,
    /// It holds one address and no list.
    pub single: bool,
}

impl Terms {
    /// True when it says no more than silence would.
    pub fn is_usual(&self) -> bool {
        *self == Self::default()
    }

    /// Whether the service is for a host of these groups.
    pub fn is_for(&self, groups: &[String]) -> bool {
        self.groups.is_empty() || self.groups.iter().any(|group| groups.contains(group))
    }
}

impl Base {
    /// What is signed.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        // A base in memory can always be written.
        let mut bytes = postcard::to_stdvec(self).unwrap_or_default();
        bytes.extend(self.terms());
        bytes
    }

    /// The part behind the first form; empty when nothing is said there.
    pub(crate) fn terms(&self) -> Vec<u8> {
        let unusual = self.services.iter().filter(|(_, service)| !service.terms.is_usual());
        let terms: BTreeMap<&str, &Terms> = unusual.map(|(name, service)| (name.as_str(), &service.terms)).collect();
        if terms.is_empty() { Vec::new() } else { postcard::to_stdvec(&terms).unwrap_or_default() }
    }

    /// Reads that part; none when these are not exactly the bytes that would be written.
    pub(crate) fn with_terms(mut self, bytes: &[u8]) -> Option<Self> {
        let terms: BTreeMap<String, Terms> = postcard::from_bytes(bytes).ok()?;
        for (name, terms) in terms {
            self.services.get_mut(&name)?.terms = terms;
        }
        (self.terms() == bytes).then_some(self)
    }
}
