//! How records lie in the file: a header line, then length, checksum, payload for each.
//!
//! In: bytes. Out: the payloads of whole records, and where the first one that is not whole begins. Never here: what a payload
//! means. The checksum covers the length too, so a damaged length cannot make one record look like another.

/// Raised when older agents cannot read what newer ones write.
pub(super) const VERSION: u32 = 2;

/// The first line of every journal.
pub(super) const HEADER: &str = "enforcer-journal 2\n";

/// The same of an older version, whose records this one reads as they are.
pub(super) const OLDER: &str = "enforcer-journal 1\n";

/// Largest payload. More at once means somebody should have written several.
pub(super) const LARGEST: usize = 1 << 28;

/// What a file begins with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Opening {
    /// A journal of this version.
    Ours,
    /// A journal of an older version that can be read.
    Older,
    /// A part of the header and nothing else.
    Cut,
    /// A journal of another version.
    Other(u32),
    /// Something else.
    Strange,
}

/// Judges the beginning of a file.
pub(super) fn opening(bytes: &[u8]) -> Opening {
    if bytes.starts_with(HEADER.as_bytes()) {
        Opening::Ours
    } else if bytes.starts_with(OLDER.as_bytes()) {
        Opening::Older
    } else if HEADER.as_bytes().starts_with(bytes) {
        Opening::Cut
    } else {
        other_version(bytes).map_or(Opening::Strange, Opening::Other)
    }
}

/// Appends one record; false, and nothing appended, when it is too large.
pub(super) fn push(out: &mut Vec<u8>, payload: &[u8]) -> bool {
    let Some(length) = u32::try_from(payload.len()).ok().filter(|_| payload.len() <= LARGEST) else { return false };
    let length = length.to_le_bytes();
    out.extend_from_slice(&length);
    out.extend_from_slice(&checksum(length, payload).to_le_bytes());
    out.extend_from_slice(payload);
    true
}

/// The records of a file, one after another, until one is not whole.
pub(super) struct Frames<'b> {
    bytes: &'b [u8],
    offset: usize,
}

impl<'b> Frames<'b> {
    /// Begins after the header.
    pub(super) fn new(bytes: &'b [u8]) -> Self {
        Self { bytes, offset: HEADER.len() }
    }

    /// Where the next record begins.
    pub(super) fn offset(&self) -> usize {
        self.offset
    }

    /// Goes on behind bytes that are no record, to the next one that is whole; false when there is none. A damaged payload keeps its
    /// length, so that is tried first; then every place, for as many bytes of checksums as a second can take.
    pub(super) fn resume(&mut self) -> bool {
        let length =
            self.bytes.get(self.offset..).and_then(<[u8]>::first_chunk).map(|length| u32::from_le_bytes(*length));
        let behind = length.and_then(|length| usize::try_from(length).ok()?.checked_add(self.offset + FRAME));
        let mut budget = SEARCHED;
        let places = behind.into_iter().chain(self.offset + 1..self.bytes.len());
        for place in places {
            let Some(size) = self.size_at(place) else { continue };
            let Some(left) = budget.checked_sub(size) else { return false };
            budget = left;
            if self.whole_at(place).is_some() {
                self.offset = place;
                return true;
            }
        }
        false
    }

    /// Bytes of the record that may begin there, when they are all there. A record is never empty.
    fn size_at(&self, place: usize) -> Option<usize> {
        let (length, rest) = self.bytes.get(place..)?.split_first_chunk()?;
        let size = usize::try_from(u32::from_le_bytes(*length)).ok()?;
        (size > 0 && size <= rest.len().checked_sub(FRAME - length.len())?).then_some(size)
    }

    /// The payload of the record there, when it is whole.
    fn whole_at(&self, place: usize) -> Option<&'b [u8]> {
        let rest = self.bytes.get(place..)?;
        let (length, rest) = rest.split_first_chunk()?;
        let (sum, rest) = rest.split_first_chunk()?;
        let size = usize::try_from(u32::from_le_bytes(*length)).ok()?;
        rest.get(..size).filter(|payload| u32::from_le_bytes(*sum) == checksum(*length, payload))
    }
}

impl<'b> Iterator for Frames<'b> {
    type Item = &'b [u8];

    fn next(&mut self) -> Option<&'b [u8]> {
        let payload = self.whole_at(self.offset)?;
        self.offset += FRAME + payload.len();
        Some(payload)
    }
}

/// Length and checksum.
const FRAME: usize = 8;
/// Bytes that are checked in search of a whole record, at most.
const SEARCHED: usize = 1 << 30;

fn checksum(length: [u8; 4], payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&length);
    hasher.update(payload);
    hasher.finalize()
}

fn other_version(bytes: &[u8]) -> Option<u32> {
    let rest = bytes.strip_prefix(b"enforcer-journal ")?;
    let line = rest.get(..rest.iter().position(|byte| *byte == b'\n')?)?;
    std::str::from_utf8(line).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_names_the_version() {
        assert_eq!(HEADER, format!("enforcer-journal {VERSION}\n"));
        assert_eq!(opening(HEADER.as_bytes()), Opening::Ours);
        assert_eq!(opening(OLDER.as_bytes()), Opening::Older);
        assert_eq!(OLDER.len(), HEADER.len());
        assert_eq!(opening(b""), Opening::Cut);
        assert_eq!(opening(b"enforcer-jou"), Opening::Cut);
        assert_eq!(opening(b"enforcer-journal 27\nxyz"), Opening::Other(27));
        assert_eq!(opening(b"#!/bin/sh\n"), Opening::Strange);
    }

    #[test]
    fn zeros_are_no_record() {
        let mut bytes = HEADER.as_bytes().to_vec();
        bytes.extend([0; 64]);
        assert_eq!(Frames::new(&bytes).next(), None);
    }

    #[test]
    fn too_large_a_record_is_not_written() {
        let mut out = Vec::new();
        assert!(!push(&mut out, &vec![0; LARGEST + 1]));
        assert!(out.is_empty());
    }
}
