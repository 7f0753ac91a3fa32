//! Finds tokens inside values: after a pattern (`DeviceId/` in a `User-Agent`), in a cookie, after a scheme.
use enforcer_common::limits::{TOKEN, WATCH_PATTERN};
use enforcer_common::{Take, Watch};

use super::lines::{is_space, note, skip_spaces, watchlist};
use super::scan::{bytes_equal, first_flag};
use super::work::{TOKENS, Token, Turn, Work, byte_at, repeat, word_at};

const AFTER: u32 = Take::After as u32;
const COOKIE: u32 = Take::Cookie as u32;
const SCHEME: u32 = Take::Scheme as u32;

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
    if value.kind != Token::VALUE {
        return 0;
    }
    w.value_start = u32::from(value.start);
    w.value_end = u32::from(value.start) + u32::from(value.length);
    w.watch = u32::from(value.watch);
    let Some(watch) = watch(w) else { return 0 };
    match watch.take {
        AFTER | COOKIE => repeat((u32::from(value.length) + 7) / 8, find_pattern, w),
        SCHEME => {
            enforcer_pattern(w, w.value_start);
        }
        _ => {}
    }
    0
}

#[inline(always)]
fn watch(w: &Work) -> Option<&'static Watch> {
    watchlist(w).and_then(|list| list.watches.get(w.watch as usize))
}

/// Looks for the pattern's first byte in one word of the value, and for the whole pattern where it stands.
extern "C" fn find_pattern(index: u32, turn: *mut Turn) -> i64 {
    // SAFETY: `repeat` hands on its own.
    let w = unsafe { &mut *(*turn).work };
    let Some(watch) = watch(w) else { return 1 };
    let offset = w.value_start + index * 8;
    let flags = bytes_equal(word_at(w, offset), watch.pattern[0] as u8);
    let mut byte = 0;
    while byte < 8 && flags != 0 {
        if flags >> (byte * 8 + 7) & 1 == 1 {
            enforcer_pattern(w, offset + byte);
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
    let Some(watch) = watch(w) else { return 0 };
    let start = at + watch.pattern_length;
    if start > w.value_end || !is_pattern(w, at, watch) {
        return 0;
    }
    if watch.take == COOKIE && at > w.value_start && !is_cookie_border(byte_at(w, at - 1)) {
        return 0;
    }
    let Some(start) = behind_pattern(w, watch, start) else { return 0 };
    let (start, end) = token(w, watch, start);
    note(w, start, end, watch.kind);
    0
}

/// Where the token begins: behind the equals sign of a cookie, behind the blanks that follow a scheme.
#[inline(always)]
fn behind_pattern(w: &mut Work, watch: &Watch, start: u32) -> Option<u32> {
    let first = byte_at(w, start);
    match watch.take {
        SCHEME if is_space(first) => Some(skip_within(w, start)),
        COOKIE => {
            let sign = skip_within(w, start);
            if sign < w.value_end && byte_at(w, sign) == b'=' { Some(skip_within(w, sign + 1)) } else { None }
        }
        SCHEME => None,
        _ => Some(start),
    }
}

/// Skips blanks, and leaves alone which value is searched.
#[inline(always)]
fn skip_within(w: &mut Work, start: u32) -> u32 {
    let (value_start, value_end) = (w.value_start, w.value_end);
    let at = skip_spaces(w, start, value_end);
    (w.value_start, w.value_end) = (value_start, value_end);
    at
}

/// Where the token behind the pattern begins and ends.
#[inline(always)]
fn token(w: &mut Work, watch: &Watch, start: u32) -> (u32, u32) {
    if watch.take == SCHEME {
        return (start, w.value_end);
    }
    w.token_end = start;
    repeat((TOKEN / 8) as u32 + 1, if watch.take == COOKIE { cookie_ends } else { token_ends }, w);
    let end = if w.token_end < w.value_end { w.token_end } else { w.value_end };
    let quoted = watch.take == COOKIE && end > start + 1 && byte_at(w, start) == b'"' && byte_at(w, end - 1) == b'"';
    if quoted { (start + 1, end - 1) } else { (start, end) }
}

#[inline(always)]
fn is_pattern(w: &Work, start: u32, watch: &Watch) -> bool {
    let mut differing = 0;
    let mut at = 0;
    while at < WATCH_PATTERN / 8 {
        let word = word_at(w, start + at as u32 * 8) | watch.pattern_fold[at];
        differing |= (word & watch.pattern_mask[at]) ^ watch.pattern[at];
        at += 1;
    }
    differing == 0
}

#[inline(always)]
fn is_cookie_border(byte: u8) -> bool {
    byte == b';' || byte == b',' || is_space(byte)
}

/// Moves the token's end on by up to eight bytes; gives 1 at what ends a cookie.
extern "C" fn cookie_ends(_index: u32, turn: *mut Turn) -> i64 {
    end_in_word(turn, b"; \t\r")
}

/// The same for what ends a token inside free text.
extern "C" fn token_ends(_index: u32, turn: *mut Turn) -> i64 {
    end_in_word(turn, b" \t;,()\"\r")
}

#[inline(always)]
fn end_in_word<const N: usize>(turn: *mut Turn, ends: &[u8; N]) -> i64 {
    // SAFETY: `repeat` hands on its own.
    let w = unsafe { &mut *(*turn).work };
    let word = word_at(w, w.token_end);
    let flags = ends.iter().fold(0, |flags, byte| flags | bytes_equal(word, *byte));
    if flags == 0 {
        w.token_end += 8;
        return i64::from(w.token_end >= w.value_end);
    }
    w.token_end += first_flag(flags);
    1
}
