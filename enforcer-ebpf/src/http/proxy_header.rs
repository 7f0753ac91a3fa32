//! Reads a PROXY header, version 1 (text) or 2 (binary), as trusted proxies put it in front of a connection.
use enforcer_common::{Address, Take};

use super::addresses::read_addresses;
use super::lines::is_blank;
use super::work::{Turn, Work, byte_at, repeat, word_at};

/// The twelve bytes that version 2 begins with.
const SIGNATURE: (u64, u64) = (u64::from_le_bytes(*b"\r\n\r\n\0\r\nQ"), u64::from_le_bytes(*b"UIT\n\0\0\0\0"));
/// What version 1 begins with.
const TEXT: u64 = u64::from_le_bytes(*b"PROXY \0\0");
const TEXT_LENGTH: u32 = 6;
/// Longest line of version 1.
const LONGEST: u32 = 107;
/// Bytes of version 2 before its addresses.
const FIXED: u32 = 16;

/// What the bytes are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ProxyHeader {
    /// A header of this many bytes; its client is in `work.addresses[0]`, zero where it names none.
    Whole(u32),
    /// More bytes could make it one.
    Open,
    /// Not a header.
    None,
}

/// Reads the header that the bytes in `work` begin with.
#[inline(always)]
pub fn read_proxy_header(work: &mut Work) -> ProxyHeader {
    work.addresses[0] = Address::default();
    let (first, second) = (word_at(work, 0), word_at(work, 8));
    if begins(first, TEXT, work.length, TEXT_LENGTH) {
        return if work.length < TEXT_LENGTH { ProxyHeader::Open } else { text(work) };
    }
    let rest = work.length.saturating_sub(8);
    if begins(first, SIGNATURE.0, work.length, 8) && begins(second, SIGNATURE.1, rest, 4) {
        return if work.length < FIXED { ProxyHeader::Open } else { binary(work) };
    }
    ProxyHeader::None
}

/// True when the first `length` bytes of `word`, or as many as there are, are those of `wanted`.
#[inline(always)]
fn begins(word: u64, wanted: u64, there: u32, length: u32) -> bool {
    let compared = if there < length { there } else { length };
    let mask = if compared >= 8 { u64::MAX } else { (1 << (compared * 8)) - 1 };
    (word ^ wanted) & mask == 0
}

/// `PROXY TCP4 source destination port port`, or `PROXY UNKNOWN` and anything.
#[inline(always)]
fn text(w: &mut Work) -> ProxyHeader {
    (w.cursor, w.segment, w.value_start, w.value_end) = (0, 0, 0, 0);
    repeat(LONGEST, text_byte, w);
    let end = w.cursor;
    if byte_at(w, end) != b'\n' || end >= w.length {
        return if end < LONGEST && end >= w.length { ProxyHeader::Open } else { ProxyHeader::None };
    }
    let (start, stop) = (w.value_start, w.value_end);
    if start < stop {
        read_addresses(w, start, stop, Take::Address as u32);
    }
    ProxyHeader::Whole(end + 1)
}

/// Counts the blanks: the source stands between the second and the third. Gives 1 at the end of the line.
extern "C" fn text_byte(_index: u32, turn: *mut Turn) -> i64 {
    // SAFETY: `repeat` hands on its own.
    let w = unsafe { &mut *(*turn).work };
    let at = w.cursor;
    let byte = byte_at(w, at);
    if at >= w.length || byte == b'\n' {
        return 1;
    }
    w.cursor = at + 1;
    if is_blank(byte) {
        w.segment += 1;
        match w.segment {
            2 => w.value_start = at + 1,
            3 => w.value_end = at,
            _ => {}
        }
    }
    0
}

/// Version and command, family, length, addresses.
#[inline(always)]
fn binary(w: &mut Work) -> ProxyHeader {
    const PROXY: u8 = 0x21;
    const TCP4: u8 = 0x11;
    const TCP6: u8 = 0x21;
    let (command, family) = (byte_at(w, 12), byte_at(w, 13));
    let length = u32::from(byte_at(w, 14)) << 8 | u32::from(byte_at(w, 15));
    if w.length < FIXED + length {
        return ProxyHeader::Open;
    }
    let (high, low) = (word_at(w, FIXED).swap_bytes(), word_at(w, FIXED + 8).swap_bytes());
    w.addresses[0] = match (command, family) {
        (PROXY, TCP4) if length >= 12 => Address::from_halves(0, 0xffff_0000_0000 | high >> 32),
        (PROXY, TCP6) if length >= 36 => Address::from_halves(high, low),
        _ => Address::default(),
    };
    ProxyHeader::Whole(FIXED + length)
}
