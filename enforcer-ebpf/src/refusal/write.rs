//! Rewrites the packet in place: turned round as the answer to the client, turned back as the reset for the server.
use aya_ebpf::bindings::{__sk_buff, BPF_F_INGRESS, BPF_F_RECOMPUTE_CSUM};
use aya_ebpf::btf_maps::PerCpuArray;
use aya_ebpf::helpers::generated::{
    bpf_clone_redirect, bpf_csum_diff, bpf_l3_csum_replace, bpf_l4_csum_replace, bpf_skb_change_tail,
    bpf_skb_load_bytes, bpf_skb_store_bytes,
};
use aya_ebpf::macros::btf_map;
use enforcer_common::limits::{NOTICE, NOTICE_ID};
use enforcer_common::{Address, Notice};

use super::segment::{Segment, URG, at_most};
use crate::packet::Network;
use crate::services;
use crate::tc::{Case, case};

const TCP_HEADER: u32 = 20;
const TCP_HEADER_STAMPED: u32 = 32;
const HOP_LIMIT: u8 = 64;
const ZEROS: u64 = u64::from_ne_bytes([b'0'; 8]);

/// A segment to write.
pub struct Answer {
    pub sequence: u32,
    pub acknowledge: u32,
    pub flags: u8,
    pub body: Body,
}

/// What it carries.
#[derive(Clone, Copy)]
pub enum Body {
    None,
    /// The refusal with this index, with the decision's id.
    Notice(u8),
}

/// Scratch space: the stack is too small for it.
#[repr(C)]
struct Pad {
    /// A TCP header.
    tcp: [u32; 8],
    /// Two network addresses.
    ends: [[u64; 2]; 2],
    /// Two link addresses.
    link: [[u8; 6]; 2],
    /// A decision's id, and the zeros that stood in its place.
    id: [u64; NOTICE_ID / 8],
    hole: [u64; NOTICE_ID / 8],
}

#[btf_map]
static PAD: PerCpuArray<Pad, 1> = PerCpuArray::new();

#[inline(always)]
fn pad() -> Option<&'static mut Pad> {
    // SAFETY: this CPU's own value, used by one function at a time.
    PAD.get_ptr_mut(0).map(|pad| unsafe { &mut *pad })
}

/// What the functions below return when a step failed: functions of the kernel return one word.
const FAILED: u64 = u64::MAX;

/// Sends `answer` to the client. Gives the sequence number after it (a FIN counts), or nothing when it failed.
#[inline(always)]
pub fn to_client(skb: *mut __sk_buff, answer: &Answer) -> Option<u32> {
    match enforcer_answer(skb, answer) {
        FAILED => None,
        end => Some(end as u32),
    }
}

/// Makes the packet a segment from the client without payload.
#[inline(always)]
pub fn into_reset(skb: *mut __sk_buff, answer: &Answer) -> Option<()> {
    match enforcer_unturned(skb, answer) {
        FAILED => None,
        _ => Some(()),
    }
}

#[inline(never)]
fn enforcer_unturned(skb: *mut __sk_buff, answer: &Answer) -> u64 {
    case().and_then(|case| write_reset(skb, &case.segment, answer)).map_or(FAILED, |()| 0)
}

#[inline(never)]
fn enforcer_answer(skb: *mut __sk_buff, answer: &Answer) -> u64 {
    case().and_then(|case| answer_client(skb, case, answer)).map_or(FAILED, u64::from)
}

#[inline(always)]
fn answer_client(skb: *mut __sk_buff, case: &Case, answer: &Answer) -> Option<u32> {
    let segment = &case.segment;
    let notice = match answer.body {
        Body::None => None,
        Body::Notice(index) => services::notice(index),
    };
    let length = notice.map_or(0, |n| n.length);
    let partial = checksum_is_partial(skb, segment)?;
    let stamped = segment.timestamps != 0;
    let header = if stamped { TCP_HEADER_STAMPED } else { TCP_HEADER };
    resize(skb, segment, header + length)?;
    swap_ends(skb, segment)?;
    let mut body_sum = 0;
    if let Some(notice) = notice {
        body_sum = write_notice(skb, segment.network.transport as u32 + header, notice, case.rule.decision());
        if body_sum == FAILED {
            return None;
        }
    }
    let (from, to) = (segment.ports.destination, segment.ports.source);
    let tcp = &mut pad()?.tcp;
    write_header(tcp, from, to, answer, header);
    if stamped {
        tcp[5] = 0x0101_080a_u32.to_be();
        tcp[6] = segment.stamp_echo.to_be();
        tcp[7] = segment.stamp.to_be();
    }
    write_tcp(skb, segment, tcp, &Sum { header, body: length, body_sum: body_sum as u32, partial })?;
    // SAFETY: plain helper call on our own context.
    let sent = unsafe { bpf_clone_redirect(skb, (*skb).ifindex, 0) };
    if sent < 0 {
        return None;
    }
    Some(answer.sequence.wrapping_add(length).wrapping_add(u32::from(answer.flags & super::FIN)))
}

