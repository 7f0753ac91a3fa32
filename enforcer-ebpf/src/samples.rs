//! Owns `SAMPLES`: requests and answers for the agent. In: a judged request in the scratch space; parts of bodies and answers.
//! Out: records. The agent comes for them by itself, so that nobody is woken for each.
use core::ffi::c_void;
use core::mem::offset_of;

use aya_ebpf::bindings::__sk_buff;
use aya_ebpf::btf_maps::{PerCpuArray, RingBuf};
use aya_ebpf::helpers::generated::{
    bpf_get_prandom_u32, bpf_get_smp_processor_id, bpf_ringbuf_output, bpf_skb_load_bytes,
};
use aya_ebpf::macros::btf_map;
use enforcer_common::{ASKED, Asked, Asking, BODY_PREFIX, Bodying, Exchange, HEAD_PREFIX, Reason, SampleKind};

use crate::http::{Framing, Work};
use crate::refusal::at_most;
use crate::tc::{Case, case, work};
use crate::verdict::verdict;
use crate::{clock, events};

#[btf_map]
static SAMPLES: RingBuf<Asking, { 1 << 22 }> = RingBuf::new();

#[btf_map]
static BODY: PerCpuArray<Part, 1> = PerCpuArray::new();

/// A part of a body, as it is told.
#[repr(C)]
struct Part {
    told: Bodying,
    bytes: [u8; BODY_PREFIX],
}

/// Nobody is woken.
const SILENTLY: u64 = 1;
/// Bits of an id that are the processor's.
const PROCESSORS: u32 = 10;
/// Of [`enforcer_common::ServiceRule::sample`].
const ALL: u32 = u32::MAX;

/// Numbers the judged request, and tells the agent of it when it is refused or its turn has come. One that is held back is
/// told when it comes again.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn enforcer_sample(refused: u32) -> u32 {
    let (Some(case), Some(work)) = (case(), work()) else { return 0 };
    let Some(reason) = case.reason else { return 0 };
    let time = clock::exact();
    // SAFETY: takes no arguments.
    let processor = unsafe { bpf_get_smp_processor_id() };
    let id = time << PROCESSORS | u64::from(processor & ((1 << PROCESSORS) - 1));
    let told = reason != Reason::Ahead && (refused != 0 || its_turn(case.service.sample));
    let flags = if told { Asked::SAMPLED } else { 0 };
    case.asked = Asked { time, id, service: case.service.id, end: 0, flags, pad: 0 };
    if told {
        describe(case, work, reason);
    }
    0
}

#[inline(always)]
fn its_turn(share: u32) -> bool {
    // SAFETY: takes no arguments.
    share == ALL || (share != 0 && unsafe { bpf_get_prandom_u32() } < share)
}

#[inline(always)]
fn describe(case: &Case, work: *mut Work, reason: Reason) {
    let segment = &case.segment;
    let (decision, client) =
        if case.matched != 0 { (case.rule.decision(), case.refused_client) } else { (0, case.client) };
    // SAFETY: this CPU's own scratch space.
    let w = unsafe { &mut *work };
    let head = if w.end != 0 { w.end } else { w.length };
    w.asking = Asking {
        kind: SampleKind::Asking as u32,
        head,
        id: case.asked.id,
        time: case.asked.time,
        decision,
        source: segment.network.source,
        destination: segment.network.destination,
        client,
        digests: case.digests,
        service: case.service.id,
        ifindex: case.ifindex,
        source_port: segment.ports.source,
        destination_port: segment.ports.destination,
        reason: reason as u8,
        verdict: verdict(reason, case.rule.action()) as u8,
        pad: 0,
    };
    let known = head + behind(w);
    let told = if known < HEAD_PREFIX as u32 { known } else { HEAD_PREFIX as u32 };
    tell((&raw const w.asking).cast(), BEFORE + at_most::<{ HEAD_PREFIX as u32 }>(told));
}

/// Bytes in the scratch space behind the head that are of its body, as many as are told.
#[inline(always)]
fn behind(w: &Work) -> u32 {
    let rest = if w.end != 0 { w.length - w.end } else { 0 };
    let rest = if rest < BODY_PREFIX as u32 { rest } else { BODY_PREFIX as u32 };
    if w.framing & Framing::CHUNKED != 0 || w.body > u64::from(rest) { rest } else { w.body as u32 }
}

/// Tells the agent of a body that began in an earlier segment, as far as it is told at all.
#[inline(always)]
pub fn body(skb: *mut __sk_buff, case: &Case, exchange: &Exchange) {
    if case.passed_count != 0 || !matches!(case.reason, Some(Reason::Body)) || exchange.asked == exchange.answered {
        return;
    }
    let last = &exchange.requests[exchange.asked.wrapping_sub(1) as usize & (ASKED - 1)];
    let offset = case.segment.sequence.wrapping_sub(last.end);
    if last.flags & Asked::SAMPLED != 0 && offset < BODY_PREFIX as u32 && case.segment.payload_length != 0 {
        enforcer_body(skb, offset, last.id);
    }
}

/// Tells of the payload, which begins `offset` bytes behind the head of this request.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn enforcer_body(skb: *mut __sk_buff, offset: u32, id: u64) -> u32 {
    let (Some(case), Some(part)) = (case(), BODY.get_ptr_mut(0)) else { return 0 };
    let (from, rest) = (case.segment.payload, case.segment.payload_length);
    let room = (BODY_PREFIX as u32).wrapping_sub(offset);
    let length = at_most::<{ BODY_PREFIX as u32 }>(if rest < room { rest } else { room });
    // SAFETY: this CPU's own value, with room for as many bytes.
    let part = unsafe { &mut *part };
    // SAFETY: as above.
    if unsafe { bpf_skb_load_bytes(skb.cast_const().cast(), from, part.bytes.as_mut_ptr().cast(), length) } != 0 {
        return 0;
    }
    part.told = Bodying { kind: SampleKind::Bodying as u32, length, id, offset: u64::from(offset) };
    tell((&raw const part.told).cast(), size_of::<Bodying>() as u32 + length);
    0
}

/// Hands a record to the agent, or counts that there was no room for it.
#[inline(always)]
pub fn tell(record: *const c_void, size: u32) {
    let ring = core::ptr::from_ref(&SAMPLES).cast_mut().cast();
    // SAFETY: the callers bound the size by what lies behind the pointer.
    let told = unsafe { bpf_ringbuf_output(ring, record.cast_mut(), u64::from(size), SILENTLY) } == 0;
    events::sampled(told);
}

/// Bytes of a record before those of the head.
const BEFORE: u32 = (offset_of!(Work, head) - offset_of!(Work, asking)) as u32;
const _: () = assert!(BEFORE as usize == size_of::<Asking>() + 8);
const _: () = assert!(HEAD_PREFIX.is_power_of_two() && BODY_PREFIX.is_power_of_two());
