//! Recognises the head of an answer. In: the bytes from its beginning on. Out: its status, where it ends, how long its body is.
use enforcer_common::Reason;
use enforcer_common::limits::{HEAD_LINES, HEAD_WINDOW};

use super::framing;
use super::lines::{bounds, is_blank, trim};
use super::scan::find_lines;
use super::work::{Turn, Version, Work, byte_at, repeat, word_at};

/// `HTTP/1.`, as the low seven bytes of a word.
const HTTP1: u64 = u64::from_le_bytes(*b"HTTP/1.\0");
const SEVEN: u64 = 0x00ff_ffff_ffff_ffff;
/// Bytes of the version, and of the version with the status.
const VERSION: u32 = 8;
const STATUS_LINE: u32 = 12;
/// Sets the bit that tells the cases of a letter apart, in each byte.
const CASE: u64 = 0x2020_2020_2020_2020;
const TWO: u64 = 0xffff;

/// The status of the head that the bytes in `work` begin with; it ends at `work.end`, and what is said of the body is in
/// `work`. [`Reason::HeadOpen`] when more bytes could make it one.
#[inline(always)]
pub fn scan_answer(work: &mut Work) -> Result<u32, Reason> {
    // No identity is looked for.
    (work.watches, work.version) = (0, Version::USUAL);
    find_lines(work);
    if work.count == 0 {
        let long = work.length >= VERSION;
        return Err(if long && !begins(work, work.line) { Reason::NotHttp } else { Reason::HeadOpen });
    }
    let status = status(work).ok_or(Reason::NotHttp)?;
    let long = work.length as usize >= HEAD_WINDOW || work.count as usize >= HEAD_LINES;
    if work.end == 0 {
        return Err(if long { Reason::HeadTooLong } else { Reason::HeadOpen });
    }
    repeat(work.count, line, work);
    Ok(status)
}

/// Looks at one line, if it may be about the body. The status line is number 0.
extern "C" fn line(index: u32, turn: *mut Turn) -> i64 {
    // SAFETY: `repeat` hands on its own.
    let w = unsafe { &mut *(*turn).work };
    let (start, end) = bounds(w, index);
    if index != 0 && matches!(byte_at(w, start) | 0x20, b'c' | b't') {
        enforcer_answer_line(w, start, end);
    }
    0
}

/// Notes what a line says of the body.
#[cfg_attr(target_arch = "bpf", unsafe(no_mangle))]
#[inline(never)]
pub extern "C" fn enforcer_answer_line(work: *mut Work, start: u32, end: u32) -> u32 {
    const LENGTH: [u64; 2] = [u64::from_le_bytes(*b"content-"), u64::from_le_bytes(*b"length:\0")];
    const CODING: [u64; 2] = [u64::from_le_bytes(*b"transfer"), u64::from_le_bytes(*b"-encodin")];
    const CODING_END: u64 = u64::from_le_bytes(*b"g:\0\0\0\0\0\0");
    // SAFETY: the caller's own scratch space, not shared; the null check is what the verifier asks for.
    let Some(w) = (unsafe { work.as_mut() }) else { return 0 };
    let [first, second, third] = [0, 8, 16].map(|at| word_at(w, start + at) | CASE);
    if [first, second & SEVEN] == LENGTH {
        trim(w, start + 15, end);
        framing::length(w);
    } else if [first, second] == CODING && third & TWO == CODING_END {
        let (start, end) = trim(w, start + 18, end);
        framing::coding(w, start, end);
    }
    0
}

#[inline(always)]
fn begins(work: &Work, at: u32) -> bool {
    word_at(work, at) & SEVEN == HTTP1
}

/// Three digits behind the version and a blank.
#[inline(always)]
fn status(work: &Work) -> Option<u32> {
    let (start, end) = (work.lines[0] >> 16, work.lines[0] & 0xffff);
    let digit = |at: u32| u32::from(byte_at(work, start + VERSION + at).wrapping_sub(b'0'));
    let (first, second, third) = (digit(1), digit(2), digit(3));
    let sound = end >= start + STATUS_LINE
        && begins(work, start)
        && is_blank(byte_at(work, start + VERSION))
        && (1..=9).contains(&first)
        && second <= 9
        && third <= 9;
    if sound { Some(first * 100 + second * 10 + third) } else { None }
}
