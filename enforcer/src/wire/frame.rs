//! Frames: four bytes of length (little-endian), then one value in postcard's form.
//!
//! In: any type of this room, any byte stream (blocking for the CLI, tokio's for the agent). Out: the same, the other way.
//! A frame is at most [`FRAME_MAX`] bytes, and memory is taken only as bytes arrive, so that a length alone costs nothing.
//! Never here: who is on the other side.
use std::io::{self, Read, Write};

use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// Most bytes in one frame, without its length.
pub const FRAME_MAX: usize = 4 << 20;

const LENGTH: usize = size_of::<u32>();

/// Why a frame could not be sent or understood.
#[derive(Debug, Error)]
pub enum FrameError {
    /// The other side hung up in the middle of a frame.
    #[error("the connection ended inside a frame: {got} of {expected} bytes")]
    Cut {
        /// Bytes that came.
        got: usize,
        /// Bytes announced.
        expected: usize,
    },
    /// The bytes are not the expected type; most likely the two programs are of different releases.
    #[error("a frame of {length} bytes could not be understood")]
    Malformed {
        /// Bytes in the frame.
        length: usize,
        /// What postcard says.
        #[source]
        source: postcard::Error,
    },
    /// Reading failed.
    #[error("reading from the socket failed")]
    Read(#[source] io::Error),
    /// The frame is larger than either side accepts.
    #[error("a frame of {length} bytes is larger than the limit of {FRAME_MAX}")]
    TooLarge {
        /// Bytes in the frame.
        length: usize,
    },
    /// The value could not be written down.
    #[error("a value could not be encoded")]
    Unencodable(#[source] postcard::Error),
    /// Writing failed.
    #[error("writing to the socket failed")]
    Write(#[source] io::Error),
}

/// A whole frame, length included.
pub fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, FrameError> {
    let frame = postcard::to_extend(value, vec![0; LENGTH]).map_err(FrameError::Unencodable)?;
    let length = frame.len() - LENGTH;
    let announced = u32::try_from(length).ok().filter(|_| length <= FRAME_MAX);
    let announced = announced.ok_or(FrameError::TooLarge { length })?;
    Ok(with_length(frame, announced))
}

fn with_length(mut frame: Vec<u8>, length: u32) -> Vec<u8> {
    if let Some(room) = frame.first_chunk_mut::<LENGTH>() {
        *room = length.to_le_bytes();
    }
    frame
}

/// The value of a frame's body. Bytes left over are an error: they mean that the other side speaks of another type.
pub fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, FrameError> {
    let malformed = |source| FrameError::Malformed { length: body.len(), source };
    match postcard::take_from_bytes(body).map_err(malformed)? {
        (value, []) => Ok(value),
        _ => Err(malformed(postcard::Error::SerdeDeCustom)),
    }
}

/// Sends one value.
pub fn write_frame<T: Serialize>(stream: &mut impl Write, value: &T) -> Result<(), FrameError> {
    stream.write_all(&encode(value)?).map_err(FrameError::Write)
}

/// Receives one value; `None` when the other side hung up between frames.
pub fn read_frame<T: DeserializeOwned>(stream: &mut impl Read) -> Result<Option<T>, FrameError> {
    let head = fill(stream, LENGTH)?;
    let Some(length) = announced(&head)? else { return Ok(None) };
    let body = fill(stream, length)?;
    finish(&body, length).map(Some)
}

/// Up to `limit` bytes; fewer only at the end of the stream.
fn fill(stream: &mut impl Read, limit: usize) -> Result<Vec<u8>, FrameError> {
    let mut bytes = Vec::new();
    stream.take(limit as u64).read_to_end(&mut bytes).map_err(FrameError::Read)?;
    Ok(bytes)
}

/// Sends one value. Not cancel safe: a dropped future leaves half a frame, so drop the stream with it.
pub async fn write_frame_async<T: Serialize + Sync>(
    stream: &mut (impl AsyncWrite + Unpin),
    value: &T,
) -> Result<(), FrameError> {
    let frame = encode(value)?;
    stream.write_all(&frame).await.map_err(FrameError::Write)?;
    stream.flush().await.map_err(FrameError::Write)
}

/// Receives one value; `None` when the other side hung up between frames. Not cancel safe, as [`write_frame_async`].
pub async fn read_frame_async<T: DeserializeOwned>(
    stream: &mut (impl AsyncRead + Unpin),
) -> Result<Option<T>, FrameError> {
    let head = fill_async(stream, LENGTH).await?;
    let Some(length) = announced(&head)? else { return Ok(None) };
    let body = fill_async(stream, length).await?;
    finish(&body, length).map(Some)
}

async fn fill_async(stream: &mut (impl AsyncRead + Unpin), limit: usize) -> Result<Vec<u8>, FrameError> {
    let mut bytes = Vec::new();
    stream.take(limit as u64).read_to_end(&mut bytes).await.map_err(FrameError::Read)?;
    Ok(bytes)
}

/// The length in a frame's head; `None` for an empty head.
fn announced(head: &[u8]) -> Result<Option<usize>, FrameError> {
    if head.is_empty() {
        return Ok(None);
    }
    let cut = FrameError::Cut { got: head.len(), expected: LENGTH };
    let bytes: [u8; LENGTH] = head.try_into().map_err(|_wrong_length| cut)?;
    let length = usize::try_from(u32::from_le_bytes(bytes)).unwrap_or(usize::MAX);
    if length > FRAME_MAX { Err(FrameError::TooLarge { length }) } else { Ok(Some(length)) }
}

fn finish<T: DeserializeOwned>(body: &[u8], expected: usize) -> Result<T, FrameError> {
    if body.len() < expected {
        return Err(FrameError::Cut { got: body.len(), expected });
    }
    decode(body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Hello, Request};

    #[test]
    fn a_stream_of_frames_ends_cleanly_only_between_frames() {
        let mut bytes = encode(&Hello::ours()).unwrap();
        let whole = bytes.len();
        bytes.extend(encode(&Request::Status).unwrap());
        for cut in 0..bytes.len() {
            let mut stream = bytes.get(..cut).unwrap();
            let hello: Result<Option<Hello>, _> = read_frame(&mut stream);
            match cut {
                0 => assert!(matches!(hello, Ok(None))),
                cut if cut < whole => assert!(matches!(hello, Err(FrameError::Cut { .. })), "cut at {cut}"),
                cut if cut == whole => assert!(matches!(read_frame::<Request>(&mut stream), Ok(None))),
                _ => assert!(matches!(read_frame::<Request>(&mut stream), Err(FrameError::Cut { .. }))),
            }
        }
    }

    #[test]
    fn a_large_length_is_refused_before_memory_is_taken() {
        let mut stream: &[u8] = &[0xff, 0xff, 0xff, 0xff, 1, 2, 3];
        let error = read_frame::<Request>(&mut stream).unwrap_err();
        assert_eq!(error.to_string(), "a frame of 4294967295 bytes is larger than the limit of 4194304");
        assert!(matches!(encode(&vec![0_u8; FRAME_MAX + 1]), Err(FrameError::TooLarge { .. })));
    }

    #[test]
    fn bytes_left_over_are_an_error() {
        let mut body = postcard::to_stdvec(&Request::Status).unwrap();
        body.push(0);
        assert!(matches!(decode::<Request>(&body), Err(FrameError::Malformed { .. })));
    }

    #[tokio::test(flavor = "current_thread")]
    async fn blocking_and_async_speak_alike() {
        let mut wire = Vec::new();
        write_frame_async(&mut wire, &Request::Bypass(true)).await.unwrap();
        assert_eq!(wire, encode(&Request::Bypass(true)).unwrap());
        let mut stream = wire.as_slice();
        assert_eq!(read_frame_async::<Request>(&mut stream).await.unwrap(), Some(Request::Bypass(true)));
        assert!(read_frame_async::<Request>(&mut stream).await.unwrap().is_none());
    }
}
