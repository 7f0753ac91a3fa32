//! Reads lists of addresses: `X-Forwarded-For`, `Forwarded` (RFC 7239), a single address. Pure text; whom to believe is
//! decided elsewhere.
//!
//! Commas always part elements, also inside quotes: the right-hand end was written by those who are trusted, and an open
//! quote further left must not swallow it.
use enforcer_common::{Address, Take};

use super::lines::is_space;
use super::work::{Turn, Work, byte_at, repeat, word_at};

/// Elements that are kept, the last ones of a list.
pub const ADDRESSES: usize = 16;
/// Longest list that is read, bytes; of a longer one the end.
const LIST: u32 = 2048;

const FORWARDED: u32 = Take::Forwarded as u32;
/// `for=`, as the low half of a word.
const FOR: u64 = u64::from_le_bytes(*b"for=\0\0\0\0");
const CASE: u64 = 0x0020_2020;

/// One address under way.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct Parse {
    /// Groups of an IPv6 address, and where its `::` stands plus one.
    pub groups: [u16; 8],
    pub count: u32,
    pub gap: u32,
    /// The number under way, read both ways, and its digits.
    pub hexadecimal: u32,
    pub decimal: u32,
    pub digits: u32,
    /// Octets of an IPv4 address, and how many.
    pub octets: u32,
    pub dots: u32,
    /// The last byte was a colon.
    pub colon: u32,
    /// The address has ended: what follows is a port.
    pub ended: u32,
    /// This is no address.
    pub bad: u32,
    /// Bytes were taken.
    pub begun: u32,
    /// In `Forwarded`: these bytes belong to `for=`; this many of them are its name; and a parameter begins here.
    pub inside: u32,
    pub skip: u32,
    pub fresh: u32,
}

/// Reads the list between `start` and `end` in the form of `take`; the addresses are in `work.addresses`, unknown ones as zero.
#[inline(always)]
pub fn read_addresses(work: &mut Work, start: u32, end: u32, take: u32) {
    let start = if end - start > LIST { end - LIST } else { start };
    (work.value_start, work.value_end, work.address_count, work.take) = (start, end, 0, take);
    next_element(work);
    repeat(end - start + 1, byte, work);
}

#[inline(always)]
fn next_element(w: &mut Work) {
    w.parse = Parse { inside: u32::from(w.take != FORWARDED), fresh: 1, ..Parse::default() };
}

extern "C" fn byte(index: u32, turn: *mut Turn) -> i64 {
    // SAFETY: `repeat` hands on its own.
    let w = unsafe { &mut *(*turn).work };
    let at = w.value_start + index;
    if at >= w.value_end {
        enforcer_element(w);
        return 1;
    }
    match byte_at(w, at) {
        b',' => {
            enforcer_element(w);
        }
        b';' if w.take == FORWARDED => (w.parse.inside, w.parse.fresh) = (0, 1),
        byte if is_space(byte) || byte == b'"' => {}
        byte => {
            name(w, at);
            enforcer_address_byte(w, u32::from(byte));
        }
    }
    0
}

/// In `Forwarded`, tells where `for=` begins.
#[inline(always)]
fn name(w: &mut Work, at: u32) {
    if w.take == FORWARDED && w.parse.fresh != 0 {
        let is_for = (word_at(w, at) | CASE) & 0xffff_ffff == FOR;
        (w.parse.inside, w.parse.skip) = (u32::from(is_for), 4);
    }
    w.parse.fresh = 0;
}

/// Takes one byte of an address.
#[cfg_attr(target_arch = "bpf", unsafe(no_mangle))]
#[inline(never)]
pub extern "C" fn enforcer_address_byte(work: *mut Work, byte: u32) -> u32 {
    // SAFETY: the caller's own scratch space, not shared; the null check is what the verifier asks for.
    let Some(w) = (unsafe { work.as_mut() }) else { return 0 };
    let parse = &mut w.parse;
    if parse.inside == 0 || parse.ended != 0 {
        return 0;
    }
    if parse.skip > 0 {
        parse.skip -= 1;
        return 0;
    }
    parse.begun = 1;
    let was_colon = parse.colon;
    parse.colon = 0;
    // A colon at the very beginning must be the first of two.
    parse.bad |= u32::from(was_colon != 0 && parse.count == 0 && parse.gap == 0 && byte != u32::from(b':'));
    match byte as u8 {
        digit @ b'0'..=b'9' => number(parse, u32::from(digit - b'0')),
        digit @ b'a'..=b'f' => number(parse, u32::from(digit - b'a') + 10),
        digit @ b'A'..=b'F' => number(parse, u32::from(digit - b'A') + 10),
        b'.' => octet(parse),
        b':' if parse.dots == 3 && parse.count == 0 && parse.gap == 0 => parse.ended = 1,
        b':' if parse.dots == 0 => colon(parse, was_colon),
        b']' | b'%' => parse.ended = 1,
        b'[' if parse.count == 0 && parse.digits == 0 => {}
        _ => parse.bad = 1,
    }
    0
}

