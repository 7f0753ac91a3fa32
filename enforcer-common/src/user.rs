//! User space only: which types may cross the border as bytes, and conversions from `std`.
use core::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::{
    Address, AllowKey, AllowRule, Bucket4, Bucket6, Counter, Denied, Event, FlowKey, IdentityKey, Notice, Prefix, Rule,
    ServiceCounters, ServiceKey, ServiceRule, Settings, SpillKey, SpillRule, Watchlist,
};

macro_rules! pod {
    ($($name:ty),* $(,)?) => {$(
        // SAFETY: `#[repr(C)]`, `Copy`, no padding that is not named, every bit pattern valid.
        unsafe impl aya::Pod for $name {}
    )*};
}

pod!(
    AllowKey,
    AllowRule,
    Bucket4,
    Bucket6,
    Counter,
    Denied,
    Event,
    FlowKey,
    IdentityKey,
    Notice,
    Rule,
    ServiceCounters,
    ServiceKey,
    ServiceRule,
    Settings,
    SpillKey,
    SpillRule,
    Watchlist,
);

impl From<IpAddr> for Address {
    fn from(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(v4) => Self::v4(v4.octets()),
            IpAddr::V6(v6) => Self::v6(v6.octets()),
        }
    }
}

impl From<Address> for IpAddr {
    fn from(address: Address) -> Self {
        let [.., a, b, c, d] = *address.octets();
        if address.is_v4() { Self::V4(Ipv4Addr::new(a, b, c, d)) } else { Self::V6(Ipv6Addr::from(*address.octets())) }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        IpAddr::from(*self).fmt(f)
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (width, length) = if self.is_v4() { (32, self.length() - 96) } else { (128, self.length()) };
        let address = self.address();
        if length == width { write!(f, "{address}") } else { write!(f, "{address}/{length}") }
    }
}
