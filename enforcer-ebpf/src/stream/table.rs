//! Owns `SK_STREAMS` and `STREAMS`: where each connection stands.
use core::mem::MaybeUninit;

use aya_ebpf::bindings::{__sk_buff, BPF_NOEXIST, BPF_SK_STORAGE_GET_F_CREATE, bpf_sock, bpf_sock_tuple, bpf_tcp_sock};
use aya_ebpf::btf_maps::{LruHashMap, SkStorage};
use aya_ebpf::helpers::generated::{bpf_sk_release, bpf_sk_storage_get, bpf_skc_lookup_tcp, bpf_tcp_sock};
use aya_ebpf::macros::btf_map;
use enforcer_common::{Connection, FlowKey, Phase, Reason, ServiceRule, Stream};

use super::opening;
use crate::refusal::{Segment, Socket};
use crate::tc::Case;

#[btf_map]
static SK_STREAMS: SkStorage<Connection> = SkStorage::new();
#[btf_map]
static STREAMS: LruHashMap<FlowKey, Connection, 16_384> = LruHashMap::new();

/// Too large for the stack.
// SAFETY: plain numbers, for which zero is valid.
static NOTHING: Connection = unsafe { MaybeUninit::zeroed().assume_init() };

/// The states of a socket in which it takes data for an application: past its handshake, before its end.
const ESTABLISHED: u32 = 1;
const LAST_STATE: u32 = 12;
const LISTEN: u32 = 10;
const NEW_SYN_RECV: u32 = 12;
const TIME_WAIT: u32 = 6;

/// Where the connection of the segment under judgement stands; nothing when no place can be had. A function of its own for
/// the sake of the stack.
///
/// Puts what the server's socket says into the case.
#[inline(never)]
pub fn find(skb: *mut __sk_buff, case: &mut Case) -> Option<&'static mut Connection> {
    case.socket = Socket::of(&case.segment);
    match local(skb, case) {
        Some(connection) => Some(connection),
        None => elsewhere(case),
    }
}

/// The position that lives with the server's socket.
#[inline(always)]
fn local(skb: *mut __sk_buff, case: &mut Case) -> Option<&'static mut Connection> {
    let segment = case.segment;
    // SAFETY: the storage is freed a grace period after the socket, so the pointer outlives the release for as long as the program runs.
    look_up(skb, &segment, |socket| unsafe {
        case.socket.opening = u32::from(matches!((*socket).state, LISTEN | NEW_SYN_RECV));
        let numbers = numbers(socket)?;
        case.socket.send_next = numbers.snd_nxt;
        case.socket.receive_next = numbers.rcv_nxt;
        case.socket.untouched = u32::from(numbers.bytes_received == 0);
        case.socket.closing = u32::from((*socket).state != ESTABLISHED);
        case.socket.known = 1;
        stored(socket.cast(), u64::from(BPF_SK_STORAGE_GET_F_CREATE)).as_mut()
    })
}

/// What `read` makes of the server's socket, if there is one.
#[inline(always)]
fn look_up<T>(skb: *mut __sk_buff, segment: &Segment, read: impl FnOnce(*mut bpf_sock) -> Option<T>) -> Option<T> {
    let mut tuple = MaybeUninit::<bpf_sock_tuple>::zeroed();
    let size = segment.fill(tuple.as_mut_ptr().cast());
    // SAFETY: the tuple lives on the stack; a socket that is given is released when it has been read.
    unsafe {
        let socket = bpf_skc_lookup_tcp(skb.cast(), tuple.as_mut_ptr(), size, u64::MAX, 0);
        if socket.is_null() {
            return None;
        }
        let read = read(socket);
        bpf_sk_release(socket.cast());
        read
    }
}

/// Its sequence numbers, when it still takes data.
#[inline(always)]
fn numbers<'a>(socket: *mut bpf_sock) -> Option<&'a bpf_tcp_sock> {
    // SAFETY: the caller holds the socket.
    unsafe { if takes_data((*socket).state) { bpf_tcp_sock(socket).as_ref() } else { None } }
}

/// What is kept with a socket, if it has received requests. The caller holds the socket.
#[inline(always)]
pub fn of_socket(socket: *mut bpf_sock) -> Option<&'static mut Connection> {
    // SAFETY: lives as long as the socket.
    unsafe { stored(socket, 0).as_mut() }
}

#[inline(always)]
fn stored(socket: *mut bpf_sock, flags: u64) -> *mut Connection {
    let map = core::ptr::from_ref(&SK_STREAMS).cast_mut().cast();
    // SAFETY: the socket is held by the caller.
    unsafe { bpf_sk_storage_get(map, socket.cast(), core::ptr::null_mut(), flags).cast() }
}

