//! The addresses of this host, by which others reach the center.
//!
//! In: what the kernel says of them (`/proc/net`). Out: addresses, without loopback. Never here: what is done with them. Behind a translation of
//! addresses others reach it by another one, which nobody here knows: put that on the allowlist.
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// All that it has now; none where the kernel does not say.
pub fn own() -> Vec<IpAddr> {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let mut found = of_routes(&read("/proc/net/fib_trie"));
    found.extend(of_interfaces(&read("/proc/net/if_inet6")));
    found.retain(|address| !address.is_loopback());
    found.sort();
    found.dedup();
    found
}

/// Leaves of the routing table that are this host itself.
fn of_routes(text: &str) -> Vec<IpAddr> {
    let (mut leaf, mut found) = (None, Vec::new());
    for line in text.lines().map(str::trim) {
        if let Some(address) = line.strip_prefix("|-- ") {
            leaf = address.parse::<Ipv4Addr>().ok();
        } else if line == "/32 host LOCAL" {
            found.extend(leaf.map(IpAddr::from));
        }
    }
    found
}

/// Lines that begin with an address of 32 digits.
fn of_interfaces(text: &str) -> Vec<IpAddr> {
    let address = |line: &str| {
        let digits = line.split_whitespace().next().filter(|digits| digits.len() == DIGITS)?;
        u128::from_str_radix(digits, 16).ok().map(|bits| IpAddr::from(Ipv6Addr::from_bits(bits)))
    };
    text.lines().filter_map(address).collect()
}

const DIGITS: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_says_is_read() {
        let routes = "Local:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 0.0.0.0\n        /0 universe UNICAST\n     |-- 10.78.0.1\n        /32 host LOCAL\n\
                      |-- 10.78.0.255\n        /32 link BROADCAST\n     |-- 127.0.0.1\n        /32 host LOCAL\n";
        assert_eq!(of_routes(routes), ["10.78.0.1", "127.0.0.1"].map(|one| one.parse::<IpAddr>().unwrap()));
        let interfaces = "fd000000000000000000000000000001 02 40 00 80     eth0\nnonsense 1\n";
        assert_eq!(of_interfaces(interfaces), ["fd00::1".parse::<IpAddr>().unwrap()]);
        assert!(of_routes("").is_empty() && of_interfaces("é").is_empty());
        assert!(own().iter().all(|address| !address.is_loopback()));
    }
}
