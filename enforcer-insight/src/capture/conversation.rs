//! One connection: requests and their answers. In: segments of both sides. Out: [`Exchange`]s, each once, in the order of their
//! answers. Never here: identities, services.
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::{Buf as _, Bytes, BytesMut};
use enforcer_common::limits::HEAD_WINDOW;
use enforcer_common::{ANSWER_PREFIX, BODY_PREFIX};

use super::body::Body;
use super::half::Half;
use super::packet::Segment;
use crate::http::{Framing, Head};
use crate::{Answer, AnswerHead};

/// A request, and its answer if it was seen.
pub(super) struct Exchange {
    pub(super) client: SocketAddr,
    pub(super) server: SocketAddr,
    /// Nanoseconds since 1970, when its head was whole.
    pub(super) time: u64,
    pub(super) head: Head,
    /// The beginning of its body, as it was framed.
    pub(super) body: Bytes,
    pub(super) answer: Option<Answer>,
}

/// A connection.
pub(super) struct Conversation {
    pair: (SocketAddr, SocketAddr),
    asked: Half,
    told: Half,
    /// Requests whose answers are not complete, the oldest first.
    waiting: VecDeque<Waiting>,
    /// What of the last request's body is still to come.
    asking: Option<Body>,
    answering: Option<Answering>,
    /// When the last segment came.
    now: u64,
    lost: bool,
}

struct Waiting {
    time: u64,
    head: Head,
    body: BytesMut,
}

struct Answering {
    status: u16,
    first: u64,
    bytes: u64,
    body: Body,
    /// Its first bytes, head and body.
    prefix: BytesMut,
}

/// It cannot be followed any more.
struct Lost;

impl Conversation {
    pub(super) fn new(pair: (SocketAddr, SocketAddr)) -> Self {
        let (asked, told, waiting) = (Half::default(), Half::default(), VecDeque::new());
        Self { pair, asked, told, waiting, asking: None, answering: None, now: 0, lost: false }
    }

    /// Takes a segment and gives the exchanges that it completes; false when the connection cannot be followed any more.
    pub(super) fn take(&mut self, asks: bool, segment: &Segment<'_>, time: u64, done: &mut Vec<Exchange>) -> bool {
        self.now = time;
        let fits = if asks { self.asked.take(segment) } else { self.told.take(segment) };
        let read = if asks { self.read_requests() } else { self.read_answers(done) };
        self.lost = !fits || read.is_err();
        !self.lost
    }

    /// True when the server has said all it will say.
    pub(super) fn is_over(&self) -> bool {
        self.told.is_over()
    }

    /// True when requests may have come that nobody can tell: it could not be followed, or servers differ on where one ended.
    pub(super) fn is_lost(&self) -> bool {
        self.lost || self.asking == Some(Body::Rest)
    }

    /// What was not complete when it ended.
    pub(super) fn end(mut self) -> Vec<Exchange> {
        let answer = self.answering.take().map(|answering| {
            let complete = answering.body == Body::Rest;
            (answering, complete)
        });
        let mut done = Vec::new();
        if let Some((answering, complete)) = answer {
            self.finish(answering, complete, &mut done);
        }
        let pair = self.pair;
        done.extend(self.waiting.into_iter().map(|waiting| waiting.exchange(pair, None)));
        done
    }

    fn read_requests(&mut self) -> Result<(), Lost> {
        loop {
            if let (Some(body), Some(last)) = (&mut self.asking, self.waiting.back_mut()) {
                let ended = body.take(&mut self.asked.ready, &mut last.body, BODY_PREFIX).map_err(|_broken| Lost)?;
                if !ended {
                    return Ok(());
                }
            }
            self.asking = None;
            let ready = &mut self.asked.ready;
            if ready.is_empty() {
                return Ok(());
            }
            let window = Bytes::copy_from_slice(ready.get(..HEAD_WINDOW).unwrap_or(ready));
            let Some(head) = Head::read(&window).map_err(|_none| Lost)? else { return Ok(()) };
            ready.advance(head.end);
            self.ask(head)?;
        }
    }

