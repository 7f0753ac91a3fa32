//! How far a connection was read: kept per connection, so that every request is recognised once, wherever segments end.
use crate::Address;
use crate::limits::HEAD_WINDOW;

/// What the next byte of a connection belongs to.
#[repr(u8)]
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Phase {
    /// Nothing was read yet.
    Fresh = 0,
    /// The boundaries are not known: the connection was open before, or was lost sight of.
    Unknown = 1,
    /// A request head, at its first byte or inside.
    Head = 2,
    /// A body of known length.
    Body = 3,
    /// The line with the size of a chunk.
    ChunkSize = 4,
    /// The rest of that line, which says nothing about the size.
    ChunkExtension = 5,
    /// The bytes of a chunk.
    ChunkData = 6,
    /// The end of line after a chunk.
    ChunkEnd = 7,
    /// A line after the last chunk, at its beginning.
    Trailer = 8,
    /// A line after the last chunk, inside.
    TrailerLine = 9,
    /// Not HTTP/1; never looked at again.
    Opaque = 10,
    /// The PROXY header that may stand in front of a connection.
    Proxy = 11,
}

/// How far a connection was read. Zero is a connection of which nothing was read.
///
/// Two positions: `next`, where reading goes on, and `safe`, before which the server has everything, so that what is repeated
/// from there on can be read again. The fields `safe_*` are what the fields without were at `safe`.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Stream {
    /// Sequence number of the first byte that was not read.
    pub next: u32,
    /// Sequence number up to which the server has everything.
    pub safe: u32,
    /// Sequence number after the last byte that was not body: what is repeated behind it needs no second look.
    pub text_end: u32,
    /// As [`Phase`], at `next`.
    pub phase: u8,
    /// See above.
    pub safe_phase: u8,
    /// Not zero: the beginning of the connection was not seen, and `phase` is a guess.
    pub guessed: u8,
    /// Zero.
    pub pad: u8,
    /// Bytes of the body or of the chunk after `next`; in a chunk's size line, the size so far.
    pub left: u64,
    /// See above.
    pub safe_left: u64,
    /// Bytes of the open head before `next`, which are held.
    pub held: u16,
    /// See above.
    pub safe_held: u16,
    /// Digits of a chunk's size so far.
    pub digits: u16,
    /// See above.
    pub safe_digits: u16,
    /// The server's next byte to send when a refusal was put off.
    pub put_off: u32,
    /// Where reading stood before a repetition was read instead: both must come to the same, as the server may have either.
    pub was_next: u32,
    /// See above.
    pub was_left: u64,
    /// See above.
    pub was_phase: u8,
    /// Not zero: the three above mean something.
    pub again: u8,
    /// Zero.
    pub pads: [u8; 2],
    /// Where the head is held; 0 for nowhere.
    pub ticket: u32,
    /// The address that a PROXY header named; zero for none.
    pub client: Address,
}

/// The beginning of a head, or all of one that came in several segments: kept to be read on, and to be compared with.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Held {
    /// Whose it is; 0 for nobody's.
    pub ticket: u32,
    /// Not zero: its end is waited for.
    pub open: u32,
    /// Sequence number of its first byte.
    pub start: u32,
    /// Bytes in use.
    pub length: u32,
    /// The bytes, and room for a copy that begins at the last one.
    pub bytes: [u8; HEAD_WINDOW + 64],
}

impl Phase {
    /// The phase of a number in a map; what is unknown is not followed.
    #[inline(always)]
    pub const fn from_raw(raw: u8) -> Self {
        match raw {
            0 => Self::Fresh,
            2 => Self::Head,
            3 => Self::Body,
            4 => Self::ChunkSize,
            5 => Self::ChunkExtension,
            6 => Self::ChunkData,
            7 => Self::ChunkEnd,
            8 => Self::Trailer,
            9 => Self::TrailerLine,
            10 => Self::Opaque,
            11 => Self::Proxy,
            _ => Self::Unknown,
        }
    }
}

const _: () = assert!(size_of::<Stream>() == 80);
const _: () = assert!(size_of::<Held>() == 16 + HEAD_WINDOW + 64);
