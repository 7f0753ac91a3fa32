//! The keyed digest of a token, read from the scratch space a word at a time.
use enforcer_common::{Sip, SipKey};

use super::work::{Token, Turn, Work, byte_at, repeat, word_at};

/// SipHash-2-4 of the token's bytes; equals `enforcer_common::siphash` of them.
#[inline(always)]
pub fn digest_token(w: &mut Work, token: Token, key: SipKey) -> u64 {
    digest(w, u32::from(token.start), u32::from(token.length), key)
}

/// The digest of a host's name without its port, every byte with the bit that makes letters lower-case. The agent does the
/// same; among the bytes of host names it changes capitals, and the underscore alike on both sides.
#[inline(always)]
pub fn digest_host(w: &mut Work, token: Token, key: SipKey) -> u64 {
    const LOWER: u64 = 0x2020_2020_2020_2020;
    const LONGEST: u32 = 255;
    let start = u32::from(token.start);
    (w.value_start, w.value_end) = (start, start + u32::from(token.length));
    repeat(LONGEST, host_byte, w);
    // The root's own dot says nothing.
    let dotted = w.value_start > start && byte_at(w, w.value_start - 1) == b'.';
    digest_folded(w, start, w.value_start - start - u32::from(dotted), key, LOWER)
}

/// Moves on to the port, or to the end.
extern "C" fn host_byte(_index: u32, turn: *mut Turn) -> i64 {
    // SAFETY: `repeat` hands on its own.
    let w = unsafe { &mut *(*turn).work };
    let more = w.value_start < w.value_end && byte_at(w, w.value_start) != b':';
    w.value_start += u32::from(more);
    i64::from(!more)
}

/// SipHash-2-4 of bytes of the head.
#[inline(always)]
pub fn digest(w: &mut Work, start: u32, length: u32, key: SipKey) -> u64 {
    digest_folded(w, start, length, key, 0)
}

/// Words that are digested without a loop of the kernel: longer tokens are rare.
const SHORT: u32 = 8;

/// The same with the bits of `fold` set in every word.
#[inline(always)]
fn digest_folded(w: &mut Work, start: u32, length: u32, key: SipKey, fold: u64) -> u64 {
    let words = length / 8;
    let (sip, end) = if words <= SHORT {
        (short(w, start, words, key, fold), start + words * 8)
    } else {
        (w.sip, w.value_start, w.fold) = (Sip::new(key), start, fold);
        repeat(words, word, w);
        (w.sip, w.value_start)
    };
    let rest = (length % 8) * 8;
    let tail = if rest == 0 { 0 } else { (word_at(w, end) | fold) & ((1 << rest) - 1) };
    sip.finish(tail, u64::from(length))
}

/// The words of a short message.
#[inline(always)]
fn short(w: &Work, start: u32, words: u32, key: SipKey, fold: u64) -> Sip {
    let mut sip = Sip::new(key);
    let mut at = 0;
    while at < SHORT && at < words {
        sip = sip.word(word_at(w, start + at * 8) | fold);
        at += 1;
    }
    sip
}

extern "C" fn word(_index: u32, turn: *mut Turn) -> i64 {
    // SAFETY: `repeat` hands on its own.
    let w = unsafe { &mut *(*turn).work };
    w.sip = w.sip.word(word_at(w, w.value_start) | w.fold);
    w.value_start += 8;
    0
}
