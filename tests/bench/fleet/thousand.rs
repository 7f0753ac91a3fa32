//! A thousand hosts at one center: how soon all have a decision, what that costs the center, and how they come back when it restarts.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use axum::http::Method;
use enforcer_tests::Center;
use serde_json::Value;

use super::{
    crowd::Crowd,
    micros,
    office::{Operator, busy, resident},
};
use crate::{
    Effort,
    report::{Bars, Report, Unit},
    samples::{Samples, float},
};

/// Runs it.
pub(super) fn run(effort: Effort, report: &mut Report) -> anyhow::Result<()> {
    let (hosts, rounds) = if effort.quick { (200, 10) } else { (1000, 40) };
    let mut center = Center::start(&[]);
    let begun = Instant::now();
    let crowd = Crowd::join(&center, hosts)?;
    crowd.acknowledged(0)?;
    report.note(format!("{hosts} hosts enrolled one after the other in {:.1} s", begun.elapsed().as_secs_f64()));
    let mut operator = Operator::of(&center)?;
    decisions(&center, &crowd, &mut operator, rounds, report)?;
    audit(&mut operator, hosts as u64 * rounds)?;
    for (name, pause) in [("restart", Duration::ZERO), ("20 s of silence", Duration::from_secs(20))] {
        if effort.quick && !pause.is_zero() {
            continue;
        }
        reconnects(&mut center, &crowd, name, pause, report)?;
    }
    drop(crowd);
    Ok(())
}

fn decisions(
    center: &Center,
    crowd: &Crowd,
    operator: &mut Operator,
    rounds: u64,
    report: &mut Report,
) -> anyhow::Result<()> {
    let (mut each, mut last, mut asked) = (Vec::new(), Vec::new(), Vec::new());
    let (before, mut hosts) = (busy(center.id())?, 0);
    for round in 0..rounds {
        let (begun, took, revision) = operator.block(&format!("stolen-device-{round}"))?;
        let all = crowd.acknowledged(revision)?;
        each.extend(all.iter().map(|at| micros(at.duration_since(begun))));
        last.push(all.iter().map(|at| micros(at.duration_since(begun))).fold(0.0, f64::max));
        asked.push(micros(took));
        hosts = all.len() as u64;
        // So that the next decision finds everybody waiting for it.
        thread::sleep(BETWEEN);
    }
    let cost = float(busy(center.id())? - before) / float(rounds * hosts);
    let group = "A decision at a center with simulated hosts";
    let (each, last, asked) = (Samples::new(each), Samples::new(last), Samples::new(asked));
    let bars = Bars::AtMost(Some(500_000.0), 100_000.0);
    report.add(group, "request answered: middle", Unit::Microseconds, asked.median(), Bars::None);
    report.add(group, "acknowledged by a host: p50", Unit::Microseconds, each.median(), Bars::None);
    report.add(group, "acknowledged by a host: p99", Unit::Microseconds, each.at(99), bars);
    report.add(group, "acknowledged by all: p50", Unit::Microseconds, last.median(), Bars::None);
    report.add(group, "acknowledged by all: p99", Unit::Microseconds, last.at(99), bars);
    report.add(group, "center's processor time per delivery and acknowledgement", Unit::Nanoseconds, cost, Bars::None);
    let (now, most) = resident(center.id())?;
    report.add(group, "center: memory", Unit::Mebibytes, float(now), Bars::None);
    report.add(group, "center: memory at most", Unit::Mebibytes, float(most), Bars::None);
    Ok(())
}

/// Each acknowledgement that was answered is in the log.
fn audit(operator: &mut Operator, least: u64) -> anyhow::Result<()> {
    let (mut after, mut found) = (0, 0);
    loop {
        let (_, page) = operator.ask(Method::GET, &format!("/v1/audit?after={after}&limit=1000"), &Value::Null)?;
        let entries = page["items"].as_array().context("no entries")?;
        found += entries.iter().filter(|entry| entry["what"] == "acknowledged").count() as u64;
        let Some(next) = page["next"].as_u64() else { break };
        after = next;
    }
    ensure!(found >= least, "{least} acknowledgements were answered, and {found} are in the audit log");
    Ok(())
}

fn reconnects(
    center: &mut Center,
    crowd: &Crowd,
    name: &str,
    pause: Duration,
    report: &mut Report,
) -> anyhow::Result<()> {
    center.kill9();
    thread::sleep(pause);
    crowd.forget();
    center.restart();
    let mut back = crowd.connected()?;
    back.sort();
    let (first, last) = (back[0], back[back.len() - 1]);
    let span = last.duration_since(first);
    let mut parts = [0_u64; PARTS];
    for at in &back {
        let part = at.duration_since(first).as_secs_f64() / span.as_secs_f64() * 10.0;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 10")]
        let part = (part as usize).min(PARTS - 1);
        parts[part] += 1;
    }
    let peak = float(parts.iter().copied().max().unwrap_or(0)) * 10.0 / float(back.len() as u64);
    let group = "After kill -9 of the center";
    report.add(group, &format!("{name}: all hosts back"), Unit::Seconds, span.as_secs_f64(), Bars::None);
    report.add(group, &format!("{name}: peak to mean of reconnects"), Unit::Ratio, peak, Bars::AtMost(None, 2.0));
    Ok(())
}

const BETWEEN: Duration = Duration::from_millis(300);
const PARTS: usize = 10;
