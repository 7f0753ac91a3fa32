//! Finds the lines of a head: eight bytes at a time, every control character in one test.
use enforcer_common::Reason;
use enforcer_common::limits::{HEAD_LINES, HEAD_WINDOW};

use super::lines::read_lines;
use super::patterns::search_values;
use super::request_line;
use super::work::{Odd, Turn, Work, byte_at, repeat, word_at};

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;
const WORDS: u32 = 8;
const BLOCK: u32 = WORDS * 8;
const BLANK: u8 = b' ';

/// Scans the bytes in `work`. `Ok` when they begin with a whole head, which ends at `work.end`; what is found of it is in
/// `work`. [`Reason::HeadOpen`] when more bytes could make it one; [`Reason::HeadTooLong`] when no more can be taken: then
/// the tokens of the lines that were read are in `work` all the same.
#[inline(always)]
pub fn scan(work: &mut Work) -> Result<(), Reason> {
    find_lines(work);
    request_line::judge(work)?;
    let long = work.length as usize >= HEAD_WINDOW || work.count as usize >= HEAD_LINES;
    if work.end == 0 && !long {
        return Err(Reason::HeadOpen);
    }
    read_lines(work);
    search_values(work);
    if work.end == 0 { Err(Reason::HeadTooLong) } else { Ok(()) }
}

/// Begins anew: notes the lines of the bytes in `work`, to the end of the head or of the bytes.
#[inline(always)]
pub fn find_lines(work: &mut Work) {
    (work.count, work.line, work.end, work.odd) = (0, 0, 0, 0);
    (work.found, work.named, work.missed, work.framing, work.body) = (0, 0, 0, 0, 0);
    repeat((work.length + BLOCK - 1) / BLOCK, block, work);
}

/// Looks for control characters in one block. Gives 1 to stop.
extern "C" fn block(index: u32, turn: *mut Turn) -> i64 {
    // SAFETY: `repeat` hands on its own.
    let work = unsafe { (*turn).work };
    let start = index * BLOCK;
    let mut at = 0;
    while at < WORDS {
        let offset = start + at * 8;
        let flags = bytes_below(word_at(work, offset), BLANK);
        if flags != 0 && enforcer_controls(work, offset, flags) != 0 {
            return 1;
        }
        at += 1;
    }
    0
}

/// The control characters of one word: `flags` has the top bit of each byte that may be one. Gives 1 when the scan is over.
#[cfg_attr(target_arch = "bpf", unsafe(no_mangle))]
#[inline(never)]
pub extern "C" fn enforcer_controls(work: *mut Work, offset: u32, flags: u64) -> u32 {
    // SAFETY: the caller's own scratch space, not shared; the null check is what the verifier asks for.
    let Some(w) = (unsafe { work.as_mut() }) else { return 1 };
    let mut byte = 0;
    while byte < 8 {
        let at = offset + byte;
        if flags >> (byte * 8 + 7) & 1 == 1 {
            if at >= w.length {
                return 1;
            }
            match byte_at(w, at) {
                b'\n' if line_end(w, at) => return 1,
                b'\r' if at + 1 < w.length && byte_at(w, at + 1) != b'\n' => w.odd |= Odd::CONTROL,
                b'\n' | b'\r' | b'\t' | b' '..=0xff => {}
                _ => w.odd |= Odd::CONTROL,
            }
        }
        byte += 1;
    }
    0
}

/// A line ends at `at`. True when that ends the head, or nothing more can be noted.
#[inline(always)]
fn line_end(w: &mut Work, at: u32) -> bool {
    let start = w.line;
    w.line = at + 1;
    let end = if at > start && byte_at(w, at - 1) == b'\r' { at - 1 } else { at };
    // Blank lines before a request are to be ignored (RFC 9112, 2.2); some servers pass over more carriage returns.
    let blank = start == end || (w.count == 0 && byte_at(w, end - 1) == b'\r');
    if blank {
        let ended = w.count > 0;
        w.end = if ended { at + 1 } else { 0 };
        return ended;
    }
    match w.lines.get_mut(w.count as usize) {
        Some(line) => *line = start << 16 | end,
        None => return true,
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
