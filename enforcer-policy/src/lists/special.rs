//! Networks that belong to nobody on the Internet: private, reserved, multicast, for documentation (RFC 6890 and its registries).
//!
//! In: nothing. Out: the table. Never here: exceptions; whoever wants to refuse one of these addresses says so by hand.
use enforcer_common::{Address, Prefix};

/// Which of these networks a list may not hit.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Special {
    /// All: the list is a stranger's, and knows nothing of who has these addresses here.
    #[default]
    All,
    /// Those that can be nobody's source; and of those that can be somebody's here (private, shared, for tests) whatever is
    /// wider than /24, IPv6 /48, or a whole network of the table. A list of one's own may name hosts inside.
    Wide,
}

/// One line of the table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    pub(super) network: Prefix,
    pub(super) what: &'static str,
    /// Hosts here may have such addresses.
    pub(super) inside: bool,
}

/// All of them.
pub(super) fn table() -> Vec<Row> {
    let v4 = V4.iter().map(|(octets, length, what, inside)| Row {
        network: Prefix::new(Address::v4(*octets), 96 + length),
        what,
        inside: *inside,
    });
    let v6 = V6.iter().map(|(groups, length, what, inside)| Row {
        network: Prefix::new(Address::v6(std::net::Ipv6Addr::from(*groups).octets()), *length),
        what,
        inside: *inside,
    });
    v4.chain(v6).collect()
}

const V4: &[([u8; 4], u8, &str, bool)] = &[
    ([0, 0, 0, 0], 8, "this network", false),
    ([10, 0, 0, 0], 8, "private use", true),
    ([100, 64, 0, 0], 10, "shared by carriers' customers", true),
    ([127, 0, 0, 0], 8, "loopback", false),
    ([169, 254, 0, 0], 16, "link-local", true),
    ([172, 16, 0, 0], 12, "private use", true),
    ([192, 0, 0, 0], 24, "protocol assignments", true),
    ([192, 0, 2, 0], 24, "documentation", true),
    ([192, 88, 99, 0], 24, "6to4 relays", true),
    ([192, 168, 0, 0], 16, "private use", true),
    ([198, 18, 0, 0], 15, "measurements", true),
    ([198, 51, 100, 0], 24, "documentation", true),
    ([203, 0, 113, 0], 24, "documentation", true),
    ([224, 0, 0, 0], 4, "multicast", false),
    ([240, 0, 0, 0], 4, "reserved, and broadcast", false),
];

// IPv4-mapped addresses are IPv4 here, so their network is no row: one that holds it all is refused as everything.
const V6: &[([u16; 8], u8, &str, bool)] = &[
    ([0; 8], 127, "unspecified, and loopback", false),
    ([0x64, 0xff9b, 0, 0, 0, 0, 0, 0], 96, "IPv4 clients behind a translator", true),
    ([0x64, 0xff9b, 1, 0, 0, 0, 0, 0], 48, "translators' local use", true),
    ([0x100, 0, 0, 0, 0, 0, 0, 0], 64, "discard", false),
    ([0x2001, 0, 0, 0, 0, 0, 0, 0], 23, "protocol assignments", true),
    ([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32, "documentation", true),
    ([0x2002, 0, 0, 0, 0, 0, 0, 0], 16, "6to4", true),
    ([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20, "documentation", true),
    ([0x5f00, 0, 0, 0, 0, 0, 0, 0], 16, "segment routing", false),
    ([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7, "private use", true),
    ([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10, "link-local", true),
    ([0xff00, 0, 0, 0, 0, 0, 0, 0], 8, "multicast", false),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_of_the_table_are_whole_and_apart() {
        let rows = table();
        for (at, row) in rows.iter().enumerate() {
            assert_eq!(Prefix::new(row.network.address(), row.network.length()), row.network);
            assert!(rows[at + 1..].iter().all(|other| !other.network.overlaps(row.network)), "{}", row.network);
        }
        assert_eq!(rows[0].network.to_string(), "0.0.0.0/8");
        assert!(rows.iter().any(|row| row.network.to_string() == "fc00::/7"));
    }
}
