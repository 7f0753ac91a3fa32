//! What one line of a head means.
use enforcer_common::limits::{TOKEN, WATCH_NAME, WATCHES};
use enforcer_common::{Watch, Watchlist};

use super::work::{State, Token, Work, byte_at, word_at};

/// `HTTP/1.`, as the low seven bytes of a word.
const HTTP1: u64 = u64::from_le_bytes(*b"HTTP/1.\0");
const HTTP2: u64 = u64::from_le_bytes(*b"HTTP/2.\0");
const SEVEN: u64 = 0x00ff_ffff_ffff_ffff;
/// Longest method that is recognised.
const METHOD: u32 = 24;
/// Blanks around a value that are skipped.
const BLANKS: u32 = 64;

/// A line ends at `end` (if the byte there is a newline at all). Gives 1 when the scan is over.
#[cfg_attr(target_arch = "bpf", unsafe(no_mangle))]
#[inline(never)]
pub extern "C" fn enforcer_line_end(work: *mut Work, end: u32) -> u32 {
    // SAFETY: the caller's own scratch space, not shared; the null check is what the verifier asks for.
    let Some(w) = (unsafe { work.as_mut() }) else { return 1 };
    if end >= w.length {
        return 1;
    }
    if byte_at(work, end) != b'\n' {
        return 0;
    }
    let start = w.line;
    w.line = end + 1;
    let end = if end > start && byte_at(work, end - 1) == b'\r' { end - 1 } else { end };
    let next = match w.state {
        // Blank lines before a request are to be ignored (RFC 9112, 2.2).
        0 if start == end => State::RequestLine,
        0 => request_line(work, start, end),
        _ if start == end => State::Complete,
        _ => {
            enforcer_header(work, start, end);
            State::Headers
        }
    };
    w.state = next as u32;
    u32::from(w.state > State::Headers as u32)
}

/// `METHOD SP target SP HTTP/1.x`: what the next line is.
#[inline(always)]
fn request_line(work: *mut Work, start: u32, end: u32) -> State {
    if end < start + 10 || byte_at(work, end - 9) != b' ' || !is_method(work, start, end) {
        return State::NotHttp;
    }
    match word_at(work, end - 8) & SEVEN {
        HTTP1 => State::Headers,
        HTTP2 => State::Http2,
        _ => State::NotHttp,
    }
}

/// True when what was copied begins with a method and a blank: the request line may end in the next segment.
#[inline(always)]
pub fn begins_like_a_request(work: &Work) -> bool {
    is_method(core::ptr::from_ref(work).cast_mut(), work.line, work.length)
}

/// Capital letters (and hyphens), then a blank; before `end`, since what follows is left over from earlier segments.
#[inline(always)]
fn is_method(work: *mut Work, start: u32, end: u32) -> bool {
    let mut at = 0;
    while at < METHOD && start + at < end {
        match byte_at(work, start + at) {
            b' ' => return at > 0,
            b'A'..=b'Z' | b'-' => {}
            _ => return false,
        }
        at += 1;
    }
    false
}

/// A header line: notes its token when its name is watched.
#[cfg_attr(target_arch = "bpf", unsafe(no_mangle))]
#[inline(never)]
pub extern "C" fn enforcer_header(work: *mut Work, start: u32, end: u32) -> u32 {
    // SAFETY: as in `enforcer_line_end`; the watchlist is a map value, or null.
    let Some(w) = (unsafe { work.as_mut() }) else { return 0 };
    let Some(list) = watchlist(w) else { return 0 };
    let candidates = u32::from(list.first[usize::from(byte_at(work, start))]) & w.watches;
    let mut at = 0;
    while at < WATCHES as u32 && candidates >> at != 0 {
        if candidates >> at & 1 == 1 {
            enforcer_watch(work, start, end, at);
        }
        at += 1;
    }
    0
}

/// Compares the name with one watch, and notes its value: as a token, or as a place to look for the watch's pattern.
#[cfg_attr(target_arch = "bpf", unsafe(no_mangle))]
#[inline(never)]
pub extern "C" fn enforcer_watch(work: *mut Work, start: u32, end: u32, index: u32) -> u32 {
    // SAFETY: as in `enforcer_line_end`.
    let Some(w) = (unsafe { work.as_mut() }) else { return 0 };
    let Some(watch) = watchlist(w).and_then(|list| list.watches.get(index as usize)) else { return 0 };
    let colon = start + watch.name_length;
    if watch.name_length == 0 || colon >= end || !is_name(work, start, watch) || byte_at(work, colon) != b':' {
        return 0;
    }
    let (value, value_end) = trimmed(work, colon + 1, end);
    if watch.pattern_length == 0 {
        note(w, value, value_end, watch.kind);
    } else {
        note_value(w, value, value_end, index);
    }
    0
}

/// Compares 32 bytes at once, letters without case.
#[inline(always)]
fn is_name(work: *mut Work, start: u32, watch: &Watch) -> bool {
    let mut differing = 0;
    let mut at = 0;
    while at < WATCH_NAME / 8 {
        let word = word_at(work, start + at as u32 * 8);
        differing |= ((word | watch.fold[at]) & watch.mask[at]) ^ watch.name[at];
        at += 1;
    }
    differing == 0
}

/// The value without the blanks around it.
#[inline(always)]
fn trimmed(work: *mut Work, mut start: u32, mut end: u32) -> (u32, u32) {
    let mut steps = 0;
    while steps < BLANKS && start < end && is_blank(byte_at(work, start)) {
        start += 1;
        steps += 1;
    }
    steps = 0;
    while steps < BLANKS && start < end && is_blank(byte_at(work, end - 1)) {
        end -= 1;
        steps += 1;
    }
    (start, end)
}

#[inline(always)]
fn is_blank(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

/// Notes a token; one that is too long to hash, or one too many, is counted instead.
#[inline(always)]
pub fn note(work: &mut Work, start: u32, end: u32, kind: u32) {
    if end - start > TOKEN as u32 {
        work.missed += 1;
    } else {
        push(work, Token { start: start as u16, length: (end - start) as u16, kind: kind as u16, watch: 0 });
    }
}

#[inline(always)]
fn note_value(work: &mut Work, start: u32, end: u32, watch: u32) {
    push(work, Token { start: start as u16, length: (end - start) as u16, kind: Token::VALUE, watch: watch as u16 });
}

#[inline(always)]
fn push(work: &mut Work, token: Token) {
    if token.length == 0 {
        return;
    }
    match work.tokens.get_mut(work.found as usize) {
        Some(place) => {
            *place = token;
            work.found += 1;
        }
        None => work.missed += 1,
    }
}

#[cfg(target_arch = "bpf")]
#[inline(always)]
pub fn watchlist(work: &Work) -> Option<&'static Watchlist> {
    crate::services::watchlist(work.side)
}

#[cfg(not(target_arch = "bpf"))]
pub fn watchlist(work: &Work) -> Option<&'static Watchlist> {
    // SAFETY: the tests set it to a leaked list.
    unsafe { work.list.as_ref() }
}
