//! The two cables of the test network, as constants: every network is a world of its own, so all use the same addresses.
//!
//! In: nothing. Out: names and addresses of both ends. Never here: making them; see `netns`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The cable between the API host and one neighbour.
#[derive(Debug)]
pub struct Link {
    /// The host's interface; the neighbour's is always `eth0`.
    pub interface: &'static str,
    /// The host's address on this cable.
    pub host4: Ipv4Addr,
    /// The host's IPv6 address on this cable.
    pub host6: Ipv6Addr,
    /// The host's hardware address.
    pub host_mac: [u8; 6],
    /// The neighbour's address.
    pub peer4: Ipv4Addr,
    /// The neighbour's IPv6 address.
    pub peer6: Ipv6Addr,
    /// The neighbour's hardware address.
    pub peer_mac: [u8; 6],
}

/// From the honest client.
pub static CLIENT: Link = Link::new("client0", 1);
/// From the attacker.
pub static ATTACKER: Link = Link::new("attacker0", 2);
/// Where the API answers on every address of the host.
pub const WEB_PORT: u16 = 8080;
/// Where the same API answers a second time, for tests with two services.
pub const SECOND_PORT: u16 = 8081;
/// Where the same API wants a PROXY header in front of the first request.
pub const PROXIED_PORT: u16 = 8082;
/// The neighbour's interface.
pub(crate) const PEER_INTERFACE: &str = "eth0";

impl Link {
    const fn new(interface: &'static str, number: u8) -> Self {
        Self {
            interface,
            host4: Ipv4Addr::new(10, 77, number, 1),
            host6: Ipv6Addr::new(0xfd77, number as u16, 0, 0, 0, 0, 0, 1),
            host_mac: [2, 0x77, 0, 0, number, 1],
            peer4: Ipv4Addr::new(10, 77, number, 2),
            peer6: Ipv6Addr::new(0xfd77, number as u16, 0, 0, 0, 0, 0, 2),
            peer_mac: [2, 0x77, 0, 0, number, 2],
        }
    }

    /// The API over IPv4, as this neighbour reaches it.
    pub const fn web4(&self) -> SocketAddr {
        SocketAddr::new(IpAddr::V4(self.host4), WEB_PORT)
    }

    /// The API over IPv6, as this neighbour reaches it.
    pub const fn web6(&self) -> SocketAddr {
        SocketAddr::new(IpAddr::V6(self.host6), WEB_PORT)
    }
}