    fn ask(&mut self, head: Head) -> Result<(), Lost> {
        self.asking = match head.framing {
            Framing::Chunked => Some(Body::ChunkSize),
            Framing::Length(length) => Some(Body::Length(length)),
            Framing::None => None,
            // Servers differ on where it ends: nothing behind it is believed.
            Framing::Refused(_) => Some(Body::Rest),
        };
        self.waiting.push_back(Waiting { time: self.now, head, body: BytesMut::new() });
        if self.waiting.len() > WAITING { Err(Lost) } else { Ok(()) }
    }

    fn read_answers(&mut self, done: &mut Vec<Exchange>) -> Result<(), Lost> {
        loop {
            if self.answering.is_none() && !self.begin_answer()? {
                return Ok(());
            }
            let Some(mut answering) = self.answering.take() else { return Ok(()) };
            let before = self.told.ready.len();
            let taken = answering.body.take(&mut self.told.ready, &mut answering.prefix, ANSWER_PREFIX);
            answering.bytes += (before - self.told.ready.len()) as u64;
            if taken.map_err(|_broken| Lost)? {
                self.finish(answering, true, done);
            } else {
                self.answering = Some(answering);
                return Ok(());
            }
        }
    }

    /// Reads the head of the next answer; false when it is not whole. What comes before the final one is none, but for the change to
    /// another protocol.
    fn begin_answer(&mut self) -> Result<bool, Lost> {
        while !self.told.ready.is_empty() {
            let before = self.told.ready.len();
            self.read_head()?;
            if self.answering.is_some() {
                return Ok(true);
            }
            if self.told.ready.len() == before {
                return Ok(false);
            }
        }
        Ok(false)
    }

    /// Reads one head, if it is whole.
    fn read_head(&mut self) -> Result<(), Lost> {
        let Some(asked) = self.waiting.front() else {
            // Answers to what was sent before the capture began.
            self.told.ready.clear();
            return Ok(());
        };
        let ready = &self.told.ready;
        let mut headers = [httparse::EMPTY_HEADER; HEADERS];
        let mut response = httparse::Response::new(&mut headers);
        let end = match response.parse(ready) {
            Ok(httparse::Status::Complete(end)) => end,
            Ok(httparse::Status::Partial) if ready.len() < HEAD => return Ok(()),
            Ok(httparse::Status::Partial) | Err(_) => return Err(Lost),
        };
        let status = response.code.unwrap_or_default();
        let body = framing(&asked.head.method, status, response.headers);
        let head = self.told.ready.split_to(end);
        if (100..200).contains(&status) && status != 101 {
            return Ok(());
        }
        let prefix = BytesMut::from(head.get(..ANSWER_PREFIX).unwrap_or(&head));
        self.answering = Some(Answering { status, first: self.now, bytes: end as u64, body, prefix });
        Ok(())
    }

    fn finish(&mut self, answering: Answering, complete: bool, done: &mut Vec<Exchange>) {
        let Some(waiting) = self.waiting.pop_front() else { return };
        let AnswerHead { headers, body } = AnswerHead::read(&answering.prefix.freeze());
        let since = |time: u64| Duration::from_nanos(time.saturating_sub(waiting.time));
        let (status, bytes) = (answering.status, answering.bytes);
        let (first_byte, whole) = (since(answering.first), since(self.now));
        let answer = Answer { status, first_byte, whole, bytes, complete, headers, body };
        done.push(waiting.exchange(self.pair, Some(answer)));
    }
}

impl Waiting {
    fn exchange(self, (client, server): (SocketAddr, SocketAddr), answer: Option<Answer>) -> Exchange {
        Exchange { client, server, time: self.time, head: self.head, body: self.body.freeze(), answer }
    }
}

/// How an answer ends (RFC 9112, 6.3).
fn framing(method: &[u8], status: u16, headers: &[httparse::Header<'_>]) -> Body {
    let value =
        |name: &str| headers.iter().find(|header| header.name.eq_ignore_ascii_case(name)).map(|header| header.value);
    if method == b"HEAD" || matches!(status, 204 | 304) {
        return Body::Length(0);
    }
    if value("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case(b"chunked")) {
        return Body::ChunkSize;
    }
    let length = value("content-length").and_then(|length| std::str::from_utf8(length).ok()?.parse().ok());
    length.map_or(Body::Rest, Body::Length)
}

/// Requests that wait for their answers on one connection.
const WAITING: usize = 256;
const HEADERS: usize = 128;
/// Longest head of an answer, bytes.
const HEAD: usize = 65_536;
