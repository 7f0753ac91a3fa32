//! Requests and their answers: what is remembered of a connection until the server has answered, and what the agent is told.
use crate::{Address, Stream};

/// Requests of one connection that can wait for their answers at once. Of a connection with more the answers are not followed
/// until it is idle again.
pub const ASKED: usize = 8;
/// Bytes of an answer that the agent is told, at most.
pub const ANSWER_PREFIX: usize = 4096;
/// Bytes of a request head that the agent is told, at most, together with those of its body that come with it.
pub const HEAD_PREFIX: usize = 4096;
/// Bytes of a request's body that the agent is told, at most, chunk sizes included.
pub const BODY_PREFIX: usize = 2048;
/// Buckets of a histogram of times: the first ends at [`FIRST_BUCKET`], each is twice as long as the one before, the last is
/// open.
pub const BUCKETS: usize = 18;
/// Room for one value for each kind of subject, by number.
pub const KINDS: usize = 8;
/// Nanoseconds at which the first bucket ends, as a power of two: about 0.13 ms.
pub const FIRST_BUCKET: u32 = 17;

/// What is kept with a server's socket. Two writers, who never write the same field: the program that sees requests arrive, and
/// the one that sees answers leave.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Connection {
    /// Not zero: a processor reads a segment of it, and no other may.
    pub turn: u64,
    /// How far the client's side was read.
    pub stream: Stream,
    /// What the server owes.
    pub exchange: Exchange,
}

/// Requests that wait for their answers, and how far the answers were read. Zero is a connection of which nothing is known.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Exchange {
    /// Requests that were passed on. Written on arrival, as all to `requests`.
    pub asked: u32,
    /// Not zero: more wait than fit, so nobody knows which is answered.
    pub overflow: u32,
    /// The last of them; request n lies at n modulo [`ASKED`].
    pub requests: [Asked; ASKED],
    /// Requests that were answered. Written on departure, as all that follows; and on arrival while nothing is followed.
    pub answered: u32,
    /// Sequence number of the first byte of the server's that was not read.
    pub next: u32,
    /// Bytes of the body or of the chunk after `next`; in a chunk's size line, the size so far.
    pub left: u64,
    /// When the first byte of the open answer left; 0 for not yet.
    pub first: u64,
    /// Bytes of the open answer before `next`.
    pub sent: u64,
    /// Its status; 0 while its head is open.
    pub status: u16,
    /// Bytes of the open head before `next`, which are held.
    pub held: u16,
    /// Digits of a chunk's size so far.
    pub digits: u16,
    /// As [`crate::Phase`], at `next`; below [`crate::Phase::Head`] nothing is followed.
    pub phase: u8,
    /// Zero.
    pub pad: u8,
    /// Where its head is held; 0 for nowhere.
    pub ticket: u32,
    /// Zero.
    pub zero: u32,
}

/// One request that waits for its answer.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Asked {
    /// When its head was complete, monotonic nanoseconds.
    pub time: u64,
    /// The number that its sample and those of its answer bear; never 0.
    pub id: u64,
    /// The service's id.
    pub service: u32,
    /// Sequence number after its head.
    pub end: u32,
    /// The flags below.
    pub flags: u32,
    /// Zero.
    pub pad: u32,
}

impl Asked {
    /// The answer has no body, whatever it says: the method is HEAD.
    pub const HEAD: u32 = 1;
    /// The agent is told of it.
    pub const SAMPLED: u32 = 2;
    /// A connection to elsewhere is asked for: the method is CONNECT.
    pub const CONNECT: u32 = 4;
}

/// Requests and answers of one service.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ServiceCounters {
    /// Requests by what happened to them, indexed by [`crate::Verdict`].
    pub requests: [u64; crate::Verdict::COUNT],
    /// Answers by the first digit of their status; 0 for those whose status is none.
    pub answers: [u64; 6],
    /// Bytes of all answers, heads included.
    pub bytes: u64,
    /// From the end of the request's head to the first byte of the answer.
    pub first_byte: Times,
    /// From the end of the request's head to the last byte of the answer.
    pub whole: Times,
}

/// A histogram of times.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Times {
    /// How many fell into each bucket.
    pub buckets: [u64; BUCKETS],
    /// The sum of all, nanoseconds.
    pub sum: u64,
}

