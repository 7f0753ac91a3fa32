//! Reads a segment from where the connection stands to its end: head, body, chunks, next head, as often as they come.
use core::ffi::c_void;

use aya_ebpf::bindings::__sk_buff;
use aya_ebpf::helpers::generated::{bpf_loop, bpf_skb_load_bytes};
use enforcer_common::limits::{HEAD_LINES, HEAD_WINDOW};
use enforcer_common::{Phase, Reason, ServiceRule};

use super::held;
use super::standing::{Standing, agrees, before, lose, stand};
use crate::http::{self, Framing, Odd, ProxyHeader, Version, Work, bounded, zero_or_one};
use crate::refusal::at_most;
use crate::request::holds;
use crate::tc::{Case, case, work};
use crate::{allowlist, answers, forwarded, places, request, samples, settings};

/// Heads, bodies and chunks that are read of one segment. 64 KiB of the shortest chunks have fewer.
const STEPS: u32 = 1 << 16;
/// Bytes of chunk text that are read at a time.
const CHUNK_TEXT: u32 = 64;

/// What the loop is handed; on the stack, as the kernel wants it.
#[repr(C)]
struct Reading {
    skb: *mut __sk_buff,
}

/// Finds where reading begins. Gives 0 when there is nothing to read; then the case says why.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn enforcer_stand(skb: *mut __sk_buff) -> u32 {
    let (Some(case), Some(work)) = (case(), work()) else { return 0 };
    let segment = &case.segment;
    let (sequence, length) = (segment.sequence, segment.payload_length);
    let opening = case.socket.opening != 0;
    let received = if case.socket.known != 0 || opening { Some(case.socket.receive_next) } else { None };
    if opening && before(sequence, case.socket.receive_next) {
        // Before the first byte, by its SYN. Only of a connection that had another SYN would the server take it.
        case.reason = Some(Reason::Ahead);
        return 0;
    }
    if Phase::from_raw(case.stream.phase) == Phase::Unknown {
        (case.stream.next, case.stream.safe, case.stream.text_end) = (sequence, sequence, sequence);
    }
    let standing = stand(&mut case.stream, sequence, length, received);
    match standing {
        Standing::Read(at) => return start(case, at),
        Standing::Repeated => case.reason = Some(Reason::Repeated),
        Standing::Body => case.reason = Some(Reason::Body),
        Standing::Ahead => case.reason = Some(Reason::Ahead),
        Standing::Lost => case.reason = Some(Reason::Conflict),
        Standing::Compare { skip, length, on } => match is_same(skb, case, work, skip, length) {
            // Nothing to compare with: it waits for what comes before it to be repeated too.
            None => case.reason = Some(Reason::Ahead),
            Some(false) => case.reason = Some(Reason::Conflict),
            Some(true) if on < case.segment.payload_length => return start(case, on),
            Some(true) => case.reason = Some(Reason::Repeated),
        },
    }
    0
}

#[inline(always)]
fn start(case: &mut Case, at: u32) -> u32 {
    (case.at, case.begin) = (at, at);
    1
}

/// True when `length` bytes of the segment, from `skip` on, are what is held of them; nothing when they are not held.
#[inline(always)]
fn is_same(skb: *mut __sk_buff, case: &Case, work: *mut Work, skip: u32, length: u32) -> Option<bool> {
    let start = case.segment.sequence.wrapping_add(skip);
    let (held, offset) = held::find(case.stream.ticket, start, length)?;
    if length != 0 && !load(skb, case.segment.payload + skip, 0, length, work) {
        return None;
    }
    let equal = held::equals(held, offset, length, work);
    if held::still(held, case.stream.ticket) { Some(equal) } else { None }
}

/// Reads the segment, from `case.at` to its end or to a request that is refused.
#[inline(always)]
pub fn reading(skb: *mut __sk_buff) {
    let mut reading = Reading { skb };
    // SAFETY: the kernel calls `step` with the index and this pointer, and nothing keeps it afterwards.
    unsafe { bpf_loop(STEPS, step as *mut c_void, (&raw mut reading).cast(), 0) };
}