/// Turns a packet that was turned round as an answer back, so that it comes from the client again.
#[inline(always)]
pub fn turn_back(skb: *mut __sk_buff, segment: &Segment) -> Option<()> {
    swap_ends(skb, segment)
}

/// Sends a copy of the packet in, as if it had just arrived.
#[inline(always)]
pub fn send_in(skb: *mut __sk_buff) -> Option<()> {
    // SAFETY: plain helper call on our own context.
    ok(unsafe { bpf_clone_redirect(skb, (*skb).ifindex, u64::from(BPF_F_INGRESS)) })
}

#[inline(always)]
fn write_reset(skb: *mut __sk_buff, segment: &Segment, answer: &Answer) -> Option<()> {
    let partial = checksum_is_partial(skb, segment)?;
    resize(skb, segment, TCP_HEADER)?;
    let tcp = &mut pad()?.tcp;
    write_header(tcp, segment.ports.source, segment.ports.destination, answer, TCP_HEADER);
    write_tcp(skb, segment, tcp, &Sum { header: TCP_HEADER, body: 0, body_sum: 0, partial })
}

/// Takes the urgent mark off the segment under judgement: a server takes an urgent byte out of the stream, and would read
/// something else than is read here. Nothing of HTTP is urgent.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn enforcer_calm(skb: *mut __sk_buff) -> u32 {
    let Some(case) = case() else { return 0 };
    let at = case.segment.network.transport as u32;
    let calmed = replace_tcp(skb, at, 12, !(u16::from(URG).to_be())).and(replace_tcp(skb, at, 18, 0));
    u32::from(calmed.is_some())
}

/// Keeps only the bits of `mask` in a 16-bit word of the TCP header at `start`, and mends the checksum.
#[inline(always)]
fn replace_tcp(skb: *mut __sk_buff, start: u32, at: u32, mask: u16) -> Option<()> {
    let mut old = 0_u16;
    load(skb, start + at, &mut old)?;
    let new = old & mask;
    let from = (&raw const new).cast();
    // SAFETY: plain helper calls; two bytes are written, and the checksum is mended once.
    unsafe {
        ok(bpf_skb_store_bytes(skb, start + at, from, 2, 0))?;
        ok(bpf_l4_csum_replace(skb, start + 16, u64::from(old), u64::from(new), 2))
    }
}

/// Makes room for `transport` bytes after the network header, and tells the network header.
#[inline(never)]
fn resize(skb: *mut __sk_buff, segment: &Segment, transport: u32) -> Option<()> {
    let start = segment.network.start as u32;
    let headers = segment.network.transport as u32;
    // SAFETY: plain helper call.
    ok(unsafe { bpf_skb_change_tail(skb, headers + transport, 0) })?;
    let total = headers - start + transport;
    if segment.network.source.is_v4() {
        replace_ipv4(skb, start, 2, (total as u16).to_be())?;
        let protocol = segment.network.protocol;
        replace_ipv4(skb, start, 8, u16::from_ne_bytes([HOP_LIMIT, protocol]))
    } else {
        let length = (total as u16).wrapping_sub(40).to_be();
        store(skb, start + 4, &length)?;
        store(skb, start + 7, &HOP_LIMIT)
    }
}

/// Writes a 16-bit word of an IPv4 header (given in wire order) and mends the header's checksum.
#[inline(always)]
pub fn replace_ipv4(skb: *mut __sk_buff, start: u32, at: u32, new: u16) -> Option<()> {
    let mut old = 0_u16;
    load(skb, start + at, &mut old)?;
    store(skb, start + at, &new)?;
    // SAFETY: plain helper call.
    ok(unsafe { bpf_l3_csum_replace(skb, start + 10, u64::from(old), u64::from(new), 2) })
}

