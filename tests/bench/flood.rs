//! Frames, and bursts of them: what one packet costs the receiver.
//!
//! In: a cable, a plan. Out: nanoseconds of the receiving thread per packet. The generator is `bench_flood`, run by
//! `BPF_PROG_TEST_RUN` with live frames: 100 to 150 ns per packet on the sender's processor.

use std::{process, time::Instant};

use anyhow::ensure;
use bench_ebpf::{Plan, Shape};
use enforcer_tests::Link;

use crate::{
    Effort,
    cables::{Cable, Reading},
    object::Object,
    samples::float,
};

/// Where a stream of packets comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stream {
    /// The kind of source.
    pub(crate) shape: Shape,
    /// The first entry.
    pub(crate) first: u32,
    /// How many, uniformly.
    pub(crate) count: u32,
}

/// What a burst cost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cost {
    /// Nanoseconds of the receiving thread per packet.
    pub(crate) nanoseconds: f64,
    /// Share of the packets that got past the filter.
    pub(crate) leak: f64,
}

/// What lists and streams of this run are made of.
pub(crate) const SEED: u64 = 0x5eed_2c7f;

impl Stream {
    /// Uniformly over this many entries.
    pub(crate) const fn over(shape: Shape, count: u32) -> Self {
        Self { shape, first: 0, count }
    }

    /// The same from this entry on.
    pub(crate) const fn from(self, first: u32) -> Self {
        Self { first, ..self }
    }

    /// As the kernel programs want it, and a frame to begin with.
    pub(crate) fn on(self, link: &Link, interface: u32) -> (Plan, Vec<u8>) {
        let six = self.shape == Shape::Mixed6;
        let frame = if six { frame6(link) } else { frame4(link) };
        let sum = if six { 0 } else { header_sum(&frame) };
        (Plan { seed: SEED, shape: self.shape, first: self.first, count: self.count, sum, interface }, frame)
    }
}

/// Sends for the length of a burst, and says what it cost.
pub(crate) fn burst(object: &mut Object, cable: &Cable<'_>, stream: Stream, effort: Effort) -> anyhow::Result<Cost> {
    let interface = cable.peer.inside(|| nix::net::if_::if_nametoindex("eth0"))?;
    let (plan, frame) = stream.on(cable.link, interface);
    object.follow(&plan)?;
    cable.pin_receiver()?;
    let before = cable.read()?;
    let mut spent = Reading::default();
    for _ in 0..BURSTS {
        cable.at_peer(|| send(object, &frame, effort))?;
        spent = cable.read()?.since(before);
        if spent.packets >= ENOUGH {
            break;
        }
    }
    ensure!(spent.packets >= ENOUGH, "only {} packets arrived on {}", spent.packets, cable.link.interface);
    ensure!(spent.broken * 1000 < spent.packets, "the IP layer refused {} headers", spent.broken);
    let packets = float(spent.packets);
    Ok(Cost { nanoseconds: float(spent.busy) / packets, leak: float(spent.delivered) / packets })
}

fn send(object: &Object, frame: &[u8], effort: Effort) -> anyhow::Result<()> {
    let started = Instant::now();
    while started.elapsed() < effort.burst {
        object.send(frame, FRAMES)?;
    }
    Ok(())
}

/// UDP to a port where nobody listens, 60 bytes: what a minimal Ethernet frame carries.
fn frame4(link: &Link) -> Vec<u8> {
    let mut frame = ethernet(link, 0x0800);
    frame.extend([0x45, 0, 0, 46, 0, 0, 0x40, 0, 64, 17, 0, 0]);
    frame.extend([0; 4]);
    frame.extend(link.host4.octets());
    // No checksum over the data: allowed in IPv4.
    frame.extend(udp(26));
    frame.resize(60, 0);
    frame
}

fn frame6(link: &Link) -> Vec<u8> {
    let mut frame = ethernet(link, 0x86dd);
    frame.extend([0x60, 0, 0, 0, 0, 26, 17, 64]);
    frame.extend([0; 16]);
    frame.extend(link.host6.octets());
    frame.extend(udp(26));
    frame.resize(80, 0);
    frame
}

fn ethernet(link: &Link, kind: u16) -> Vec<u8> {
    [&link.host_mac[..], &link.peer_mac, &kind.to_be_bytes()].concat()
}

/// A header of `length` bytes with its data.
fn udp(length: u16) -> Vec<u8> {
    let port = 1024 + u16::try_from(process::id() % 1024).unwrap_or(0);
    [port, PORT, length, 0].map(u16::to_be_bytes).concat()
}

/// The sum of the IPv4 header's words, while source and checksum are zero.
fn header_sum(frame: &[u8]) -> u64 {
    frame[14..34].chunks_exact(2).map(|pair| u64::from(pair[0]) << 8 | u64::from(pair[1])).sum()
}

/// Sent between two looks at the clock.
const FRAMES: u32 = 100_000;
/// A burst during which something else had the receiver's processor is repeated so often.
const BURSTS: usize = 10;
const ENOUGH: u64 = 100_000;
const PORT: u16 = 9;
