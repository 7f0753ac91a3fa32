//! The scratch space of one scan, and the few primitives that differ between the kernel and the host.
use enforcer_common::limits::HEAD_WINDOW;

/// Bytes after the window that word reads may touch: a name of 32 bytes at the very end, and some.
const SLACK: usize = 64;
/// Tokens of one head; more are not looked at, and counted.
pub const TOKENS: usize = 16;

/// Where an identity stands in the head.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Token {
    pub start: u16,
    pub length: u16,
    /// As `SubjectKind`, or [`Token::VALUE`].
    pub kind: u16,
    /// For a value, the watch whose pattern is looked for in it.
    pub watch: u16,
}

impl Token {
    /// Not a token but a value that may hold some.
    pub const VALUE: u16 = 0;
}

/// Where the scan stands.
#[repr(C)]
pub struct Work {
    /// The copied bytes; what follows `length` is left over from earlier segments.
    pub head: [u8; HEAD_WINDOW + SLACK],
    pub tokens: [Token; TOKENS],
    /// Bytes copied.
    pub length: u32,
    /// Where the current line begins.
    pub line: u32,
    /// As [`State`].
    pub state: u32,
    /// Watched headers that matter for this service, one bit each.
    pub watches: u32,
    /// Tokens found.
    pub found: u32,
    /// Tokens that were too long or too many.
    pub missed: u32,
    /// The value that is searched for a pattern, and which watch asks for it.
    pub value_start: u32,
    pub value_end: u32,
    pub watch: u32,
    /// Which of the two watchlists is meant.
    pub side: u32,
    /// The kernel looks the list up by its side; tests bring their own.
    #[cfg(not(target_arch = "bpf"))]
    pub list: *const enforcer_common::Watchlist,
}

/// What a loop's body is handed: the kernel wants it on the stack, so it only points to the scratch space.
#[repr(C)]
pub struct Turn {
    pub work: *mut Work,
}

/// The body of a loop: gets the number of the turn, gives 1 to stop.
pub type Body = extern "C" fn(u32, *mut Turn) -> i64;

/// What the next line is.
#[repr(u32)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    RequestLine = 0,
    Headers = 1,
    Complete = 2,
    NotHttp = 3,
    Http2 = 4,
}

#[cfg(target_arch = "bpf")]
mod primitives {
    use core::arch::asm;
    use core::ffi::c_void;

    use aya_ebpf::helpers::generated::bpf_loop;

    use super::{Body, HEAD_WINDOW, Turn, Work};

    /// `offset` below the window, in a way that no optimiser can move away from the access.
    #[inline(always)]
    fn bounded(offset: u32) -> u64 {
        let mut offset = offset as u64;
        // SAFETY: arithmetic on one register.
        unsafe {
            asm!("{0} &= {mask}", inout(reg) offset, mask = const HEAD_WINDOW - 1, options(pure, nomem, nostack))
        };
        offset
    }

    /// Eight bytes of the head, first byte lowest. Unaligned.
    #[inline(always)]
    pub fn word_at(work: *mut Work, offset: u32) -> u64 {
        let value: u64;
        // SAFETY: `head` is the first field and longer than the window by more than a word; written in assembly because
        // the compiler would read an unaligned word byte by byte.
        unsafe {
            let at = (work as *mut u8).add(bounded(offset) as usize);
            asm!("{value} = *(u64 *)({at} + 0)", value = out(reg) value, at = in(reg) at, options(pure, readonly, nostack));
        }
        value
    }

    /// One byte of the head.
    #[inline(always)]
    pub fn byte_at(work: *mut Work, offset: u32) -> u8 {
        // SAFETY: bounded by the window.
        unsafe { *(work as *mut u8).add(bounded(offset) as usize) }
    }

    /// Calls `body` with 0, 1, ... until it gives 1.
    #[inline(always)]
    pub fn repeat(times: u32, body: Body, work: *mut Work) {
        let mut turn = Turn { work };
        // SAFETY: the kernel calls `body` with the index and this pointer, and nothing keeps it afterwards.
        unsafe { bpf_loop(times, body as *mut c_void, (&raw mut turn).cast(), 0) };
    }
}

#[cfg(not(target_arch = "bpf"))]
mod primitives {
    use super::{Body, Turn, Work};

    pub fn word_at(work: *mut Work, offset: u32) -> u64 {
        let mut bytes = [0; 8];
        let at = (super::HEAD_WINDOW - 1) & offset as usize;
        // SAFETY: the host tests pass a live `Work`.
        unsafe { bytes.copy_from_slice(&(&(*work).head)[at..at + 8]) };
        u64::from_le_bytes(bytes)
    }

    pub fn byte_at(work: *mut Work, offset: u32) -> u8 {
        word_at(work, offset) as u8
    }

    pub fn repeat(times: u32, body: Body, work: *mut Work) {
        let mut turn = Turn { work };
        for index in 0..times {
            if body(index, &raw mut turn) == 1 {
                break;
            }
        }
    }
}

pub use primitives::{byte_at, repeat, word_at};
