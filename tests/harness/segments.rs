//! Single TCP segments of a connection made by hand, honest ones and others.
//!
//! In: both ends, the numbers, what it carries, and what is wrong with it. Out: the frames it goes out in. Never here: what
//! has been sent before or will be; see `play` and `player`.

use std::net::{IpAddr, SocketAddr};

use crate::{
    frames::{Flags, Frame, FrameBuilder, TCP, seal},
    links::Link,
};

/// What is unusual about a segment.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Twist {
    /// Nothing.
    #[default]
    None,
    /// It comes in IP fragments with so many bytes of TCP each, a multiple of eight.
    Fragments(usize),
    /// The same, the last fragment first.
    FragmentsBackwards(usize),
    /// It acknowledges what the server has never sent, so the server throws it away.
    FutureAcknowledge,
    /// Options stand between its IP header and its TCP header.
    HeaderOptions,
    /// It has no ACK flag, so the server throws it away.
    NoAcknowledge,
    /// Its timestamp is older than the last one, so the server throws it away; only on connections with timestamps.
    OldTimestamp,
    /// The frame has so many more bytes than the IP header admits to: they are no part of the segment.
    Padding(usize),
    /// Its TCP header claims to be shorter than any, so the server throws it away.
    ShortHeader,
    /// The server takes the byte at this place out of what the application reads: urgent data goes another way.
    Urgent(u16),
    /// Its checksum is wrong, so the server throws it away.
    WrongChecksum,
    /// Its IP header says that it is longer than it is, so the server throws it away.
    WrongLength,
}

/// Both ends of a connection, and the cable between them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ends {
    pub(crate) link: &'static Link,
    pub(crate) own: SocketAddr,
    pub(crate) server: SocketAddr,
}

/// A segment's header fields.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Numbers {
    pub(crate) sequence: u32,
    pub(crate) acknowledge: u32,
    pub(crate) flags: u8,
    /// What the timestamp option says, of this end and of the other.
    pub(crate) timestamps: Option<[u32; 2]>,
}

impl Twist {
    /// Whether the server throws it away, and TCP sends its place again.
    pub(crate) fn is_lost(self) -> bool {
        use Twist::{FutureAcknowledge, NoAcknowledge, OldTimestamp, ShortHeader, WrongChecksum, WrongLength};
        matches!(self, FutureAcknowledge | NoAcknowledge | OldTimestamp | ShortHeader | WrongChecksum | WrongLength)
    }
}

/// The frames of one segment.
pub(crate) fn frames(ends: &Ends, numbers: Numbers, payload: &[u8], twist: Twist) -> Vec<Frame> {
    let (from, to) = (ends.own.ip(), ends.server.ip());
    let mut segment = header(ends, twisted(numbers, twist));
    if let Twist::Urgent(place) = twist {
        // The pointer names the byte after the urgent one.
        segment[18..20].copy_from_slice(&(place + 1).to_be_bytes());
    }
    segment.extend(payload);
    if twist == Twist::ShortHeader {
        segment[12] = 0x40;
    }
    seal(TCP, from, to, &mut segment, 16);
    if twist == Twist::WrongChecksum {
        segment[16] ^= 0x55;
    }
    packets(ends, &segment, twist)
}

fn packets(ends: &Ends, segment: &[u8], twist: Twist) -> Vec<Frame> {
    let (from, to, frame) = (ends.own.ip(), ends.server.ip(), Frame::on(ends.link));
    let whole = |frame: FrameBuilder| frame.network(TCP, from, to, segment);
    match twist {
        Twist::Fragments(size) => fragments(ends, segment, size),
        Twist::FragmentsBackwards(size) => fragments(ends, segment, size).into_iter().rev().collect(),
        Twist::HeaderOptions => vec![whole(with_options(frame, from))],
        Twist::Padding(length) => vec![Frame::raw([whole(frame).bytes(), &vec![b'p'; length]].concat())],
        Twist::WrongLength => vec![longer(&whole(frame), from)],
        Twist::None
        | Twist::FutureAcknowledge
        | Twist::NoAcknowledge
        | Twist::OldTimestamp
        | Twist::ShortHeader
        | Twist::Urgent(_)
        | Twist::WrongChecksum => vec![whole(frame)],
    }
}

fn twisted(mut numbers: Numbers, twist: Twist) -> Numbers {
    if twist == Twist::FutureAcknowledge {
        numbers.acknowledge = numbers.acknowledge.wrapping_add(1_000_000);
    } else if twist == Twist::NoAcknowledge {
        numbers.flags &= !Flags::ACK.0;
    } else if twist == Twist::OldTimestamp {
        numbers.timestamps = numbers.timestamps.map(|[own, other]| [own.wrapping_sub(1_000_000), other]);
    } else if matches!(twist, Twist::Urgent(_)) {
        numbers.flags |= URG;
    }
    numbers
}

fn header(ends: &Ends, numbers: Numbers) -> Vec<u8> {
    let mut options = Vec::new();
    if numbers.flags & Flags::SYN.0 != 0 {
        options.extend([2, 4, 0x05, 0xb4]);
    }
    if let Some([own, other]) = numbers.timestamps {
        options.extend([1, 1, 8, 10]);
        options.extend([own.to_be_bytes(), other.to_be_bytes()].concat());
    }
    let words = u8::try_from(5 + options.len() / 4).expect("few options");
    let mut header = [ends.own.port().to_be_bytes(), ends.server.port().to_be_bytes()].concat();
    header.extend([numbers.sequence.to_be_bytes(), numbers.acknowledge.to_be_bytes()].concat());
    header.extend([words << 4, numbers.flags, 0xff, 0xff, 0, 0, 0, 0]);
    header.extend(options);
    header
}

fn fragments(ends: &Ends, segment: &[u8], size: usize) -> Vec<Frame> {
    let last = (segment.len() - 1) / size;
    let fragment = |(number, piece): (usize, &[u8])| {
        let offset = u16::try_from(number * size / 8).expect("a segment is at most 64 KiB");
        let frame = Frame::on(ends.link).fragment(offset, number < last);
        frame.network(TCP, ends.own.ip(), ends.server.ip(), piece)
    };
    segment.chunks(size).enumerate().map(fragment).collect()
}

fn with_options(frame: FrameBuilder, from: IpAddr) -> FrameBuilder {
    // Nothing but padding: "no operation" four times, and a destination option of the same kind.
    if from.is_ipv4() { frame.options(&[1; 4]) } else { frame.extension(60, &[1, 4]) }
}

fn longer(frame: &Frame, from: IpAddr) -> Frame {
    let (mut bytes, at) = (frame.bytes().to_vec(), if from.is_ipv4() { 14 + 2 } else { 14 + 4 });
    bytes[at] += 1;
    // Its checksum stays right: one more here is one less there.
    if from.is_ipv4() {
        let sum = u16::from_be_bytes([bytes[24], bytes[25]]);
        let (less, borrowed) = sum.overflowing_sub(0x100);
        bytes[24..26].copy_from_slice(&(less - u16::from(borrowed)).to_be_bytes());
    }
    Frame::raw(bytes)
}

const URG: u8 = 0x20;
