//! Reads link, network and transport headers. In: a [`Frame`]. Out: a [`Network`], [`Ports`], or the [`Reason`] why not.
//!
//! Never here: verdicts. One code path for both families and both programs; on the host a frame is a byte slice.
mod span;

use enforcer_common::{Address, Reason};
#[cfg(target_arch = "bpf")]
pub use span::Span;
pub use span::{Frame, Window};

pub const TCP: u8 = 6;
pub const UDP: u8 = 17;
const ETHERNET: usize = 14;
const VLAN_TAGS: usize = 2;
const EXTENSIONS: usize = 8;
const ETHERTYPE_IPV4: u16 = 0x0800;
const ETHERTYPE_IPV6: u16 = 0x86dd;

/// What the network header says. Offsets count from the start of the frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Network {
    pub source: Address,
    pub destination: Address,
    /// Where the network header begins.
    pub start: usize,
    /// Where the transport header begins.
    pub transport: usize,
    /// Bytes of the packet from `start`, as its header says; 0 for a super-packet that is too long to say.
    pub length: usize,
    /// IANA protocol number.
    pub protocol: u8,
    /// A fragment other than the first: no ports.
    pub fragment: bool,
}

/// Ports in host order; zero for protocols that have none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ports {
    pub source: u16,
    pub destination: u16,
}

/// Reads everything up to the transport header.
#[inline(always)]
pub fn network<F: Frame>(frame: &F) -> Result<Network, Reason> {
    let (ethertype, start) = link(frame)?;
    match ethertype {
        ETHERTYPE_IPV4 => ipv4(frame, start),
        ETHERTYPE_IPV6 => ipv6(frame, start),
        _ => Err(Reason::NotIp),
    }
}

/// Reads the ports, where the protocol has them and the packet is not a later fragment.
#[inline(always)]
pub fn ports<F: Frame>(frame: &F, network: &Network) -> Result<Ports, Reason> {
    let none = Ports { source: 0, destination: 0 };
    if network.protocol != TCP && network.protocol != UDP {
        return Ok(none);
    }
    if network.fragment {
        return Err(Reason::Fragment);
    }
    let header = frame.window::<8>(network.transport).ok_or(Reason::TransportMalformed)?;
    Ok(Ports { source: header.u16::<0>(), destination: header.u16::<2>() })
}

/// Skips the Ethernet header and up to two VLAN tags; gives the ethertype and where the payload begins.
#[inline(always)]
fn link<F: Frame>(frame: &F) -> Result<(u16, usize), Reason> {
    let mut ethertype = frame.window::<ETHERNET>(0).ok_or(Reason::EthernetTruncated)?.u16::<12>();
    let mut offset = ETHERNET;
    for _ in 0..VLAN_TAGS {
        if !is_vlan(ethertype) {
            break;
        }
        ethertype = frame.window::<4>(offset).ok_or(Reason::EthernetTruncated)?.u16::<2>();
        offset += 4;
    }
    if is_vlan(ethertype) { Err(Reason::VlanTooDeep) } else { Ok((ethertype, offset)) }
}

#[inline(always)]
fn is_vlan(ethertype: u16) -> bool {
    ethertype == 0x8100 || ethertype == 0x88a8 || ethertype == 0x9100
}

#[inline(always)]
fn ipv4<F: Frame>(frame: &F, start: usize) -> Result<Network, Reason> {
    let header = frame.window::<20>(start).ok_or(Reason::Ipv4Malformed)?;
    let version = header.u8::<0>();
    let size = usize::from(version & 0x0f) * 4;
    let length = usize::from(header.u16::<2>());
    if version >> 4 != 4 || size < 20 || (length != 0 && length < size) {
        return Err(Reason::Ipv4Malformed);
    }
    Ok(Network {
        source: mapped(header.u32::<12>()),
        destination: mapped(header.u32::<16>()),
        start,
        transport: start + size,
        length,
        protocol: header.u8::<9>(),
        fragment: header.u16::<6>() & 0x1fff != 0,
    })
}

#[inline(always)]
fn mapped(address: u32) -> Address {
    Address::from_halves(0, 0xffff_0000_0000 | u64::from(address))
}

#[inline(always)]
fn ipv6<F: Frame>(frame: &F, start: usize) -> Result<Network, Reason> {
    let header = frame.window::<40>(start).ok_or(Reason::Ipv6Malformed)?;
    if header.u8::<0>() >> 4 != 6 {
        return Err(Reason::Ipv6Malformed);
    }
    let payload = usize::from(header.u16::<4>());
    let network = Network {
        source: Address::from_halves(header.u64::<8>(), header.u64::<16>()),
        destination: Address::from_halves(header.u64::<24>(), header.u64::<32>()),
        start,
        transport: start + 40,
        length: if payload == 0 { 0 } else { payload + 40 },
        protocol: header.u8::<6>(),
        fragment: false,
    };
    extensions(frame, network)
}

/// Walks the extension headers to the transport header.
#[inline(always)]
fn extensions<F: Frame>(frame: &F, mut network: Network) -> Result<Network, Reason> {
    for _ in 0..EXTENSIONS {
        let size = match extension(network.protocol) {
            Extension::None => return Ok(network),
            kind @ (Extension::Authentication | Extension::Fragment | Extension::Options) => {
                let header = frame.window::<8>(network.transport).ok_or(Reason::Ipv6Malformed)?;
                network.protocol = header.u8::<0>();
                if kind == Extension::Fragment && header.u16::<2>() & 0xfff8 != 0 {
                    network.fragment = true;
                    network.transport += 8;
                    return Ok(network);
                }
                extension_size(kind, header.u8::<1>())
            }
        };
        network.transport += size;
    }
    if extension(network.protocol) == Extension::None { Ok(network) } else { Err(Reason::Ipv6TooDeep) }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Extension {
    Authentication,
    Fragment,
    None,
    Options,
}

#[inline(always)]
fn extension(protocol: u8) -> Extension {
    match protocol {
        0 | 43 | 60 | 135 | 139 | 140 => Extension::Options,
        44 => Extension::Fragment,
        51 => Extension::Authentication,
        _ => Extension::None,
    }
}

#[inline(always)]
fn extension_size(kind: Extension, units: u8) -> usize {
    match kind {
        Extension::Options => (usize::from(units) + 1) * 8,
        Extension::Authentication => (usize::from(units) + 2) * 4,
        Extension::Fragment | Extension::None => 8,
    }
}

#[cfg(test)]
mod tests;
