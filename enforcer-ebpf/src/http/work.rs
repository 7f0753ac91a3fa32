//! The scratch space of one scan, and the few primitives that differ between the kernel and the host.
use enforcer_common::limits::{HEAD_LINES, HEAD_WINDOW, PLACE_SEGMENTS};
use enforcer_common::{Address, Asking, Sip, SipKey};

use super::addresses::{ADDRESSES, Parse};

/// Bytes behind the window: a copy that begins at its last byte, and word reads of a name at its very end.
const SLACK: usize = HEAD_WINDOW + 64;
/// Tokens of one head; more are not looked at, and counted.
pub const TOKENS: usize = 64;

/// Where an identity stands in the head.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Token {
    pub start: u16,
    pub length: u16,
    /// As `SubjectKind`, or [`Token::VALUE`].
    pub kind: u16,
    /// The watch that found it.
    pub watch: u16,
}

impl Token {
    /// Not a token but a value that may hold some.
    pub const VALUE: u16 = 0;
}

/// Where the scan stands. The first fields are what the agent is told of a request.
#[repr(C)]
pub struct Work {
    pub asking: Asking,
    /// Sequence number of the head's first byte.
    pub start: u32,
    /// Bytes copied.
    pub length: u32,
    /// The copied bytes; what follows `length` is left over from earlier segments.
    pub head: [u8; HEAD_WINDOW + SLACK],
    /// Each line that has ended: where it begins (upper half) and ends, without its end of line.
    pub lines: [u32; HEAD_LINES],
    /// The numbers of those that may matter.
    pub marked: [u32; HEAD_LINES],
    pub tokens: [Token; TOKENS],
    /// Lines that have ended, and those among them that are marked.
    pub count: u32,
    pub marks: u32,
    /// Where the line that has not ended begins.
    pub line: u32,
    /// Where its first byte is that is no carriage return, as far as was read.
    pub text: u32,
    /// Where the head ends; 0 while it is open.
    pub end: u32,
    /// As [`Odd`].
    pub odd: u32,
    /// Not zero: it is the head of an answer.
    pub answers: u32,
    /// What `Content-Length` says.
    pub body: u64,
    /// As [`Framing`].
    pub framing: u32,
    /// As [`Version`].
    pub version: u32,
    /// Watched headers that matter for this service, one bit each.
    pub watches: u32,
    /// Tokens found, and values that may hold some.
    pub found: u32,
    /// The tokens among them.
    pub named: u32,
    /// The values among them that are searched for a pattern, and those that are lists of addresses.
    pub searched: u32,
    pub lists: u32,
    /// Tokens that were too long or too many.
    pub missed: u32,
    /// The value that is searched for a pattern, and which watch asks for it.
    pub value_start: u32,
    pub value_end: u32,
    pub watch: u32,
    /// Where a token ends, as far as it was searched.
    pub token_end: u32,
    /// Which of the two watchlists is meant.
    pub side: u32,
    /// Where reading chunks stands: phase, size or bytes left, digits, bytes consumed.
    pub phase: u32,
    pub digits: u32,
    pub consumed: u32,
    pub left: u64,
    /// A digest under way, and bits that are set in all its bytes.
    pub sip: Sip,
    pub fold: u64,
    /// The list of addresses that was read last, its end; how many it had; how it is written; and the one under way.
    pub addresses: [Address; ADDRESSES],
    pub address_count: u32,
    pub take: u32,
    pub parse: Parse,
    /// The target: method (its first bytes), digests of the path's segments, how many there are.
    pub method: u64,
    pub path: [u64; PLACE_SEGMENTS],
    pub segments: u32,
    /// Not zero: servers may differ about the path, or about the host.
    pub odd_path: u32,
    pub odd_host: u32,
    /// Where reading the target, or searching for the end of a line, stands.
    pub cursor: u32,
    pub segment: u32,
    /// Digest of the host's name; 0 for none, and how many headers named it.
    pub hosts: u32,
    pub host: u64,
    /// What the target is digested with.
    pub key: SipKey,
    /// The kernel looks the list up by its side; tests bring their own.
    #[cfg(not(target_arch = "bpf"))]
    pub list: *const enforcer_common::Watchlist,
}

/// What a request line says of its version.
pub struct Version;

impl Version {
    pub const USUAL: u32 = 0;
    /// 1.0, or another that ends so.
    pub const OLD: u32 = 1;
    /// None: few servers take that for a request.
    pub const NONE: u32 = 2;
}

/// What servers read differently, one bit each.
pub struct Odd;

impl Odd {
    /// A control character, or a carriage return without newline.
    pub const CONTROL: u32 = 1;
    /// A line that begins with a blank.
    pub const FOLDED: u32 = 2;
    /// Blanks between a watched name and its colon.
    pub const SPACED: u32 = 4;
    /// A length that is no number, or two that differ.
    pub const LENGTH: u32 = 8;
    /// A transfer coding other than `chunked` alone, or with a length beside it.
    pub const CODING: u32 = 16;
    /// The size of a chunk is malformed.
    pub const CHUNK: u32 = 32;
    /// What some servers take for the end of the head stands before it.
    pub const ENDED: u32 = 64;
}

/// What was said of the body, one bit each.
pub struct Framing;

