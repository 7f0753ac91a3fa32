//! Where a body ends. In: its framing, and bytes as they come. Out: the beginning of its bytes as they were sent; whether it has ended.
//! Never here: what it says.
use bytes::{Buf as _, BytesMut};

/// What of a body is still to come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Body {
    /// The size of a chunk.
    ChunkSize,
    /// Bytes of a chunk, with the end of its line.
    ChunkData(u64),
    /// Lines behind the last chunk.
    Trailer,
    /// So many bytes.
    Length(u64),
    /// Everything up to the connection's end.
    Rest,
}

/// It is no body of its kind.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Broken;

impl Body {
    /// Takes what belongs to it from `bytes`, and keeps the first of it; true when it has ended.
    pub(super) fn take(&mut self, bytes: &mut BytesMut, kept: &mut BytesMut, most: usize) -> Result<bool, Broken> {
        loop {
            match *self {
                Self::Length(0) => return Ok(true),
                Self::Length(left) => {
                    *self = Self::Length(left - some(bytes, left, kept, most));
                }
                Self::Rest => drop(some(bytes, u64::MAX, kept, most)),
                Self::ChunkData(0) => *self = Self::ChunkSize,
                Self::ChunkData(left) => *self = Self::ChunkData(left - some(bytes, left, kept, most)),
                Self::ChunkSize | Self::Trailer => match line(bytes, kept, most)? {
                    Some(line) if *self == Self::Trailer && line.is_empty() => return Ok(true),
                    Some(_) if *self == Self::Trailer => {}
                    Some(line) => *self = chunk(&line)?,
                    None => return Ok(false),
                },
            }
            if bytes.is_empty() && !matches!(self, Self::Length(0)) {
                return Ok(false);
            }
        }
    }
}

/// Moves up to `most` bytes away; gives how many.
fn some(bytes: &mut BytesMut, wanted: u64, kept: &mut BytesMut, most: usize) -> u64 {
    let count = bytes.len().min(usize::try_from(wanted).unwrap_or(usize::MAX));
    keep(bytes, count, kept, most);
    count as u64
}

fn keep(bytes: &mut BytesMut, count: usize, kept: &mut BytesMut, most: usize) {
    let room = most.saturating_sub(kept.len()).min(count);
    kept.extend_from_slice(bytes.get(..room).unwrap_or_default());
    bytes.advance(count);
}

/// A line without its end, once it is whole.
fn line(bytes: &mut BytesMut, kept: &mut BytesMut, most: usize) -> Result<Option<Vec<u8>>, Broken> {
    let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else {
        return if bytes.len() > LINE { Err(Broken) } else { Ok(None) };
    };
    let line = bytes.get(..end).unwrap_or_default().trim_ascii_end().to_vec();
    keep(bytes, end + 1, kept, most);
    Ok(Some(line))
}

fn chunk(line: &[u8]) -> Result<Body, Broken> {
    let digits = line.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    let size =
        std::str::from_utf8(digits).ok().and_then(|digits| u64::from_str_radix(digits, 16).ok()).ok_or(Broken)?;
    Ok(if size == 0 { Body::Trailer } else { Body::ChunkData(size.saturating_add(2)) })
}

/// Longest line of a chunk.
const LINE: usize = 8_192;
