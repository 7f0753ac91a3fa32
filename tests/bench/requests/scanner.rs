//! The TC program alone: the agent's own, with its real tables, on a segment with one head (`BPF_PROG_TEST_RUN`).
//!
//! The segment belongs to no connection of this host, so the kernel finds only one that listens: the position lives in the table of
//! streams from its SYN on, each run reads the segment again, and the head is kept for comparison. That is more than a served request
//! pays; what is gained is that nothing else is in the figure. The slope between a short and a long head is the price of a
//! byte.

use anyhow::{Context as _, ensure};
use aya::{TestRun as _, TestRunOptions, programs::SchedClassifier};
use enforcer_tests::{Agent, CLIENT, Net};

use super::{
    heads::{Head, Ids, ORDINARY},
    meters::Programs,
    servers::PLAIN_PORT,
};
use crate::{
    Effort,
    cables::on_sender,
    samples::{Samples, float},
};

/// Nanoseconds.
#[derive(Clone, Debug)]
pub(crate) struct Scanner {
    /// Of a segment without payload.
    pub(crate) empty: Samples,
    /// Of a segment with an ordinary head.
    pub(crate) ordinary: Samples,
    /// Of each byte of a head.
    pub(crate) byte: Samples,
}

/// Runs the program on heads of several lengths.
pub(crate) fn measure(net: &Net, agent: &Agent, programs: &Programs, effort: Effort) -> anyhow::Result<Scanner> {
    let program = SchedClassifier::from_program_info(programs.segments()?, "enforcer_tc".into())?;
    let id = Ids::clean().next();
    let frames = [0, SHORT, ORDINARY, LONG].map(|length| segment(length, &id));
    let before = agent.requests(super::SERVICE, "pass");
    let (mut empty, mut ordinary, mut byte) = (Vec::new(), Vec::new(), Vec::new());
    let (runs, rounds) = (effort.runs / SHARE, effort.rounds * TURNS);
    on_sender(|| {
        net.host.enter();
        let context = context(nix::net::if_::if_nametoindex(CLIENT.interface)?);
        let run = |frame: &[u8], repeat| {
            let (data_in, ctx_in) = (Some(frame), Some(&context[..]));
            let options = TestRunOptions { data_in, ctx_in, repeat, ..TestRunOptions::new() };
            program.test_run(options).context("failed to run the TC program")
        };
        for frame in &frames {
            run(&handshake(frame), 1)?;
        }
        for _ in 0..rounds {
            let mut times = [0.0; 4];
            for (time, frame) in times.iter_mut().zip(&frames) {
                *time = run(frame, runs)?.duration.as_secs_f64() * 1e9;
            }
            empty.push(times[0]);
            ordinary.push(times[2]);
            byte.push((times[3] - times[1]) / float((LONG - SHORT) as u64));
        }
        Ok(())
    })?;
    let expected = u64::from(runs) * 3 * u64::try_from(rounds)?;
    let judged = agent.requests(super::SERVICE, "pass") - before;
    ensure!(judged == expected, "{expected} heads were given to the program, {judged} requests judged");
    Ok(Scanner { empty: Samples::new(empty), ordinary: Samples::new(ordinary), byte: Samples::new(byte) })
}

/// A `__sk_buff` of which only the interface is said.
fn context(interface: u32) -> Vec<u8> {
    let mut context = vec![0; CONTEXT];
    context[IFINDEX..IFINDEX + 4].copy_from_slice(&interface.to_ne_bytes());
    context
}

/// A frame with a head of so many bytes, from an address that has no connection here.
fn segment(length: usize, id: &str) -> Vec<u8> {
    let head = if length == 0 { Vec::new() } else { Head::new(length).with(id).to_vec() };
    let mut frame = [&CLIENT.host_mac[..], &CLIENT.peer_mac, &[8, 0]].concat();
    let size = u16::try_from(40 + head.len()).unwrap_or(u16::MAX).to_be_bytes();
    frame.extend([0x45, 0, size[0], size[1], 0, 0, 0x40, 0, 64, 6, 0, 0]);
    frame.extend(CLIENT.peer4.octets().into_iter().chain(CLIENT.host4.octets()));
    // A port of its own for each length: a connection each.
    let own = 20_000 + u16::try_from(length).unwrap_or(0);
    frame.extend([own, PLAIN_PORT].map(u16::to_be_bytes).concat());
    frame.extend([0, 0, 0x10, 1, 0, 0, 0, 1, 0x50, 0x18, 0xff, 0xff, 0, 0, 0, 0]);
    frame.extend(head);
    frame
}

/// The SYN of the same connection: without it nobody knows where it begins.
fn handshake(segment: &[u8]) -> Vec<u8> {
    let mut frame = segment[..HEADERS].to_vec();
    frame[LENGTH..LENGTH + 2].copy_from_slice(&40_u16.to_be_bytes());
    frame[SEQUENCE..SEQUENCE + 4].copy_from_slice(&[0, 0, 0x10, 0]);
    frame[FLAGS] = 2;
    frame
}

/// Ethernet, IPv4 and TCP; where in them the length, the sequence number and the flags stand.
const HEADERS: usize = 54;
const LENGTH: usize = 16;
const SEQUENCE: usize = 38;
const FLAGS: usize = 47;

const SHORT: usize = 250;
const LONG: usize = 1400;
/// Many short turns: what disturbs one of them is not in the middle.
const TURNS: usize = 10;
const SHARE: u32 = 30;
/// Up to and with `ifindex`.
const CONTEXT: usize = 44;
const IFINDEX: usize = 40;