/// Swaps the link addresses and the network addresses; neither changes a checksum.
#[inline(never)]
fn swap_ends(skb: *mut __sk_buff, segment: &Segment) -> Option<()> {
    let Pad { link, ends, .. } = pad()?;
    load(skb, 0, link)?;
    store(skb, 0, &link[1])?;
    store(skb, 6, &link[0])?;
    let start = segment.network.start as u32;
    if segment.network.source.is_v4() {
        let pair = &mut ends[0];
        load(skb, start + 12, &mut pair[0])?;
        // Two addresses of four bytes in one word: exchange its halves.
        pair[0] = pair[0].rotate_left(32);
        store(skb, start + 12, &pair[0])
    } else {
        load(skb, start + 8, ends)?;
        store(skb, start + 8, &ends[1])?;
        store(skb, start + 24, &ends[0])
    }
}

/// Writes the refusal with the decision's id in its hole; gives its checksum.
#[inline(never)]
fn write_notice(skb: *mut __sk_buff, at: u32, notice: &'static Notice, decision: u64) -> u64 {
    try_notice(skb, at, notice, decision).map_or(FAILED, u64::from)
}

#[inline(always)]
fn try_notice(skb: *mut __sk_buff, at: u32, notice: &'static Notice, decision: u64) -> Option<u32> {
    let length = at_most::<1024>(notice.length);
    if length > NOTICE as u32 {
        return None;
    }
    let bytes = notice.bytes.as_ptr();
    // SAFETY: `length` is at most the array's; the checksum runs over all of it, zeros included.
    let mut sum = unsafe {
        ok(bpf_skb_store_bytes(skb, at, bytes.cast(), length, 0))?;
        let sum = bpf_csum_diff(core::ptr::null_mut(), 0, bytes.cast_mut().cast(), 512, 0);
        bpf_csum_diff(core::ptr::null_mut(), 0, bytes.add(512).cast_mut().cast(), NOTICE as u32 - 512, sum as u32)
    };
    if notice.id_offset != 0 {
        let Pad { id, hole, .. } = pad()?;
        *id = [hexadecimal((decision >> 32) as u32), hexadecimal(decision as u32)];
        *hole = [ZEROS; 2];
        store(skb, at + notice.id_offset, id)?;
        // SAFETY: both are 16 bytes; the agent left the hole full of
        // zeros at an even offset, so its place does not change the sum.
        sum = unsafe {
            bpf_csum_diff(
                hole.as_mut_ptr().cast(),
                NOTICE_ID as u32,
                id.as_mut_ptr().cast(),
                NOTICE_ID as u32,
                sum as u32,
            )
        };
    }
    Some(sum as u32)
}

/// Eight hexadecimal digits at once, in the order they are written.
#[inline(always)]
fn hexadecimal(number: u32) -> u64 {
    const EACH: u64 = 0x0101_0101_0101_0101;
    let digits = u64::from(number);
    let digits = (digits << 16 | digits) & 0x0000_ffff_0000_ffff;
    let digits = (digits << 8 | digits) & 0x00ff_00ff_00ff_00ff;
    let digits = (digits << 4 | digits) & 0x0f0f_0f0f_0f0f_0f0f;
    let letters = (digits + 6 * EACH) >> 4 & EACH;
    (digits + EACH * b'0' as u64 + letters * (b'a' - 10 - b'0') as u64).to_be()
}

/// The first twenty bytes of a TCP header, checksum zero; zeros behind.
#[inline(always)]
fn write_header(tcp: &mut [u32; 8], from: u16, to: u16, answer: &Answer, length: u32) {
    const WINDOW: u32 = 512;
    *tcp = [0; 8];
    tcp[0] = (u32::from(from) << 16 | u32::from(to)).to_be();
    tcp[1] = answer.sequence.to_be();
    tcp[2] = answer.acknowledge.to_be();
    tcp[3] = ((length / 4) << 28 | u32::from(answer.flags) << 16 | WINDOW).to_be();
}

