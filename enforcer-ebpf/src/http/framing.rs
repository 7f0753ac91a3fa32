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

/// `Content-Length`, in the value that is meant: digits and nothing else. The same length twice is as good as once.
#[inline(always)]
pub fn length(w: &mut Work) {
    let digits = w.value_end.wrapping_sub(w.value_start);
    let again = w.framing & Framing::LENGTH != 0;
    let before = w.body;
    w.body = 0;
    if w.value_start < w.value_end && byte_at(w, w.value_start) == b'0' {
        // Servers take any number of zeros in front.
        repeat(digits, zero, w);
    }
    repeat(DIGITS, digit, w);
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

extern "C" fn digit(_index: u32, turn: *mut Turn) -> i64 {
    // SAFETY: `repeat` hands on its own.
    let w = unsafe { &mut *(*turn).work };
    let digit = byte_at(w, w.value_start).wrapping_sub(b'0');
    let more = w.value_start < w.value_end && digit <= 9;
    if more {
        w.body = w.body.wrapping_mul(10).wrapping_add(u64::from(digit));
        w.value_start += 1;
    }
    i64::from(!more)
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
