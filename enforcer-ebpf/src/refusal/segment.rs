//! One TCP segment, read once, and the server's socket behind it.
use core::arch::asm;
use core::mem::MaybeUninit;

use aya_ebpf::bindings::{__sk_buff, bpf_sock_tuple};
use aya_ebpf::helpers::generated::{bpf_sk_release, bpf_skc_lookup_tcp, bpf_tcp_sock};
use enforcer_common::FlowKey;

use crate::packet::{Frame, Network, Ports, Window as _};

pub const FIN: u8 = 0x01;
pub const SYN: u8 = 0x02;
pub const RST: u8 = 0x04;
pub const PSH: u8 = 0x08;
pub const ACK: u8 = 0x10;
/// NOP, NOP, timestamps of ten bytes.
const TIMESTAMPS: u32 = 0x0101_080a;
const LISTEN: u32 = 10;

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
    pub checksum: u16,
    pub flags: u8,
    /// Not zero: the timestamp option is there, with these values.
    pub timestamps: u8,
    pub stamp: u32,
    pub stamp_echo: u32,
}

/// Sequence numbers of the server's side.
#[derive(Clone, Copy)]
pub struct Socket {
    pub send_next: u32,
    pub receive_next: u32,
}

impl Segment {
    /// Reads the TCP header; nothing when it is malformed.
    #[inline(always)]
    pub fn read<F: Frame>(frame: &F, network: Network, ports: Ports, length: u32) -> Option<Self> {
        let tcp = frame.window::<20>(network.transport)?;
        let header = u32::from(tcp.u8::<12>() >> 4) * 4;
        let transport = network.transport as u32;
        let end = match network.length as u32 {
            0 => length,
            said if network.start as u32 + said < length => network.start as u32 + said,
            _ => length,
        };
        if header < 20 || transport + header > end {
            return None;
        }
        let options = if header >= 32 { frame.window::<32>(network.transport) } else { None };
        let (timestamps, stamp, stamp_echo) = match options {
            Some(o) if o.u32::<20>() == TIMESTAMPS => (1, o.u32::<24>(), o.u32::<28>()),
            _ => (0, 0, 0),
        };
        Some(Self {
            network,
            ports,
            sequence: tcp.u32::<4>(),
            acknowledge: tcp.u32::<8>(),
            payload: transport + header,
            payload_length: end - transport - header,
            length,
            checksum: tcp.u16::<16>(),
            flags: tcp.u8::<13>(),
            timestamps,
            stamp,
            stamp_echo,
        })
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

    /// True when the checksum field holds the sum of the pseudo-header only: the rest is left to whoever sends it on
    /// (loopback, veth, virtio, merged packets). By value, so wrong once in 65,536 complete checksums.
    #[inline(always)]
    pub fn checksum_is_partial(&self) -> bool {
        let tcp = self.payload - self.network.transport as u32 + self.payload_length;
        super::write::fold(super::write::pseudo_header(&self.network, tcp)) == self.checksum
    }

    /// The server's socket on this host; without one (forwarded traffic) the packet's own numbers.
    #[inline(always)]
    pub fn socket(&self, skb: *mut __sk_buff) -> Socket {
        let own = Socket { send_next: self.acknowledge, receive_next: self.sequence };
        let mut tuple = MaybeUninit::<bpf_sock_tuple>::zeroed();
        let size = self.fill(tuple.as_mut_ptr().cast());
        // SAFETY: the tuple lives on the stack; a socket that is given is released on the only way out.
        unsafe {
            let socket = bpf_skc_lookup_tcp(skb.cast(), tuple.as_mut_ptr(), size, u64::MAX, 0);
            if socket.is_null() {
                return own;
            }
            let numbers = if (*socket).state == LISTEN { core::ptr::null_mut() } else { bpf_tcp_sock(socket) };
            let found = if numbers.is_null() {
                own
            } else {
                Socket { send_next: (*numbers).snd_nxt, receive_next: (*numbers).rcv_nxt }
            };
            bpf_sk_release(socket.cast());
            found
        }
    }

    /// Writes the connection into a socket tuple; gives the size for its family.
    #[inline(always)]
    fn fill(&self, tuple: *mut u32) -> u32 {
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
