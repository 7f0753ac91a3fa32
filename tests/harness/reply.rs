//! A TCP segment as it was seen on a cable: for answers that no socket is there to receive.
//!
//! In: a frame with up to two tags. Out: its headers, and whether its checksums are right. Never here: fragments, extension
//! headers, or judging what it says.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::frames::checksum;

/// One segment.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Reply {
    /// To which hardware address, and from which.
    pub link: [[u8; 6]; 2],
    /// The tags, outermost first: protocol and VLAN.
    pub tags: Vec<(u16, u16)>,
    /// The sender.
    pub from: SocketAddr,
    /// The receiver.
    pub to: SocketAddr,
    /// Its first byte's number.
    pub sequence: u32,
    /// The next byte that its sender expects.
    pub acknowledge: u32,
    /// FIN 1, SYN 2, RST 4, PSH 8, ACK 16.
    pub flags: u8,
    /// How many bytes its sender takes, before scaling.
    pub window: u16,
    /// Its sender's timestamp, in the usual layout of options.
    pub timestamp: Option<u32>,
    /// What it carries.
    pub payload: Vec<u8>,
    /// Whether the checksums of both headers are right.
    pub is_sound: bool,
}

impl Reply {
    /// Reads a frame; nothing when it is not a whole TCP segment.
    pub fn parse(frame: &[u8]) -> Option<Self> {
        let link = [frame.first_chunk()?.to_owned(), frame.get(6..)?.first_chunk()?.to_owned()];
        let (mut at, mut tags) = (12, Vec::new());
        while matches!(word(frame, at)?, 0x8100 | 0x88a8) {
            tags.push((word(frame, at)?, word(frame, at + 2)? & 0xfff));
            at += 4;
        }
        let packet = frame.get(at + 2..)?;
        let (ends, segment, header_is_sound) = match word(frame, at)? {
            0x0800 => v4(packet)?,
            0x86dd => v6(packet)?,
            _ => return None,
        };
        let [from, to] = ends;
        let long = |at: usize| Some(u32::from_be_bytes(*segment.get(at..)?.first_chunk()?));
        Some(Self {
            link,
            tags,
            from: SocketAddr::new(from, word(segment, 0)?),
            to: SocketAddr::new(to, word(segment, 2)?),
            sequence: long(4)?,
            acknowledge: long(8)?,
            flags: *segment.get(13)?,
            window: word(segment, 14)?,
            timestamp: timestamp(segment),
            payload: segment.get(usize::from(segment.get(12)? >> 4) * 4..)?.to_owned(),
            is_sound: header_is_sound && transport_is_sound(ends, segment),
        })
    }
}

type Packet<'a> = ([IpAddr; 2], &'a [u8], bool);

fn v4(packet: &[u8]) -> Option<Packet<'_>> {
    let (header, length) = (usize::from(packet.first()? & 15) * 4, usize::from(word(packet, 2)?));
    let end = |at: usize| Some(Ipv4Addr::from(*packet.get(at..)?.first_chunk::<4>()?).into());
    let sound = checksum(packet.get(..header)?) == [0, 0];
    (*packet.get(9)? == TCP).then_some(([end(12)?, end(16)?], packet.get(header..length)?, sound))
}

fn v6(packet: &[u8]) -> Option<Packet<'_>> {
    let end = |at: usize| Some(Ipv6Addr::from(*packet.get(at..)?.first_chunk::<16>()?).into());
    let segment = packet.get(40..40 + usize::from(word(packet, 4)?))?;
    (*packet.get(6)? == TCP).then_some(([end(8)?, end(24)?], segment, true))
}

fn transport_is_sound(ends: [IpAddr; 2], segment: &[u8]) -> bool {
    let length = u32::try_from(segment.len()).unwrap_or(u32::MAX).to_be_bytes();
    let mut summed = Vec::new();
    for end in ends {
        match end {
            IpAddr::V4(four) => summed.extend(four.octets()),
            IpAddr::V6(six) => summed.extend(six.octets()),
        }
    }
    checksum(&[&summed, &length[..], &[0, TCP], segment].concat()) == [0, 0]
}

/// Behind two bytes of padding, or behind the two options of a first segment.
fn timestamp(segment: &[u8]) -> Option<u32> {
    let header = segment.get(20..usize::from(segment.get(12)? >> 4) * 4)?;
    let at = header.windows(2).position(|window| window == [8, 10])?;
    Some(u32::from_be_bytes(*header.get(at + 2..)?.first_chunk()?))
}

fn word(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

const TCP: u8 = 6;
