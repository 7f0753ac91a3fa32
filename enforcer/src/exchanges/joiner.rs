//! Joins requests with the parts of their answers. Bounded by number and by bytes: the oldest give way.
use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use enforcer_common::{ANSWER_PREFIX, Answering, Asking, BODY_PREFIX, Bodying, Verdict};

use super::{Answer, Exchange};
use crate::kernel::Sample;

/// Requests that wait for their answers, at most.
const OPEN: usize = 16_384;
/// Bytes that they hold, at most.
const BYTES: usize = 32 << 20;
/// How long an answer is waited for.
const PATIENCE: u64 = 120_000_000_000;

/// Requests without their whole answers.
#[derive(Debug, Default)]
pub struct Joiner {
    open: HashMap<u64, Open>,
    /// In the order they came, those that are gone included.
    order: VecDeque<u64>,
    held: usize,
    given_up: u64,
}

#[derive(Debug)]
struct Open {
    asking: Asking,
    head: Bytes,
    body: BytesMut,
    last: Option<Answering>,
    prefix: BytesMut,
}

impl Joiner {
    /// Takes a sample; gives the exchange that it completes.
    pub fn take(&mut self, sample: Sample<'_>) -> Option<Exchange> {
        match sample {
            Sample::Asking(asking, head, body) => self.ask(asking, head, body),
            Sample::Bodying(part, bytes) => self.go_on(&part, bytes),
            Sample::Answering(part, bytes) => self.answer(&part, bytes),
        }
    }

    /// The oldest exchange that must make room, or was waited for long enough at this time of the kernel's clock.
    pub fn give_up(&mut self, now: u64) -> Option<Exchange> {
        loop {
            let oldest = *self.order.front()?;
            let full = self.open.len() > OPEN || self.held > BYTES;
            let late = |open: &Open| now.saturating_sub(open.asking.time) > PATIENCE;
            if !full && self.open.get(&oldest).is_some_and(|open| !late(open)) {
                return None;
            }
            self.order.pop_front();
            if let Some(open) = self.remove(oldest) {
                self.given_up += 1;
                return Some(open.into());
            }
        }
    }

    /// Exchanges that were given up before their answer was complete.
    pub fn given_up(&self) -> u64 {
        self.given_up
    }

    /// Bytes of those that wait.
    pub fn held(&self) -> usize {
        self.held
    }

    fn ask(&mut self, asking: Asking, head: &[u8], body: &[u8]) -> Option<Exchange> {
        let open = Open {
            asking,
            head: Bytes::copy_from_slice(head),
            body: BytesMut::from(body),
            last: None,
            prefix: BytesMut::new(),
        };
        if asking.verdict > Verdict::Observe as u8 {
            return Some(open.into());
        }
        // Numbers are the kernel's, and differ. Should one come again all the same, what waits by it must not be counted for ever.
        drop(self.remove(asking.id));
        self.held += head.len() + body.len();
        self.order.push_back(asking.id);
        self.open.insert(asking.id, open);
        None
    }

    fn go_on(&mut self, part: &Bodying, bytes: &[u8]) -> Option<Exchange> {
        let open = self.open.get_mut(&part.id)?;
        self.held += extend(&mut open.body, part.offset, bytes, BODY_PREFIX);
        None
    }

    fn answer(&mut self, part: &Answering, bytes: &[u8]) -> Option<Exchange> {
        let open = self.open.get_mut(&part.id)?;
        open.last = Some(*part);
        self.held += extend(&mut open.prefix, part.offset, bytes, ANSWER_PREFIX);
        if part.complete == 0 {
            return None;
        }
        let done = self.remove(part.id).map(Exchange::from);
        self.forget_gone();
        done
    }

    fn remove(&mut self, id: u64) -> Option<Open> {
        let open = self.open.remove(&id)?;
        self.held = self.held.saturating_sub(open.head.len() + open.body.len() + open.prefix.len());
        Some(open)
    }

    /// Most are answered in the order they came.
    fn forget_gone(&mut self) {
        while self.order.front().is_some_and(|oldest| !self.open.contains_key(oldest)) {
            self.order.pop_front();
        }
        if self.order.len() > 2 * OPEN {
            self.order.retain(|id| self.open.contains_key(id));
        }
    }
}

/// Appends what fits; gives how much. A part that was lost leaves a gap, and what comes behind it would be read as something
/// else; one that comes twice was sent again.
fn extend(known: &mut BytesMut, offset: u64, bytes: &[u8], most: usize) -> usize {
    let next = u64::try_from(known.len()).is_ok_and(|length| length == offset);
    let room = most.saturating_sub(known.len()).min(bytes.len());
    let fitting = bytes.get(..room).filter(|_| next).unwrap_or_default();
    known.extend_from_slice(fitting);
    fitting.len()
}

impl From<Open> for Exchange {
    fn from(open: Open) -> Self {
        let answer = open.last.map(|last| Answer {
            status: last.status,
            first_byte: Duration::from_nanos(last.first.saturating_sub(last.asked)),
            whole: Duration::from_nanos(last.time.saturating_sub(last.asked)),
            bytes: last.sent,
            complete: last.complete != 0,
            prefix: open.prefix.freeze(),
        });
        Self { asking: open.asking, head: open.head, body: open.body.freeze(), answer }
    }
}