/// What a checksum runs over.
struct Sum {
    /// Bytes of the TCP header, and of the body behind it.
    header: u32,
    body: u32,
    body_sum: u32,
    /// Only the pseudo-header is summed; the rest is left to whoever sends the packet.
    partial: bool,
}

/// Writes the TCP header with its checksum.
#[inline(never)]
fn write_tcp(skb: *mut __sk_buff, segment: &Segment, tcp: &mut [u32; 8], sum: &Sum) -> Option<()> {
    let Sum { header, body, body_sum, partial } = *sum;
    let pseudo = pseudo_header(&segment.network, header + body);
    let checksum = if partial {
        fold(pseudo)
    } else {
        // SAFETY: 32 bytes, of which the unused are zero.
        let header_sum = unsafe { bpf_csum_diff(core::ptr::null_mut(), 0, tcp.as_mut_ptr(), 32, body_sum) };
        // In wire order, as the sums over memory are.
        let sum = u64::from(fold(pseudo).to_be()) + u64::from(header_sum as u32);
        !fold(sum)
    };
    let checksum = if partial { checksum.to_be() } else { checksum };
    tcp[4] = u32::from(checksum);
    let at = segment.network.transport as u32;
    if header == TCP_HEADER_STAMPED {
        store(skb, at, tcp)
    } else {
        match tcp.first_chunk::<5>() {
            Some(plain) => store(skb, at, plain),
            None => None,
        }
    }
}

/// True when the field holds the sum of the pseudo-header only, and the rest is left to whoever sends the packet on (loopback,
/// veth, virtio, merged packets). The kernel knows which, and does not say: but of such a field it keeps its hands when it is
/// told that a byte of the payload has changed.
#[inline(always)]
pub fn checksum_is_partial(skb: *mut __sk_buff, segment: &Segment) -> Option<bool> {
    let at = segment.network.transport as u32 + 16;
    let (mut before, mut after) = (0_u16, 0_u16);
    load(skb, at, &mut before)?;
    // SAFETY: plain helper call; the size 0 says that the last but one argument is a difference of sums.
    ok(unsafe { bpf_l4_csum_replace(skb, at, 0, 1, 0) })?;
    load(skb, at, &mut after)?;
    let from = (&raw const before).cast();
    // SAFETY: two bytes, as they were, so that nothing that is summed has changed.
    ok(unsafe { bpf_skb_store_bytes(skb, at, from, 2, 0) })?;
    Some(before == after)
}

/// The sum of the pseudo-header for a TCP segment of `length` bytes, in host order. The same for both directions.
#[inline(never)]
pub fn pseudo_header(network: &Network, length: u32) -> u64 {
    sum_address(network.source) + sum_address(network.destination) + u64::from(network.protocol) + u64::from(length)
}

#[inline(always)]
fn sum_address(address: Address) -> u64 {
    let halves = |word: u64| (word >> 48) + (word >> 32 & 0xffff) + (word >> 16 & 0xffff) + (word & 0xffff);
    if address.is_v4() { halves(address.low() & 0xffff_ffff) } else { halves(address.high()) + halves(address.low()) }
}

/// Folds a sum of 16-bit words into one.
#[inline(always)]
pub fn fold(sum: u64) -> u16 {
    let sum = (sum & 0xffff_ffff) + (sum >> 32);
    let sum = (sum & 0xffff) + (sum >> 16);
    let sum = (sum & 0xffff) + (sum >> 16);
    let sum = (sum & 0xffff) + (sum >> 16);
    sum as u16
}

#[inline(always)]
pub fn load<T>(skb: *mut __sk_buff, at: u32, value: &mut T) -> Option<()> {
    // SAFETY: writes exactly the size of the value.
    ok(unsafe { bpf_skb_load_bytes(skb.cast_const().cast(), at, (value as *mut T).cast(), size_of::<T>() as u32) })
}

#[inline(always)]
pub fn store<T>(skb: *mut __sk_buff, at: u32, value: &T) -> Option<()> {
    let from = (value as *const T).cast();
    // SAFETY: reads exactly the size of the value.
    ok(unsafe { bpf_skb_store_bytes(skb, at, from, size_of::<T>() as u32, u64::from(BPF_F_RECOMPUTE_CSUM)) })
}

#[inline(always)]
pub fn ok(code: i64) -> Option<()> {
    if code < 0 { None } else { Some(()) }
}
