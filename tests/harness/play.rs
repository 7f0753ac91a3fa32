//! What a client does on one connection, decided beforehand: every segment, and what it waits for in between.
//!
//! In: bytes, places in the stream, twists. Out: a [`Play`] for [`crate::Player`]. Never here: the network.
//!
//! Beside the segments a play has a *stream*: what TCP sends again as long as the server has not acknowledged it. A segment
//! writes itself into the stream unless the server must throw it away ([`Twist`]); of two that say different things of one
//! place the later one is sent again, because that is what an attacker wants.

use crate::{frames::Flags, segments::Twist};

/// A client's part on one connection.
#[derive(Clone, Debug, Default)]
pub struct Play {
    pub(crate) steps: Vec<Step>,
    pub(crate) stream: Vec<u8>,
    pub(crate) answers: usize,
    pub(crate) own_numbers: Option<u32>,
    pub(crate) deaf: usize,
    manners: Vec<Manner>,
    pub(crate) syn_payload: Vec<u8>,
    pub(crate) next: Option<Box<Self>>,
}

/// How a client behaves on the whole connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Manner {
    /// The stream has an end.
    Ends,
    /// An answer that says that something is wrong is the last.
    GivesUp,
    /// The handshake's third segment carries data.
    Hasty,
    /// Answers have no bodies.
    HeadsOnly,
    /// The connection stays open at the end.
    Leaves,
    /// It is over IPv6.
    Six,
    /// Segments carry timestamps.
    Timestamps,
}

/// One thing that a client does.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Waits until the server has acknowledged so many bytes.
    Acknowledged(usize),
    /// Waits for so many answers.
    Answered(usize),
    /// Sends the stream up to here as TCP does, never more than fits into the window.
    Flow(usize),
    /// Sends one segment.
    Send(Piece),
}

/// A segment by its place in the stream; before it, if negative.
#[derive(Clone, Debug)]
pub(crate) struct Piece {
    pub(crate) at: i64,
    pub(crate) bytes: Vec<u8>,
    pub(crate) flags: u8,
    pub(crate) twist: Twist,
}

impl Play {
    /// Nothing but connecting, over IPv4; one answer is waited for.
    pub fn new() -> Self {
        Self { answers: 1, ..Self::default() }
    }

    /// Sends the bytes in one segment, after everything else.
    #[must_use]
    pub fn send(self, bytes: &[u8]) -> Self {
        let at = self.stream.len();
        self.send_at(at, bytes)
    }

    /// Sends the bytes in segments of this size.
    #[must_use]
    pub fn pieces(self, bytes: &[u8], size: usize) -> Self {
        bytes.chunks(size).fold(self, Self::send)
    }

    /// Sends the bytes in segments that end at these places and at the end.
    #[must_use]
    pub fn split(self, bytes: &[u8], at: &[usize]) -> Self {
        let ends = at.iter().copied().chain([bytes.len()]);
        let pieces = [0].into_iter().chain(at.iter().copied()).zip(ends);
        pieces.fold(self, |play, (from, to)| play.send(&bytes[from..to]))
    }

    /// Sends the bytes in one segment that belongs to this place.
    #[must_use]
    pub fn send_at(self, at: usize, bytes: &[u8]) -> Self {
        self.twisted_at(at, bytes, Twist::None)
    }

    /// Sends one segment with a twist, after everything else.
    #[must_use]
    pub fn twisted(self, bytes: &[u8], twist: Twist) -> Self {
        let at = self.stream.len();
        self.twisted_at(at, bytes, twist)
    }

    /// Sends one segment with a twist that belongs to this place.
    #[must_use]
    pub fn twisted_at(mut self, at: usize, bytes: &[u8], twist: Twist) -> Self {
        if !twist.is_lost() {
            self.write(at, bytes);
        }
        self.step(at, bytes, PSH | Flags::ACK.0, twist)
    }

    /// Sends one segment that is not sent again, whatever becomes of it.
    #[must_use]
    pub fn once_at(self, at: usize, bytes: &[u8]) -> Self {
        self.step(at, bytes, PSH | Flags::ACK.0, Twist::None)
    }

    /// Sends one segment with the flags of choice, which is not sent again.
    #[must_use]
    pub fn flagged_at(self, at: usize, bytes: &[u8], flags: u8) -> Self {
        self.step(at, bytes, flags, Twist::None)
    }