extern "C" fn step(_index: u32, reading: *mut Reading) -> i64 {
    // SAFETY: `reading` hands on its own.
    let skb = unsafe { (*reading).skb };
    let Some(case) = case() else { return 1 };
    if case.at >= case.segment.payload_length {
        return 1;
    }
    let phase = Phase::from_raw(case.stream.phase);
    let stop = match phase {
        Phase::Body | Phase::ChunkData => skip_body(case, phase),
        Phase::Head => match enforcer_head(skb) {
            JUDGE => judge(case),
            other => other,
        },
        Phase::Proxy => enforcer_proxy_header(skb),
        Phase::Unknown => enforcer_pick_up(skb),
        Phase::Fresh | Phase::Opaque => pass_rest(case, Reason::NotHttp),
        _ => enforcer_chunk_text(skb),
    };
    zero_or_one(stop | u32::from(case.at >= case.segment.payload_length))
}

/// The steps of a head that was read; each is verified by itself, and none needs the stack of another.
#[inline(always)]
fn judge(case: &mut Case) -> u32 {
    places::find(case);
    request::enforcer_subjects();
    forwarded::judge_clients(case);
    let refused = request::enforcer_request();
    samples::enforcer_sample(refused);
    if refused == 0 {
        return enforcer_behind_head();
    }
    enforcer_refused()
}

/// Nothing is waited for after a refusal; what was only held back comes again whole.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn enforcer_refused() -> u32 {
    if let Some(case) = case() {
        held::close(case.stream.ticket);
    }
    STOP
}

/// Moves on by `count` bytes.
#[inline(always)]
fn advance(case: &mut Case, count: u32) {
    case.at += count;
    case.stream.next = case.stream.next.wrapping_add(count);
}

/// Nothing more of this segment is read. Gives 1 to stop.
#[inline(always)]
fn pass_rest(case: &mut Case, reason: Reason) -> u32 {
    let rest = case.segment.payload_length - case.at;
    advance(case, rest);
    case.reason = Some(reason);
    1
}

#[inline(always)]
fn skip_body(case: &mut Case, phase: Phase) -> u32 {
    let rest = case.segment.payload_length - case.at;
    let count = if case.stream.left < u64::from(rest) { case.stream.left as u32 } else { rest };
    advance(case, count);
    case.stream.left -= u64::from(count);
    if case.stream.left == 0 {
        case.stream.phase = if phase == Phase::Body { Phase::Head as u8 } else { Phase::ChunkEnd as u8 };
    }
    case.reason = Some(Reason::Body);
    0
}

/// Copies `length` bytes of the packet (1 to the window) into the scratch space, behind its first `held`.
#[inline(always)]
pub fn load(skb: *mut __sk_buff, from: u32, held: u32, length: u32, work: *mut Work) -> bool {
    let length = at_most::<{ HEAD_WINDOW as u32 }>(length);
    // SAFETY: the scratch space is twice as long as the window, and both numbers are bounded by it.
    unsafe {
        let to = work.cast::<u8>().add(core::mem::offset_of!(Work, head)).add(bounded(held) as usize);
        bpf_skb_load_bytes(skb.cast_const().cast(), from, to.cast(), length) == 0
    }
}

/// Puts what is held of the head and what the segment adds into the scratch space. Gives the bytes added.
#[inline(always)]
fn gather(skb: *mut __sk_buff, case: &Case, work: *mut Work) -> Result<u32, Reason> {
    let kept = u32::from(case.stream.held);
    let start = case.stream.next.wrapping_sub(kept);
    if kept > 0 {
        let (held, _) = held::find(case.stream.ticket, start, kept).ok_or(Reason::Evicted)?;
        held::bring(held, kept, work);
        if !held::still(held, case.stream.ticket) {
            return Err(Reason::Evicted);
        }
    }
    let room = HEAD_WINDOW as u32 - kept;
    let rest = case.segment.payload_length - case.at;
    let added = if rest < room { rest } else { room };
    if !load(skb, case.segment.payload + case.at, kept, added, work) {
        return Err(Reason::SegmentUnreadable);
    }
    // SAFETY: this CPU's own scratch space.
    let work = unsafe { &mut *work };
    (work.start, work.length) = (start, kept + added);
    (work.watches, work.side) = (case.service.watches, u32::from(case.service.watchlist));
    Ok(added)
}

