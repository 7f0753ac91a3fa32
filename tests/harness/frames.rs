//! Frames made by hand: both families, VLAN tags, extension headers, fragments, and anything malformed.
//!
//! In: what each header says. Out: [`Frame`], whose last eight bytes are unlike those of every other frame, so that it is
//! recognised where it arrives. Never here: sending; see `tap`.

use std::{
    net::{IpAddr, SocketAddr},
    sync::atomic::{AtomicU64, Ordering},
};

use crate::links::Link;

/// The bytes of one frame.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Frame {
    bytes: Vec<u8>,
}

impl Frame {
    /// Begins a frame from the neighbour to the host.
    pub fn on(link: &Link) -> FrameBuilder {
        FrameBuilder {
            ethernet: [link.host_mac, link.peer_mac].concat(),
            tags: Vec::new(),
            extensions: Vec::new(),
            options: Vec::new(),
            fragment: None,
        }
    }

    /// Bytes as they are, from the hardware addresses on. They should end in something that is seen only once.
    pub fn raw(bytes: Vec<u8>) -> Self {
        Self { bytes }
    }

    /// The same frame cut after `length` bytes.
    #[must_use]
    pub fn cut(mut self, length: usize) -> Self {
        self.bytes.truncate(length);
        self
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What it is recognised by: the kernel takes VLAN tags off, so the beginning won't do.
    pub(crate) fn mark(&self) -> &[u8] {
        &self.bytes[self.bytes.len().saturating_sub(MARK)..]
    }
}

/// The headers in front of the payload.
#[derive(Clone, Debug)]
pub struct FrameBuilder {
    ethernet: Vec<u8>,
    tags: Vec<u8>,
    extensions: Vec<(u8, Vec<u8>)>,
    options: Vec<u8>,
    fragment: Option<(u16, bool)>,
}

/// The flags of a TCP header.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Flags(pub u8);

impl Flags {
    /// The first segment of a connection.
    pub const SYN: Self = Self(0x02);
    /// Any later one.
    pub const ACK: Self = Self(0x10);
}

impl FrameBuilder {
    /// Adds an 802.1Q tag, inside of those added before.
    #[must_use]
    pub fn vlan(self, id: u16) -> Self {
        self.tag(0x8100, id)
    }

    /// Adds an 802.1ad (provider) tag.
    #[must_use]
    pub fn provider_vlan(self, id: u16) -> Self {
        self.tag(0x88a8, id)
    }

    /// Makes it a fragment: `offset` in units of eight bytes, and whether more follow.
    #[must_use]
    pub fn fragment(mut self, offset: u16, more: bool) -> Self {
        self.fragment = Some((offset, more));
        self
    }

    /// Adds an IPv6 extension header of this kind; `content` follows its two first bytes and is filled up to a multiple
    /// of eight.
    #[must_use]
    pub fn extension(mut self, kind: u8, content: &[u8]) -> Self {
        self.extensions.push((kind, content.to_vec()));
        self
    }

    /// Adds these options to the IPv4 header; their length is a multiple of four.
    #[must_use]
    pub fn options(mut self, options: &[u8]) -> Self {
        self.options.extend(options);
        self
    }

    /// A UDP datagram.
    pub fn udp(&self, from: SocketAddr, to: SocketAddr, payload: &[u8]) -> Frame {
        let payload = marked(payload);
        let length = size(8 + payload.len());
        let mut datagram = [from.port().to_be_bytes(), to.port().to_be_bytes(), length, [0, 0]].concat();
        datagram.extend(payload);
        self.transport(UDP, from.ip(), to.ip(), datagram, 6)
    }

    /// A TCP segment.
    pub fn tcp(&self, from: SocketAddr, to: SocketAddr, flags: Flags, sequence: u32, payload: &[u8]) -> Frame {
        let mut segment = [from.port().to_be_bytes(), to.port().to_be_bytes()].concat();
        segment.extend(sequence.to_be_bytes());
        segment.extend([0, 0, 0, 0, 0x50, flags.0, 0xff, 0xff, 0, 0, 0, 0]);
        segment.extend(marked(payload));
        self.transport(TCP, from.ip(), to.ip(), segment, 16)
    }

    /// A packet of any protocol.
    pub fn packet(&self, protocol: u8, from: IpAddr, to: IpAddr, payload: &[u8]) -> Frame {
        self.network(protocol, from, to, &marked(payload))
    }

    /// Anything at all behind the hardware addresses and tags.
    pub fn ethernet(&self, kind: u16, payload: &[u8]) -> Frame {
        let bytes = [&self.ethernet, &self.tags, &kind.to_be_bytes()[..], &marked(payload)].concat();
        Frame { bytes }
    }

    fn tag(mut self, kind: u16, id: u16) -> Self {
        self.tags.extend([kind.to_be_bytes(), id.to_be_bytes()].concat());
        self
    }

    fn transport(&self, protocol: u8, from: IpAddr, to: IpAddr, mut bytes: Vec<u8>, checksum_at: usize) -> Frame {
        seal(protocol, from, to, &mut bytes, checksum_at);
        self.network(protocol, from, to, &bytes)
    }

