//! One connection while it is played: the client's side of TCP, as far as an honest client must have one.
//!
//! In: segments from the server, and the clock. Out: frames, and at the end what came of it. Never here: the socket.

use std::{
    collections::BTreeSet,
    mem,
    net::SocketAddr,
    time::{Duration, Instant},
};

use crate::{
    frames::{Flags, Frame},
    inbound::Inbound,
    play::{FIN, Manner, PSH, Piece, Play, RST, Step},
    player::{Finish, Played},
    reply::Reply,
    segments::{Ends, Numbers, Twist, frames},
    wait::patient,
};

/// Where frames go.
pub(crate) type Wire<'a> = &'a mut dyn FnMut(&Frame);

/// A connection.
#[derive(Debug)]
pub(crate) struct Connection {
    ends: Ends,
    play: Play,
    inbound: Inbound,
    earlier: Vec<u16>,
    /// The sequence numbers of the first bytes of both streams.
    first: [u32; 2],
    is_open: bool,
    step: usize,
    acknowledged: usize,
    /// What has been sent, without gaps, and behind gaps.
    sent: usize,
    islands: Vec<(usize, usize)>,
    /// How far a flow has come.
    flown: usize,
    window: usize,
    ticks: [u32; 2],
    started: Instant,
    again_at: Instant,
    pause: Duration,
    repeated: usize,
    finish: Option<Finish>,
}

impl Connection {
    /// Sends the first segment.
    pub(crate) fn begin(ends: Ends, play: Play, wire: Wire<'_>) -> Self {
        let now = Instant::now();
        // Spread over the whole range, so that numbers overflow on some connections.
        let spread = u32::from(ends.own.port()).wrapping_mul(0x9e37_79b1);
        let mut connection = Self {
            inbound: Inbound::new(play.is(Manner::HeadsOnly)),
            earlier: Vec::new(),
            first: [play.own_numbers.unwrap_or(spread).wrapping_add(1), 0],
            is_open: false,
            step: 0,
            acknowledged: 0,
            sent: 0,
            islands: Vec::new(),
            flown: 0,
            window: 0,
            ticks: [5_000_000, 0],
            started: now,
            again_at: now + FIRST_PAUSE,
            pause: FIRST_PAUSE,
            repeated: 0,
            finish: None,
            ends,
            play,
        };
        let payload = mem::take(&mut connection.play.syn_payload);
        connection.emit(-1, &payload, Flags::SYN.0, Twist::None, wire);
        connection
    }

    /// Whether segments from there belong to it.
    pub(crate) fn is_from(&self, server: SocketAddr) -> bool {
        self.ends.server == server
    }

    /// What came of it, once it is over.
    pub(crate) fn played(&mut self) -> Option<Played> {
        let ending = self.finish?;
        let mut statuses = mem::take(&mut self.earlier);
        statuses.append(&mut self.inbound.statuses);
        Some(Played {
            own: self.ends.own,
            statuses,
            ending,
            rest: mem::take(&mut self.inbound.rest),
            acknowledged: self.acknowledged,
            repeated: self.repeated,
            took: self.started.elapsed(),
        })
    }

    /// Takes a segment of the server.
    pub(crate) fn receive(&mut self, reply: Reply, wire: Wire<'_>) {
        if self.finish.is_some() {
            return;
        }
        if reply.flags & Flags::SYN.0 != 0 {
            self.open(&reply, wire);
        } else if reply.flags & RST != 0 {
            self.reset(&reply, wire);
        } else if self.is_open {
            self.take(reply, wire);
        }
        self.go_on(wire);
    }

    /// Sends again what has been waiting for too long, or gives up.
    pub(crate) fn tick(&mut self, now: Instant, wire: Wire<'_>) {
        if self.finish.is_some() || now < self.again_at {
            return;
        }
        if now.saturating_duration_since(self.started) > patient(PATIENCE) {
            self.finish = Some(Finish::TimedOut);
            self.hang_up(wire);
            return;
        }
        self.pause = (self.pause * 2).min(LAST_PAUSE);
        self.again_at = now + self.pause;
        if self.is_open { self.send_again(wire) } else { self.emit(-1, &[], Flags::SYN.0, Twist::None, wire) }
    }

