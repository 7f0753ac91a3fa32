//! Owns `DENIED` and `LAST_DENIAL`: connections whose request was refused, until what is under way on them has ended.
//!
//! The server's socket is gone; without this the host would answer the client's last segments with a reset, and the client
//! might lose the refusal before reading it. So they are acknowledged and swallowed here.
use aya_ebpf::{
    bindings::__sk_buff,
    btf_maps::{Array, LruHashMap},
    macros::btf_map,
};
use enforcer_common::{Action, Denied, FlowKey, Rule};

use super::segment::{ACK, FIN, PSH, RST, SYN, Segment};
use super::write::{self, Answer, Body};
use crate::clock;
use crate::stream;
use crate::tc::{Case, case};

#[btf_map]
static DENIED: LruHashMap<FlowKey, Denied, 16_384> = LruHashMap::new();
/// Monotonic nanoseconds: lets clean traffic skip the lookup.
#[btf_map]
static LAST_DENIAL: Array<u64, 1> = Array::new();

/// As long as a client may keep repeating itself.
const LINGER: u64 = 60_000_000_000;

/// What was answered.
pub struct Refused {
    pub decision: u64,
    /// Our sequence numbers before the refusal and after it.
    pub begin: u32,
    pub end: u32,
    pub notice: u8,
}

/// From now on the connection is ours to end.
#[inline(always)]
pub fn remember(segment: &Segment, refused: Refused) {
    let now = clock::coarse();
    if let Some(last) = LAST_DENIAL.get_ptr_mut(0) {
        // SAFETY: one aligned word; any of two racing values serves.
        unsafe { *last = now };
    }
    let Refused { decision, begin, end, notice } = refused;
    let denied = Denied { until: now + LINGER, decision, begin, end, notice, pad: [0; 7] };
    // When the map cannot take it, the host's own reset ends the connection.
    let _ = DENIED.insert(segment.flow(), denied, 0);
}

/// Swallows the segment under judgement when its connection was refused before. Gives 0 when it was not, and [`RESET_AGAIN`]
/// when the server's socket still lives: then the packet has become another reset, which must go on.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn enforcer_swallow(skb: *mut __sk_buff) -> u32 {
    let Some(case) = case() else { return 0 };
    swallow(skb, case).unwrap_or(0)
}

/// See [`enforcer_swallow`].
pub const RESET_AGAIN: u32 = 2;
const SWALLOWED: u32 = 1;

#[inline(always)]
fn swallow(skb: *mut __sk_buff, case: &mut Case) -> Option<u32> {
    let segment = &case.segment;
    let now = clock::coarse();
    if now > LAST_DENIAL.get(0)?.saturating_add(LINGER) {
        return None;
    }
    let flow = segment.flow();
    // SAFETY: copied at once; entries are replaced whole.
    let denied = unsafe { DENIED.get(flow) }.copied()?;
    if segment.flags & SYN != 0 || denied.until <= now || !is_of(segment, &denied) {
        let _ = DENIED.remove(flow);
        return None;
    }
    // The first reset comes too early for a server that has not taken all that came before it.
    if let Some(receive_next) = stream::alive(skb, segment) {
        let acknowledge = segment.acknowledge;
        let reset = Answer { sequence: receive_next, acknowledge, flags: ACK | RST, body: Body::None };
        return write::into_reset(skb, &reset).map(|()| RESET_AGAIN);
    }
    let finished = u32::from(segment.flags & FIN);
    if segment.payload_length + finished != 0 && segment.flags & RST == 0 {
        let acknowledge = segment.sequence.wrapping_add(segment.payload_length).wrapping_add(finished);
        // What cannot be sent is asked for again by the client.
        let _ = write::to_client(skb, &answer(case, &denied, acknowledge));
    }
    Some(SWALLOWED)
}

/// False for a segment of a later connection with the same ends, whose SYN was not seen here: it acknowledges other numbers.
#[inline(always)]
fn is_of(segment: &Segment, denied: &Denied) -> bool {
    segment.flags & RST != 0 || segment.acknowledge.wrapping_sub(denied.begin).wrapping_add(WINDOW) < 2 * WINDOW
}

/// What a client may be behind or ahead of a refusal: the largest window that is usual.
const WINDOW: u32 = 1 << 24;

/// The refusal again, for a client that did not acknowledge it; else an acknowledgement.
#[inline(always)]
fn answer(case: &mut Case, denied: &Denied, acknowledge: u32) -> Answer {
    if case.segment.acknowledge != denied.begin {
        return Answer { sequence: denied.end, acknowledge, flags: ACK, body: Body::None };
    }
    case.rule = Rule::new(Action::Deny, 0, denied.decision);
    Answer { sequence: denied.begin, acknowledge, flags: ACK | PSH | FIN, body: Body::Notice(denied.notice) }
}
