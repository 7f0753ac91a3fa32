//! The newline search: eight bytes at a time.
use enforcer_common::Reason;
use enforcer_common::limits::HEAD_WINDOW;

use super::lines::enforcer_line_end;
use super::patterns::search_values;
use super::work::{State, Turn, Work, repeat, word_at};

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;
const WORDS: u32 = 8;
const BLOCK: u32 = WORDS * 8;

/// Scans the head in `work`. `Ok` when the request line was recognised; the tokens found are in `work` either way.
#[inline(always)]
pub fn scan(work: &mut Work) -> Result<(), Reason> {
    work.line = 0;
    work.state = State::RequestLine as u32;
    work.found = 0;
    work.missed = 0;
    let blocks = (work.length + BLOCK - 1) / BLOCK;
    repeat(blocks, block, work);
    search_values(work);
    outcome(work)
}

/// Looks for line ends in one block. Gives 1 to stop.
extern "C" fn block(index: u32, turn: *mut Turn) -> i64 {
    // SAFETY: `repeat` hands on its own.
    let work = unsafe { (*turn).work };
    let start = index * BLOCK;
    let mut at = 0;
    while at < WORDS {
        let offset = start + at * 8;
        let flags = bytes_equal(word_at(work, offset), b'\n');
        if flags != 0 && enforcer_line_ends(work, offset, flags) != 0 {
            return 1;
        }
        at += 1;
    }
    0
}

/// The line ends in one word: `flags` has the top bit of each byte that may be one.
#[cfg_attr(target_arch = "bpf", unsafe(no_mangle))]
#[inline(never)]
pub extern "C" fn enforcer_line_ends(work: *mut Work, offset: u32, flags: u64) -> u32 {
    let mut byte = 0;
    while byte < 8 {
        if flags >> (byte * 8 + 7) & 1 == 1 && enforcer_line_end(work, offset + byte) != 0 {
            return 1;
        }
        byte += 1;
    }
    0
}

/// Marks the bytes of `word` that equal `byte`; may mark a byte above a true match wrongly, never misses one.
#[inline(always)]
pub fn bytes_equal(word: u64, byte: u8) -> u64 {
    let differing = word ^ (ONES * u64::from(byte));
    differing.wrapping_sub(ONES) & !differing & HIGHS
}

/// The number of the lowest marked byte; there is one.
#[inline(always)]
pub fn first_flag(flags: u64) -> u32 {
    let lowest = (flags & flags.wrapping_neg()) >> 7;
    (lowest.wrapping_mul(0x0001_0203_0405_0607) >> 56) as u32
}

/// How the scan ended.
#[inline(always)]
fn outcome(work: &Work) -> Result<(), Reason> {
    const REQUEST_LINE: u32 = State::RequestLine as u32;
    const HEADERS: u32 = State::Headers as u32;
    const COMPLETE: u32 = State::Complete as u32;
    const HTTP2: u32 = State::Http2 as u32;
    let long = work.length as usize >= HEAD_WINDOW;
    match work.state {
        COMPLETE => Ok(()),
        HTTP2 => Err(Reason::Http2),
        HEADERS | REQUEST_LINE if long => Err(Reason::HeadTooLong),
        HEADERS => Err(Reason::HeadIncomplete),
        REQUEST_LINE if super::lines::begins_like_a_request(work) => Err(Reason::HeadIncomplete),
        _ => Err(Reason::NotHttp),
    }
}