    fn open(&mut self, reply: &Reply, wire: Wire<'_>) {
        // A late twin of the one that was taken, or an answer to an older connection between the same ports.
        if self.is_open || reply.acknowledge != self.first[0] {
            return;
        }
        self.first[1] = reply.sequence.wrapping_add(1);
        (self.is_open, self.window) = (true, reply.window.into());
        self.ticks[1] = reply.timestamp.unwrap_or_default();
        self.rest();
        if !self.play.is(Manner::Hasty) {
            self.emit(0, &[], Flags::ACK.0, Twist::None, wire);
        }
    }

    /// A client believes a reset only if it bears exactly the number that comes next; of one that is only near, it asks
    /// whether it was meant.
    fn reset(&mut self, reply: &Reply, wire: Wire<'_>) {
        if !self.is_open {
            self.finish = (reply.acknowledge == self.first[0]).then_some(Finish::Reset);
        } else if reply.sequence == self.expected() {
            self.finish = Some(Finish::Reset);
        } else if reply.sequence.wrapping_sub(self.expected()) < OWN_WINDOW {
            self.acknowledge(wire);
        }
    }

    fn take(&mut self, reply: Reply, wire: Wire<'_>) {
        let ends = reply.flags & FIN != 0;
        let is_bare = reply.payload.is_empty() && !ends;
        if self.play.deaf > 0 && !is_bare {
            self.play.deaf -= 1;
            return;
        }
        self.ticks[1] = reply.timestamp.unwrap_or_default();
        let acknowledged = usize::try_from(reply.acknowledge.wrapping_sub(self.first[0])).unwrap_or(usize::MAX);
        let whole = self.play.stream.len() + usize::from(self.play.is(Manner::Ends));
        if acknowledged > self.acknowledged && acknowledged <= whole {
            self.acknowledged = acknowledged;
            self.rest();
        }
        self.window = reply.window.into();
        if is_bare {
            return;
        }
        let at = reply.sequence.wrapping_sub(self.first[1]);
        // What lies before the stream is as old as can be.
        if at < 1 << 31 {
            self.inbound.take(at, reply.payload, ends);
        }
        self.acknowledge(wire);
    }

    /// Does all that need not wait any longer.
    fn go_on(&mut self, wire: Wire<'_>) {
        while self.is_open && self.finish.is_none() {
            match self.play.steps.get(self.step).cloned() {
                Some(Step::Acknowledged(length)) if self.acknowledged >= length => {}
                Some(Step::Answered(count)) if self.inbound.statuses.len() >= count => {}
                Some(Step::Flow(end)) if self.flow(end, wire) => {}
                Some(Step::Send(piece)) => self.send(&piece, wire),
                _ => break,
            }
            self.step += 1;
        }
        let statuses = &self.inbound.statuses;
        let is_wrong = self.play.is(Manner::GivesUp) && statuses.iter().any(|status| *status >= 400);
        let is_done = self.step >= self.play.steps.len();
        let answered = is_wrong || is_done && statuses.len() >= self.play.answers;
        if self.finish.is_none() && (self.inbound.is_closed || answered && self.is_open) {
            self.finish = Some(if answered { Finish::Answered } else { Finish::Closed });
        }
        if self.finish.is_some() {
            self.hang_up(wire);
            self.begin_next(wire);
        }
    }

    fn send(&mut self, piece: &Piece, wire: Wire<'_>) {
        let end = usize::try_from(piece.at).map_or(0, |at| at + piece.bytes.len());
        if !piece.twist.is_lost() && end > 0 {
            self.islands.push((end - piece.bytes.len(), end));
        }
        while let Some(found) = self.islands.iter().position(|(from, _)| *from <= self.sent) {
            self.sent = self.sent.max(self.islands.swap_remove(found).1);
        }
        self.emit(piece.at, &piece.bytes, piece.flags, piece.twist, wire);
    }

