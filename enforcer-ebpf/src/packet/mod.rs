//! Reads link, network and transport headers. In: a [`Frame`]. Out: a [`Network`], [`Ports`], or the [`Reason`] why not.
//!
//! Never here: verdicts. One code path for both families and both programs; on the host a frame is a byte slice.
mod span;

use enforcer_common::{Address, Halves, Reason};
#[cfg(target_arch = "bpf")]
pub use span::Span;
use span::near;
pub use span::{Frame, Window};

/// IANA number.
pub const TCP: u8 = 6;
/// IANA number.
pub const UDP: u8 = 17;
const ICMP6: u8 = 58;
const ETHERNET: usize = 14;
const VLAN_TAGS: usize = 2;
const EXTENSIONS: usize = 8;
const ETHERTYPE_IPV4: u16 = 0x0800;
const ETHERTYPE_IPV6: u16 = 0x86dd;

/// What the network header says. Offsets count from the start of the frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Network {
    /// Who sent it.
    pub source: Address,
    /// The source as registers hold it: what the source tables are asked with.
    pub halves: Halves,
    /// Who is to get it.
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
    /// Fragments follow.
    pub more: bool,
}

/// Ports in host order; zero for protocols that have none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ports {
    /// The sender's.
    pub source: u16,
    /// The receiver's.
    pub destination: u16,
}

/// Reads everything up to the transport header.
#[inline(always)]
pub fn network<F: Frame + Copy>(frame: &F) -> Result<Network, Reason> {
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
    let header = frame.window::<8>(near(network.transport)).ok_or(Reason::TransportMalformed)?;
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
    let source = Halves::v4(header.u32::<12>());
    Ok(Network {
        source: source.address(),
        halves: source,
        destination: Halves::v4(header.u32::<16>()).address(),
        start,
        transport: start + size,
        length,
        protocol: header.u8::<9>(),
        fragment: header.u16::<6>() & 0x1fff != 0,
        more: header.u16::<6>() & 0x2000 != 0,
    })
}

#[inline(always)]
fn ipv6<F: Frame + Copy>(frame: &F, start: usize) -> Result<Network, Reason> {
    let header = frame.window::<40>(start).ok_or(Reason::Ipv6Malformed)?;
    if header.u8::<0>() >> 4 != 6 {
        return Err(Reason::Ipv6Malformed);
    }
    let payload = usize::from(header.u16::<4>());
    let source = Halves { high: header.u64::<8>(), low: header.u64::<16>() };
    let network = Network {
        source: source.address(),
        halves: source,
        destination: Address::from_halves(header.u64::<24>(), header.u64::<32>()),
        start,
        transport: start + 40,
        length: if payload == 0 { 0 } else { payload + 40 },
        protocol: header.u8::<6>(),
        fragment: false,
        more: false,
    };
    // What nearly every packet carries needs no walk.
    if matches!(network.protocol, TCP | UDP | ICMP6) {
        return Ok(network);
    }
    let end = walk(*frame, network.transport, network.protocol);
    if end.reason != Reason::Clean {
        return Err(end.reason);
    }
    Ok(Network { transport: end.transport, protocol: end.protocol, fragment: end.fragment, more: end.more, ..network })
}

/// Where a walk ended. Not a `Result`: the kernel refuses the type information of one.
struct End {
    transport: usize,
    protocol: u8,
    fragment: bool,
    more: bool,
    /// Clean, or why there is no transport header.
    reason: Reason,
}

/// Walks the extension headers to the transport header. A function of its own: among the rest, it would push what every
/// packet needs out of the registers.
#[inline(never)]
fn walk<F: Frame + Copy>(frame: F, start: usize, protocol: u8) -> End {
    let mut end = End { transport: start, protocol, fragment: false, more: false, reason: Reason::Clean };
    for _ in 0..EXTENSIONS {
        let kind = extension(end.protocol);
        if kind == NO_EXTENSION {
            return end;
        }
        let Some(header) = frame.window::<8>(near(end.transport)) else {
            return End { reason: Reason::Ipv6Malformed, ..end };
        };
        end.protocol = header.u8::<0>();
        end.more |= kind == FRAGMENT && header.u16::<2>() & 1 != 0;
        if kind == FRAGMENT && header.u16::<2>() & 0xfff8 != 0 {
            return End { transport: end.transport + 8, fragment: true, ..end };
        }
        end.transport += 8 + usize::from(header.u8::<1>()) * usize::from(kind & UNIT);
    }
    let reached = extension(end.protocol) == NO_EXTENSION;
    if reached { end } else { End { reason: Reason::Ipv6TooDeep, ..end } }
}

/// What a protocol number means among extension headers: nothing, a fragment, or the unit of a length beyond eight bytes.
#[inline(always)]
fn extension(protocol: u8) -> u8 {
    KINDS[usize::from(protocol)]
}

const NO_EXTENSION: u8 = 0;
const UNIT: u8 = OPTIONS | AUTHENTICATION;
const FRAGMENT: u8 = 1;
const AUTHENTICATION: u8 = 4;
const OPTIONS: u8 = 8;

/// A table, so that the verifier has one path to follow where a comparison with each number would give it nine.
static KINDS: [u8; 256] = {
    let mut kinds = [NO_EXTENSION; 256];
    (kinds[0], kinds[43], kinds[60], kinds[135], kinds[139], kinds[140]) =
        (OPTIONS, OPTIONS, OPTIONS, OPTIONS, OPTIONS, OPTIONS);
    (kinds[44], kinds[51]) = (FRAGMENT, AUTHENTICATION);
    kinds
};

#[cfg(test)]
mod tests;
