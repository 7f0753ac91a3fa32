//! Reads a segment that leaves, from where the answers stand to its end: head, body, chunks, next head, as often as they come.
use aya_ebpf::bindings::__sk_buff;
use enforcer_common::limits::HEAD_WINDOW;
use enforcer_common::{ASKED, Asked, Exchange, Phase, Reason};

use super::leave::{Leaving, Turn, answer, leaving};
use super::tell::enforcer_complete;
use crate::http::{self, Framing, Odd, Work, zero_or_one};
use crate::stream::{held, load};
use crate::{clock, stats};

/// A body that ends with the connection has more bytes left than this.
pub const UNTIL_CLOSED: u64 = u64::MAX / 2;
/// Bytes that most heads of answers have room in: more is only loaded when it is needed.
const GLANCE: u32 = 1024;
/// Bytes of chunk text that are read at a time.
const CHUNK_TEXT: u32 = 64;
const SWITCHING: u32 = 101;
const NO_CONTENT: u32 = 204;
const NOT_MODIFIED: u32 = 304;

/// One head, body or piece of chunks. Gives 1 when there is nothing more to read.
pub extern "C" fn step(_index: u32, turn: *mut Turn) -> i64 {
    // SAFETY: `leave` hands on its own.
    let (skb, exchange) = unsafe { ((*turn).skb, &mut *(*turn).exchange) };
    let Some(leaving) = leaving() else { return 1 };
    if leaving.at >= leaving.segment.payload_length {
        return 1;
    }
    let stop = match Phase::from_raw(exchange.phase) {
        phase @ (Phase::Body | Phase::ChunkData) => skip_body(skb, exchange, leaving, phase),
        Phase::Head => enforcer_answer_head(skb, exchange),
        Phase::Fresh | Phase::Unknown | Phase::Opaque | Phase::Proxy => 1,
        _ => enforcer_answer_chunks(skb, exchange),
    };
    zero_or_one(stop | u32::from(leaving.at >= leaving.segment.payload_length))
}

#[inline(always)]
fn advance(exchange: &mut Exchange, leaving: &mut Leaving, count: u32) {
    leaving.at += count;
    exchange.next = exchange.next.wrapping_add(count);
    exchange.sent += u64::from(count);
}

#[inline(always)]
fn skip_body(skb: *mut __sk_buff, exchange: &mut Exchange, leaving: &mut Leaving, phase: Phase) -> u32 {
    let rest = leaving.segment.payload_length - leaving.at;
    let count = if exchange.left < u64::from(rest) { exchange.left as u32 } else { rest };
    advance(exchange, leaving, count);
    exchange.left -= u64::from(count);
    if exchange.left == 0 && phase == Phase::Body {
        enforcer_complete(skb, exchange);
    } else if exchange.left == 0 {
        exchange.phase = Phase::ChunkEnd as u8;
    }
    0
}

/// The request that the open answer belongs to; one that nobody asked for belongs to none.
#[inline(always)]
pub fn request(exchange: &Exchange) -> Asked {
    if exchange.asked == exchange.answered {
        return Asked { time: 0, id: 0, service: 0, end: 0, flags: 0, pad: 0 };
    }
    exchange.requests[exchange.answered as usize & (ASKED - 1)]
}

/// Reads the head of an answer, or what there is of it. Gives 1 to stop.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn enforcer_answer_head(skb: *mut __sk_buff, exchange: *mut Exchange) -> u32 {
    // SAFETY: the caller's own, with the server's socket; the null check is what the verifier asks for.
    let (Some(exchange), Some(leaving), Some(work)) = (unsafe { exchange.as_mut() }, leaving(), answer()) else {
        return 1;
    };
    if leaving.time == 0 {
        leaving.time = clock::exact();
    }
    if exchange.first == 0 {
        exchange.first = leaving.time;
    }
    let rest = leaving.segment.payload_length - leaving.at;
    let glance = if rest < GLANCE { rest } else { GLANCE };
    let mut added = glance;
    let mut found = look(skb, exchange, leaving, work, glance);
    if found == OPEN && rest > glance {
        added = if rest < HEAD_WINDOW as u32 { rest } else { HEAD_WINDOW as u32 };
        found = look(skb, exchange, leaving, work, added);
    }
    match found {
        OPEN => keep_open(exchange, leaving, work, added),
        LOST => lose(exchange),
        status => head_ended(skb, exchange, leaving, work, status),
    }
}

/// What looking at a head gives when it is not a status.
const OPEN: u32 = 0;
const LOST: u32 = 1;

