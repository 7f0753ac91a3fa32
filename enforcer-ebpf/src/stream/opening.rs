//! Owns `OPENINGS`: the first byte of connections that begin, as their SYN has it. In: SYNs. Out: where to read first, until the server's
//! socket tells. Never here: connections that a socket knows.
use aya_ebpf::bindings::__sk_buff;
use aya_ebpf::btf_maps::LruHashMap;
use aya_ebpf::macros::btf_map;
use enforcer_common::FlowKey;

use super::table;
use crate::tc::case;

#[btf_map]
static OPENINGS: LruHashMap<FlowKey, u32, 16_384> = LruHashMap::new();

/// Further from its beginning than this no connection is that has no socket yet, or has just got one.
pub const NEAR: u32 = 1 << 20;

/// A connection begins: what was known of one with the same ends is of no use. Not where the server has it already: such a SYN is
/// answered with a question, and changes nothing.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn enforcer_open(skb: *mut __sk_buff) -> u32 {
    let Some(case) = case() else { return 0 };
    if table::has_begun(skb, &case.segment) {
        return 0;
    }
    let flow = case.segment.flow();
    table::forget(&flow);
    let first = case.segment.sequence.wrapping_add(1);
    // Where there is no room, the first segment with data is taken for the beginning.
    u32::from(OPENINGS.insert(flow, &first, 0).is_ok())
}

/// The first byte of a connection, where its SYN was seen.
#[inline(always)]
pub fn first(flow: &FlowKey) -> Option<u32> {
    // SAFETY: a word of a map, which is freed a grace period after it has left.
    OPENINGS.get_ptr(flow).map(|first| unsafe { *first })
}

/// The first byte of a connection that no socket of this host tells of, and of which `sequence` was seen.
#[inline(always)]
pub fn near(flow: &FlowKey, sequence: u32) -> u32 {
    match first(flow) {
        Some(first) if sequence.wrapping_sub(first) < NEAR => first,
        _ => sequence,
    }
}

/// The connection is followed now, or lost. A beginning that was kept would be believed of one that was lost sight of.
#[inline(always)]
pub fn forget(flow: &FlowKey) {
    let _ = OPENINGS.remove(flow);
}
