//! Lists of addresses.
use enforcer_common::{Address, Take};
use proptest::prelude::*;

use super::work_with;
use crate::http::{ADDRESSES, read_addresses};

fn addresses(take: Take, list: &str) -> Vec<String> {
    let mut work = work_with(list.as_bytes());
    let end = work.length;
    read_addresses(&mut work, 0, end, take as u32);
    let count = work.address_count as usize;
    (count.saturating_sub(ADDRESSES)..count).map(|at| work.addresses[at % ADDRESSES].to_string()).collect()
}

#[test]
fn reads_forwarded_addresses_in_every_form() {
    let for_list = |list| addresses(Take::ForwardedFor, list);
    assert_eq!(for_list("203.0.113.7, 10.0.0.1"), ["203.0.113.7", "10.0.0.1"]);
    assert_eq!(
        for_list("203.0.113.7:4711,[2001:db8::1]:443,\"2001:DB8::2\""),
        ["203.0.113.7", "2001:db8::1", "2001:db8::2"]
    );
    assert_eq!(for_list("unknown, 1.2.3, 1.2.3.4.5, 1.2.3.256, ,1.2.3.4"), ["::", "::", "::", "::", "::", "1.2.3.4"]);
    let forwarded = |list| addresses(Take::Forwarded, list);
    assert_eq!(forwarded("for=192.0.2.60;proto=http;by=203.0.113.43"), ["192.0.2.60"]);
    assert_eq!(
        forwarded("by=1.1.1.1; For=\"[2001:db8:cafe::17]:4711\", for=_hidden, for=9.9.9.9"),
        ["2001:db8:cafe::17", "::", "9.9.9.9"]
    );
    assert_eq!(forwarded("for=\"1.1.1.1, for=2.2.2.2"), ["1.1.1.1", "2.2.2.2"], "an open quote swallows nothing");
    let many: Vec<String> = (0..40).map(|at| format!("10.0.0.{at}")).collect();
    assert_eq!(for_list(&many.join(",")), many[24..]);
}

proptest! {
    #[test]
    fn addresses_are_read_like_the_standard_library_reads_them(
        text in "[0-9a-f:.]{1,24}|[0-9]{1,3}(\\.[0-9]{1,3}){3}|(::|[0-9a-f]{1,4}:){1,6}[0-9]{1,3}(\\.[0-2]?[0-9]{1,2}){3}",
    ) {
        use std::net::IpAddr;
        let expected = text.parse::<IpAddr>().map(|ip| Address::from(ip).to_string());
        // With a port behind, an IPv4 address is still one.
        let port = text.split_once(':').is_some_and(|(host, _)| host.parse::<std::net::Ipv4Addr>().is_ok());
        if !port {
            let expected = expected.unwrap_or_else(|_| "::".into());
            prop_assert_eq!(addresses(Take::Address, &text), [expected]);
        }
    }

    #[test]
    fn every_address_is_read_back(octets in any::<[u8; 16]>(), v4 in any::<[u8; 4]>()) {
        for address in [Address::v6(octets), Address::v4(v4)] {
            prop_assert_eq!(addresses(Take::Address, &address.to_string()), [address.to_string()]);
        }
    }
}