/// Loads `added` bytes behind what is held of the head, and scans them.
#[inline(always)]
fn look(skb: *mut __sk_buff, exchange: &Exchange, leaving: &Leaving, work: *mut Work, added: u32) -> u32 {
    let kept = u32::from(exchange.held);
    let start = exchange.next.wrapping_sub(kept);
    if kept + added > HEAD_WINDOW as u32 {
        return LOST;
    }
    if kept > 0 {
        let Some((held, _)) = held::find(exchange.ticket, start, kept) else { return LOST };
        held::bring(held, kept, work);
        if !held::still(held, exchange.ticket) {
            return LOST;
        }
    }
    if !load(skb, leaving.segment.payload + leaving.at, kept, added, work) {
        return LOST;
    }
    // SAFETY: this CPU's own scratch space.
    let w = unsafe { &mut *work };
    (w.start, w.length) = (start, kept + added);
    enforcer_scan_answer(w)
}

/// Scans the head in the scratch space: its status, or one of the above.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn enforcer_scan_answer(work: *mut Work) -> u32 {
    // SAFETY: as in `enforcer_answer_head`.
    let Some(work) = (unsafe { work.as_mut() }) else { return LOST };
    match http::scan_answer(work) {
        Ok(status) => status,
        Err(Reason::HeadOpen) => OPEN,
        Err(_) => LOST,
    }
}

#[inline(always)]
fn keep_open(exchange: &mut Exchange, leaving: &mut Leaving, work: *mut Work, added: u32) -> u32 {
    advance(exchange, leaving, added);
    exchange.held += added as u16;
    held::keep(&mut exchange.ticket, work, true);
    0
}

/// Nothing is followed until the connection is idle: no answer of HTTP/1, one that is too long, or a gap.
#[inline(always)]
pub fn lose(exchange: &mut Exchange) -> u32 {
    stats::count(Reason::AnswerLost, 0);
    exchange.phase = Phase::Unknown as u8;
    1
}

/// The head is complete: what follows it?
#[inline(always)]
fn head_ended(
    skb: *mut __sk_buff,
    exchange: &mut Exchange,
    leaving: &mut Leaving,
    work: *const Work,
    status: u32,
) -> u32 {
    // SAFETY: this CPU's own scratch space.
    let (end, framing, body) = unsafe { ((*work).end, (*work).framing, (*work).body) };
    advance(exchange, leaving, end.wrapping_sub(u32::from(exchange.held)));
    exchange.held = 0;
    if status < 200 && status != SWITCHING {
        // A word in between; the answer is still to come.
        exchange.first = 0;
        return 0;
    }
    exchange.status = status as u16;
    let flags = request(exchange).flags;
    let elsewhere = status == SWITCHING || (flags & Asked::CONNECT != 0 && status < 300);
    let bare = elsewhere || flags & Asked::HEAD != 0 || status == NO_CONTENT || status == NOT_MODIFIED;
    let empty = framing & (Framing::CHUNKED | Framing::LENGTH) == Framing::LENGTH && body == 0;
    if bare || empty {
        enforcer_complete(skb, exchange);
        if elsewhere {
            exchange.phase = Phase::Opaque as u8;
        }
        return u32::from(elsewhere);
    }
    (exchange.phase, exchange.left, exchange.digits) = if framing & Framing::CHUNKED != 0 {
        (Phase::ChunkSize as u8, 0, 0)
    } else if framing & Framing::LENGTH != 0 {
        (Phase::Body as u8, body, 0)
    } else {
        (Phase::Body as u8, u64::MAX, 0)
    };
    0
}

/// Reads text between chunks. Gives 1 to stop.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn enforcer_answer_chunks(skb: *mut __sk_buff, exchange: *mut Exchange) -> u32 {
    // SAFETY: as in `enforcer_answer_head`.
    let (Some(exchange), Some(leaving), Some(work)) = (unsafe { exchange.as_mut() }, leaving(), answer()) else {
        return 1;
    };
    let rest = leaving.segment.payload_length - leaving.at;
    let length = if rest < CHUNK_TEXT { rest } else { CHUNK_TEXT };
    if !load(skb, leaving.segment.payload + leaving.at, 0, length, work) {
        return lose(exchange);
    }
    // SAFETY: this CPU's own scratch space.
    let w = unsafe { &mut *work };
    (w.length, w.odd) = (length, 0);
    (w.phase, w.left, w.digits) = (u32::from(exchange.phase), exchange.left, u32::from(exchange.digits));
    http::read_chunk_text(w);
    if w.odd & Odd::CHUNK != 0 {
        return lose(exchange);
    }
    advance(exchange, leaving, w.consumed);
    (exchange.phase, exchange.left, exchange.digits) = (w.phase as u8, w.left, w.digits as u16);
    if exchange.phase == Phase::Head as u8 {
        enforcer_complete(skb, exchange);
    }
    0
}
