//! What the request scanner needs to know: services, watched headers, the refusal to send.
use crate::limits::{NOTICE, PLACE_SEGMENTS, SERVICES, WATCH_NAME, WATCH_PATTERN, WATCHES};

/// Where a service listens: one interface, one port.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ServiceKey {
    /// Interface index the request arrives on.
    pub ifindex: u32,
    /// TCP port, host order.
    pub port: u16,
    /// Zero.
    pub pad: u16,
}

/// What to look for on that port. Replaced whole, so a reload never shows half a service.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ServiceRule {
    /// The service's id: a digest of its name, never 0.
    pub id: u32,
    /// Which entries of the watchlist matter here, one bit each.
    pub watches: u32,
    /// The first of the places that lie behind this port, and how many there are.
    pub first_place: u16,
    /// See above.
    pub places: u16,
    /// Not zero: decisions are carried out; zero: they are only counted.
    pub enforce: u8,
    /// Index of the refusal; the one for limited subjects is [`LIMITED`] places further.
    pub notice: u8,
    /// Which of the two watchlists is meant.
    pub watchlist: u8,
    /// The flags below.
    pub flags: u8,
    /// The share of requests that the agent is told of: all for the largest number, none for 0. Refused ones are told always.
    pub sample: u32,
}

/// How far the notice for limited subjects lies from the refusal.
pub const LIMITED: u8 = SERVICES as u8;

impl ServiceRule {
    /// What cannot be followed is refused.
    pub const STRICT: u8 = 1;
    /// Requests that servers read differently are refused.
    pub const DENY_AMBIGUOUS: u8 = 2;
    /// Connections of trusted proxies begin with a PROXY header.
    pub const PROXY_HEADER: u8 = 4;

    /// True when this flag is set.
    #[inline(always)]
    pub const fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }
}

/// A place on a port where decisions may hold: a service by host name or path, or one endpoint of it.
///
/// A path is compared segment by segment, by keyed digest. A path that servers could read differently (percent signs, dot
/// segments, empty segments) lies in every place whose host and method fit: it cannot be used to walk around a decision.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Place {
    /// The id that identity keys carry; never 0.
    pub scope: u32,
    /// Segments that are compared.
    pub segments: u8,
    /// Not zero: more segments may follow.
    pub open: u8,
    /// Not zero: a whole service, which takes the place of the port's own in requests that lie in it.
    pub whole: u16,
    /// `SipHash` of the host name in lower case, without port; 0 for any.
    pub host: u64,
    /// The method, zero-padded; 0 for any. A method longer than a word is cut to it.
    pub method: u64,
    /// `SipHash` of each segment; 0 for any.
    pub path: [u64; PLACE_SEGMENTS],
}

/// How the token stands in the header's value.
#[repr(u8)]
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Take {
    /// The whole value.
    Whole = 0,
    /// What follows the pattern, anywhere in the value: `DeviceId/` in a `User-Agent`.
    After = 1,
    /// The value of the cookie whose name (with its equals sign) is the pattern.
    Cookie = 2,
    /// What follows the pattern (a scheme and a blank, in any case) at the beginning of the value.
    Scheme = 3,
    /// A list of addresses, the nearest last: `X-Forwarded-For`.
    ForwardedFor = 4,
    /// The same in the form of RFC 7239: `Forwarded`.
    Forwarded = 5,
    /// One address.
    Address = 6,
    /// Not an identity: the body's length.
    Length = 7,
    /// Not an identity: the body's transfer coding.
    Coding = 8,
    /// Not an identity: the host name.
    Host = 9,
}

/// One header whose value (or a token in it) is an identity, or says how long the body is.
///
/// A name matches when `(bytes | fold) & mask == name`, word by word: `fold` has 0x20 where the name has a letter, so case
/// is ignored for letters and for nothing else.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Watch {
    /// The name in lower case, zero-padded, as little-endian words.
    pub name: [u64; WATCH_NAME / 8],
    /// 0x20 under each letter.
    pub fold: [u64; WATCH_NAME / 8],
    /// 0xff under each byte of the name.
    pub mask: [u64; WATCH_NAME / 8],
    /// Text before the token inside the value, zero-padded; in lower case where `pattern_fold` says so.
    pub pattern: [u64; WATCH_PATTERN / 8],
    /// 0x20 under each letter, where case is to be ignored.
    pub pattern_fold: [u64; WATCH_PATTERN / 8],
    /// 0xff under each byte of the pattern.
    pub pattern_mask: [u64; WATCH_PATTERN / 8],
    /// Bytes of the name; 0 marks an unused entry.
    pub name_length: u32,
    /// Bytes of the pattern; 0 means there is none.
    pub pattern_length: u32,
    /// Whose token it is, as [`crate::SubjectKind`]; 0 for headers that only say how long the body is.
    pub kind: u32,
    /// As [`Take`].
    pub take: u32,
}

