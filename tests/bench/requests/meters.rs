//! What is read around a measurement: processor time of a worker, run time of the agent's programs.
//!
//! The kernel keeps run times while somebody holds [`Programs::watch`]'s handle, for all programs of this host; the setting
//! ends with the handle. Each timed run carries the two looks at the clock, some 50 ns, which are not subtracted.

use std::{fs, os::fd::OwnedFd, path::Path};

use anyhow::Context as _;
use aya::{
    programs::ProgramInfo,
    sys::{Stats, enable_stats},
};

use crate::object::product;

/// The agent's programs on the cable.
pub(crate) struct Programs {
    packets: u32,
    segments: u32,
    answers: u32,
}

/// Runs, and the time they took.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Runs {
    /// Nanoseconds.
    pub(crate) time: u64,
    /// How many.
    pub(crate) count: u64,
}

/// Of all programs.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Reading {
    /// The XDP program.
    pub(crate) packets: Runs,
    /// The TC program.
    pub(crate) segments: Runs,
    /// The one for what leaves.
    pub(crate) answers: Runs,
}

impl Programs {
    /// Finds them by the tables that they share with the agent.
    pub(crate) fn find(pins: &Path) -> anyhow::Result<Self> {
        let [packets, segments, answers] =
            [&["enforcer_xdp", "enforcer_joined"][..], &["enforcer_tc"], &["enforcer_egress"]]
                .map(|names| product(pins, names));
        Ok(Self { packets: packets?.id(), segments: segments?.id(), answers: answers?.id() })
    }

    /// Lets the kernel time programs until the handle goes.
    pub(crate) fn watch() -> anyhow::Result<OwnedFd> {
        enable_stats(Stats::RunTime).context("the kernel does not time programs")
    }

    /// What was counted so far.
    pub(crate) fn read(&self) -> anyhow::Result<Reading> {
        let runs = |info: ProgramInfo| {
            let time = u64::try_from(info.run_time().as_nanos()).unwrap_or(u64::MAX);
            Runs { time, count: info.run_count() }
        };
        Ok(Reading {
            packets: runs(of(self.packets)?),
            segments: runs(of(self.segments)?),
            answers: runs(of(self.answers)?),
        })
    }

    /// The TC program.
    pub(crate) fn segments(&self) -> anyhow::Result<ProgramInfo> {
        of(self.segments)
    }

    /// The program for what leaves.
    pub(crate) fn answers(&self) -> anyhow::Result<ProgramInfo> {
        of(self.answers)
    }

    /// The XDP program.
    pub(crate) fn packets(&self) -> anyhow::Result<ProgramInfo> {
        of(self.packets)
    }
}

impl Reading {
    /// What happened between two readings.
    pub(crate) fn since(self, earlier: Self) -> Self {
        Self {
            packets: self.packets.since(earlier.packets),
            segments: self.segments.since(earlier.segments),
            answers: self.answers.since(earlier.answers),
        }
    }
}

impl Runs {
    const fn since(self, earlier: Self) -> Self {
        Self { time: self.time - earlier.time, count: self.count - earlier.count }
    }
}

fn of(id: u32) -> anyhow::Result<ProgramInfo> {
    let mut all = aya::programs::loaded_programs().flatten();
    all.find(|program| program.id() == id).context("a program of the agent is gone")
}

/// Nanoseconds of processor time of a process with one thread.
pub(crate) fn busy(id: u32) -> anyhow::Result<u64> {
    let text = fs::read_to_string(format!("/proc/{id}/schedstat")).context("a worker is gone")?;
    Ok(text.split(' ').next().unwrap_or_default().parse()?)
}