    /// Sends what the window admits; says whether that was all.
    fn flow(&mut self, end: usize, wire: Wire<'_>) -> bool {
        self.flown = self.flown.max(self.sent);
        let limit = end.min(self.acknowledged + self.window.min(MOST_ON_THE_WAY));
        while self.flown < limit {
            let to = limit.min(self.flown + FULL);
            self.send_stream(self.flown, to, wire);
            (self.flown, self.sent) = (to, to);
        }
        self.flown == end
    }

    fn send_again(&mut self, wire: Wire<'_>) {
        let done = self.step >= self.play.steps.len();
        let limit = if done { self.play.stream.len() } else { self.sent };
        let limit = limit.min(self.acknowledged + self.window.max(FULL));
        self.repeated += usize::from(self.acknowledged < limit);
        for from in (self.acknowledged..limit).step_by(FULL) {
            self.send_stream(from, limit.min(from + FULL), wire);
        }
    }

    fn send_stream(&mut self, from: usize, to: usize, wire: Wire<'_>) {
        let bytes = self.play.stream[from..to].to_vec();
        let end = if self.play.is(Manner::Ends) && to == self.play.stream.len() { FIN } else { 0 };
        self.emit(i64::try_from(from).unwrap_or(i64::MAX), &bytes, end | PSH | Flags::ACK.0, Twist::None, wire);
    }

    fn acknowledge(&mut self, wire: Wire<'_>) {
        let at = i64::try_from(self.acknowledged.max(self.sent)).unwrap_or(i64::MAX);
        self.emit(at, &[], Flags::ACK.0, Twist::None, wire);
    }

    /// Leaves nothing behind on the server.
    fn hang_up(&mut self, wire: Wire<'_>) {
        if !self.is_open || self.finish == Some(Finish::Reset) || self.play.is(Manner::Leaves) {
            return;
        }
        // The server believes it only where it expects it, which is where it has acknowledged or is about to.
        for at in BTreeSet::from([self.acknowledged, self.sent]) {
            self.emit(i64::try_from(at).unwrap_or(i64::MAX), &[], RST | Flags::ACK.0, Twist::None, wire);
        }
    }

    fn begin_next(&mut self, wire: Wire<'_>) {
        let Some(mut next) = self.play.next.take() else { return };
        // Well above the old numbers, as a client chooses them.
        let above = self.first[0].wrapping_add(1 << 20);
        next.own_numbers = next.own_numbers.or(Some(above));
        let mut after = Self::begin(self.ends, *next, wire);
        after.earlier = mem::take(&mut self.earlier);
        after.earlier.append(&mut self.inbound.statuses);
        *self = after;
    }

    fn emit(&mut self, at: i64, payload: &[u8], flags: u8, twist: Twist, wire: Wire<'_>) {
        self.ticks[0] += 1;
        let offset = u32::try_from(at.rem_euclid(1 << 32)).expect("it is below that");
        let is_first = flags & Flags::ACK.0 == 0 && flags & Flags::SYN.0 != 0;
        let numbers = Numbers {
            sequence: self.first[0].wrapping_add(offset),
            acknowledge: if is_first { 0 } else { self.expected() },
            flags,
            timestamps: self.play.is(Manner::Timestamps).then_some(self.ticks),
        };
        frames(&self.ends, numbers, payload, twist).iter().for_each(wire);
    }

    /// The number of the next byte from the server.
    fn expected(&self) -> u32 {
        self.first[1].wrapping_add(self.inbound.length)
    }

    /// Things go forward: no need to send again soon.
    fn rest(&mut self) {
        (self.pause, self.again_at) = (FIRST_PAUSE, Instant::now() + FIRST_PAUSE);
    }
}

/// What this end takes; it is in every segment's header.
const OWN_WINDOW: u32 = 0xffff;
/// The most in one segment, with every option.
const FULL: usize = 1400;
const MOST_ON_THE_WAY: usize = 60_000;
/// Above all that a busy machine takes for an answer, so that little is sent twice; below the server's own pauses.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LAST_PAUSE: Duration = Duration::from_millis(200);
const PATIENCE: Duration = Duration::from_secs(5);