/// The first byte that the server's socket lacks, when it still takes data.
#[inline(never)]
pub fn alive(skb: *mut __sk_buff, segment: &Segment) -> Option<u32> {
    look_up(skb, segment, |socket| numbers(socket).map(|numbers| numbers.rcv_nxt))
}

/// True when the server has begun the connection: it has a socket, or waits for the handshake's end.
#[inline(never)]
pub fn has_begun(skb: *mut __sk_buff, segment: &Segment) -> bool {
    // SAFETY: `look_up` holds the socket.
    let state = look_up(skb, segment, |socket| Some(unsafe { (*socket).state }));
    state.is_some_and(|state| takes_data(state) || state == NEW_SYN_RECV)
}

#[inline(always)]
fn takes_data(state: u32) -> bool {
    state >= ESTABLISHED && state < LAST_STATE && state != LISTEN && state != TIME_WAIT && state != NEW_SYN_RECV
}

/// The position of a connection without a socket of its own on this host.
#[inline(always)]
fn elsewhere(case: &mut Case) -> Option<&'static mut Connection> {
    let flow = case.segment.flow();
    if STREAMS.get_ptr_mut(flow).is_none() {
        // Another processor may have been first.
        let _ = STREAMS.insert(flow, &NOTHING, u64::from(BPF_NOEXIST));
    }
    // SAFETY: entries are freed a grace period after they leave the table.
    STREAMS.get_ptr_mut(flow).map(|connection| unsafe { &mut *connection })
}

/// What was known of a connection is of no use.
#[inline(always)]
pub fn forget(flow: &FlowKey) {
    let _ = STREAMS.remove(flow);
}

/// Makes a first position, when there is none: from what the server's socket says, from the SYN, or as good as can be guessed. False when
/// none can be made now, and the next segment will find the server's socket, or another processor done.
#[inline(never)]
pub fn begin(case: &mut Case) -> bool {
    let flow = case.segment.flow();
    if case.socket.opening != 0 {
        let Some(first) = opening::first(&flow) else { return false };
        case.socket.receive_next = first;
    }
    if Phase::from_raw(case.stream.phase) != Phase::Fresh {
        return true;
    }
    let earlier = if case.socket.known != 0 { STREAMS.get_ptr(flow) } else { None };
    case.stream = match earlier {
        // SAFETY: as in `elsewhere`. The connection was followed through its handshake.
        Some(earlier) => unsafe {
            if core::ptr::read_volatile(&raw const (*earlier).turn) != 0 {
                return false;
            }
            if follows_on(&(*earlier).stream, &case.socket) { (*earlier).stream } else { first_position(case) }
        },
        None => first_position(case),
    };
    let begins = Phase::from_raw(case.stream.phase) == Phase::Head;
    if begins && case.service.has(ServiceRule::PROXY_HEADER) {
        (case.stream.phase, case.stream.safe_phase) = (Phase::Proxy as u8, Phase::Proxy as u8);
    }
    true
}

/// False where nothing was read, and for what is left of an earlier connection with the same ends.
#[inline(always)]
fn follows_on(earlier: &Stream, socket: &Socket) -> bool {
    earlier.phase != Phase::Fresh as u8 && earlier.next.wrapping_sub(socket.receive_next) < opening::NEAR
}

#[inline(always)]
fn first_position(case: &Case) -> Stream {
    let (socket, sequence) = (&case.socket, case.segment.sequence);
    let (phase, next) = match (socket.known != 0, socket.opening != 0) {
        (true, _) if socket.untouched == 0 => (Phase::Unknown, socket.receive_next),
        (true, _) | (_, true) => (Phase::Head, socket.receive_next),
        (false, false) => (Phase::Head, opening::near(&case.segment.flow(), sequence)),
    };
    let guessed = u8::from(socket.known == 0);
    let (phase, safe_phase) = (phase as u8, phase as u8);
    Stream { next, safe: next, text_end: next, phase, safe_phase, guessed, ..Stream::default() }
}

/// Writes back where the connection stands. A first position from which nothing was read is none: by the time of the next segment the
/// server's socket may know better.
#[inline(always)]
pub fn keep(connection: &mut Connection, case: &Case) {
    let waits = matches!(case.reason, Some(Reason::Ahead | Reason::AheadObserved)) && case.at == case.begin;
    if waits && connection.stream.phase == Phase::Fresh as u8 {
        return;
    }
    connection.stream = case.stream;
    if case.socket.known == 0 && case.socket.opening == 0 {
        opening::forget(&case.segment.flow());
    }
}
