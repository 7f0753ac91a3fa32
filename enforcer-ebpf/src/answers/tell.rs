//! Counts answers, and tells the agent of those it asked for.
use aya_ebpf::bindings::__sk_buff;
use aya_ebpf::helpers::generated::bpf_skb_load_bytes;
use enforcer_common::{ANSWER_PREFIX, Answering, Asked, Exchange, Phase, SampleKind};

use super::leave::{Leaving, leaving};
use super::read::request;
use crate::refusal::at_most;
use crate::{clock, samples, stats};

/// The open answer is complete.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn enforcer_complete(skb: *mut __sk_buff, exchange: *mut Exchange) -> u32 {
    // SAFETY: the caller's own, with the server's socket; the null check is what the verifier asks for.
    let (Some(exchange), Some(leaving)) = (unsafe { exchange.as_mut() }, leaving()) else { return 0 };
    if leaving.time == 0 {
        leaving.time = clock::exact();
    }
    let asked = request(exchange);
    if asked.id != 0 {
        let times = [exchange.first.wrapping_sub(asked.time), leaving.time.wrapping_sub(asked.time)];
        stats::answer(asked.service, u32::from(exchange.status), exchange.sent, times);
        enforcer_part(skb, exchange, 1);
        exchange.answered = exchange.answered.wrapping_add(1);
    }
    leaving.begin = leaving.at;
    (exchange.first, exchange.sent, exchange.left, exchange.status) = (0, 0, 0, 0);
    exchange.phase = Phase::Head as u8;
    0
}

/// Tells what was read of the open answer since the last time, when the agent asked for it.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn enforcer_part(skb: *mut __sk_buff, exchange: *mut Exchange, complete: u32) -> u32 {
    // SAFETY: as in `enforcer_complete`.
    let (Some(exchange), Some(leaving)) = (unsafe { exchange.as_mut() }, leaving()) else { return 0 };
    let asked = request(exchange);
    if asked.flags & Asked::SAMPLED == 0 {
        return 0;
    }
    let read = leaving.at.wrapping_sub(leaving.begin);
    let offset = exchange.sent.wrapping_sub(u64::from(read));
    let length = told(offset, read);
    if length == 0 && complete == 0 {
        return 0;
    }
    describe(leaving, exchange, &asked, offset, complete);
    if length == 0 || !load(skb, leaving, length) {
        leaving.part.length = 0;
        samples::tell((&raw const leaving.part).cast(), size_of::<Answering>() as u32);
        return 0;
    }
    leaving.part.length = length;
    let size = size_of::<Answering>() as u32 + at_most::<{ ANSWER_PREFIX as u32 }>(length);
    samples::tell((&raw const leaving.part).cast(), size);
    leaving.begin = leaving.at;
    0
}

/// How many of `read` bytes, of which the first is number `offset` of the answer, the agent is told.
#[inline(always)]
fn told(offset: u64, read: u32) -> u32 {
    if offset >= ANSWER_PREFIX as u64 {
        return 0;
    }
    let room = ANSWER_PREFIX as u32 - offset as u32;
    if read < room { read } else { room }
}

#[inline(always)]
fn describe(leaving: &mut Leaving, exchange: &Exchange, asked: &Asked, offset: u64, complete: u32) {
    if leaving.time == 0 {
        leaving.time = clock::exact();
    }
    leaving.part = Answering {
        kind: SampleKind::Answering as u32,
        length: 0,
        id: asked.id,
        asked: asked.time,
        first: exchange.first,
        time: leaving.time,
        offset,
        sent: exchange.sent,
        status: exchange.status,
        complete: complete as u16,
        pad: 0,
    };
}

/// Copies `length` bytes from `begin` on behind the description.
#[inline(always)]
fn load(skb: *mut __sk_buff, leaving: &mut Leaving, length: u32) -> bool {
    let from = leaving.segment.payload + leaving.begin;
    let length = at_most::<{ ANSWER_PREFIX as u32 }>(length);
    // SAFETY: there is room for as many.
    unsafe { bpf_skb_load_bytes(skb.cast_const().cast(), from, leaving.bytes.as_mut_ptr().cast(), length) == 0 }
}

const _: () = assert!(ANSWER_PREFIX.is_power_of_two());
