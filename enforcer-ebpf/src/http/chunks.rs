//! Reads the text between chunks: sizes, extensions, ends of line, trailers. Streaming, one byte at a time: it is short.
use enforcer_common::Phase;

use super::work::{Odd, Turn, Work, byte_at, repeat};

/// Most digits of a size, zeros in front aside; more do not fit into 64 bits.
const DIGITS: u32 = 15;

/// Reads on from `phase`, `left` and `digits` in `work`, at most `work.length` bytes, until a chunk begins or the body ends.
/// What was read is in `consumed`; a malformed size ends in [`Phase::Unknown`].
#[inline(always)]
pub fn read_chunk_text(work: &mut Work) {
    work.consumed = 0;
    repeat(work.length, byte, work);
}

extern "C" fn byte(index: u32, turn: *mut Turn) -> i64 {
    // SAFETY: `repeat` hands on its own.
    let w = unsafe { &mut *(*turn).work };
    w.consumed = index + 1;
    let byte = byte_at(w, index);
    let next = match Phase::from_raw(w.phase as u8) {
        Phase::ChunkSize => size(w, byte),
        Phase::ChunkExtension if byte == b'\n' => size_ended(w),
        Phase::ChunkExtension => Phase::ChunkExtension,
        Phase::ChunkEnd => match byte {
            b'\n' => size_begins(w),
            b'\r' => Phase::ChunkEnd,
            _ => malformed(w),
        },
        Phase::Trailer => match byte {
            b'\n' => Phase::Head,
            b'\r' => Phase::Trailer,
            _ => Phase::TrailerLine,
        },
        Phase::TrailerLine if byte == b'\n' => Phase::Trailer,
        Phase::TrailerLine => Phase::TrailerLine,
        other @ (Phase::Proxy
        | Phase::Fresh
        | Phase::Unknown
        | Phase::Head
        | Phase::Body
        | Phase::ChunkData
        | Phase::Opaque) => other,
    };
    w.phase = next as u32;
    i64::from(!is_chunk_text(next))
}

/// True for the phases that are read here.
#[inline(always)]
pub fn is_chunk_text(phase: Phase) -> bool {
    use Phase as P;
    matches!(phase, P::ChunkSize | P::ChunkExtension | P::ChunkEnd | P::Trailer | P::TrailerLine)
}

#[inline(always)]
fn size_begins(w: &mut Work) -> Phase {
    (w.left, w.digits) = (0, 0);
    Phase::ChunkSize
}

#[inline(always)]
fn size(w: &mut Work, byte: u8) -> Phase {
    let digit = match byte {
        b'0'..=b'9' => byte - b'0',
        b'a'..=b'f' => byte - b'a' + 10,
        b'A'..=b'F' => byte - b'A' + 10,
        b'\n' => return size_ended(w),
        b';' | b' ' | b'\t' | b'\r' if w.digits > 0 => return Phase::ChunkExtension,
        _ => return malformed(w),
    };
    if w.digits >= DIGITS {
        return malformed(w);
    }
    // Servers take any number of zeros in front.
    w.digits = if w.left == 0 { 1 } else { w.digits + 1 };
    w.left = w.left << 4 | u64::from(digit);
    Phase::ChunkSize
}

#[inline(always)]
fn size_ended(w: &mut Work) -> Phase {
    match (w.digits, w.left) {
        (0, _) => malformed(w),
        (_, 0) => Phase::Trailer,
        _ => Phase::ChunkData,
    }
}

#[inline(always)]
fn malformed(w: &mut Work) -> Phase {
    w.odd |= Odd::CHUNK;
    Phase::Unknown
}