/// What a step says: go on, stop, or judge the head that was read.
const GO_ON: u32 = 0;
const STOP: u32 = 1;
const JUDGE: u32 = 2;

/// Reads a head, or what there is of it.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn enforcer_head(skb: *mut __sk_buff) -> u32 {
    let (Some(case), Some(work)) = (case(), work()) else { return 1 };
    let added = match gather(skb, case, work) {
        Ok(added) => added,
        Err(reason) => return give_up(case, reason),
    };
    // SAFETY: this CPU's own scratch space.
    let (outcome, work) = unsafe { (http::scan(&mut *work), &mut *work) };
    if case.stream.guessed != 0 && work.count > 0 && work.version == Version::NONE {
        // Of a body as likely as of a head.
        return give_up(case, Reason::Unfollowed);
    }
    case.long = u32::from(outcome.is_err());
    match outcome {
        // What was read of a long head may be enough to refuse it, and what some servers take for a whole one.
        Ok(()) | Err(Reason::HeadTooLong) => JUDGE,
        Err(Reason::HeadOpen) if work.odd & Odd::ENDED != 0 => JUDGE,
        Err(Reason::HeadOpen) => open_head(case, work, added),
        Err(other) => not_a_head(case, other),
    }
}

#[inline(always)]
fn open_head(case: &mut Case, work: *mut Work, added: u32) -> u32 {
    advance(case, added);
    case.stream.held += added as u16;
    case.stream.text_end = case.stream.next;
    held::keep(&mut case.stream.ticket, work, true);
    case.reason = Some(Reason::HeadOpen);
    1
}

#[inline(always)]
fn not_a_head(case: &mut Case, reason: Reason) -> u32 {
    if case.stream.guessed != 0 {
        return give_up(case, Reason::Unfollowed);
    }
    case.stream.phase = Phase::Opaque as u8;
    pass_rest(case, reason)
}

/// The boundaries of the connection are lost.
#[inline(always)]
fn give_up(case: &mut Case, reason: Reason) -> u32 {
    lose(&mut case.stream);
    pass_rest(case, reason)
}

/// The request was not refused: reading goes on behind its head.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn enforcer_behind_head() -> u32 {
    let (Some(case), Some(work)) = (case(), work()) else { return STOP };
    let kept = u32::from(case.stream.held);
    // SAFETY: this CPU's own scratch space.
    let (end, framing, body, length, lines) =
        unsafe { ((*work).end, (*work).framing, (*work).body, (*work).length, (*work).count) };
    if case.long != 0 {
        let more = (length as usize) < HEAD_WINDOW && (lines as usize) < HEAD_LINES;
        return if more { open_head(case, work, length - kept) } else { give_up(case, Reason::HeadTooLong) };
    }
    advance(case, end.wrapping_sub(kept));
    case.stream.text_end = case.stream.next;
    // SAFETY: as above.
    answers::pass_on(case, unsafe { &*work });
    (case.stream.held, case.stream.guessed) = (0, 0);
    (case.stream.phase, case.stream.left, case.stream.digits) = if framing & Framing::CHUNKED != 0 {
        (Phase::ChunkSize as u8, 0, 0)
    } else if framing & Framing::LENGTH != 0 && body > 0 {
        (Phase::Body as u8, body, 0)
    } else {
        (Phase::Head as u8, 0, 0)
    };
    // Without a socket nobody says what the server has: then every head may have to be compared with.
    if kept > 0 || case.socket.known == 0 {
        // SAFETY: as above.
        unsafe { (*work).length = end };
        held::keep(&mut case.stream.ticket, work, false);
    }
    GO_ON
}

