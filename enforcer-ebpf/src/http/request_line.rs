//! The first line: is this a request of HTTP/1?
//!
//! Servers take much for one. Apache, `HAProxy` and Node answer `GET / HTTP/2.0` as if it were version 1.1, and Node answers a line without
//! any version; Python's own server takes any white space for a blank. So what begins with a word and a blank is a request here, and only the
//! whole preface of HTTP/2 is none.
use enforcer_common::{Asked, Reason};

use super::lines::{is_blank, is_space};
use super::work::{Turn, Version, Work, byte_at, repeat, word_at};

/// `http/`, as the low bytes of a word.
const HTTP: u64 = u64::from_le_bytes(*b"http/\0\0\0");
/// What HTTP/2 begins with: a head of this line only.
const PREFACE: [u64; 2] = [u64::from_le_bytes(*b"PRI * HT"), u64::from_le_bytes(*b"TP/2.0\0\0")];
const SIX: u64 = 0xffff_ffff_ffff;
const HEAD: u64 = u64::from_le_bytes(*b"HEAD \0\0\0");
const CONNECT: u64 = u64::from_le_bytes(*b"CONNECT ");
const FIVE: u64 = 0xff_ffff_ffff;
/// The bit that tells the cases of the four letters apart.
const CASE: u64 = 0x2020_2020;
/// The methods of nearly every request with the blank behind them, as the low bytes of a word.
const GET: u64 = u64::from_le_bytes(*b"GET \0\0\0\0");
const POST: u64 = u64::from_le_bytes(*b"POST \0\0\0");
const FOUR: u64 = 0xffff_ffff;
const POST_LENGTH: u32 = 5;
/// The first byte of a TLS record that begins a connection.
const HANDSHAKE: u8 = 0x16;

/// Fine when the bytes begin with a request line, or with what can still become one.
#[inline(always)]
pub fn judge(work: &mut Work) -> Result<(), Reason> {
    match enforcer_first_line(work) {
        FINE => Ok(()),
        TLS => Err(Reason::Tls),
        NEWER => Err(Reason::Http2),
        _ => Err(Reason::NotHttp),
    }
}

const FINE: u32 = 0;
const NOT_HTTP: u32 = 1;
const TLS: u32 = 2;
const NEWER: u32 = 3;

/// The same with a number for each answer, as functions of the kernel return one word.
#[cfg_attr(target_arch = "bpf", unsafe(no_mangle))]
#[inline(never)]
pub extern "C" fn enforcer_first_line(work: *mut Work) -> u32 {
    // SAFETY: the caller's own scratch space, not shared; the null check is what the verifier asks for.
    let Some(w) = (unsafe { work.as_mut() }) else { return NOT_HTTP };
    w.version = Version::USUAL;
    if w.count == 0 {
        // The line is still open, or there were only blank lines.
        let (start, end) = (w.line, w.length);
        return match (start < end, byte_at(w, start)) {
            (true, HANDSHAKE) => TLS,
            (true, _) if method(w, start, end) == REFUSED => NOT_HTTP,
            _ => FINE,
        };
    }
    let (start, end) = (w.lines[0] >> 16, w.lines[0] & 0xffff);
    if method(w, start, end) != FOUND {
        return NOT_HTTP;
    }
    version(w, start, end);
    let preface = word_at(w, start) == PREFACE[0] && word_at(w, start + 8) & SIX == PREFACE[1];
    if preface && w.count == 1 && w.end != 0 { NEWER } else { FINE }
}

/// What the method says of the answer, as the flags of [`Asked`].
#[inline(always)]
pub fn method_flags(work: &Work) -> u32 {
    let first = word_at(work, work.lines[0] >> 16);
    if first & FIVE == HEAD {
        Asked::HEAD
    } else if first == CONNECT {
        Asked::CONNECT
    } else {
        0
    }
}

/// Notes which version stands behind the last blank, or that there is none.
#[inline(always)]
fn version(w: &mut Work, start: u32, end: u32) {
    (w.value_start, w.value_end) = (start, end);
    if is_space(byte_at(w, end - 1)) {
        repeat(w.length, last_blank, w);
    }
    let end = w.value_end;
    w.value_end = if end > start + 9 && is_blank(byte_at(w, end - 9)) { end - 8 } else { end };
    if w.value_end == end {
        // Servers take numbers of several digits: `HTTP/1.10`, `HTTP/01.001`.
        repeat(w.length, version_byte, w);
    }
    let first = w.value_end;
    w.version = if first == start || (word_at(w, first) | CASE) & FIVE != HTTP {
        Version::NONE
    } else if end - first == 8 && byte_at(w, end - 1) == b'0' {
        Version::OLD
    } else {
        Version::USUAL
    };
}

/// Goes back to the last blank.
extern "C" fn version_byte(_index: u32, turn: *mut Turn) -> i64 {
    // SAFETY: `repeat` hands on its own.
    let w = unsafe { &mut *(*turn).work };
    let more = w.value_end > w.value_start && !is_blank(byte_at(w, w.value_end - 1));
    w.value_end -= u32::from(more);
    i64::from(!more)
}

/// Takes a blank off the end, or a carriage return: some servers take all of them off.
extern "C" fn last_blank(_index: u32, turn: *mut Turn) -> i64 {
    // SAFETY: `repeat` hands on its own.
    let w = unsafe { &mut *(*turn).work };
    let more = w.value_end > w.value_start && is_space(byte_at(w, w.value_end - 1));
    w.value_end -= u32::from(more);
    i64::from(!more)
}

/// What the search for a method found so far; in `work.token_end`.
const SOUGHT: u32 = 0;
const LETTERS: u32 = 1;
const FOUND: u32 = 2;
const REFUSED: u32 = 3;

/// Letters and the like, then a blank; before `end`, since what follows is left over from earlier segments. Gives
/// [`FOUND`] or [`REFUSED`], or else where it stands: more bytes could make it a method.
#[inline(always)]
fn method(w: &mut Work, start: u32, end: u32) -> u32 {
    // What nearly every request begins with needs no second look.
    let word = word_at(w, start);
    if end - start > POST_LENGTH && (word & FOUR == GET || word & FIVE == POST) {
        return FOUND;
    }
    (w.value_start, w.value_end, w.token_end) = (start, end, SOUGHT);
    repeat(w.length, method_byte, w);
    w.token_end
}

extern "C" fn method_byte(_index: u32, turn: *mut Turn) -> i64 {
    // SAFETY: `repeat` hands on its own.
    let w = unsafe { &mut *(*turn).work };
    let at = w.value_start;
    if at >= w.value_end {
        return 1;
    }
    let byte = byte_at(w, at);
    w.value_start = at + 1;
    w.token_end = match (w.token_end, byte) {
        // Servers pass over carriage returns too, and one may be half of an empty line.
        (SOUGHT, blank) if is_white(blank) || blank == b'\r' => SOUGHT,
        (LETTERS, blank) if is_white(blank) => FOUND,
        (_, letter) if is_letter(letter) => LETTERS,
        _ => REFUSED,
    };
    i64::from(w.token_end >= FOUND)
}

/// White space, as some servers have it, inside a line.
#[inline(always)]
pub fn is_white(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | 0x0b | 0x0c | 0x1c..=0x1f | 0x85 | 0xa0)
}

/// A byte that a method may have (RFC 9110, 5.6.2).
#[inline(always)]
fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'^'..=b'`' | b'|' | b'~')
}
