//! Cuts a segment: what stands before a refused request in it goes on to the server.
use core::ffi::c_void;

use aya_ebpf::bindings::{__sk_buff, BPF_F_PSEUDO_HDR};
use aya_ebpf::helpers::generated::{
    bpf_csum_diff, bpf_l4_csum_replace, bpf_loop, bpf_skb_change_tail, bpf_skb_load_bytes,
};

use super::segment::{Segment, at_most};
use super::write::{checksum_is_partial, ok, replace_ipv4, store};
use crate::tc::{case, work};

/// Bytes that are summed at a time.
const BLOCK: u32 = 512;
/// Blocks of the longest packet.
const BLOCKS: u32 = 128;

/// What the loop over blocks is handed; on the stack, as the kernel wants it.
#[repr(C)]
struct Summing {
    skb: *mut __sk_buff,
    from: u32,
    end: u32,
    sum: u32,
    failed: u32,
}

/// Cuts the segment under judgement at the byte that was reached. Gives 0 when it failed; then the packet must be dropped.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn enforcer_cut(skb: *mut __sk_buff) -> u32 {
    let Some(case) = case() else { return 0 };
    let keep = case.at;
    let done = cut(skb, &case.segment, keep);
    case.segment.payload_length = keep;
    u32::from(done.is_some())
}

#[inline(always)]
fn cut(skb: *mut __sk_buff, segment: &Segment, keep: u32) -> Option<()> {
    let (start, transport) = (segment.network.start as u32, segment.network.transport as u32);
    let header = segment.payload - transport;
    let (old, new) = (header + segment.payload_length, header + keep);
    if !checksum_is_partial(skb, segment)? {
        take_out(skb, segment, keep)?;
    }
    let lengths = (u64::from((old as u16).to_be()), u64::from((new as u16).to_be()));
    let flags = u64::from(BPF_F_PSEUDO_HDR) | 2;
    // SAFETY: plain helper calls.
    unsafe {
        ok(bpf_l4_csum_replace(skb, transport + 16, lengths.0, lengths.1, flags))?;
        ok(bpf_skb_change_tail(skb, transport + new, 0))?;
    }
    if segment.network.source.is_v4() {
        replace_ipv4(skb, start, 2, ((transport - start + new) as u16).to_be())
    } else {
        store(skb, start + 4, &((transport - start - 40 + new) as u16).to_be())
    }
}

/// Takes the bytes from `keep` on out of a complete checksum.
#[inline(always)]
fn take_out(skb: *mut __sk_buff, segment: &Segment, keep: u32) -> Option<()> {
    let from = segment.payload + keep;
    let end = segment.payload + segment.payload_length;
    let mut summing = Summing { skb, from, end, sum: 0, failed: 0 };
    // SAFETY: the kernel calls `block` with the index and this pointer, and nothing keeps it afterwards.
    unsafe { bpf_loop(BLOCKS, block as *mut c_void, (&raw mut summing).cast(), 0) };
    if summing.failed != 0 || summing.from < end {
        return None;
    }
    // At an odd offset the bytes of each pair were summed the other way round.
    let odd = (from - segment.network.transport as u32) & 1 != 0;
    let removed = if odd { summing.sum.rotate_left(8) } else { summing.sum };
    let at = segment.network.transport as u32 + 16;
    // SAFETY: plain helper call; the size 0 says that the last but one argument is a difference of sums.
    ok(unsafe { bpf_l4_csum_replace(skb, at, 0, u64::from(!removed), 0) })
}

/// Adds one block to the sum. Gives 1 at the end.
extern "C" fn block(_index: u32, summing: *mut Summing) -> i64 {
    // SAFETY: `take_out` hands on its own.
    let summing = unsafe { &mut *summing };
    let Some(work) = work() else { return 1 };
    if summing.from >= summing.end {
        return 1;
    }
    let rest = summing.end - summing.from;
    let length = at_most::<BLOCK>(if rest < BLOCK { rest } else { BLOCK });
    // SAFETY: this CPU's own scratch space is longer than a block; the sum runs over zeros behind the bytes.
    unsafe {
        let bytes = work.cast::<u8>().add(core::mem::offset_of!(crate::http::Work, head));
        let words = bytes.cast::<u64>();
        let mut word = 0;
        while word < BLOCK as usize / 8 {
            words.add(word).write(0);
            word += 1;
        }
        if bpf_skb_load_bytes(summing.skb.cast_const().cast(), summing.from, bytes.cast(), length) != 0 {
            summing.failed = 1;
            return 1;
        }
        summing.sum = bpf_csum_diff(core::ptr::null_mut(), 0, bytes.cast(), BLOCK, summing.sum) as u32;
    }
    summing.from += length;
    0
}
