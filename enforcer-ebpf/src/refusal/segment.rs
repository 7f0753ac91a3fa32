//! One TCP segment, read once, and what is known of the server's side.
use core::arch::asm;

use aya_ebpf::bindings::__sk_buff;
use aya_ebpf::helpers::generated::bpf_skb_load_bytes;
use enforcer_common::FlowKey;

use crate::packet::{Network, Ports};

pub const FIN: u8 = 0x01;
pub const SYN: u8 = 0x02;
pub const RST: u8 = 0x04;
pub const PSH: u8 = 0x08;
pub const ACK: u8 = 0x10;
pub const URG: u8 = 0x20;
/// NOP, NOP, timestamps of ten bytes.
const TIMESTAMPS: u32 = 0x0101_080a;

/// What the headers say; numbers in host order.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Segment {
    pub network: Network,
    pub ports: Ports,
    pub sequence: u32,
    pub acknowledge: u32,
    /// Offset of the payload in the frame.
    pub payload: u32,
    pub payload_length: u32,
    /// Bytes of the frame.
    pub length: u32,
    pub flags: u8,
    /// Not zero: the timestamp option is there, with these values.
    pub timestamps: u8,
    pub stamp: u32,
    pub stamp_echo: u32,
}

/// What the server's side says of the connection.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Socket {
    pub send_next: u32,
    pub receive_next: u32,
    /// Not zero: there is a socket on this host, past its handshake, and the numbers are its own.
    pub known: u32,
    /// Not zero: it has received nothing yet.
    pub untouched: u32,
    /// Not zero: the server has closed its side.
    pub closing: u32,
    /// Not zero: the server waits for the handshake's end, and has nothing of the connection yet.
    pub opening: u32,
    /// Requests that were passed on and not answered, as far as answers are followed.
    pub pending: u32,
    /// Not zero: they are, to the last byte that was sent.
    pub followed: u32,
}

impl Socket {
    /// What the segment itself tells, where no socket does (forwarded traffic).
    #[inline(always)]
    pub fn of(segment: &Segment) -> Self {
        Self {
            send_next: segment.acknowledge,
            receive_next: segment.sequence,
            known: 0,
            untouched: 0,
            closing: 0,
            opening: 0,
            pending: 0,
            followed: 0,
        }
    }
}

/// A TCP header with its first twelve bytes of options, as they came.
pub struct Header([u32; 8]);

impl Header {
    /// The header at `transport`, wherever in the buffer it lies; options that are not there are zero. Of a fragmented one
    /// there may be only the ports.
    #[inline(always)]
    pub fn load(skb: *mut __sk_buff, transport: u32) -> Option<Self> {
        let mut header = Self([0; 8]);
        let to = header.0.as_mut_ptr();
        // SAFETY: 32 bytes, or the first 20 of them.
        unsafe {
            if bpf_skb_load_bytes(skb.cast_const().cast(), transport, to.cast(), 32) != 0
                && bpf_skb_load_bytes(skb.cast_const().cast(), transport, to.cast(), 20) != 0
                && bpf_skb_load_bytes(skb.cast_const().cast(), transport, to.cast(), 8) != 0
            {
                return None;
            }
        }
        Some(header)
    }

    #[inline(always)]
    fn word<const AT: usize>(&self) -> u32 {
        u32::from_be(self.0[AT])
    }

    /// The port it goes to.
    #[inline(always)]
    pub fn destination(&self) -> u16 {
        self.word::<0>() as u16
    }
}

impl Segment {
    /// Takes over what the header says, in a frame of `length` bytes; nothing when it is malformed.
    #[inline(always)]
    pub fn read(&mut self, header: &Header, length: u32) -> Option<()> {
        let size = (header.word::<3>() >> 28) * 4;
        let (start, transport) = (self.network.start as u32, self.network.transport as u32);
        let end = match self.network.length as u32 {
            0 => length,
            said if start + said < length => start + said,
            _ => length,
        };
        if size < 20 || transport + size > end {
            return None;
        }
        let stamped = size >= 32 && header.word::<5>() == TIMESTAMPS;
        (self.timestamps, self.stamp, self.stamp_echo) =
            if stamped { (1, header.word::<6>(), header.word::<7>()) } else { (0, 0, 0) };
        self.ports = Ports { source: (header.word::<0>() >> 16) as u16, destination: header.destination() };
        (self.sequence, self.acknowledge) = (header.word::<1>(), header.word::<2>());
        self.flags = (header.word::<3>() >> 16) as u8;
        (self.payload, self.payload_length, self.length) = (transport + size, end - transport - size, length);
        Some(())
    }

    /// Client to server.
    #[inline(always)]
    pub fn flow(&self) -> FlowKey {
        FlowKey::new(
            self.network.source,
            self.ports.source,
            self.network.destination,
            self.ports.destination,
            self.network.protocol,
        )
    }

    /// Writes the connection into a socket tuple; gives the size for its family.
    #[inline(always)]
    pub fn fill(&self, tuple: *mut u32) -> u32 {
        let ports = u32::from(self.ports.source.to_be()) | u32::from(self.ports.destination.to_be()) << 16;
        let (from, to) = (self.network.source, self.network.destination);
        // SAFETY: the tuple has 36 bytes: nine words.
        unsafe {
            if from.is_v4() {
                *tuple = (from.low() as u32).to_be();
                *tuple.add(1) = (to.low() as u32).to_be();
                *tuple.add(2) = ports;
                12
            } else {
                *tuple = ((from.high() >> 32) as u32).to_be();
                *tuple.add(1) = (from.high() as u32).to_be();
                *tuple.add(2) = ((from.low() >> 32) as u32).to_be();
                *tuple.add(3) = (from.low() as u32).to_be();
                *tuple.add(4) = ((to.high() >> 32) as u32).to_be();
                *tuple.add(5) = (to.high() as u32).to_be();
                *tuple.add(6) = ((to.low() >> 32) as u32).to_be();
                *tuple.add(7) = (to.low() as u32).to_be();
                *tuple.add(8) = ports;
                36
            }
        }
    }
}

/// `value`, from 1 to `MAX` (a power of two), in a form that the verifier believes.
#[inline(always)]
pub fn at_most<const MAX: u32>(value: u32) -> u32 {
    let mut value = u64::from(value).wrapping_sub(1);
    // SAFETY: arithmetic on one register; opaque, so that it stays next to its use.
    unsafe { asm!("{0} &= {mask}", inout(reg) value, mask = const MAX - 1, options(pure, nomem, nostack)) };
    value as u32 + 1
}
