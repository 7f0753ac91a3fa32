//! The capture room: recorded packets become calls.
//!
//! ```text
//! file ─ frames ─ packet (addresses, ports, sequence) ─ half (bytes in order) ─ conversation (requests with answers) ─ Call
//! ```
//! In: a file of packets, what is served where, and where requests say who they are. Out: [`Call`]s in the order their answers ended,
//! and counts of what could not be followed. Never here: what calls mean; the same file gives the same calls.
//!
//! Bounded as a host is: what waits for a gap, open conversations, requests without answers. What cannot be followed is counted.
mod body;
mod conversation;
mod frames;
mod half;
mod packet;
mod scene;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io::Read;
use std::net::SocketAddr;

pub use frames::CaptureError;
pub use scene::{Identity, Scene, Served};

use crate::Call;
use conversation::Conversation;
use packet::{Is, Packet, Segment};

/// What a capture had in it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, serde::Serialize)]
pub struct Counts {
    /// Packets of any kind.
    pub packets: u64,
    /// TCP segments to or from a service.
    pub segments: u64,
    /// Requests, with or without their answers.
    pub calls: u64,
    /// Connections that could not be followed to their end: gaps, too much waiting, bytes that are no HTTP/1.
    pub lost: u64,
    /// Packets that are no IP, or damaged.
    pub unread: u64,
}

/// Reads `file` to its end and hands each call to `take`, in the order the answers ended.
///
/// # Errors
/// What is wrong with the file, and at which packet; the calls before it were handed over.
pub fn read(file: impl Read + Send, scene: &Scene, take: &mut dyn FnMut(Call)) -> Result<Counts, CaptureError> {
    let mut watch = Watch { scene, open: BTreeMap::new(), counts: Counts::default() };
    frames::each(file, &mut |frame| watch.take(&frame, take))?;
    watch.end(take);
    Ok(watch.counts)
}

/// The connections that are open.
struct Watch<'s> {
    scene: &'s Scene,
    /// By client and server.
    open: BTreeMap<(SocketAddr, SocketAddr), Conversation>,
    counts: Counts,
}

impl Watch<'_> {
    fn take(&mut self, frame: &frames::Frame<'_>, take: &mut dyn FnMut(Call)) {
        self.counts.packets += 1;
        let segment = match packet::read(frame) {
            Packet::Segment(segment) => segment,
            Packet::Other => return,
            Packet::Unread => {
                self.counts.unread += 1;
                return;
            }
        };
        let asks = self.scene.serves(segment.to.port());
        if !asks && !self.scene.serves(segment.from.port()) {
            return;
        }
        self.counts.segments += 1;
        let pair = if asks { (segment.from, segment.to) } else { (segment.to, segment.from) };
        self.follow(pair, asks, &segment, frame.time, take);
    }

    fn follow(
        &mut self,
        pair: (SocketAddr, SocketAddr),
        asks: bool,
        segment: &Segment<'_>,
        time: u64,
        take: &mut dyn FnMut(Call),
    ) {
        if asks && segment.is == Is::Opening {
            // The port is used again.
            self.close(pair, take);
        }
        if self.open.len() >= CONVERSATIONS && !self.open.contains_key(&pair) {
            self.counts.lost += 1;
            return;
        }
        let conversation = self.open.entry(pair).or_insert_with(|| Conversation::new(pair));
        let mut done = Vec::new();
        let goes_on = conversation.take(asks, segment, time, &mut done);
        let ended = conversation.is_over() || segment.is == Is::Reset;
        self.hand_over(done, take);
        if ended || !goes_on {
            self.close(pair, take);
        }
    }

    fn close(&mut self, pair: (SocketAddr, SocketAddr), take: &mut dyn FnMut(Call)) {
        if let Some(conversation) = self.open.remove(&pair) {
            self.end_one(conversation, take);
        }
    }

    fn end_one(&mut self, conversation: Conversation, take: &mut dyn FnMut(Call)) {
        self.counts.lost += u64::from(conversation.is_lost());
        self.hand_over(conversation.end(), take);
    }

    fn end(&mut self, take: &mut dyn FnMut(Call)) {
        while let Some((_, conversation)) = self.open.pop_first() {
            self.end_one(conversation, take);
        }
    }

    fn hand_over(&mut self, done: Vec<conversation::Exchange>, take: &mut dyn FnMut(Call)) {
        for exchange in done {
            self.counts.calls += 1;
            if let Some(call) = self.scene.call(self.counts.calls, exchange) {
                take(call);
            }
        }
    }
}

/// Connections that are followed at once.
const CONVERSATIONS: usize = 65_536;
