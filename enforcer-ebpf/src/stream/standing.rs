//! The rule for segments that repeat, overlap or run ahead. Pure, and tested on the host.
//!
//! | the segment                                                            | what happens                                 |
//! |------------------------------------------------------------------------|----------------------------------------------|
//! | begins where reading stopped, or earlier with everything before acknowledged | is read from there                     |
//! | holds only bytes that the server has                                   | passes                                       |
//! | is ahead of a gap, inside a body of known length                       | passes                                       |
//! | is ahead of a gap otherwise                                            | is held back; TCP sends it again             |
//! | repeats body bytes only                                                | passes, and is read from its new bytes on    |
//! | begins with, or before, the first byte that is not acknowledged        | is read again from there, and must come to   |
//! |                                                                        | the same: the server may have either         |
//! | begins behind that                                                     | must say the same as before                  |
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
    /// The server has bytes that were read here in another version, or not at all.
    Lost,
    /// `length` bytes of it, from `skip` on, must be the same as before; then reading goes on at `on`.
    Compare { skip: u32, length: u32, on: u32 },
}

/// Where a segment with `length` bytes of payload at `sequence` stands; `received` is the first byte that the server's socket
/// lacks, where that is known. Moves the stream back to its safe position when the segment is to be read again from there.
#[inline(always)]
pub fn stand(stream: &mut Stream, sequence: u32, length: u32, received: Option<u32>) -> Standing {
    let end = sequence.wrapping_add(length);
    if let Some(received) = received {
        if !confirm(stream, received) {
            return Standing::Lost;
        }
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
    if !before(stream.safe, sequence) {
        if !before(stream.safe, end) {
            return Standing::Repeated;
        }
        restore(stream);
        return Standing::Read(stream.safe.wrapping_sub(sequence));
    }
    let skip = if before(sequence, stream.safe) { stream.safe.wrapping_sub(sequence) } else { 0 };
    let text = stream.text_end.wrapping_sub(sequence);
    let compared = if text < length { text } else { length };
    Standing::Compare { skip, length: compared.saturating_sub(skip), on: if again < length { again } else { length } }
}

/// The server has everything before `received`. False when that is another version than the one that was read last.
#[inline(always)]
fn confirm(stream: &mut Stream, received: u32) -> bool {
    if before(received, stream.next) {
        return true;
    }
    let missed = u64::from(received.wrapping_sub(stream.next));
    if missed > 0 {
        let replaced = stream.again != 0;
        skip(stream, missed, received);
        if replaced && Phase::from_raw(stream.phase) == Phase::Unknown {
            return false;
        }
    }
    save(stream);
    true
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
        Phase::Fresh | Phase::Proxy | Phase::Unknown | Phase::Head | Phase::Body | Phase::ChunkData => lose(stream),
        Phase::ChunkSize | Phase::ChunkExtension | Phase::ChunkEnd | Phase::Trailer | Phase::TrailerLine => {
            lose(stream);
        }
    }
}

/// False when a repetition came to something else than what was read before. Asked once a segment was read.
#[inline(always)]
pub fn agrees(stream: &mut Stream) -> bool {
    if stream.again == 0 || before(stream.next, stream.was_next) {
        return true;
    }
    stream.again = 0;
    let further = u64::from(stream.next.wrapping_sub(stream.was_next));
    let same_phase = stream.phase == stream.was_phase;
    // Of what goes further only a body can be foretold.
    let foretold = further == 0 || (in_body_phase(stream.was_phase) && further <= stream.was_left);
    same_phase && foretold && stream.left == stream.was_left.wrapping_sub(further)
}

#[inline(always)]
fn in_body_phase(phase: u8) -> bool {
    matches!(Phase::from_raw(phase), Phase::Body | Phase::ChunkData)
}

/// The boundaries are not known any more.
#[inline(always)]
pub fn lose(stream: &mut Stream) {
    (stream.phase, stream.left, stream.held, stream.again) = (Phase::Unknown as u8, 0, 0, 0);
}

#[inline(always)]
fn in_body(stream: &Stream, length: u64) -> bool {
    let phase = Phase::from_raw(stream.phase);
    // What is not followed cannot run ahead.
    let followed = !matches!(phase, Phase::Opaque | Phase::Unknown);
    !followed || (in_body_phase(stream.phase) && length <= stream.left)
}

#[inline(always)]
fn save(stream: &mut Stream) {
    (stream.safe, stream.safe_phase, stream.safe_left) = (stream.next, stream.phase, stream.left);
    (stream.safe_held, stream.safe_digits) = (stream.held, stream.digits);
}

/// Back to the safe position. What was read from there on the server may have all the same.
#[inline(always)]
fn restore(stream: &mut Stream) {
    if stream.again == 0 {
        (stream.was_next, stream.was_phase, stream.was_left, stream.again) =
            (stream.next, stream.phase, stream.left, 1);
    }
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
        assert_eq!(stand(&mut unconfirmed(), 1000, 49, Some(1000)), Standing::Read(0));
        assert_eq!(stand(&mut unconfirmed(), 1001, 48, Some(1000)), compare(0, 48, 48));
        assert_eq!(stand(&mut unconfirmed(), 1001, 60, Some(1000)), compare(0, 49, 49));
        assert_eq!(stand(&mut unconfirmed(), 990, 20, Some(1000)), Standing::Read(10));
        assert_eq!(stand(&mut unconfirmed(), 990, 10, None), Standing::Repeated);
        assert_eq!(stand(&mut unconfirmed(), 1000, 50, None), Standing::Read(0));
    }

    /// Reads `length` bytes on, to `phase` with `left` bytes of body.
    fn read(stream: &mut Stream, length: u32, phase: Phase, left: u64) -> bool {
        (stream.next, stream.phase, stream.left) = (stream.next.wrapping_add(length), phase as u8, left);
        agrees(stream)
    }

    #[test]
    fn a_repetition_must_come_to_the_same() {
        let again = || {
            let mut stream = unconfirmed();
            assert_eq!(stand(&mut stream, 1000, 20, Some(1000)), Standing::Read(0));
            assert!(read(&mut stream, 20, Phase::Head, 0), "not there yet");
            stream
        };
        assert!(read(&mut again(), 30, Phase::Head, 0));
        assert!(!read(&mut again(), 30, Phase::Body, 100));
        assert!(!read(&mut again(), 40, Phase::Head, 0), "cannot be foretold");
        assert_eq!(stand(&mut again(), 1050, 10, Some(1050)), Standing::Lost, "the server has the first version");
    }

    #[test]
    fn repeated_body_needs_no_second_look() {
        let unconfirmed = Stream { next: 1200, phase: Phase::Body as u8, left: 10, ..unconfirmed() };
        assert_eq!(stand(&mut unconfirmed.clone(), 1100, 50, Some(1000)), Standing::Body);
        assert_eq!(stand(&mut unconfirmed.clone(), 1100, 120, Some(1000)), Standing::Read(100));
    }
}
