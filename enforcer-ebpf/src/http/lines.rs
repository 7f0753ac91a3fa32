//! What the lines of a head mean.
use enforcer_common::limits::{HEAD_LINES, HEAD_WINDOW, TOKEN, WATCH_NAME, WATCHES};
use enforcer_common::{Take, Watch, Watchlist};

use super::framing;
use super::work::{Odd, Token, Turn, Work, byte_at, repeat, word_at};

/// Blanks around a value (and before a colon) that are skipped: all there may be.
const BLANKS: u32 = HEAD_WINDOW as u32;
/// Lines that one header may be folded into.
const FOLDS: u32 = 8;

const LENGTH: u32 = Take::Length as u32;
const CODING: u32 = Take::Coding as u32;

/// Notes what the header lines hold.
#[inline(always)]
pub fn read_lines(work: &mut Work) {
    repeat(work.marks, line, work);
    framing::settle(work);
}

/// True when the line that begins at `start` may be watched: its first letters are those of a watched name, or it begins with
/// a blank, so that it belongs to the line before it, or is read as a line of its own. Of an answer, when it is about the body.
#[inline(always)]
pub fn is_worth_a_look(w: &Work, start: u32, list: &Watchlist) -> bool {
    let word = word_at(w, start);
    if w.answers != 0 {
        return framing::about_body(w, start, word).is_some();
    }
    let first = word as u8;
    let mut candidates = list.first[usize::from(first)] & w.watches;
    let mut at = 0;
    while at < WATCHES && candidates != 0 {
        if candidates & 1 == 1 && begins(word, &list.watches[at]) {
            return true;
        }
        candidates >>= 1;
        at += 1;
    }
    is_blank(first)
}

/// True when these are the first letters of the name.
#[inline(always)]
fn begins(word: u64, watch: &Watch) -> bool {
    (word | watch.fold[0]) & watch.mask[0] == watch.name[0]
}

/// Looks at one of the marked lines.
extern "C" fn line(mark: u32, turn: *mut Turn) -> i64 {
    // SAFETY: `repeat` hands on its own.
    let w = unsafe { &mut *(*turn).work };
    let Some(list) = watchlist(w) else { return 1 };
    let index = w.marked[mark as usize & (HEAD_LINES - 1)];
    let (mut start, end) = bounds(w, index);
    let mut first = byte_at(w, start);
    if is_blank(first) {
        start = enforcer_folded(w, start, end);
        first = byte_at(w, start);
    }
    let word = word_at(w, start);
    let mut candidates = list.first[usize::from(first)] & w.watches;
    let mut at = 0;
    while at < WATCHES && candidates != 0 {
        if candidates & 1 == 1 && begins(word, &list.watches[at]) {
            w.watch = at as u32;
            enforcer_watch(w, start, end, index);
        }
        candidates >>= 1;
        at += 1;
    }
    0
}

/// Where line `index` begins and ends.
#[inline(always)]
pub fn bounds(w: &Work, index: u32) -> (u32, u32) {
    let line = w.lines[index as usize & (HEAD_LINES - 1)];
    (line >> 16, line & 0xffff)
}

/// A line that begins with a blank belongs to the one before, or is a header of its own: servers differ. It is read with the
/// line before, and also as a header: gives where that would begin.
#[cfg_attr(target_arch = "bpf", unsafe(no_mangle))]
#[inline(never)]
pub extern "C" fn enforcer_folded(work: *mut Work, start: u32, end: u32) -> u32 {
    // SAFETY: the caller's own scratch space, not shared; the null check is what the verifier asks for.
    let Some(w) = (unsafe { work.as_mut() }) else { return 0 };
    w.odd |= Odd::FOLDED;
    skip_spaces(w, start, end)
}

/// Compares the name with the watch that is meant, and notes its value.
#[cfg_attr(target_arch = "bpf", unsafe(no_mangle))]
#[inline(never)]
pub extern "C" fn enforcer_watch(work: *mut Work, start: u32, end: u32, index: u32) -> u32 {
    // SAFETY: as in `enforcer_folded`.
    let Some(w) = (unsafe { work.as_mut() }) else { return 0 };
    let Some(watch) = watchlist(w).and_then(|list| list.watches.get(w.watch as usize)) else { return 0 };
    let name_end = start + watch.name_length;
    if watch.name_length == 0 || name_end >= end || !is_name(w, start, watch) {
        return 0;
    }
    let colon = skip_spaces(w, name_end, end);
    if colon >= end || byte_at(w, colon) != b':' {
        return 0;
    }
    if colon != name_end {
        w.odd |= Odd::SPACED;
    }
    let folded = folded_end(w, index, end);
    if folded != end && !matches!(watch.take, LENGTH | CODING) {
        // To servers that drop what is folded.
        value(w, watch, colon + 1, end);
    }
    value(w, watch, colon + 1, folded);
    0
}

