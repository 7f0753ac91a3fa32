//! How long the body is, as RFC 9112 (6.3) has it; what servers could read differently is marked as odd.
use super::lines::is_space;
use super::work::{Framing, Odd, Turn, Version, Work, byte_at, repeat, word_at};

/// `chunked`, as the low seven bytes of a word.
const CHUNKED: u64 = u64::from_le_bytes(*b"chunked\0");
const CHUNKED_LENGTH: u32 = 7;
const CASE: u64 = 0x0020_2020_2020_2020;
const SEVEN: u64 = 0x00ff_ffff_ffff_ffff;
/// Most digits of a length, zeros in front aside; more do not fit into 64 bits.
const DIGITS: u32 = 18;

/// A header that says how long the body is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum About {
    Length,
    Coding,
}

impl About {
    /// Bytes of its name, with the colon.
    pub const fn name(self) -> u32 {
        match self {
            Self::Length => 15,
            Self::Coding => 18,
        }
    }
}

/// Which of them the line at `start` is, that begins with this word: for answers, which have no blanks before a colon.
#[inline(always)]
pub fn about_body(w: &Work, start: u32, word: u64) -> Option<About> {
    const LENGTH: [u64; 2] = [u64::from_le_bytes(*b"content-"), u64::from_le_bytes(*b"length:\0")];
    const CODING: [u64; 2] = [u64::from_le_bytes(*b"transfer"), u64::from_le_bytes(*b"-encodin")];
    const CODING_END: u64 = u64::from_le_bytes(*b"g:\0\0\0\0\0\0");
    const LETTERS: u64 = 0x2020_2020_2020_2020;
    const TWO: u64 = 0xffff;
    let first = word | LETTERS;
    let second = || word_at(w, start + 8) | LETTERS;
    if first == LENGTH[0] && second() & SEVEN == LENGTH[1] {
        Some(About::Length)
    } else if first == CODING[0] && second() == CODING[1] && (word_at(w, start + 16) | LETTERS) & TWO == CODING_END {
        Some(About::Coding)
    } else {
        None
    }
}

/// `Content-Length`, in the value that is meant: digits and nothing else. The same length twice is as good as once.
#[inline(always)]
pub fn length(w: &mut Work) {
    let digits = w.value_end.wrapping_sub(w.value_start);
    let again = w.framing & Framing::LENGTH != 0;
    let before = w.body;
    if w.value_start < w.value_end && byte_at(w, w.value_start) == b'0' {
        // Servers take any number of zeros in front.
        repeat(digits, zero, w);
    }
    read_digits(w);
    let whole = digits > 0 && w.value_start == w.value_end;
    if !whole || (again && w.body != before) {
        w.odd |= Odd::LENGTH;
    }
    if whole && !again {
        w.framing |= Framing::LENGTH;
    } else {
        w.body = before;
    }
}

/// Passes over a zero that is not the last digit.
extern "C" fn zero(_index: u32, turn: *mut Turn) -> i64 {
    // SAFETY: `repeat` hands on its own.
    let w = unsafe { &mut *(*turn).work };
    let more = w.value_start + 1 < w.value_end && byte_at(w, w.value_start) == b'0';
    w.value_start += u32::from(more);
    i64::from(!more)
}

/// Reads digits, as many as there may be.
#[inline(always)]
fn read_digits(w: &mut Work) {
    let (mut at, mut number, mut count) = (w.value_start, 0_u64, 0);
    while count < DIGITS && at < w.value_end {
        let digit = byte_at(w, at).wrapping_sub(b'0');
        if digit > 9 {
            break;
        }
        number = number.wrapping_mul(10).wrapping_add(u64::from(digit));
        at += 1;
        count += 1;
    }
    (w.value_start, w.body) = (at, number);
}

/// `Transfer-Encoding`: the body is chunked when the last coding is.
#[inline(always)]
pub fn coding(w: &mut Work, start: u32, end: u32) {
    let ends_chunked = end >= start + CHUNKED_LENGTH && (word_at(w, end - CHUNKED_LENGTH) | CASE) & SEVEN == CHUNKED;
    let alone = end == start + CHUNKED_LENGTH;
    let apart = alone || (ends_chunked && is_border(byte_at(w, end - CHUNKED_LENGTH - 1)));
    // Version 1.0 knows no coding, so servers of that time take none.
    if !(ends_chunked && alone) || w.framing & Framing::CHUNKED != 0 || w.version != Version::USUAL {
        w.odd |= Odd::CODING;
    }
    // A coding that only ends like it is no chunked body to most servers, and one to some.
    if ends_chunked && apart {
        w.framing |= Framing::CHUNKED;
    } else {
        w.framing &= !Framing::CHUNKED;
    }
}

#[inline(always)]
fn is_border(byte: u8) -> bool {
    byte == b',' || is_space(byte)
}

/// A length and a coding do not go together.
#[inline(always)]
pub fn settle(w: &mut Work) {
    const BOTH: u32 = Framing::LENGTH | Framing::CHUNKED;
    if w.framing & BOTH == BOTH {
        w.odd |= Odd::CODING;
    }
}
