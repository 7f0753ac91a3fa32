//! Finds the lines of a head, one in each turn of the loop: eight bytes at a time, every control character in one
//! test.
use enforcer_common::Reason;
use enforcer_common::limits::{HEAD_LINES, HEAD_WINDOW};

use super::lines::{is_worth_a_look, read_lines};
use super::patterns::search_values;
use super::request_line;
use super::work::{Odd, Turn, Work, byte_at, repeat, word_at, zero_or_one};

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;
/// Words that are tested in one turn of the loop: nearly every line is shorter.
const WORDS: u32 = 32;
/// Bytes that are looked at one by one, where the straight way ends.
const GROUP: u32 = 32;
const BLANK: u8 = b' ';

/// Scans the bytes in `work`. `Ok` when they begin with a whole head, which ends at `work.end`; what is found of it is in
/// `work`. [`Reason::HeadOpen`] when more bytes could make it one; [`Reason::HeadTooLong`] when no more can be taken: then
/// the tokens of the lines that were read are in `work` all the same, as they are when a head is open with [`Odd::ENDED`].
#[inline(always)]
pub fn scan(work: &mut Work) -> Result<(), Reason> {
    find_lines(work);
    request_line::judge(work)?;
    let long = work.length as usize >= HEAD_WINDOW || work.count as usize >= HEAD_LINES;
    if work.end == 0 && !long && work.odd & Odd::ENDED == 0 {
        return Err(Reason::HeadOpen);
    }
    read_lines(work);
    if work.searched != 0 {
        search_values(work);
    }
    match (work.end, long) {
        (0, true) => Err(Reason::HeadTooLong),
        (0, false) => Err(Reason::HeadOpen),
        _ => Ok(()),
    }
}

/// Begins anew: notes the lines of the bytes in `work`, to the end of the head or of the bytes.
#[inline(always)]
pub fn find_lines(work: &mut Work) {
    (work.count, work.marks, work.line, work.end, work.odd) = (0, 0, 0, 0, 0);
    (work.cursor, work.text) = (0, 0);
    (work.found, work.named, work.missed, work.framing, work.body) = (0, 0, 0, 0, 0);
    (work.searched, work.lists) = (0, 0);
    repeat(work.length, stretch, work);
}

/// Goes on to the next control character, which nearly always ends a line. Gives 1 to stop.
extern "C" fn stretch(_index: u32, turn: *mut Turn) -> i64 {
    // SAFETY: `repeat` hands on its own.
    let w = unsafe { &mut *(*turn).work };
    let mut at = w.cursor;
    if at >= w.length {
        return 1;
    }
    let mut marks = controls(w, at);
    let mut word = 1;
    while marks == 0 && word < WORDS {
        at += 8;
        word += 1;
        marks = controls(w, at);
    }
    if marks == 0 {
        w.cursor = at + 8;
        return 0;
    }
    // The first mark of a word is never a wrong one.
    let first = at + first_flag(marks);
    if first + 1 < w.length && word_at(w, first) as u16 == CRLF {
        w.cursor = first + 2;
        return i64::from(line_end(w, first + 1));
    }
    zero_or_one(enforcer_controls(w, first))
}

/// Carriage return and newline, as the low half of a word.
const CRLF: u16 = u16::from_le_bytes(*b"\r\n");

/// Marks the control characters among eight bytes.
#[inline(always)]
fn controls(w: &Work, at: u32) -> u64 {
    bytes_below(word_at(w, at), BLANK)
}

/// The control characters in a group of bytes from `from` on, one by one. Gives 1 when the scan is over.
#[cfg_attr(target_arch = "bpf", unsafe(no_mangle))]
#[inline(never)]
pub extern "C" fn enforcer_controls(work: *mut Work, from: u32) -> u32 {
    // SAFETY: the caller's own scratch space, not shared; the null check is what the verifier asks for.
    let Some(w) = (unsafe { work.as_mut() }) else { return 1 };
    let mut at = 0;
    while at < GROUP {
        if control(w, from + at) {
            return 1;
        }
        at += 1;
    }
    w.cursor = from + GROUP;
    0
}

/// Notes what stands at `at`, if it is a control character. True when the scan is over.
#[inline(always)]
fn control(w: &mut Work, at: u32) -> bool {
    if at >= w.length {
        return true;
    }
    let byte = byte_at(w, at);
    if byte == b'\r' && w.text == at {
        w.text = at + 1;
    }
    if byte == b'\n' || is_return(w, at) {
        return enforcer_line_end(w, at) != 0;
    }
    if byte < b' ' && byte != b'\t' && (byte != b'\r' || at + 1 < w.length && byte_at(w, at + 1) != b'\n') {
        w.odd |= Odd::CONTROL;
    }
    false
}

/// A carriage return without newline: some servers end a line with it, and some the head, so it does both here.
#[inline(always)]
fn is_return(w: &mut Work, at: u32) -> bool {
    let alone = byte_at(w, at) == b'\r' && at + 1 < w.length && !matches!(byte_at(w, at + 1), b'\r' | b'\n');
    if alone {
        w.odd |= Odd::CONTROL | if at == w.line && w.count > 0 { Odd::ENDED } else { 0 };
    }
    alone && at > w.line
}

/// See [`line_end`]. A function of its own, as the verifier would else follow it for each byte of a group.
#[cfg_attr(target_arch = "bpf", unsafe(no_mangle))]
#[inline(never)]
pub extern "C" fn enforcer_line_end(work: *mut Work, at: u32) -> u32 {
    // SAFETY: as in `enforcer_controls`.
    let Some(w) = (unsafe { work.as_mut() }) else { return 1 };
    u32::from(line_end(w, at))
}

/// A line ends at `at`. True when that ends the head, or nothing more can be noted.
#[inline(always)]
fn line_end(w: &mut Work, at: u32) -> bool {
    let start = w.line;
    let text = w.text;
    (w.line, w.text) = (at + 1, at + 1);
    let end = if at > start && byte_at(w, at - 1) == b'\r' { at - 1 } else { at };
    // Blank lines before a request are to be ignored (RFC 9112, 2.2); some servers pass over more carriage returns.
    let blank = start == end || (w.count == 0 && text >= end);
    if blank {
        let ended = w.count > 0;
        w.end = if ended { at + 1 } else { 0 };
        return ended;
    }
    let number = w.count as usize & (HEAD_LINES - 1);
    w.lines[number] = start << 16 | end;
    if number != 0 && is_worth_a_look(w, start) {
        w.marked[w.marks as usize & (HEAD_LINES - 1)] = number as u32;
        w.marks += 1;
    }
    w.count += 1;
    w.count as usize >= HEAD_LINES
}

/// Marks the bytes of `word` below `limit` (at most 128); may mark a byte above a true one wrongly, never misses one.
#[inline(always)]
fn bytes_below(word: u64, limit: u8) -> u64 {
    word.wrapping_sub(ONES * u64::from(limit)) & !word & HIGHS
}

/// Marks the bytes of `word` that equal `byte`; may mark a byte above a true match wrongly, never misses one.
#[inline(always)]
pub fn bytes_equal(word: u64, byte: u8) -> u64 {
    bytes_below(word ^ (ONES * u64::from(byte)), 1)
}

/// The number of the lowest marked byte; there is one.
#[inline(always)]
pub fn first_flag(flags: u64) -> u32 {
    let lowest = (flags & flags.wrapping_neg()) >> 7;
    (lowest.wrapping_mul(0x0001_0203_0405_0607) >> 56) as u32
}
