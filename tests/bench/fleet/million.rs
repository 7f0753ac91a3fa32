//! A million decisions: what one more costs, how a host gets all of them, and a thousand more.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use axum::http::Method;
use bench_ebpf::Shape;
use enforcer_tests::{Agent, CLIENT, Center, Net};
use serde_json::Value;

use super::{
    micros,
    office::{Operator, resident},
};
use crate::{
    Effort,
    lists::entry,
    report::{Bars, Report, Unit},
    samples::{Samples, float},
};

const GROUP: &str = "A million decisions";

/// Runs it.
pub(super) fn run(effort: Effort, report: &mut Report) -> anyhow::Result<()> {
    let number = if effort.quick { 100_000 } else { 1_000_000 };
    let nets = [Net::new()];
    let mut center = Center::start(&nets);
    let [net] = &nets;
    let mut agent = Agent::start(net, &configuration(number));
    let mut operator = Operator::of(&center)?;
    let empty = one_more(&mut operator, "of-an-empty-center")?;
    report.add_samples(GROUP, "one more at an empty center", Unit::Microseconds, &empty, Bars::None);
    let lists = (0..u32::try_from(number + 1000)?).map(|index| entry(Shape::Hosts4, index)).collect::<Vec<_>>();
    load(&mut operator, &lists[..number], report)?;
    let busy = one_more(&mut operator, "while-a-snapshot-is-taken")?;
    report.add_samples(GROUP, "one more, beside a snapshot", Unit::Microseconds, &busy, Bars::None);
    memory(report, "center", center.id())?;

    let bytes = received(net)?;
    let begun = Instant::now();
    center.enroll(net, &mut agent, 0, &[]);
    let revision = number_of(&mut operator)?;
    in_sync(&mut operator, revision, begun)?;
    let first = begun.elapsed();
    report.add(GROUP, "first sync of a host", Unit::Seconds, first.as_secs_f64(), Bars::None);
    let each = float(received(net)? - bytes) / float(number as u64);
    report.add(GROUP, "first sync: bytes on the cable per decision", Unit::Bytes, each, Bars::None);
    memory(report, "agent", agent.id())?;
    memory(report, "center, after the first sync", center.id())?;

    let full = one_more(&mut operator, "of-a-full-center")?;
    report.add_samples(GROUP, "one more at a full one", Unit::Microseconds, &full, Bars::None);
    let ratio = full.median() / empty.median();
    report.add(GROUP, "one more: full to empty", Unit::Ratio, ratio, Bars::AtMost(None, 1.5));
    let present = number_of(&mut operator)?;
    in_sync(&mut operator, present, Instant::now())?;
    let bytes = received(net)?;
    let begun = Instant::now();
    let (_, revision) = operator.drop_all(&lists[number..])?;
    in_sync(&mut operator, revision, begun)?;
    report.add(GROUP, "a delta of 1,000: until acknowledged", Unit::Seconds, begun.elapsed().as_secs_f64(), Bars::None);
    let each = float(received(net)? - bytes) / 1000.0;
    report.add(GROUP, "a delta of 1,000: bytes on the cable per decision", Unit::Bytes, each, Bars::None);
    restart(&mut center, report)
}

fn restart(center: &mut Center, report: &mut Report) -> anyhow::Result<()> {
    center.kill9();
    let begun = Instant::now();
    center.restart();
    report.add(
        GROUP,
        "center: from its start to its first answer",
        Unit::Seconds,
        begun.elapsed().as_secs_f64(),
        Bars::None,
    );
    memory(report, "center, after a restart", center.id())
}

fn configuration(number: usize) -> String {
    let interface = CLIENT.interface;
    format!(
        "\n[fastpath]\ninterfaces = [{interface:?}]\nmode = \"native\"\n[limits]\naddresses_v4 = {}\nidentities = 10000\n",
        number + 10_000
    )
}

/// Decisions one by one.
fn one_more(operator: &mut Operator, name: &str) -> anyhow::Result<Samples> {
    let mut took = Vec::new();
    for round in 0..ONE_BY_ONE {
        took.push(micros(operator.block(&format!("{name}-{round}"))?.1));
    }
    Ok(Samples::new(took))
}

fn load(operator: &mut Operator, addresses: &[String], report: &mut Report) -> anyhow::Result<()> {
    let begun = Instant::now();
    for part in addresses.chunks(PART) {
        operator.drop_all(part)?;
    }
    report.add(GROUP, "entered at the center", Unit::Seconds, begun.elapsed().as_secs_f64(), Bars::None);
    Ok(())
}

fn memory(report: &mut Report, whose: &str, process: u32) -> anyhow::Result<()> {
    let (now, most) = resident(process)?;
    report.add(GROUP, &format!("{whose}: memory"), Unit::Mebibytes, float(now), Bars::None);
    report.add(GROUP, &format!("{whose}: memory at most"), Unit::Mebibytes, float(most), Bars::None);
    Ok(())
}

fn number_of(operator: &mut Operator) -> anyhow::Result<u64> {
    let (_, health) = operator.ask(Method::GET, "/v1/health", &Value::Null)?;
    health["revision"].as_u64().context("the center names no revision")
}

/// Waits until the host has said that its kernel holds this revision.
pub(super) fn in_sync(operator: &mut Operator, revision: u64, begun: Instant) -> anyhow::Result<()> {
    loop {
        let (_, hosts) = operator.ask(Method::GET, "/v1/hosts", &Value::Null)?;
        let host = &hosts["items"][0];
        if host["state"] == "in sync" && host["ack"]["number"].as_u64() == Some(revision) {
            return Ok(());
        }
        if begun.elapsed() > PATIENCE {
            bail!("the host has not got revision {revision} after {PATIENCE:?}: {host}");
        }
        thread::sleep(PAUSE);
    }
}

/// Bytes that the host got over its cable to the center.
fn received(net: &Net) -> anyhow::Result<u64> {
    let text = net.host.inside(|| fs::read_to_string("/proc/thread-self/net/dev"))?;
    let line = text.lines().find_map(|line| line.trim().strip_prefix("center0:")).context("no cable to the center")?;
    line.split_whitespace().next().and_then(|bytes| bytes.parse().ok()).context("the cable's count")
}

const ONE_BY_ONE: usize = 50;
const PART: usize = 100_000;
const PAUSE: Duration = Duration::from_millis(5);
const PATIENCE: Duration = Duration::from_mins(5);
