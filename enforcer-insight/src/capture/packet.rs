//! The TCP segment in a frame. In: a frame, maybe cut off. Out: ends, sequence number, flags, bytes. Never here: order of segments.
use std::net::{IpAddr, SocketAddr};

use etherparse::{EtherType, LaxNetSlice, LaxSlicedPacket, TransportSlice};
use pcap_parser::Linktype;

use super::frames::Frame;

/// A segment of TCP.
pub(super) struct Segment<'f> {
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
    pub(super) sequence: u32,
    pub(super) is: Is,
    pub(super) bytes: &'f [u8],
}

/// What a segment is, besides its bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Is {
    /// The client's first.
    Opening,
    /// The server's first.
    Accepting,
    /// One of many.
    Plain,
    /// The last of its side.
    Closing,
    /// The end of both sides.
    Reset,
}

impl Is {
    /// True for the first of a side, which takes a number of its own.
    pub(super) const fn begins(self) -> bool {
        matches!(self, Self::Opening | Self::Accepting)
    }
}

/// What a frame holds.
pub(super) enum Packet<'f> {
    /// A segment of TCP.
    Segment(Segment<'f>),
    /// Something else of IP.
    Other,
    /// Nothing that can be read.
    Unread,
}

/// What is in a frame.
pub(super) fn read<'f>(frame: &Frame<'f>) -> Packet<'f> {
    let Some(LaxSlicedPacket { net: Some(net), transport, .. }) = slice(frame) else { return Packet::Unread };
    let (from, to): (IpAddr, IpAddr) = match net {
        LaxNetSlice::Ipv4(ip) => (ip.header().source_addr().into(), ip.header().destination_addr().into()),
        LaxNetSlice::Ipv6(ip) => (ip.header().source_addr().into(), ip.header().destination_addr().into()),
        LaxNetSlice::Arp(_) => return Packet::Other,
    };
    let Some(TransportSlice::Tcp(tcp)) = transport else { return Packet::Other };
    let is = match (tcp.rst(), tcp.syn(), tcp.ack(), tcp.fin()) {
        (true, ..) => Is::Reset,
        (_, true, false, _) => Is::Opening,
        (_, true, true, _) => Is::Accepting,
        (_, _, _, true) => Is::Closing,
        _ => Is::Plain,
    };
    Packet::Segment(Segment {
        from: SocketAddr::new(from.to_canonical(), tcp.source_port()),
        to: SocketAddr::new(to.to_canonical(), tcp.destination_port()),
        sequence: tcp.sequence_number(),
        is,
        bytes: tcp.payload(),
    })
}

fn slice<'f>(frame: &Frame<'f>) -> Option<LaxSlicedPacket<'f>> {
    let bytes = frame.bytes;
    match frame.link {
        Linktype::ETHERNET => LaxSlicedPacket::from_ethernet(bytes).ok(),
        Linktype::RAW | Linktype::IPV4 | Linktype::IPV6 => LaxSlicedPacket::from_ip(bytes).ok(),
        // `tcpdump -i any`: the protocol stands at the end of a short header, or at the beginning of a longer one.
        Linktype::LINUX_SLL => {
            let (head, rest) = bytes.split_at_checked(16)?;
            Some(LaxSlicedPacket::from_ether_type(ether_type(head.get(14..16)?)?, rest))
        }
        LINUX_SLL2 => {
            let (head, rest) = bytes.split_at_checked(20)?;
            Some(LaxSlicedPacket::from_ether_type(ether_type(head.get(..2)?)?, rest))
        }
        _ => None,
    }
}

fn ether_type(bytes: &[u8]) -> Option<EtherType> {
    bytes.try_into().ok().map(u16::from_be_bytes).map(EtherType)
}

const LINUX_SLL2: Linktype = Linktype(276);
