//! The rule for segments that repeat, overlap or run ahead. Pure, and tested on the host.
//!
//! | the segment                                                            | what happens                                 |
//! |------------------------------------------------------------------------|----------------------------------------------|
//! | begins where reading stopped, or earlier with everything before acknowledged | is read from there                     |
//! | holds only bytes that the server has                                   | passes                                       |
//! | is ahead of a gap, inside a body of known length                       | passes                                       |
//! | is ahead of a gap otherwise                                            | is held back; TCP sends it again             |
//! | repeats body bytes only                                                | passes, and is read from its new bytes on    |
//! | repeats everything since the last acknowledged byte, or more           | is read again from there                     |
//! | repeats a part of that                                                 | must say the same as before                  |
use enforcer_common::{Phase, Stream};

/// Where a segment stands to what was read of its connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// Reading goes on at this byte of the segment.
    Read(u32),
    /// There is nothing new in it.
    Repeated,
    /// It lies in a body.
    Body,
    /// There is a gap before it.
    Ahead,
    /// `length` bytes of it, from `skip` on, must be the same as before; then reading goes on at `on`.
    Compare { skip: u32, length: u32, on: u32 },
}

/// Where a segment with `length` bytes of payload at `sequence` stands; `received` is the first byte that the server's socket
/// lacks, where that is known. Moves the stream back to its safe position when the segment is to be read again from there.
#[inline(always)]
pub fn stand(stream: &mut Stream, sequence: u32, length: u32, received: Option<u32>) -> Standing {
    let end = sequence.wrapping_add(length);
    if let Some(received) = received {
        confirm(stream, received);
        if !before(received, end) {
            return Standing::Repeated;
        }
    }
    if before(stream.next, sequence) {
        let ahead = u64::from(sequence.wrapping_sub(stream.next));
        return if in_body(stream, ahead + u64::from(length)) { Standing::Body } else { Standing::Ahead };
    }
    let again = stream.next.wrapping_sub(sequence);
    if again == 0 {
        if received.is_none() {
            save(stream);
        }
        return Standing::Read(0);
    }
    repeated(stream, sequence, length, again)
}

/// The segment begins `again` bytes before the position.
#[inline(always)]
fn repeated(stream: &mut Stream, sequence: u32, length: u32, again: u32) -> Standing {
    let end = sequence.wrapping_add(length);
    // Behind the last text there is nothing but body, whatever it says.
    let only_body = !before(sequence, stream.text_end);
    if only_body || stream.safe == stream.next {
        return if again < length { Standing::Read(again) } else { Standing::Body };
    }
    if !before(stream.safe, sequence) && !before(end, stream.next) {
        restore(stream);
        return Standing::Read(stream.safe.wrapping_sub(sequence));
    }
    let skip = if before(sequence, stream.safe) { stream.safe.wrapping_sub(sequence) } else { 0 };
    let text = stream.text_end.wrapping_sub(sequence);
    let compared = if text < length { text } else { length };
    Standing::Compare { skip, length: compared.saturating_sub(skip), on: if again < length { again } else { length } }
}

/// The server has everything before `received`.
#[inline(always)]
fn confirm(stream: &mut Stream, received: u32) {
    if before(received, stream.next) {
        return;
    }
    let missed = u64::from(received.wrapping_sub(stream.next));
    if missed > 0 {
        skip(stream, missed, received);
    }
    save(stream);
}

/// The server has `missed` bytes that were not read here: body, or the view is lost.
#[inline(always)]
fn skip(stream: &mut Stream, missed: u64, received: u32) {
    stream.next = received;
    match Phase::from_raw(stream.phase) {
        Phase::Opaque => {}
        Phase::Body if missed < stream.left => stream.left -= missed,
        Phase::ChunkData if missed < stream.left => stream.left -= missed,
        Phase::Body if missed == stream.left => (stream.left, stream.phase) = (0, Phase::Head as u8),
        Phase::ChunkData if missed == stream.left => (stream.left, stream.phase) = (0, Phase::ChunkEnd as u8),
        Phase::Fresh | Phase::Unknown | Phase::Head | Phase::Body | Phase::ChunkData => lose(stream),
        Phase::ChunkSize | Phase::ChunkExtension | Phase::ChunkEnd | Phase::Trailer | Phase::TrailerLine => {
            lose(stream);
        }
    }
}

/// The boundaries are not known any more.
#[inline(always)]
pub fn lose(stream: &mut Stream) {
    (stream.phase, stream.left, stream.held) = (Phase::Unknown as u8, 0, 0);
}

