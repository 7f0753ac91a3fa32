//! What a clean packet pays: the agent's own program, run many times, less what any filter has to do.
//!
//! `bench_vary` writes the next source of the plan into the frame and jumps to the program in its table: the agent's
//! `enforcer_xdp` with its real maps, or a baseline. `BPF_PROG_TEST_RUN` repeats that in the kernel, so caches see a new
//! address each run, and everything but the program itself is in the baseline too.

use anyhow::{Context as _, ensure};
use aya::programs::ProgramFd;
use enforcer_tests::CLIENT;

use crate::{
    Effort,
    cables::on_sender,
    contest::{Contender, Outcome, contest},
    flood::{Cost, Stream},
    object::{Baseline, Object},
};

/// What the verdict must be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Expect {
    /// `XDP_DROP`.
    Drop = 1,
    /// `XDP_PASS`.
    Pass = 2,
}

/// Measures one stream.
pub(crate) fn measure(
    object: &mut Object,
    product: &ProgramFd,
    stream: Stream,
    expect: Expect,
    effort: Effort,
) -> anyhow::Result<Outcome> {
    let (plan, frame) = stream.on(&CLIENT, 0);
    object.follow(&plan)?;
    let baseline = if expect == Expect::Pass { Baseline::Parse } else { Baseline::Count };
    let cost = |nanoseconds: std::time::Duration| Cost { nanoseconds: nanoseconds.as_secs_f64() * 1e9, leak: 0.0 };
    let run = |object: &mut Object| {
        let (time, verdict) = object.time(product, &frame, effort.runs)?;
        ensure!(verdict == expect as u32, "the agent's program returned {verdict}, expected {expect:?}");
        Ok(cost(time))
    };
    let contender = Contender { name: "enforcer", measure: &run };
    let base = |object: &mut Object| object.time_baseline(baseline, &frame, effort.runs).map(cost);
    let effort = Effort { rounds: effort.rounds * 2, ..effort };
    let outcomes = on_sender(|| contest(effort, object, &base, &[contender]))?;
    outcomes.into_iter().next().context("no outcome")
}
