//! Three real hosts: from a decision at the center to the first request that the kernel refuses.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use enforcer_tests::{Agent, CLIENT, Center, Client, Net, Nginx, PAY, Request};

use super::{micros, office::Operator};
use crate::{
    Effort,
    report::{Bars, Report, Unit},
    samples::Samples,
};

/// Runs it.
pub(super) fn run(effort: Effort, report: &mut Report) -> anyhow::Result<()> {
    let nets: Vec<Net> = (0..HOSTS).map(|_| Net::new()).collect();
    let _servers: Vec<Nginx> = nets.iter().map(Nginx::start).collect();
    let center = Center::start(&nets);
    let mut agents: Vec<Agent> = nets.iter().map(|net| Agent::start(net, PAY)).collect();
    for (number, (net, agent)) in nets.iter().zip(&mut agents).enumerate() {
        center.enroll(net, agent, number, &[]);
    }
    let mut operator = Operator::of(&center)?;
    let (mut each, mut all) = (Vec::new(), Vec::new());
    for round in 0..if effort.quick { 30 } else { 300 } {
        let device = format!("stolen-device-{round}");
        let refused = refused(&nets, &device, &mut operator)?;
        all.push(refused.iter().copied().fold(0.0, f64::max));
        each.extend(refused);
    }
    let (group, each, all) = ("A decision, on three hosts", Samples::new(each), Samples::new(all));
    let bars = Bars::AtMost(None, 100_000.0);
    report.add(group, "request refused: p50", Unit::Microseconds, each.median(), Bars::None);
    report.add(group, "request refused: p99", Unit::Microseconds, each.at(99), bars);
    report.add(group, "refused on all three: p50", Unit::Microseconds, all.median(), Bars::None);
    report.add(group, "refused on all three: p99", Unit::Microseconds, all.at(99), bars);
    drop(agents);
    Ok(())
}

/// Microseconds until each host refuses this device.
fn refused(nets: &[Net], device: &str, operator: &mut Operator) -> anyhow::Result<Vec<f64>> {
    thread::scope(|scope| {
        let asking: Vec<_> = nets.iter().map(|net| scope.spawn(|| first_refused(net, device))).collect();
        thread::sleep(SETTLED);
        let (begun, ..) = operator.block(device)?;
        let at = |asking: thread::ScopedJoinHandle<'_, anyhow::Result<Instant>>| {
            let at = asking.join().ok().context("a client panicked")??;
            Ok(micros(at.duration_since(begun)))
        };
        asking.into_iter().map(at).collect()
    })
}

fn first_refused(net: &Net, device: &str) -> anyhow::Result<Instant> {
    let until = Instant::now() + PATIENCE;
    let mut client = Client::connect(&net.client, CLIENT.web4()).ok().context("no connection")?;
    while Instant::now() < until {
        let answer = client.request(&Request::get("/health").device(device)).ok().context("no answer")?;
        if answer.status == 403 {
            return Ok(Instant::now());
        }
        thread::sleep(PAUSE);
    }
    anyhow::bail!("{device} was not refused in {PATIENCE:?}")
}

const HOSTS: usize = 3;
/// Clients are asking by then.
const SETTLED: Duration = Duration::from_millis(50);
const PAUSE: Duration = Duration::from_millis(1);
const PATIENCE: Duration = Duration::from_secs(20);