impl Framing {
    /// A length was given.
    pub const LENGTH: u32 = 1;
    /// The last coding is `chunked`.
    pub const CHUNKED: u32 = 2;
}

/// What a loop's body is handed: the kernel wants it on the stack, so it only points to the scratch space.
#[repr(C)]
pub struct Turn {
    pub work: *mut Work,
}

/// The body of a loop: gets the number of the turn, gives 1 to stop.
pub type Body = extern "C" fn(u32, *mut Turn) -> i64;

#[cfg(target_arch = "bpf")]
mod primitives {
    use core::arch::asm;
    use core::ffi::c_void;
    use core::mem::offset_of;

    use aya_ebpf::helpers::generated::bpf_loop;

    use super::{Body, HEAD_WINDOW, Turn, Work};

    /// `offset` below the window, in a way that no optimiser can move away from the access.
    #[inline(always)]
    pub fn bounded(offset: u32) -> u64 {
        let mut offset = offset as u64;
        // SAFETY: arithmetic on one register.
        unsafe {
            asm!("{0} &= {mask}", inout(reg) offset, mask = const HEAD_WINDOW - 1, options(pure, nomem, nostack))
        };
        offset
    }

    /// Eight bytes of the head, first byte lowest. Unaligned.
    #[inline(always)]
    pub fn word_at(work: *const Work, offset: u32) -> u64 {
        let value: u64;
        // SAFETY: `head` is longer than the window by more than a word; written in assembly because the compiler would
        // read an unaligned word byte by byte.
        unsafe {
            let at = (work as *const u8).add(bounded(offset) as usize);
            asm!(
                "{value} = *(u64 *)({at} + {head})",
                value = out(reg) value, at = in(reg) at, head = const offset_of!(Work, head),
                options(pure, readonly, nostack)
            );
        }
        value
    }

    /// The same four times in a row: one bound for all.
    #[inline(always)]
    pub fn words_at(work: *const Work, offset: u32) -> [u64; 4] {
        let (a, b, c, d): (u64, u64, u64, u64);
        // SAFETY: as above, and longer by more than four words.
        unsafe {
            let at = (work as *const u8).add(bounded(offset) as usize);
            asm!(
                "{a} = *(u64 *)({at} + {head})",
                "{b} = *(u64 *)({at} + {head} + 8)",
                "{c} = *(u64 *)({at} + {head} + 16)",
                "{d} = *(u64 *)({at} + {head} + 24)",
                a = out(reg) a, b = out(reg) b, c = out(reg) c, d = lateout(reg) d,
                at = in(reg) at, head = const offset_of!(Work, head),
                options(pure, readonly, nostack)
            );
        }
        [a, b, c, d]
    }

    /// One byte of the head.
    #[inline(always)]
    pub fn byte_at(work: *const Work, offset: u32) -> u8 {
        // SAFETY: bounded by the window.
        unsafe { *(work as *const u8).add(offset_of!(Work, head)).add(bounded(offset) as usize) }
    }

    /// What the body of a loop gives. The compiler knows that a function returns 0 or 1, the verifier does not: told to it in a
    /// way that the compiler cannot undo.
    #[inline(always)]
    pub fn zero_or_one(stop: u32) -> i64 {
        let mut stop = u64::from(stop);
        // SAFETY: arithmetic on one register.
        unsafe { asm!("{0} &= 1", inout(reg) stop, options(pure, nomem, nostack)) };
        stop as i64
    }

    /// Calls `body` with 0, 1, ... until it gives 1.
    #[inline(always)]
    pub fn repeat(times: u32, body: Body, work: &mut Work) {
        let mut turn = Turn { work };
        // SAFETY: the kernel calls `body` with the index and this pointer, and nothing keeps it afterwards.
        unsafe { bpf_loop(times, body as *mut c_void, (&raw mut turn).cast(), 0) };
    }
}

#[cfg(not(target_arch = "bpf"))]
mod primitives {
    use super::{Body, Turn, Work};

    pub fn word_at(work: *const Work, offset: u32) -> u64 {
        let mut bytes = [0; 8];
        let at = (super::HEAD_WINDOW - 1) & offset as usize;
        // SAFETY: the host tests pass a live `Work`.
        unsafe { bytes.copy_from_slice(&(&(*work).head)[at..at + 8]) };
        u64::from_le_bytes(bytes)
    }

    pub fn words_at(work: *const Work, offset: u32) -> [u64; 4] {
        let offset = offset & (super::HEAD_WINDOW as u32 - 1);
        // SAFETY: as above.
        let head = unsafe { &(*work).head };
        [0, 8, 16, 24].map(|behind| {
            let at = offset as usize + behind;
            u64::from_le_bytes(head[at..at + 8].try_into().unwrap_or_default())
        })
    }

    pub fn byte_at(work: *const Work, offset: u32) -> u8 {
        word_at(work, offset) as u8
    }

    pub fn zero_or_one(stop: u32) -> i64 {
        i64::from(stop & 1)
    }

    pub fn repeat(times: u32, body: Body, work: &mut Work) {
        let mut turn = Turn { work };
        for index in 0..times {
            if body(index, &raw mut turn) == 1 {
                break;
            }
        }
    }
}

#[cfg(target_arch = "bpf")]
pub use primitives::bounded;
pub use primitives::{byte_at, repeat, word_at, words_at, zero_or_one};
