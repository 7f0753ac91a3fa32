//! What the request scanner needs to know: services, watched headers, the refusal to send.
use crate::Verdict;
use crate::limits::{NOTICE, WATCH_NAME, WATCH_PATTERN, WATCHES};

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
    /// Not zero: decisions are carried out; zero: they are only counted.
    pub enforce: u8,
    /// Which entries of the watchlist matter here, one bit each.
    pub watches: u8,
    /// Index of the refusal.
    pub notice: u8,
    /// Which of the two watchlists is meant.
    pub watchlist: u8,
}

/// One header whose value (or a token in it) is an identity.
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
    /// Text before the token inside the value, zero-padded; compared exactly.
    pub pattern: [u64; WATCH_PATTERN / 8],
    /// 0xff under each byte of the pattern.
    pub pattern_mask: [u64; WATCH_PATTERN / 8],
    /// Bytes of the name; 0 marks an unused entry.
    pub name_length: u32,
    /// Bytes of the pattern; 0 means the whole value is the token.
    pub pattern_length: u32,
    /// Whose token it is, as [`crate::SubjectKind`].
    pub kind: u32,
    /// Zero.
    pub pad: u32,
}

/// All watched headers, with a first look by their first letter.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Watchlist {
    /// For each possible first byte of a line, the entries that begin with it (either case), one bit each.
    pub first: [u8; 256],
    /// The entries.
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

/// Requests of one service by what happened to them, indexed by [`Verdict`].
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ServiceCounters {
    /// Requests.
    pub requests: [u64; Verdict::COUNT],
}

impl Watch {
    /// Watches nothing.
    pub const EMPTY: Self = Self {
        name: [0; WATCH_NAME / 8],
        fold: [0; WATCH_NAME / 8],
        mask: [0; WATCH_NAME / 8],
        pattern: [0; WATCH_PATTERN / 8],
        pattern_mask: [0; WATCH_PATTERN / 8],
        name_length: 0,
        pattern_length: 0,
        kind: 0,
        pad: 0,
    };

    /// Watches the header `name` (any case); with a `pattern`, the token that follows it in the value.
    ///
    /// `None` when either is too long, or the name is empty.
    pub fn new(kind: crate::SubjectKind, name: &str, pattern: &str) -> Option<Self> {
        if name.is_empty() || name.len() > WATCH_NAME || pattern.len() > WATCH_PATTERN {
            return None;
        }
        let mut watch = Self { kind: kind as u32, ..Self::EMPTY };
        watch.name_length = u32::try_from(name.len()).ok()?;
        watch.pattern_length = u32::try_from(pattern.len()).ok()?;
        for (at, byte) in name.bytes().enumerate() {
            put(&mut watch.name, at, byte.to_ascii_lowercase());
            put(&mut watch.fold, at, if byte.is_ascii_alphabetic() { 0x20 } else { 0 });
            put(&mut watch.mask, at, 0xff);
        }
        for (at, byte) in pattern.bytes().enumerate() {
            put(&mut watch.pattern, at, byte);
            put(&mut watch.pattern_mask, at, 0xff);
        }
        Some(watch)
    }
}

impl Watchlist {
    /// Watches nothing.
    pub const EMPTY: Self = Self { first: [0; 256], watches: [Watch::EMPTY; WATCHES] };

    /// Puts `watch` in place `at`, below [`WATCHES`].
    pub fn set(&mut self, at: usize, watch: Watch) {
        let bit = 1 << at;
        let [lower, ..] = watch.name[0].to_le_bytes();
        self.first[usize::from(lower)] |= bit;
        self.first[usize::from(lower.to_ascii_uppercase())] |= bit;
        self.watches[at] = watch;
    }
}

/// Writes one byte into a zeroed array of little-endian words.
fn put(words: &mut [u64], at: usize, byte: u8) {
    words[at / 8] |= u64::from(byte) << (at % 8 * 8);
}

const _: () = assert!(size_of::<ServiceKey>() == 8);
const _: () = assert!(size_of::<ServiceRule>() == 8);
const _: () = assert!(size_of::<Watch>() == 144);
const _: () = assert!(size_of::<Watchlist>() == 256 + WATCHES * 144);
const _: () = assert!(size_of::<Notice>() == 8 + NOTICE);
const _: () = assert!(size_of::<ServiceCounters>() == 8 * Verdict::COUNT);
