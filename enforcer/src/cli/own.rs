//! Whom no list may hit on this host.
//!
//! In: the configuration, the kernel's tables of routes and addresses, the allowlist of an agent that answers. Out: guarded
//! networks, each with whose it is. Never here: what is done about them.
use std::net::IpAddr;

use enforcer_common::Prefix;
use enforcer_policy::lists::{Rules, TABLES};

use super::client::Client;
use super::failure::Failure;
use crate::config::Config;
use crate::sync::Enrolment;
use crate::wire::{AllowedEntry, Request};

/// Guards what the host itself knows.
pub(super) fn guard(rules: &mut Rules, config: &Config) {
    for entry in &config.allow {
        rules.guard(entry.prefix, format!("allowlist of the configuration, as {}", entry.kind.name()));
    }
    for table in TABLES {
        table.guard(rules, &std::fs::read_to_string(table.file).unwrap_or_default());
    }
    // Who may not read the enrolment is told nothing of the center; the agent's allowlist and the kernel know it.
    if let Ok(Some(enrolment)) = Enrolment::load(&config.agent.state_dir)
        && let Some(address) = literal(&enrolment.url)
    {
        rules.guard(Prefix::host(address.into()), "the center");
    }
}

/// Guards the allowlist of the agent: entries of the configuration, of people, and of the center.
pub(super) fn guard_allowed(rules: &mut Rules, client: &mut Client) -> Result<(), Failure> {
    let entries: Vec<AllowedEntry> = client.call(&Request::Allowlist)?;
    for entry in entries {
        rules.guard(entry.network, format!("allowlist, as {}", entry.kind.name()));
    }
    Ok(())
}

/// The address in a URL, when it is one and no name.
fn literal(url: &str) -> Option<IpAddr> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split('/').next()?;
    let host = authority.rsplit_once(':').filter(|(_, port)| !port.contains(']')).map_or(authority, |(host, _)| host);
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_center_that_is_an_address_is_known() {
        let cases = [
            ("https://10.0.0.5:9443", Some("10.0.0.5")),
            ("https://10.0.0.5", Some("10.0.0.5")),
            ("https://[2001:db8::1]:9443/", Some("2001:db8::1")),
            ("https://[2001:db8::1]", Some("2001:db8::1")),
            ("https://center.bank.example:9443", None),
            ("10.0.0.5", None),
        ];
        for (url, address) in cases {
            assert_eq!(literal(url), address.map(|text| text.parse().unwrap()), "{url}");
        }
    }
}