    /// Sends one segment that begins so many bytes before the first of the stream, and is not sent again.
    #[must_use]
    pub fn before(mut self, distance: i64, bytes: &[u8], flags: u8) -> Self {
        self.steps.push(Step::Send(Piece { at: -distance, bytes: bytes.to_vec(), flags, twist: Twist::None }));
        self
    }

    /// Sends the bytes in one segment, which is the last one and says so.
    #[must_use]
    pub fn send_and_end(mut self, bytes: &[u8]) -> Self {
        let at = self.stream.len();
        self.write(at, bytes);
        self.manners.push(Manner::Ends);
        self.step(at, bytes, FIN | PSH | Flags::ACK.0, Twist::None)
    }

    /// Sends the bytes as TCP does: full segments, and never more than fits into the server's window.
    #[must_use]
    pub fn flow(mut self, bytes: &[u8]) -> Self {
        self.stream.extend(bytes);
        self.steps.push(Step::Flow(self.stream.len()));
        self
    }

    /// Adds bytes to the stream that are not sent before they are missed.
    #[must_use]
    pub fn omit(mut self, bytes: &[u8]) -> Self {
        self.stream.extend(bytes);
        self
    }

    /// Waits until everything is acknowledged.
    #[must_use]
    pub fn acknowledged(self) -> Self {
        let all = self.stream.len();
        self.acknowledged_to(all)
    }

    /// Waits until so many bytes are acknowledged.
    #[must_use]
    pub fn acknowledged_to(mut self, length: usize) -> Self {
        self.steps.push(Step::Acknowledged(length));
        self
    }

    /// Waits for the n-th answer.
    #[must_use]
    pub fn answered(mut self, count: usize) -> Self {
        self.steps.push(Step::Answered(count));
        self
    }

    /// How many answers are waited for at the end.
    #[must_use]
    pub fn answers(mut self, count: usize) -> Self {
        self.answers = count;
        self
    }

    /// Where the client's numbers begin.
    #[must_use]
    pub fn numbers_from(mut self, first: u32) -> Self {
        self.own_numbers = Some(first);
        self
    }

    /// All segments carry timestamps.
    #[must_use]
    pub fn timestamps(self) -> Self {
        self.with(Manner::Timestamps)
    }

    /// The handshake's third segment is the first with data.
    #[must_use]
    pub fn hasty(self) -> Self {
        self.with(Manner::Hasty)
    }

    /// The first segments with data that come back get lost.
    #[must_use]
    pub fn deaf(mut self, segments: usize) -> Self {
        self.deaf = segments;
        self
    }

    /// An answer that says that something is wrong is the last one waited for: servers go on reading after it for a while.
    #[must_use]
    pub fn gives_up(self) -> Self {
        self.with(Manner::GivesUp)
    }

    /// Answers have no bodies: it asks with HEAD.
    #[must_use]
    pub fn heads_only(self) -> Self {
        self.with(Manner::HeadsOnly)
    }

    /// Leaves the connection as it is: it stays open on the server.
    #[must_use]
    pub fn leaves(self) -> Self {
        self.with(Manner::Leaves)
    }

    /// Over IPv6.
    #[must_use]
    pub fn over_ipv6(mut self) -> Self {
        self.next = self.next.map(|next| Box::new(next.over_ipv6()));
        self.with(Manner::Six)
    }

    /// The first segment carries data, as it may.
    #[must_use]
    pub fn syn_payload(mut self, bytes: &[u8]) -> Self {
        self.syn_payload = bytes.to_vec();
        self
    }

    /// When this one is over, another between the same ports.
    #[must_use]
    pub fn then(mut self, next: Self) -> Self {
        self.next = Some(Box::new(next));
        self
    }

    /// Whether the client behaves so.
    pub(crate) fn is(&self, manner: Manner) -> bool {
        self.manners.contains(&manner)
    }

    fn with(mut self, manner: Manner) -> Self {
        self.manners.push(manner);
        self
    }

    fn step(mut self, at: usize, bytes: &[u8], flags: u8, twist: Twist) -> Self {
        let at = i64::try_from(at).expect("streams are short");
        self.steps.push(Step::Send(Piece { at, bytes: bytes.to_vec(), flags, twist }));
        self
    }

    fn write(&mut self, at: usize, bytes: &[u8]) {
        let end = at + bytes.len();
        self.stream.resize(end.max(self.stream.len()), b'?');
        self.stream[at..end].copy_from_slice(bytes);
    }
}

pub(crate) const FIN: u8 = 0x01;
pub(crate) const RST: u8 = 0x04;
pub(crate) const PSH: u8 = 0x08;
