//! What the kernel's tables under `/proc/self/net` say of this machine: its addresses, and the gateways of its routes.
//!
//! In: the text of a table. Out: addresses, to be guarded. Never here: reading files.
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use enforcer_common::Prefix;

use super::lint::Rules;

/// A table, and how it is read.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    /// Where it is.
    pub file: &'static str,
    read: fn(&str) -> Vec<IpAddr>,
    whose: &'static str,
}

/// All of them. Not `/proc/net`, which services that see processes only do not have.
pub const TABLES: &[Table] = &[
    Table { file: "/proc/self/net/route", read: gateways4, whose: "gateway of this machine" },
    Table { file: "/proc/self/net/ipv6_route", read: gateways6, whose: "gateway of this machine" },
    Table { file: "/proc/self/net/fib_trie", read: own4, whose: "address of this machine" },
    Table { file: "/proc/self/net/if_inet6", read: own6, whose: "address of this machine" },
];

impl Table {
    /// Guards the addresses in the text of the file.
    pub fn guard(&self, rules: &mut Rules, text: &str) {
        for address in (self.read)(text) {
            rules.guard(Prefix::host(address.into()), self.whose);
        }
    }
}

/// `eth0 00000000 0102A8C0 ...`: the gateways of all routes that have one.
fn gateways4(text: &str) -> Vec<IpAddr> {
    let gateway = |line: &str| {
        let number = u32::from_str_radix(line.split_whitespace().nth(2)?, 16).ok().filter(|number| *number != 0)?;
        Some(IpAddr::from(Ipv4Addr::from(number.to_ne_bytes())))
    };
    text.lines().skip(1).filter_map(gateway).collect()
}

/// The fifth column is the next hop, of 32 digits.
fn gateways6(text: &str) -> Vec<IpAddr> {
    text.lines().filter_map(|line| hex6(line.split_whitespace().nth(4)?)).filter(|ip| !ip.is_unspecified()).collect()
}

/// An address, and on the line after it that it is a local one.
fn own4(text: &str) -> Vec<IpAddr> {
    let lines: Vec<&str> = text.lines().map(str::trim_start).collect();
    let own = |pair: &[&str]| {
        let is_own = pair.get(1)?.contains("host LOCAL");
        pair.first()?.strip_prefix("|-- ")?.parse().ok().filter(|_| is_own)
    };
    let mut found: Vec<IpAddr> = lines.windows(2).filter_map(own).collect();
    // Each is there once for every table of routes.
    found.sort_unstable();
    found.dedup();
    found
}

fn own6(text: &str) -> Vec<IpAddr> {
    text.lines().filter_map(|line| hex6(line.split_whitespace().next()?)).collect()
}

fn hex6(digits: &str) -> Option<IpAddr> {
    let number = u128::from_str_radix(digits, 16).ok().filter(|_| digits.len() == 32)?;
    Some(Ipv6Addr::from(number).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(found: &[IpAddr]) -> Vec<String> {
        found.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_kernels_tables_are_read() {
        let route = "Iface\tDestination\tGateway\nve\t00000000\t0107070A\t0003\nve\t0007070A\t00000000\t0001\n";
        assert_eq!(texts(&gateways4(route)), ["10.7.7.1"]);
        let zero = "0".repeat(32);
        let hop = "fd000000000000000000000000000001";
        let route = format!("{zero} 00 {zero} 00 {hop} 400 1 0 3 ve\n{zero} 00 {zero} 00 {zero} 400 1 0 3 ve\n");
        assert_eq!(texts(&gateways6(&route)), ["fd00::1"]);
        let trie = "Main:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 10.7.7.0\n        /24 link UNICAST\n     |-- 10.7.7.5\n        /32 host LOCAL\n\
                    Local:\n     |-- 10.7.7.5\n        /32 host LOCAL\n";
        assert_eq!(texts(&own4(trie)), ["10.7.7.5"]);
        assert_eq!(texts(&own6("00000000000000000000000000000001 01 80 10 80       lo\n")), ["::1"]);
        for table in TABLES {
            assert!((table.read)("nonsense\n\nmore of it\n").is_empty());
        }
    }
}