#[inline(always)]
fn in_body(stream: &Stream, length: u64) -> bool {
    let phase = Phase::from_raw(stream.phase);
    // What is not followed cannot run ahead.
    let followed = !matches!(phase, Phase::Opaque | Phase::Unknown);
    !followed || (matches!(phase, Phase::Body | Phase::ChunkData) && length <= stream.left)
}

#[inline(always)]
fn save(stream: &mut Stream) {
    (stream.safe, stream.safe_phase, stream.safe_left) = (stream.next, stream.phase, stream.left);
    (stream.safe_held, stream.safe_digits) = (stream.held, stream.digits);
}

#[inline(always)]
fn restore(stream: &mut Stream) {
    (stream.next, stream.phase, stream.left) = (stream.safe, stream.safe_phase, stream.safe_left);
    (stream.held, stream.digits) = (stream.safe_held, stream.safe_digits);
}

/// True when `a` comes before `b` (sequence numbers go round).
#[inline(always)]
pub fn before(a: u32, b: u32) -> bool {
    a.wrapping_sub(b).cast_signed() < 0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// At a head's first byte, everything before acknowledged.
    fn at(next: u32) -> Stream {
        let phase = Phase::Head as u8;
        Stream { next, safe: next, text_end: next, phase, safe_phase: phase, ..Stream::default() }
    }

    fn body(next: u32, left: u64) -> Stream {
        Stream { phase: Phase::Body as u8, left, ..at(next) }
    }

    #[test]
    fn what_comes_next_is_read() {
        for base in [1000, u32::MAX - 3] {
            assert_eq!(stand(&mut at(base), base, 10, Some(base)), Standing::Read(0));
            assert_eq!(stand(&mut at(base), base, 10, None), Standing::Read(0));
            assert_eq!(stand(&mut at(base), base.wrapping_sub(4), 10, Some(base)), Standing::Read(4));
        }
    }

    #[test]
    fn what_the_server_has_is_not_read_again() {
        assert_eq!(stand(&mut at(1000), 990, 10, Some(1000)), Standing::Repeated);
        assert_eq!(stand(&mut at(1000), 500, 10, Some(1000)), Standing::Repeated);
    }

    #[test]
    fn a_gap_is_waited_for_where_text_is_due_and_not_in_a_body() {
        assert_eq!(stand(&mut at(1000), 1001, 10, Some(1000)), Standing::Ahead);
        assert_eq!(stand(&mut body(1000, 100), 1001, 99, Some(1000)), Standing::Body);
        assert_eq!(stand(&mut body(1000, 100), 1001, 100, Some(1000)), Standing::Ahead);
    }

    #[test]
    fn a_body_that_the_server_has_needs_not_be_seen() {
        let mut stream = body(1000, 100);
        assert_eq!(stand(&mut stream, 1100, 10, Some(1100)), Standing::Read(0));
        assert_eq!(Phase::from_raw(stream.phase), Phase::Head);
        let mut stream = body(1000, 100);
        assert_eq!(stand(&mut stream, 1200, 10, Some(1200)), Standing::Read(0));
        assert_eq!(Phase::from_raw(stream.phase), Phase::Unknown, "the server has more than the body");
    }

    /// A head of 50 bytes was read at 1000, and the server did not acknowledge it.
    fn unconfirmed() -> Stream {
        Stream { next: 1050, text_end: 1050, ..at(1000) }
    }

    #[test]
    fn what_was_not_acknowledged_is_read_again_or_compared() {
        let mut stream = unconfirmed();
        assert_eq!(stand(&mut stream, 1000, 50, Some(1000)), Standing::Read(0));
        assert_eq!(stream.next, 1000);
        assert_eq!(stand(&mut unconfirmed(), 996, 60, Some(1000)), Standing::Read(4));
        let compare = |skip, length, on| Standing::Compare { skip, length, on };
        assert_eq!(stand(&mut unconfirmed(), 1000, 49, Some(1000)), compare(0, 49, 49));
        assert_eq!(stand(&mut unconfirmed(), 1001, 60, Some(1000)), compare(0, 49, 49));
        assert_eq!(stand(&mut unconfirmed(), 990, 20, Some(1000)), compare(10, 10, 20));
        assert_eq!(stand(&mut unconfirmed(), 1000, 50, None), Standing::Read(0));
    }

    #[test]
    fn repeated_body_needs_no_second_look() {
        let unconfirmed = Stream { next: 1200, phase: Phase::Body as u8, left: 10, ..unconfirmed() };
        assert_eq!(stand(&mut unconfirmed.clone(), 1100, 50, Some(1000)), Standing::Body);
        assert_eq!(stand(&mut unconfirmed.clone(), 1100, 120, Some(1000)), Standing::Read(100));
    }
}
