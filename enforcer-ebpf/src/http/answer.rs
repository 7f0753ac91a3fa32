//! Recognises the head of an answer. In: the bytes from its beginning on. Out: its status, where it ends, how long its body is.
use enforcer_common::Reason;
use enforcer_common::limits::{HEAD_LINES, HEAD_WINDOW};

use super::framing::{self, About};
use super::lines::{bounds, is_blank, trim};
use super::scan::find_lines;
use super::work::{Turn, Version, Work, byte_at, repeat, word_at};

/// `HTTP/1.`, as the low seven bytes of a word.
const HTTP1: u64 = u64::from_le_bytes(*b"HTTP/1.\0");
const SEVEN: u64 = 0x00ff_ffff_ffff_ffff;
/// Bytes of the version, and of the version with the status.
const VERSION: u32 = 8;
const STATUS_LINE: u32 = 12;

/// The status of the head that the bytes in `work` begin with; it ends at `work.end`, and what is said of the body is in
/// `work`. [`Reason::HeadOpen`] when more bytes could make it one.
#[inline(always)]
pub fn scan_answer(work: &mut Work) -> Result<u32, Reason> {
    (work.answers, work.version) = (1, Version::USUAL);
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
    repeat(work.marks, line, work);
    Ok(status)
}

/// Notes what one of the marked lines says of the body.
extern "C" fn line(mark: u32, turn: *mut Turn) -> i64 {
    // SAFETY: `repeat` hands on its own.
    let w = unsafe { &mut *(*turn).work };
    let (start, end) = bounds(w, w.marked[mark as usize & (HEAD_LINES - 1)]);
    let Some(about) = framing::about_body(w, start, word_at(w, start)) else { return 0 };
    let (start, end) = trim(w, start + about.name(), end);
    match about {
        About::Length => framing::length(w),
        About::Coding => framing::coding(w, start, end),
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
