//! What the server sends on one connection played by hand: put in order, and read as answers.
//!
//! In: segments. Out: statuses of whole answers, and how far the server has come. Never here: sending.

use std::collections::BTreeMap;

/// The server's stream so far.
#[derive(Debug, Default)]
pub(crate) struct Inbound {
    /// Bytes in order that belong to no whole answer yet.
    pub(crate) rest: Vec<u8>,
    /// Whole answers.
    pub(crate) statuses: Vec<u16>,
    /// Bytes received in order altogether, with the end.
    pub(crate) length: u32,
    /// Whether the end has come.
    pub(crate) is_closed: bool,
    heads_only: bool,
    early: BTreeMap<u32, (Vec<u8>, bool)>,
}

impl Inbound {
    pub(crate) fn new(heads_only: bool) -> Self {
        Self { heads_only, ..Self::default() }
    }

    /// Takes a segment that begins at this place of the stream.
    pub(crate) fn take(&mut self, at: u32, payload: Vec<u8>, ends: bool) {
        self.early.insert(at, (payload, ends));
        while let Some(entry) = self.early.first_entry().filter(|entry| *entry.key() <= self.length) {
            let (at, (payload, ends)) = entry.remove_entry();
            let known = usize::try_from(self.length - at).unwrap_or(usize::MAX);
            if let Some(new) = payload.get(known..).filter(|_| !self.is_closed) {
                self.rest.extend_from_slice(new);
                self.length += u32::try_from(new.len()).expect("a segment is at most 64 KiB") + u32::from(ends);
                self.is_closed = ends;
            }
        }
        while let Some((status, length)) = answer(&self.rest, self.heads_only) {
            self.rest.drain(..length);
            // A word in between is no answer.
            if status >= 200 {
                self.statuses.push(status);
            }
        }
    }
}

/// Status and length of the first answer, if it is whole. What is not HTTP never is.
fn answer(received: &[u8], heads_only: bool) -> Option<(u16, usize)> {
    let end = received.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let head = str::from_utf8(&received[..end]).ok()?;
    let status = head.strip_prefix("HTTP/1.")?.get(2..5)?.parse().ok()?;
    let lines = head.split("\r\n").filter_map(|line| line.split_once(": "));
    let length = lines.filter(|(name, _)| name.eq_ignore_ascii_case("Content-Length"));
    let length: usize = length.last().map_or(Some(0), |(_, value)| value.parse().ok())?;
    let length = end + if heads_only { 0 } else { length };
    (received.len() >= length).then_some((status, length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_in_whatever_order_segments_come() {
        let mut inbound = Inbound::default();
        inbound.take(20, b"tent-Length: 2\r\n\r\nokHTTP/1.1 ".to_vec(), false);
        inbound.take(0, b"HTTP/1.1 200 OK\r\nContent".to_vec(), false);
        assert_eq!((inbound.statuses.as_slice(), inbound.rest.as_slice()), (&[200][..], &b"HTTP/1.1 "[..]));
        inbound.take(inbound.length, b"403 No\r\n\r\n".to_vec(), true);
        assert_eq!((inbound.statuses.as_slice(), inbound.is_closed, inbound.length), (&[200, 403][..], true, 60));
    }
}
