//! The request's target: the digests of its path's segments. What servers could read differently makes it odd.
use enforcer_common::SipKey;
use enforcer_common::limits::PLACE_SEGMENTS;

use super::digest::digest;
use super::request_line::is_white;
use super::work::{Turn, Work, byte_at, repeat};

/// Where the path ended, or not yet.
const TARGET: u32 = 0;
const PATH: u32 = 1;
const OVER: u32 = 2;
/// Longest target that is read.
const LONGEST: u32 = 4096;

/// Reads the target of the request line: `work.path`, `work.segments` and `work.odd_path` (not zero: it fits every path).
#[inline(always)]
pub fn read_target(work: &mut Work, key: SipKey) {
    let (start, end) = (work.lines[0] >> 16, work.lines[0] & 0xffff);
    (work.value_start, work.value_end, work.key) = (start, end, key);
    (work.segments, work.odd_path, work.odd_host, work.method, work.token_end) = (0, 0, 0, 0, 0);
    repeat(LONGEST, method_byte, work);
    (work.cursor, work.segment, work.consumed) = (work.value_start, 0, TARGET);
    if byte_at(work, work.value_start) != b'/' {
        // A whole URL, or `*`: its path begins somewhere behind, and its host wins over the header.
        (work.odd_path, work.odd_host) = (1, 1);
    }
    repeat(LONGEST, target_byte, work);
    work.odd_path |= u32::from(work.consumed != OVER);
}

/// The method, as the first bytes of a word; then the blanks behind it.
extern "C" fn method_byte(_index: u32, turn: *mut Turn) -> i64 {
    // SAFETY: `repeat` hands on its own.
    let w = unsafe { &mut *(*turn).work };
    let byte = byte_at(w, w.value_start);
    let blank = is_white(byte) || (w.method == 0 && byte == b'\r');
    if w.value_start >= w.value_end || (w.method != 0 && !blank && w.segments != 0) {
        w.segments = 0;
        return 1;
    }
    w.value_start += 1;
    if blank {
        w.segments = u32::from(w.method != 0);
    } else if w.token_end < 8 {
        w.method |= u64::from(byte) << ((w.token_end * 8) & 63);
        w.token_end += 1;
    }
    0
}

extern "C" fn target_byte(_index: u32, turn: *mut Turn) -> i64 {
    // SAFETY: `repeat` hands on its own.
    let w = unsafe { &mut *(*turn).work };
    let at = w.cursor;
    let byte = if at < w.value_end { byte_at(w, at) } else { b' ' };
    w.cursor = at + 1;
    match byte {
        b' ' | b'\t' | b'?' | b'#' => {
            if w.consumed == PATH {
                enforcer_path_segment(w, at);
            }
            w.consumed = OVER;
            return 1;
        }
        b'/' => {
            if w.consumed == PATH {
                enforcer_path_segment(w, at);
            }
            (w.consumed, w.segment) = (PATH, at + 1);
        }
        b'%' | b';' | b'\\' | 0..=0x1f | 0x7f..=0xff => w.odd_path = 1,
        _ => {}
    }
    0
}

/// A segment of the path ends at `end`. An empty last one is the slash at the end of a path: odd, for some servers.
#[cfg_attr(target_arch = "bpf", unsafe(no_mangle))]
#[inline(never)]
pub extern "C" fn enforcer_path_segment(work: *mut Work, end: u32) -> u32 {
    // SAFETY: the caller's own scratch space, not shared; the null check is what the verifier asks for.
    let Some(w) = (unsafe { work.as_mut() }) else { return 0 };
    let start = w.segment;
    let length = end.wrapping_sub(start);
    let dots = length <= 2 && byte_at(w, start) == b'.' && (length == 1 || byte_at(w, start + 1) == b'.');
    // The root path itself is the one path that may end in an empty segment.
    if length == 0 && w.segments == 0 && (w.cursor >= w.value_end || byte_at(w, end) != b'/') {
        return 0;
    }
    if length == 0 || length > 2048 || dots {
        w.odd_path = 1;
        return 0;
    }
    let segment = digest(w, start, length, w.key);
    if let Some(place) = w.path.get_mut(w.segments as usize) {
        *place = segment;
    }
    w.segments += 1;
    0
}

const _: () = assert!(PLACE_SEGMENTS < 64);