    /// A packet of any protocol, without the mark.
    pub(crate) fn network(&self, protocol: u8, from: IpAddr, to: IpAddr, payload: &[u8]) -> Frame {
        let (kind, header) = if from.is_ipv4() {
            (0x0800, self.v4(protocol, from, to, payload))
        } else {
            (0x86dd, self.v6(protocol, from, to, payload))
        };
        let bytes = [&self.ethernet, &self.tags, &u16::to_be_bytes(kind)[..], &header, payload].concat();
        Frame { bytes }
    }

    fn v4(&self, protocol: u8, from: IpAddr, to: IpAddr, payload: &[u8]) -> Vec<u8> {
        let (offset, more) = self.fragment.unwrap_or_default();
        let place = offset | if more { 0x2000 } else { 0 };
        let length = 20 + self.options.len();
        let words = u8::try_from(length / 4).expect("a header is at most 60 bytes");
        let mut header =
            [&[0x40 | words, 0], &size(length + payload.len())[..], &IDENTITY[2..], &place.to_be_bytes()].concat();
        header.extend([64, protocol, 0, 0]);
        header.extend(octets(from));
        header.extend(octets(to));
        header.extend(&self.options);
        let sum = checksum(&header);
        header[10..12].copy_from_slice(&sum);
        header
    }

    fn v6(&self, protocol: u8, from: IpAddr, to: IpAddr, payload: &[u8]) -> Vec<u8> {
        let mut extensions = self.extensions.clone();
        if let Some((offset, more)) = self.fragment {
            let place = offset << 3 | u16::from(more);
            extensions.push((FRAGMENT, [&place.to_be_bytes()[..], &IDENTITY].concat()));
        }
        let kinds = extensions.iter().map(|(kind, _)| *kind).chain([protocol]);
        let chain = extensions.iter().zip(kinds.clone().skip(1));
        let chain: Vec<u8> = chain.flat_map(|((kind, content), next)| extension(*kind, content, next)).collect();
        let first = kinds.into_iter().next().unwrap_or(protocol);
        let mut header = [&[0x60, 0, 0, 0], &size(chain.len() + payload.len())[..], &[first, 64]].concat();
        header.extend(octets(from));
        header.extend(octets(to));
        header.extend(chain);
        header
    }
}

/// Fills in the checksum of a datagram or a segment.
pub(crate) fn seal(protocol: u8, from: IpAddr, to: IpAddr, bytes: &mut [u8], checksum_at: usize) {
    let pseudo = [octets(from), octets(to), vec![0, protocol], size(bytes.len()).to_vec()].concat();
    let sum = checksum(&[&pseudo, &*bytes].concat());
    bytes[checksum_at..checksum_at + 2].copy_from_slice(&sum);
}

fn extension(kind: u8, content: &[u8], next: u8) -> Vec<u8> {
    let mut header = [&[next, 0], content].concat();
    header.resize(header.len().next_multiple_of(8), 0);
    // The length counts eights after the first; the byte is reserved in a fragment header.
    let eights = u8::try_from(header.len() / 8 - 1).expect("an extension header is at most 2 KiB");
    header[1] = if kind == FRAGMENT { 0 } else { eights };
    header
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(four) => four.octets().to_vec(),
        IpAddr::V6(six) => six.octets().to_vec(),
    }
}

fn size(length: usize) -> [u8; 2] {
    u16::try_from(length).expect("a packet is at most 64 KiB").to_be_bytes()
}

pub(crate) fn checksum(bytes: &[u8]) -> [u8; 2] {
    // Four bytes at a time: the sum of words does not mind, and test builds are slow.
    let four = |four: &[u8; 4]| u64::from(u32::from_be_bytes(*four));
    let (fours, rest) = bytes.as_chunks();
    let mut last = [0; 4];
    last[..rest.len()].copy_from_slice(rest);
    let mut sum: u64 = fours.iter().map(four).sum::<u64>() + four(&last);
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    let folded = u16::try_from(sum).expect("the sum has been folded");
    (!folded).to_be_bytes()
}

fn marked(payload: &[u8]) -> Vec<u8> {
    let number = MADE.fetch_add(1, Ordering::Relaxed);
    [payload, &(number | 0x5eed << 48).to_be_bytes()].concat()
}

pub(crate) const TCP: u8 = 6;
const UDP: u8 = 17;
const FRAGMENT: u8 = 44;
const IDENTITY: [u8; 4] = [0, 0, 0x77, 0x77];
const MARK: usize = 8;
static MADE: AtomicU64 = AtomicU64::new(1);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::links::CLIENT;

    #[test]
    fn an_extension_header_names_the_next_and_fills_up() {
        assert_eq!(extension(0, &[1, 4, 0, 0, 0, 0], 17), [17, 0, 1, 4, 0, 0, 0, 0]);
        assert_eq!(extension(0, &[1], 6).len(), 8);
        assert_eq!(extension(60, &[0; 10], 6)[..2], [6, 1]);
    }

    #[test]
    fn checksums_come_out_right() {
        let header = [0x45, 0, 0, 0x73, 0, 0, 0x40, 0, 0x40, 0x11, 0, 0, 0xc0, 0xa8, 0, 1, 0xc0, 0xa8, 0, 0xc7];
        assert_eq!(checksum(&header), [0xb8, 0x61]);
    }

    #[test]
    fn no_two_frames_have_the_same_mark() {
        let frame = || Frame::on(&CLIENT).udp(CLIENT.web4(), CLIENT.web4(), b"");
        assert_ne!(frame().mark(), frame().mark());
    }
}