/// What a record of the ring of samples is.
#[repr(u32)]
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum SampleKind {
    /// [`Asking`], followed by the request's head, and by what the same segment holds of its body.
    Asking = 1,
    /// [`Answering`], followed by bytes of the answer.
    Answering = 2,
    /// [`Bodying`], followed by bytes of a request's body that came later than its head.
    Bodying = 3,
}

/// A request that was judged. The beginning of its head follows, and when all of it does, the beginning of its body.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Asking {
    /// As [`SampleKind`].
    pub kind: u32,
    /// Bytes of the head, of which at most [`HEAD_PREFIX`] follow.
    pub head: u32,
    /// Joins it with its answer.
    pub id: u64,
    /// When its head was complete, monotonic nanoseconds.
    pub time: u64,
    /// The decision that matched; 0 for none.
    pub decision: u64,
    /// The client's end of the connection.
    pub source: Address,
    /// The server's.
    pub destination: Address,
    /// The forwarded address it was judged by; zero for none.
    pub client: Address,
    /// The digests of the identities it bears, by the number of their [`crate::SubjectKind`]; the last of each kind, 0 for none.
    pub digests: [u64; KINDS],
    /// The service's id.
    pub service: u32,
    /// Interface index it arrived on.
    pub ifindex: u32,
    /// Port, host order.
    pub source_port: u16,
    /// Port, host order.
    pub destination_port: u16,
    /// [`crate::Reason`] by number.
    pub reason: u8,
    /// [`crate::Verdict`] by number.
    pub verdict: u8,
    /// Zero.
    pub pad: u16,
}

/// A part of an answer, whose bytes follow.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Answering {
    /// As [`SampleKind`].
    pub kind: u32,
    /// Bytes that follow.
    pub length: u32,
    /// Of the request.
    pub id: u64,
    /// When the request's head was complete, the first byte of the answer left, and this part left: monotonic nanoseconds.
    pub asked: u64,
    /// See above.
    pub first: u64,
    /// See above.
    pub time: u64,
    /// Bytes of the answer before those that follow.
    pub offset: u64,
    /// Bytes of the answer that have left, those that do not follow included.
    pub sent: u64,
    /// The status; 0 while the head is open.
    pub status: u16,
    /// Not zero: the answer is complete.
    pub complete: u16,
    /// Zero.
    pub pad: u32,
}

/// A part of a request's body, whose bytes follow.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bodying {
    /// As [`SampleKind`].
    pub kind: u32,
    /// Bytes that follow.
    pub length: u32,
    /// Of the request.
    pub id: u64,
    /// Bytes between the end of the head and those that follow.
    pub offset: u64,
}

impl ServiceCounters {
    /// Adds those of another processor.
    pub fn add(&mut self, other: &Self) {
        let sum = |sums: &mut [u64], counts: &[u64]| sums.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
        sum(&mut self.requests, &other.requests);
        sum(&mut self.answers, &other.answers);
        self.bytes += other.bytes;
        for (times, others) in [(&mut self.first_byte, &other.first_byte), (&mut self.whole, &other.whole)] {
            sum(&mut times.buckets, &others.buckets);
            times.sum += others.sum;
        }
    }
}

impl Times {
    /// The bucket of a time in nanoseconds.
    #[inline(always)]
    pub const fn bucket(nanoseconds: u64) -> usize {
        let mut left = nanoseconds >> FIRST_BUCKET;
        let mut bucket = 0;
        while bucket < BUCKETS - 1 && left != 0 {
            left >>= 1;
            bucket += 1;
        }
        bucket
    }
}

const _: () = assert!(size_of::<Asked>() == 32);
const _: () = assert!(size_of::<Exchange>() == 8 + 32 * ASKED + 48);
const _: () = assert!(size_of::<Connection>() == 8 + size_of::<Stream>() + size_of::<Exchange>());
const _: () = assert!(size_of::<Asking>() == 32 + 48 + 8 * KINDS + 16);
const _: () = assert!(size_of::<Answering>() == 64);
const _: () = assert!(size_of::<Bodying>() == 24);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bucket_ends_where_the_next_begins() {
        let end = |bucket: u32| 1_u64 << (FIRST_BUCKET + bucket);
        assert_eq!((Times::bucket(0), Times::bucket(end(0) - 1), Times::bucket(end(0))), (0, 0, 1));
        assert_eq!((Times::bucket(end(15) - 1), Times::bucket(end(16) - 1), Times::bucket(end(16))), (15, 16, 17));
        assert_eq!(Times::bucket(u64::MAX), BUCKETS - 1);
    }
}