#[cfg(test)]
mod tests {
    use enforcer_common::{Address, KINDS, SampleKind};

    use super::*;

    fn asking(id: u64, verdict: Verdict) -> Asking {
        Asking {
            kind: SampleKind::Asking as u32,
            head: 3,
            id,
            time: id * 1000,
            decision: 0,
            source: Address::default(),
            destination: Address::default(),
            client: Address::default(),
            digests: [0; KINDS],
            service: 1,
            ifindex: 1,
            source_port: 1,
            destination_port: 2,
            reason: 0,
            verdict: verdict as u8,
            pad: 0,
        }
    }

    fn part(id: u64, offset: u64, length: usize, complete: u16) -> Answering {
        Answering {
            kind: SampleKind::Answering as u32,
            length: u32::try_from(length).unwrap(),
            id,
            asked: id * 1000,
            first: id * 1000 + 50,
            time: id * 1000 + 90,
            offset,
            sent: offset + length as u64,
            status: 200,
            complete,
            pad: 0,
        }
    }

    #[test]
    fn parts_are_joined_and_a_gap_ends_the_prefix() {
        let mut joiner = Joiner::default();
        assert_eq!(joiner.take(Sample::Asking(asking(1, Verdict::Pass), b"GET", b"")), None);
        assert_eq!(joiner.take(Sample::Asking(asking(2, Verdict::Pass), b"GET", b"")), None);
        assert_eq!(joiner.take(Sample::Answering(part(2, 0, 4, 0), b"HTTP")), None);
        assert_eq!(joiner.take(Sample::Answering(part(1, 0, 4, 0), b"HTTP")), None);
        assert_eq!(joiner.take(Sample::Answering(part(2, 9, 2, 0), b"xx")), None);
        let first = joiner.take(Sample::Answering(part(1, 4, 2, 1), b"/1")).unwrap().answer.unwrap();
        assert_eq!((&first.prefix[..], first.bytes, first.complete), (&b"HTTP/1"[..], 6, true));
        assert_eq!((first.first_byte, first.whole), (Duration::from_nanos(50), Duration::from_nanos(90)));
        let second = joiner.take(Sample::Answering(part(2, 11, 0, 1), b"")).unwrap().answer.unwrap();
        assert_eq!((&second.prefix[..], second.bytes), (&b"HTTP"[..], 11));
        assert_eq!((joiner.held, joiner.open.len(), joiner.order.len()), (0, 0, 0));
        assert_eq!(joiner.take(Sample::Answering(part(2, 0, 1, 1), b"x")), None, "of nothing that is known");
    }

    #[test]
    fn a_body_goes_on_where_it_stopped() {
        let told = |offset: u64| Bodying { kind: SampleKind::Bodying as u32, length: 2, id: 1, offset };
        let mut joiner = Joiner::default();
        assert_eq!(joiner.take(Sample::Asking(asking(1, Verdict::Pass), b"GET", b"ab")), None);
        for (offset, bytes) in [(2, b"cd"), (2, b"cd"), (6, b"gh"), (4, b"ef")] {
            assert_eq!(joiner.take(Sample::Bodying(told(offset), bytes)), None);
        }
        let done = joiner.take(Sample::Answering(part(1, 0, 0, 1), b"")).unwrap();
        assert_eq!((&done.body[..], joiner.held), (&b"abcdef"[..], 0), "what came again and behind a gap is no part");
    }

    #[test]
    fn one_that_is_told_again_takes_the_others_place() {
        let mut joiner = Joiner::default();
        assert_eq!(joiner.take(Sample::Asking(asking(1, Verdict::Pass), b"GET", b"ab")), None);
        assert_eq!(joiner.take(Sample::Asking(asking(1, Verdict::Pass), b"POST", b"")), None);
        let done = joiner.take(Sample::Answering(part(1, 0, 0, 1), b"")).unwrap();
        assert_eq!((&done.head[..], joiner.held(), joiner.open.len()), (&b"POST"[..], 0, 0));
    }

    #[test]
    fn refused_requests_wait_for_nothing() {
        let mut joiner = Joiner::default();
        let refused = joiner.take(Sample::Asking(asking(1, Verdict::Deny), b"GET", b"")).unwrap();
        assert_eq!((refused.answer, &refused.head[..]), (None, &b"GET"[..]));
    }

    #[test]
    fn the_oldest_give_way() {
        let mut joiner = Joiner::default();
        for id in 0..OPEN as u64 + 3 {
            assert_eq!(joiner.take(Sample::Asking(asking(id, Verdict::Pass), b"GET", b"")), None);
        }
        let gone: Vec<u64> = std::iter::from_fn(|| joiner.give_up(0)).map(|gone| gone.asking.id).collect();
        assert_eq!(gone, [0, 1, 2]);
        assert_eq!(joiner.give_up(PATIENCE + 3999).map(|gone| gone.asking.id), Some(3));
        assert_eq!((joiner.give_up(PATIENCE + 3999), joiner.given_up()), (None, 4));
    }
}
