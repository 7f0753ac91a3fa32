//! Owns `DENIED` and `LAST_DENIAL`: connections whose request was refused, until what is under way on them has ended.
//!
//! The server's socket is gone; without this the host would answer the client's last segments with a reset, and the client
//! might lose the refusal before reading it. So they are acknowledged and swallowed here.
use aya_ebpf::{
    bindings::__sk_buff,
    btf_maps::{Array, LruHashMap},
    macros::btf_map,
};
use enforcer_common::{Denied, FlowKey, Verdict};

use super::segment::{ACK, FIN, RST, SYN, Segment};
use super::write::{self, Answer, Body};
use crate::clock;
use crate::tc::case;

#[btf_map]
static DENIED: LruHashMap<FlowKey, Denied, 16_384> = LruHashMap::new();
/// Monotonic nanoseconds: lets clean traffic skip the lookup.
#[btf_map]
static LAST_DENIAL: Array<u64, 1> = Array::new();

/// As long as a client may keep repeating itself.
const LINGER: u64 = 60_000_000_000;

/// From now on the connection is ours to end; `end` is our sequence number after the refusal.
#[inline(always)]
pub fn remember(segment: &Segment, end: u32) {
    let now = clock::coarse();
    if let Some(last) = LAST_DENIAL.get_ptr_mut(0) {
        // SAFETY: one aligned word; any of two racing values serves.
        unsafe { *last = now };
    }
    let denied = Denied { until: now + LINGER, end, verdict: Verdict::Deny as u8, pad: [0; 3] };
    // When the map cannot take it, the host's own reset ends the connection.
    let _ = DENIED.insert(segment.flow(), denied, 0);
}

/// Swallows the segment under judgement when its connection was refused before. Gives 0 when it was not. A refused request
/// that comes again does not come here: it is refused again.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn enforcer_swallow(skb: *mut __sk_buff) -> u32 {
    let Some(case) = case() else { return 0 };
    u32::from(swallow(skb, &case.segment).is_some())
}

#[inline(always)]
fn swallow(skb: *mut __sk_buff, segment: &Segment) -> Option<()> {
    let now = clock::coarse();
    if now > LAST_DENIAL.get(0)?.saturating_add(LINGER) {
        return None;
    }
    let flow = segment.flow();
    // SAFETY: copied at once; entries are replaced whole.
    let denied = unsafe { DENIED.get(flow) }.copied()?;
    if segment.flags & SYN != 0 || denied.until <= now {
        let _ = DENIED.remove(flow);
        return None;
    }
    let finished = u32::from(segment.flags & FIN);
    if segment.payload_length + finished != 0 && segment.flags & RST == 0 {
        let acknowledge = segment.sequence.wrapping_add(segment.payload_length).wrapping_add(finished);
        let answer = Answer { sequence: denied.end, acknowledge, flags: ACK, body: Body::None };
        // An acknowledgement that cannot be sent is asked for again by the client.
        let _ = write::to_client(skb, &answer);
    }
    Some(())
}
