//! Finds the lines of a head, a few in each turn of the loop: 32 bytes at a time, every control character in one test. What is called
//! costs more here than what is computed: a return is never foretold where the kernel guards against that.
use enforcer_common::limits::{HEAD_LINES, HEAD_WINDOW};
use enforcer_common::{Reason, Watchlist};

use super::lines::{is_worth_a_look, read_lines, watchlist};
use super::patterns::search_values;
use super::request_line;
use super::work::{Odd, Turn, Work, byte_at, repeat, word_at, words_at, zero_or_one};

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;
/// Lines that are sought in one turn of the loop: most heads have fewer.
const LINES: u32 = 16;
/// Bytes that are tested at once, and how often for one line: nearly every line is shorter.
const GROUP: u32 = 32;
const GROUPS: u32 = 4;
const BLANK: u8 = b' ';

/// Scans the bytes in `work`. `Ok` when they begin with a whole head, which ends at `work.end`; what is found of it is in
/// `work`. [`Reason::HeadOpen`] when more bytes could make it one; [`Reason::HeadTooLong`] when no more can be taken: then
/// the tokens of the lines that were read are in `work` all the same, as they are when a head is open with [`Odd::ENDED`].
#[inline(always)]
pub fn scan(work: &mut Work) -> Result<(), Reason> {
    work.answers = 0;
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
    if enforcer_lines(work) == 0 {
        repeat(work.length, more_lines, work);
    }
}

/// Goes on to the next lines, since there are many. Gives 1 to stop.
extern "C" fn more_lines(_index: u32, turn: *mut Turn) -> i64 {
    // SAFETY: `repeat` hands on its own.
    zero_or_one(enforcer_lines(unsafe { (*turn).work }))
}

/// Goes on to the next lines. Gives 1 when the scan is over.
#[cfg_attr(target_arch = "bpf", unsafe(no_mangle))]
#[inline(never)]
pub extern "C" fn enforcer_lines(work: *mut Work) -> u32 {
    // SAFETY: the caller's own scratch space, not shared; the null check is what the verifier asks for.
    let Some(w) = (unsafe { work.as_mut() }) else { return 1 };
    let Some(list) = watchlist(w) else { return 1 };
    let mut line = 0;
    while line < LINES {
        if next_line(w, list) != 0 {
            return 1;
        }
        line += 1;
    }
    0
}

/// Goes on to the next control character, which nearly always ends a line. Gives 1 when the scan is over.
#[inline(always)]
fn next_line(w: &mut Work, list: &Watchlist) -> u32 {
    let mut at = w.cursor;
    if at >= w.length {
        return 1;
    }
    let (mut words, mut group) = (words_at(w, at), 0);
    while group < GROUPS && is_plain(words) {
        at += GROUP;
        words = words_at(w, at);
        group += 1;
    }
    let first = at + first_control(words);
    if first == at + GROUP {
        w.cursor = first;
        return 0;
    }
    if first + 1 < w.length && word_at(w, first) as u16 == CRLF {
        w.cursor = first + 2;
        return u32::from(line_end(w, first + 1, list));
    }
    enforcer_controls(w, first)
}

/// Carriage return and newline, as the low half of a word.
const CRLF: u16 = u16::from_le_bytes(*b"\r\n");

/// True when there is surely no control character among these bytes; not where there is none but a letter beyond ASCII.
#[inline(always)]
fn is_plain([a, b, c, d]: [u64; 4]) -> bool {
    let below = |word: u64| word.wrapping_sub(ONES * u64::from(BLANK));
    (below(a) | below(b) | below(c) | below(d)) & HIGHS == 0
}

/// The number of the first control character among these bytes; as many as there are when there is none. The first mark of a
/// word is never a wrong one.
#[inline(always)]
fn first_control(words: [u64; 4]) -> u32 {
    let [a, b, c, d] = words.map(|word| bytes_below(word, BLANK));
    if a != 0 {
        first_flag(a)
    } else if b != 0 {
        8 + first_flag(b)
    } else if c != 0 {
        16 + first_flag(c)
    } else if d != 0 {
        24 + first_flag(d)
    } else {
        GROUP
    }
}

/// The control characters in a group of bytes from `from` on, one by one. Gives 1 when the scan is over.
#[cfg_attr(target_arch = "bpf", unsafe(no_mangle))]
#[inline(never)]
pub extern "C" fn enforcer_controls(work: *mut Work, from: u32) -> u32 {
    // SAFETY: as in `enforcer_lines`.
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
    match byte_at(w, at) {
        b'\n' => enforcer_line_end(w, at) != 0,
        b'\r' => carriage_return(w, at),
        byte => {
            w.odd |= if byte < BLANK && byte != b'\t' { Odd::CONTROL } else { 0 };
            false
        }
    }
}

/// A carriage return. Without newline behind it some servers end a line with it, and some the head, so it does both here.
#[inline(always)]
fn carriage_return(w: &mut Work, at: u32) -> bool {
    w.text = if w.text == at { at + 1 } else { w.text };
    if at + 1 >= w.length || byte_at(w, at + 1) == b'\n' {
        return false;
    }
    w.odd |= Odd::CONTROL;
    if byte_at(w, at + 1) == b'\r' {
        return false;
    }
    w.odd |= if at == w.line && w.count > 0 { Odd::ENDED } else { 0 };
    at > w.line && enforcer_line_end(w, at) != 0
}

/// See [`line_end`]. A function of its own, as the verifier would else follow it for each byte of a group.
#[cfg_attr(target_arch = "bpf", unsafe(no_mangle))]
#[inline(never)]
pub extern "C" fn enforcer_line_end(work: *mut Work, at: u32) -> u32 {
    // SAFETY: as in `enforcer_lines`.
    let Some(w) = (unsafe { work.as_mut() }) else { return 1 };
    let Some(list) = watchlist(w) else { return 1 };
    u32::from(line_end(w, at, list))
}

/// A line ends at `at`. True when that ends the head, or nothing more can be noted.
#[inline(always)]
fn line_end(w: &mut Work, at: u32, list: &Watchlist) -> bool {
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
    if number != 0 && is_worth_a_look(w, start, list) {
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