/// Reads the PROXY header that may stand in front.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn enforcer_proxy_header(skb: *mut __sk_buff) -> u32 {
    let (Some(case), Some(work)) = (case(), work()) else { return STOP };
    let added = match gather(skb, case, work) {
        Ok(added) => added,
        Err(reason) => return give_up(case, reason),
    };
    // SAFETY: this CPU's own scratch space.
    let w = unsafe { &mut *work };
    match http::read_proxy_header(w) {
        ProxyHeader::Open if w.length < HEAD_WINDOW as u32 => return open_head(case, work, added),
        ProxyHeader::Open | ProxyHeader::None => {}
        ProxyHeader::Whole(length) => {
            // Servers take the header from anybody; only trusted proxies are believed.
            if allowlist::is_proxy(case.segment.network.source) {
                case.stream.client = w.addresses[0];
            }
            advance(case, length.wrapping_sub(u32::from(case.stream.held)));
            case.stream.text_end = case.stream.next;
            case.stream.held = 0;
        }
    }
    case.stream.phase = Phase::Head as u8;
    GO_ON
}

/// Reads text between chunks. Gives 1 to stop.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn enforcer_chunk_text(skb: *mut __sk_buff) -> u32 {
    let (Some(case), Some(work)) = (case(), work()) else { return 1 };
    let rest = case.segment.payload_length - case.at;
    let length = if rest < CHUNK_TEXT { rest } else { CHUNK_TEXT };
    if !load(skb, case.segment.payload + case.at, 0, length, work) {
        return give_up(case, Reason::SegmentUnreadable);
    }
    // SAFETY: this CPU's own scratch space.
    let work = unsafe { &mut *work };
    (work.length, work.odd) = (length, 0);
    (work.phase, work.left, work.digits) =
        (u32::from(case.stream.phase), case.stream.left, u32::from(case.stream.digits));
    http::read_chunk_text(work);
    if work.odd & Odd::CHUNK != 0 {
        let denied = case.service.has(ServiceRule::DENY_AMBIGUOUS);
        return give_up(case, if denied { Reason::AmbiguousDenied } else { Reason::RequestAmbiguous });
    }
    advance(case, work.consumed);
    case.stream.text_end = case.stream.next;
    (case.stream.phase, case.stream.left, case.stream.digits) = (work.phase as u8, work.left, work.digits as u16);
    case.reason = Some(Reason::Body);
    0
}

/// A connection whose boundaries are not known: followed from here on when a request line begins the segment, and the client
/// has everything that the server sent. Gives 1 to stop.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn enforcer_pick_up(skb: *mut __sk_buff) -> u32 {
    let (Some(case), Some(work)) = (case(), work()) else { return 1 };
    let (socket, segment) = (&case.socket, &case.segment);
    let idle = socket.known == 0
        || (segment.acknowledge == socket.send_next && segment.sequence == socket.receive_next && case.at == 0);
    if !idle || gather(skb, case, work).is_err() {
        return pass_rest(case, Reason::Unfollowed);
    }
    // SAFETY: this CPU's own scratch space.
    let work = unsafe { &mut *work };
    let begins = matches!(http::scan(work), Ok(()) | Err(Reason::HeadOpen | Reason::HeadTooLong)) && work.count > 0;
    // A body has lines without a version, too.
    if !begins || work.version == Version::NONE {
        return pass_rest(case, Reason::Unfollowed);
    }
    case.stream.phase = Phase::Head as u8;
    0
}

/// What the operator asked for in a case that cannot be followed, and whether anything stands against it. Changes the reason.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn enforcer_settle() -> u32 {
    let (Some(case), Some(settings)) = (case(), settings::read()) else { return 0 };
    let Some(mut reason) = case.reason else { return 0 };
    if !agrees(&mut case.stream) {
        reason = Reason::Conflict;
    }
    let strict = case.service.has(ServiceRule::STRICT);
    case.reason = Some(match reason {
        Reason::Evicted | Reason::HeadTooLong | Reason::Unfollowed | Reason::Http2 | Reason::Tls
            if strict && holds(settings, case) =>
        {
            Reason::StrictRefused
        }
        Reason::Ahead | Reason::Fragmented if !holds(settings, case) => {
            lose(&mut case.stream);
            Reason::AheadObserved
        }
        Reason::Conflict if !holds(settings, case) => {
            lose(&mut case.stream);
            Reason::Unfollowed
        }
        Reason::AmbiguousDenied if !holds(settings, case) => Reason::RequestAmbiguous,
        other => other,
    });
    0
}
