//! Lists and single orders through the product's real path: `enforcer block ip`, the running agent, the journal, the tables.

use std::{
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use bench_ebpf::Shape;
use enforcer_tests::{Agent, program};
use nix::sys::{
    resource::{UsageWho, getrusage},
    time::{TimeVal, TimeValLike as _},
};
use serde_json::Value;

use crate::{
    lists::{self, Reader},
    memory,
    samples::Samples,
};

/// What a file took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    /// From starting the command to its end: then the last entry is in force and the list is on disk.
    pub(crate) wall: Duration,
    /// Processor time of agent and command.
    pub(crate) busy: Duration,
    /// Entries that are new.
    pub(crate) added: u64,
    /// The agent's own figure: from the last chunk's arrival to the kernel's acknowledgement.
    pub(crate) enforced: Duration,
}

/// What orders took.
#[derive(Clone, Debug)]
pub(crate) struct Deltas {
    /// In the agent, from the order's arrival to the kernel's acknowledgement: microseconds.
    pub(crate) agent: Samples,
    /// From starting the command to its end: microseconds.
    pub(crate) command: Samples,
}

/// Blocks everything in a file.
pub(crate) fn import(agent: &Agent, file: &Path) -> anyhow::Result<Load> {
    let (agent_before, command_before) = (memory::busy(agent)?, children()?);
    let file = file.to_str().context("a plain path")?;
    let (report, wall) = order(agent, &["--file", file])?;
    let command = children()?.saturating_sub(command_before);
    let busy = Duration::from_nanos(memory::busy(agent)? - agent_before) + command;
    let rejected = report["rejected_lines"].as_u64();
    ensure!(rejected == Some(0), "the agent rejected lines: {report}");
    let added = report["added"].as_u64().context("the report of a list")?;
    Ok(Load { wall, busy, added, enforced: enforced(&report)? })
}

/// Blocks addresses one by one, each with a command of its own.
pub(crate) fn singles(agent: &Agent, shape: Shape, first: u32, count: usize) -> anyhow::Result<Deltas> {
    let orders = (first..).take(count).map(|index| order(agent, &[&lists::entry(shape, index)]));
    deltas(orders)
}

/// Blocks addresses a thousand at a time.
pub(crate) fn thousands(
    agent: &Agent,
    folder: &Path,
    shape: Shape,
    first: u32,
    count: usize,
) -> anyhow::Result<Deltas> {
    let orders = (first..).step_by(1000).take(count).map(|from| {
        let file = lists::write(folder, shape, from..from + 1000, Reader::Enforcer)?;
        order(agent, &["--file", file.to_str().context("a plain path")?])
    });
    deltas(orders)
}

fn deltas(orders: impl Iterator<Item = anyhow::Result<(Value, Duration)>>) -> anyhow::Result<Deltas> {
    let (mut agent, mut command) = (Vec::new(), Vec::new());
    for order in orders {
        let (report, wall) = order?;
        agent.push(enforced(&report)?.as_secs_f64() * 1e6);
        command.push(wall.as_secs_f64() * 1e6);
    }
    Ok(Deltas { agent: Samples::new(agent), command: Samples::new(command) })
}

/// One command, started directly: the socket is reached from any namespace.
fn order(agent: &Agent, what: &[&str]) -> anyhow::Result<(Value, Duration)> {
    let mut command = Command::new(program());
    command.arg("--socket").arg(agent.socket()).args(["-o", "json", "block", "ip", "--reason", "bench"]).args(what);
    let started = Instant::now();
    let output = command.stdin(Stdio::null()).output().context("failed to start enforcer")?;
    let wall = started.elapsed();
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "`enforcer block` failed: {complaint}");
    Ok((serde_json::from_slice(&output.stdout).context("the report of an order")?, wall))
}

fn enforced(report: &Value) -> anyhow::Result<Duration> {
    let seconds = report["enforced_in_seconds"].as_f64().context("the time to enforcement")?;
    Ok(Duration::try_from_secs_f64(seconds)?)
}

/// Processor time of commands that have ended.
fn children() -> anyhow::Result<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let time = |value: TimeVal| Duration::from_micros(value.num_microseconds().unsigned_abs());
    Ok(time(usage.user_time()) + time(usage.system_time()))
}
