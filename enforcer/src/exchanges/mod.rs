//! The room of exchanges: a request and its answer, joined.
//!
//! ```text
//! sample of a request ──┐
//!                       ├─ Joiner (bounded; by the id that both bear) -> Exchange: request, verdict, status, times, sizes, prefixes
//! parts of an answer ───┘
//! ```
//! In: samples of the kernel, and a time. Out: [`Exchange`]s, each once: refused ones at once, answered ones when the answer is
//! complete, others when they give way or are too old. Never here: I/O, clocks, policy; what they mean is for other rooms.
mod call;
mod claims;
mod joiner;

use std::time::Duration;

use bytes::Bytes;
use enforcer_common::Asking;

pub use call::call_of;
pub use claims::{subject_of, user_of};
pub use joiner::Joiner;

/// One request and what came of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Exchange {
    /// What the kernel found when the request arrived.
    pub asking: Asking,
    /// The beginning of its head.
    pub head: Bytes,
    /// The beginning of its body, as it is framed on the connection; at most as much as came without a gap.
    pub body: Bytes,
    /// The answer; none for a refused request, and for one whose answer was not seen.
    pub answer: Option<Answer>,
}

/// An answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// From the end of the request's head to the answer's first byte.
    pub first_byte: Duration,
    /// From the end of the request's head to the last byte that was seen.
    pub whole: Duration,
    /// Bytes on the connection, head included.
    pub bytes: u64,
    /// False when the connection ended before it, or it gave way.
    pub complete: bool,
    /// Its first bytes, head and body.
    pub prefix: Bytes,
}
