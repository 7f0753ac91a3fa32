//! Networks of the allowlist.
//!
//! In: text such as `10.0.0.0/8` or `2001:db8::1`. Out: a [`Prefix`] that is exactly what was written. Never here: host names.
use std::net::IpAddr;

use enforcer_common::{Address, Prefix};
use enforcer_policy::{PrefixError, parse_prefix};

/// Why a text is not a network that can be allowed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(super) enum NetworkError {
    #[error("this holds every address of a family: nothing could be blocked any more")]
    Everything,
    #[error("the address has bits set past the length")]
    HostBits { network: Prefix },
    #[error("this is not an address or network")]
    Text(#[source] PrefixError),
}

impl NetworkError {
    /// What to write instead.
    pub(super) fn mend(&self) -> String {
        match self {
            Self::Everything => {
                "name the networks that are meant; `enforcer bypass on` lets everything pass".to_owned()
            }
            Self::HostBits { network } => format!("write {network}, or leave out the slash for one address"),
            Self::Text(error) => error.to_string(),
        }
    }
}

/// Reads an address or a network.
pub(super) fn parse_network(text: &str) -> Result<Prefix, NetworkError> {
    let network = parse_prefix(text).map_err(NetworkError::Text)?;
    let written = text.split('/').next().and_then(|address| address.parse::<IpAddr>().ok());
    if written.is_some_and(|written| Address::from(written) != network.address()) {
        Err(NetworkError::HostBits { network })
    } else if network.length() <= 96 && network.contains(Address::v4([0; 4])) {
        Err(NetworkError::Everything)
    } else {
        Ok(network)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_both_families_and_the_mapped_form() {
        for (text, shown) in [
            ("10.0.0.0/8", "10.0.0.0/8"),
            ("192.0.2.1", "192.0.2.1"),
            ("2001:db8::/32", "2001:db8::/32"),
            ("::1", "::1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
        ] {
            assert_eq!(parse_network(text).unwrap().to_string(), shown);
        }
    }

    #[test]
    fn refuses_what_is_not_meant() {
        for text in ["localhost", "10.0.0.0/33", "10.0.0.0/", ""] {
            assert!(matches!(parse_network(text), Err(NetworkError::Text(_))), "{text}");
        }
        for everything in ["0.0.0.0/0", "::/0", "::/8"] {
            assert_eq!(parse_network(everything), Err(NetworkError::Everything), "{everything}");
        }
        let error = parse_network("10.0.0.1/8").unwrap_err();
        assert_eq!(error.mend(), "write 10.0.0.0/8, or leave out the slash for one address");
        assert!(matches!(parse_network("2001:db8::1/32"), Err(NetworkError::HostBits { .. })));
    }
}