/// All watched headers, with a first look by their first letter.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Watchlist {
    /// For each possible first byte of a line, the entries that begin with it (either case), one bit each.
    pub first: [u32; 256],
    /// The entries; the first [`Watchlist::BUILT_IN`] are always the same.
    pub watches: [Watch; WATCHES],
}

/// A whole refusal: status line, headers, body, with room for the decision's id.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Notice {
    /// Bytes in use.
    pub length: u32,
    /// Where the 16 hexadecimal digits of the id go; 0 means nowhere.
    pub id_offset: u32,
    /// The bytes.
    pub bytes: [u8; NOTICE],
}

impl Watch {
    /// Watches nothing.
    pub const EMPTY: Self = Self {
        name: [0; WATCH_NAME / 8],
        fold: [0; WATCH_NAME / 8],
        mask: [0; WATCH_NAME / 8],
        pattern: [0; WATCH_PATTERN / 8],
        pattern_fold: [0; WATCH_PATTERN / 8],
        pattern_mask: [0; WATCH_PATTERN / 8],
        name_length: 0,
        pattern_length: 0,
        kind: 0,
        take: 0,
    };

    /// Watches the header `name` (any case) for an identity of `kind`; `pattern` is what `take` needs to find it.
    ///
    /// `None` when either is too long, or the name is empty.
    pub fn new(kind: crate::SubjectKind, name: &str, take: Take, pattern: &str) -> Option<Self> {
        let watch = Self::named(name, take, pattern)?;
        Some(Self { kind: kind as u32, ..watch })
    }

    fn named(name: &str, take: Take, pattern: &str) -> Option<Self> {
        if name.is_empty() || name.len() > WATCH_NAME || pattern.len() > WATCH_PATTERN {
            return None;
        }
        let mut watch = Self { take: take as u32, ..Self::EMPTY };
        watch.name_length = u32::try_from(name.len()).ok()?;
        // Blanks may stand before a cookie's equals sign, and several or others behind a scheme.
        let pattern =
            if matches!(take, Take::Cookie | Take::Scheme) { pattern.trim_end_matches(['=', ' ']) } else { pattern };
        watch.pattern_length = u32::try_from(pattern.len()).ok()?;
        for (at, byte) in name.bytes().enumerate() {
            put(&mut watch.name, at, byte.to_ascii_lowercase());
            put(&mut watch.fold, at, case_bit(byte));
            put(&mut watch.mask, at, 0xff);
        }
        let any_case = matches!(take, Take::Scheme);
        for (at, byte) in pattern.bytes().enumerate() {
            put(&mut watch.pattern, at, if any_case { byte.to_ascii_lowercase() } else { byte });
            put(&mut watch.pattern_fold, at, if any_case { case_bit(byte) } else { 0 });
            put(&mut watch.pattern_mask, at, 0xff);
        }
        Some(watch)
    }
}

impl Watchlist {
    /// Entries that every list begins with: `Content-Length`, `Transfer-Encoding`, `Host`.
    pub const BUILT_IN: usize = 3;

    /// Watches nothing but how long bodies are, and the host.
    pub fn new() -> Self {
        let mut list = Self { first: [0; 256], watches: [Watch::EMPTY; WATCHES] };
        let built_in = [("Content-Length", Take::Length), ("Transfer-Encoding", Take::Coding), ("Host", Take::Host)];
        for (at, (name, take)) in built_in.into_iter().enumerate() {
            if let Some(watch) = Watch::named(name, take, "") {
                list.set(at, watch);
            }
        }
        list
    }

    /// Puts `watch` in place `at`, below [`WATCHES`].
    pub fn set(&mut self, at: usize, watch: Watch) {
        let bit = 1 << at;
        let [lower, ..] = watch.name[0].to_le_bytes();
        self.first[usize::from(lower)] |= bit;
        self.first[usize::from(lower.to_ascii_uppercase())] |= bit;
        self.watches[at] = watch;
    }
}

impl Default for Watchlist {
    fn default() -> Self {
        Self::new()
    }
}

/// The bit that tells the cases of a letter apart; nothing for other bytes.
fn case_bit(byte: u8) -> u8 {
    if byte.is_ascii_alphabetic() { 0x20 } else { 0 }
}

/// Writes one byte into a zeroed array of little-endian words.
fn put(words: &mut [u64], at: usize, byte: u8) {
    words[at / 8] |= u64::from(byte) << (at % 8 * 8);
}

const _: () = assert!(size_of::<ServiceKey>() == 8);
const _: () = assert!(size_of::<ServiceRule>() == 20);
const _: () = assert!(size_of::<Watch>() == 208);
const _: () = assert!(size_of::<Watchlist>() == 1024 + WATCHES * 208);
const _: () = assert!(size_of::<Place>() == 24 + 8 * PLACE_SEGMENTS);
const _: () = assert!(size_of::<Notice>() == 8 + NOTICE);