#[inline(always)]
fn number(parse: &mut Parse, digit: u32) {
    parse.hexadecimal = parse.hexadecimal << 4 | digit;
    parse.decimal = if digit > 9 || parse.decimal > 255 { 256 } else { parse.decimal * 10 + digit };
    parse.digits += 1;
    parse.bad |= u32::from(parse.digits > 4);
}

#[inline(always)]
fn octet(parse: &mut Parse) {
    parse.bad |= u32::from(!is_octet(parse) || parse.dots >= 3);
    parse.octets = parse.octets << 8 | (parse.decimal & 255);
    parse.dots += 1;
    (parse.hexadecimal, parse.decimal, parse.digits) = (0, 0, 0);
}

/// A zero in front makes it none: some would read the number as an octal one.
#[inline(always)]
fn is_octet(parse: &Parse) -> bool {
    let least = match parse.digits {
        1 => 0,
        2 => 10,
        3 => 100,
        _ => return false,
    };
    parse.decimal >= least && parse.decimal <= 255
}

#[inline(always)]
fn colon(parse: &mut Parse, was_colon: u32) {
    parse.colon = 1;
    if parse.digits > 0 {
        push(parse);
    } else if was_colon != 0 {
        parse.bad |= u32::from(parse.gap != 0);
        parse.gap = parse.count + 1;
    } else {
        parse.bad |= u32::from(parse.count != 0 || parse.gap != 0);
    }
}

#[inline(always)]
fn push(parse: &mut Parse) {
    match parse.groups.get_mut(parse.count as usize) {
        Some(group) => *group = parse.hexadecimal as u16,
        None => parse.bad = 1,
    }
    parse.count += 1;
    (parse.hexadecimal, parse.decimal, parse.digits) = (0, 0, 0);
}

/// The element ends: notes its address.
#[cfg_attr(target_arch = "bpf", unsafe(no_mangle))]
#[inline(never)]
pub extern "C" fn enforcer_element(work: *mut Work) -> u32 {
    // SAFETY: as in `enforcer_address_byte`.
    let Some(w) = (unsafe { work.as_mut() }) else { return 0 };
    let address = finished(&mut w.parse).unwrap_or_default();
    w.addresses[w.address_count as usize & (ADDRESSES - 1)] = address;
    w.address_count += 1;
    next_element(w);
    0
}

/// The address that was read, if it was one.
#[inline(always)]
fn finished(parse: &mut Parse) -> Option<Address> {
    if parse.begun == 0 || parse.bad != 0 {
        return None;
    }
    if parse.dots > 0 {
        octet_last(parse);
        if parse.count == 0 && parse.gap == 0 && parse.bad == 0 {
            return Some(Address::from_halves(0, 0xffff_0000_0000 | u64::from(parse.octets)));
        }
    } else if parse.digits > 0 {
        push(parse);
    } else if parse.colon != 0 && parse.gap != parse.count + 1 {
        return None;
    }
    let whole = if parse.gap == 0 { parse.count == 8 } else { parse.count < 8 };
    if whole && parse.bad == 0 { Some(spread(parse)) } else { None }
}

/// The last octet; inside an IPv6 address the four become two groups.
#[inline(always)]
fn octet_last(parse: &mut Parse) {
    parse.bad |= u32::from(!is_octet(parse) || parse.dots != 3);
    parse.octets = parse.octets << 8 | (parse.decimal & 255);
    if parse.count != 0 || parse.gap != 0 {
        parse.hexadecimal = parse.octets >> 16;
        push(parse);
        parse.hexadecimal = parse.octets & 0xffff;
        push(parse);
    }
}

/// Puts the groups behind the `::` to the end.
#[inline(always)]
fn spread(parse: &Parse) -> Address {
    let front = if parse.gap == 0 { 8 } else { parse.gap - 1 };
    let (mut high, mut low) = (0_u64, 0_u64);
    let mut place = 0_u32;
    while place < 8 {
        let zeros = 8 - parse.count;
        let group = if place < front {
            parse.groups[place as usize & 7]
        } else if place < front + zeros {
            0
        } else {
            parse.groups[place.wrapping_sub(zeros) as usize & 7]
        };
        high = high << 16 | low >> 48;
        low = low << 16 | u64::from(group);
        place += 1;
    }
    Address::from_halves(high, low)
}
