//! Looks for a watch's pattern inside a value, and takes the token after it: `DeviceId/` in a `User-Agent`.
use enforcer_common::limits::TOKEN;

use super::lines::{note, watchlist};
use super::scan::{bytes_equal, first_flag};
use super::work::{TOKENS, Token, Turn, Work, repeat, word_at};

/// Searches every value that was noted for its pattern; the tokens are noted behind.
#[inline(always)]
pub fn search_values(work: &mut Work) {
    let values = work.found;
    let mut at = 0;
    while at < TOKENS as u32 && at < values {
        enforcer_search(work, at);
        at += 1;
    }
}

/// Searches the value noted as number `at`, if it is one.
#[cfg_attr(target_arch = "bpf", unsafe(no_mangle))]
#[inline(never)]
pub extern "C" fn enforcer_search(work: *mut Work, at: u32) -> u32 {
    // SAFETY: the caller's own scratch space, not shared; the null check is what the verifier asks for.
    let Some(w) = (unsafe { work.as_mut() }) else { return 0 };
    let value = w.tokens[at as usize & (TOKENS - 1)];
    if value.kind == Token::VALUE {
        w.value_start = u32::from(value.start);
        w.value_end = u32::from(value.start) + u32::from(value.length);
        w.watch = u32::from(value.watch);
        repeat((u32::from(value.length) + 7) / 8, find_pattern, work);
    }
    0
}

/// Looks for the pattern's first byte in one word of the value, and for the whole pattern where it stands.
extern "C" fn find_pattern(index: u32, turn: *mut Turn) -> i64 {
    // SAFETY: `repeat` hands on its own.
    let (work, w) = unsafe { ((*turn).work, &*(*turn).work) };
    let Some(watch) = watchlist(w).and_then(|list| list.watches.get(w.watch as usize)) else { return 1 };
    let offset = w.value_start + index * 8;
    let flags = bytes_equal(word_at(work, offset), watch.pattern[0] as u8);
    let mut byte = 0;
    while byte < 8 && flags != 0 {
        if flags >> (byte * 8 + 7) & 1 == 1 {
            enforcer_pattern(work, offset + byte);
        }
        byte += 1;
    }
    0
}

/// The pattern may stand at `at`: notes the token after it.
#[cfg_attr(target_arch = "bpf", unsafe(no_mangle))]
#[inline(never)]
pub extern "C" fn enforcer_pattern(work: *mut Work, at: u32) -> u32 {
    // SAFETY: as in `enforcer_search`.
    let Some(w) = (unsafe { work.as_mut() }) else { return 0 };
    let Some(watch) = watchlist(w).and_then(|list| list.watches.get(w.watch as usize)) else { return 0 };
    let low = (word_at(work, at) & watch.pattern_mask[0]) ^ watch.pattern[0];
    let high = (word_at(work, at + 8) & watch.pattern_mask[1]) ^ watch.pattern[1];
    let start = at + watch.pattern_length;
    if low | high != 0 || start > w.value_end {
        return 0;
    }
    let end = token_end(work, start);
    note(w, start, if end < w.value_end { end } else { w.value_end }, watch.kind);
    0
}

/// Where the token that begins at `start` ends: at most one byte past the longest that is hashed.
#[inline(always)]
fn token_end(work: *mut Work, start: u32) -> u32 {
    let mut at = 0;
    while at <= TOKEN as u32 {
        let word = word_at(work, start + at);
        let flags = b" \t;,()\"\r".iter().fold(0, |flags, byte| flags | bytes_equal(word, *byte));
        if flags != 0 {
            return start + at + first_flag(flags);
        }
        at += 8;
    }
    start + at
}