/// Notes the value (after the colon) as the watch wants it.
#[inline(always)]
fn value(w: &mut Work, watch: &Watch, start: u32, end: u32) {
    const WHOLE: u32 = Take::Whole as u32;
    const AFTER: u32 = Take::After as u32;
    const COOKIE: u32 = Take::Cookie as u32;
    const SCHEME: u32 = Take::Scheme as u32;
    const FORWARDED_FOR: u32 = Take::ForwardedFor as u32;
    const FORWARDED: u32 = Take::Forwarded as u32;
    const ADDRESS: u32 = Take::Address as u32;
    let (start, end) = trim(w, start, end);
    match watch.take {
        LENGTH => framing::length(w),
        CODING => framing::coding(w, start, end),
        WHOLE => note(w, start, end, watch.kind),
        take => {
            w.searched += u32::from(matches!(take, AFTER | COOKIE | SCHEME));
            w.lists += u32::from(matches!(take, FORWARDED_FOR | FORWARDED | ADDRESS));
            push(w, start, end, Token::VALUE);
        }
    }
}

/// Where the value of the header on line `index` ends: with the last of the lines it is folded into.
#[inline(always)]
fn folded_end(w: &Work, index: u32, mut end: u32) -> u32 {
    let mut at = 1;
    while at <= FOLDS && index + at < w.count {
        let (start, next) = bounds(w, index + at);
        if !is_blank(byte_at(w, start)) {
            break;
        }
        end = next;
        at += 1;
    }
    end
}

/// Compares 32 bytes at once, letters without case.
#[inline(always)]
fn is_name(w: &Work, start: u32, watch: &Watch) -> bool {
    let mut differing = 0;
    let mut at = 0;
    while at < WATCH_NAME / 8 {
        let word = word_at(w, start + at as u32 * 8);
        differing |= ((word | watch.fold[at]) & watch.mask[at]) ^ watch.name[at];
        at += 1;
    }
    differing == 0
}

/// Where the first byte stands, from `start` on, that is neither blank nor end of line.
#[inline(always)]
pub fn skip_spaces(w: &mut Work, start: u32, end: u32) -> u32 {
    // Nearly always there is one blank, or none.
    let start = start + u32::from(is_space_at(w, start, end));
    if !is_space_at(w, start, end) {
        return start;
    }
    (w.value_start, w.value_end) = (start, end);
    repeat(BLANKS, skip_space, w);
    w.value_start
}

/// The same without blanks on either side; also noted as the value that is meant.
#[inline(always)]
pub fn trim(w: &mut Work, start: u32, end: u32) -> (u32, u32) {
    let start = skip_spaces(w, start, end);
    (w.value_start, w.value_end) = (start, end);
    if start < end && is_space(byte_at(w, end - 1)) {
        repeat(BLANKS, trim_end, w);
    }
    (w.value_start, w.value_end)
}

#[inline(always)]
fn is_space_at(w: &Work, at: u32, end: u32) -> bool {
    at < end && is_space(byte_at(w, at))
}

extern "C" fn skip_space(_index: u32, turn: *mut Turn) -> i64 {
    // SAFETY: `repeat` hands on its own.
    let w = unsafe { &mut *(*turn).work };
    let skip = is_space_at(w, w.value_start, w.value_end);
    w.value_start += u32::from(skip);
    i64::from(!skip)
}

extern "C" fn trim_end(_index: u32, turn: *mut Turn) -> i64 {
    // SAFETY: `repeat` hands on its own.
    let w = unsafe { &mut *(*turn).work };
    let skip = w.value_start < w.value_end && is_space(byte_at(w, w.value_end.wrapping_sub(1)));
    w.value_end -= u32::from(skip);
    i64::from(!skip)
}

/// A blank inside a line.
#[inline(always)]
pub fn is_blank(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

/// What servers take off a value: blanks, the end of a line inside a folded one, and for some any control character.
#[inline(always)]
pub fn is_space(byte: u8) -> bool {
    byte <= b' '
}

/// Notes a token; one that is too long to hash is counted instead.
#[inline(always)]
pub fn note(work: &mut Work, start: u32, end: u32, kind: u32) {
    if end - start > TOKEN as u32 {
        work.missed += 1;
    } else {
        push(work, start, end, kind as u16);
        work.named += u32::from(start < end);
    }
}

/// Notes a place in the head; one too many is counted instead.
#[inline(always)]
fn push(work: &mut Work, start: u32, end: u32, kind: u16) {
    if start >= end {
        return;
    }
    let token = Token { start: start as u16, length: (end - start) as u16, kind, watch: work.watch as u16 };
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
