//! One direction of a connection, in order. In: segments as they were captured: doubled, overlapping, out of order. Out: bytes, each once.
//! Never here: what they say.
use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};

use super::packet::{Is, Segment};

/// Bytes of one side.
#[derive(Default)]
pub(super) struct Half {
    /// The sequence number that comes next; none before the first segment.
    next: Option<u32>,
    /// What came too early, by its sequence number.
    early: BTreeMap<u32, Bytes>,
    held: usize,
    /// In order, and not taken yet.
    pub(super) ready: BytesMut,
    /// The sequence number of its end.
    end: Option<u32>,
}

impl Half {
    /// Takes a segment; false when too much waits for something that never came.
    pub(super) fn take(&mut self, segment: &Segment<'_>) -> bool {
        let begin = segment.sequence.wrapping_add(u32::from(segment.is.begins()));
        if segment.is.begins() {
            *self = Self { next: Some(begin), ..Self::default() };
        }
        // A connection that was open before the capture begins with its first segment.
        let next = *self.next.get_or_insert(begin);
        if segment.is == Is::Closing {
            let length = u32::try_from(segment.bytes.len()).unwrap_or_default();
            self.end = Some(begin.wrapping_add(length));
        }
        if ahead(begin, next) > 0 {
            self.keep(begin, segment.bytes);
        } else {
            self.append(begin, segment.bytes);
            self.go_on();
        }
        self.held <= EARLY && self.early.len() <= SEGMENTS
    }

    /// True when all came, up to the end that was told.
    pub(super) fn is_over(&self) -> bool {
        self.end.is_some() && self.end == self.next
    }

    fn keep(&mut self, begin: u32, bytes: &[u8]) {
        if !bytes.is_empty() && !self.early.contains_key(&begin) {
            self.held += bytes.len();
            self.early.insert(begin, Bytes::copy_from_slice(bytes));
        }
    }

    /// Appends what is new of bytes that begin at or before what comes next.
    fn append(&mut self, begin: u32, bytes: &[u8]) {
        let Some(next) = self.next else { return };
        let known = usize::try_from(ahead(next, begin)).unwrap_or_default();
        let new = bytes.get(known..).unwrap_or_default();
        self.ready.extend_from_slice(new);
        self.next = Some(next.wrapping_add(u32::try_from(new.len()).unwrap_or_default()));
    }

    /// Appends what came early and fits now.
    fn go_on(&mut self) {
        while let Some(next) = self.next
            && let Some(begin) = self.early.keys().copied().find(|begin| ahead(*begin, next) <= 0)
            && let Some(bytes) = self.early.remove(&begin)
        {
            self.held -= bytes.len();
            self.append(begin, &bytes);
        }
    }
}

/// How far one sequence number lies ahead of another; they begin anew after the highest.
const fn ahead(one: u32, other: u32) -> i32 {
    one.wrapping_sub(other).cast_signed()
}

/// Bytes, and segments, that wait for those before them.
const EARLY: usize = 1 << 20;
const SEGMENTS: usize = 4_096;
