//! Debian's CrowdSec with its firewall bouncer beside a center and an agent: 50,000 decisions, and one more.
//!
//! In: both packages as `cargo xtask bench fleet` unpacked them. Out: seconds from a decision to its enforcement, of both, in one run.
//! Never here: settings that would slow the other: the bouncer asks every ten seconds because its package says so, and a second run lets
//! it ask every second.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use bench_ebpf::Shape;
use enforcer_tests::{Agent, CLIENT, Center, CrowdSec, Net};

use super::{million::in_sync, office::Operator};
use crate::{
    Effort,
    lists::entry,
    report::{Bars, Report, Unit},
    samples::Samples,
};

const GROUP: &str = "50,000 decisions, and one more";

/// Runs it.
pub(super) fn run(effort: Effort, report: &mut Report) -> anyhow::Result<()> {
    let addresses = (0..NUMBER + 100).map(|index| entry(Shape::Hosts4, index)).collect::<Vec<_>>();
    let (lists, singles) = addresses.split_at(NUMBER as usize);
    let rounds = if effort.quick { 3 } else { 10 };
    let ours = ours(lists, &singles[..30], report)?;
    for (seconds, target) in [(10, 100.0), (1, 10.0)] {
        let theirs = theirs(lists, &singles[..rounds], seconds, report)?;
        let ratio = theirs.median() / ours.median();
        let name = format!("bouncer that asks every {seconds} s, to Enforcer");
        report.add(GROUP, &name, Unit::Ratio, ratio, Bars::AtLeast(None, target));
    }
    Ok(())
}

/// From before the request to the center's record that the kernel holds it.
fn ours(lists: &[String], singles: &[String], report: &mut Report) -> anyhow::Result<Samples> {
    let nets = [Net::new()];
    let center = Center::start(&nets);
    let interface = CLIENT.interface;
    let fastpath = format!("\n[fastpath]\ninterfaces = [{interface:?}]\nmode = \"native\"\n");
    let mut agent = Agent::start(&nets[0], &format!("{fastpath}[limits]\naddresses_v4 = 60000\n"));
    center.enroll(&nets[0], &mut agent, 0, &[]);
    let mut operator = Operator::of(&center)?;
    let begun = Instant::now();
    let (_, revision) = operator.drop_all(lists)?;
    in_sync(&mut operator, revision, begun)?;
    report.add(GROUP, "Enforcer: all 50,000", Unit::Seconds, begun.elapsed().as_secs_f64(), Bars::None);
    let mut took = Vec::new();
    for address in singles {
        let begun = Instant::now();
        let (_, revision) = operator.drop_all(std::slice::from_ref(address))?;
        in_sync(&mut operator, revision, begun)?;
        took.push(begun.elapsed().as_secs_f64());
    }
    let took = Samples::new(took);
    report.add_samples(GROUP, "Enforcer: one more", Unit::Seconds, &took, Bars::None);
    drop(agent);
    Ok(took)
}

/// From the end of `cscli`, which has told the local API, to the element in the bouncer's set.
fn theirs(lists: &[String], singles: &[String], seconds: u32, report: &mut Report) -> anyhow::Result<Samples> {
    let net = Net::new();
    let crowdsec = CrowdSec::start(&net.host, net.folder());
    let file = net.folder().join("decisions.csv");
    let lines = lists.iter().map(|address| format!("4h,Ip,{address},ban,bench"));
    let lines: Vec<String> = ["duration,scope,value,type,reason".to_owned()].into_iter().chain(lines).collect();
    fs::write(&file, lines.join("\n") + "\n")?;
    // Before anybody asks: its database locks out an import while it is asked every second.
    crowdsec.cscli(&["decisions", "import", "-i", file.to_str().context("a plain path")?]);
    let begun = Instant::now();
    let mut bouncer =
        crowdsec.bouncer(seconds).context("the firewall bouncer is missing: cargo xtask bench fleet unpacks it")?;
    let last = lists.last().context("a list")?;
    until_held(&net, last, begun)?;
    let name = format!("CrowdSec, asked every {seconds} s: all 50,000, from the bouncer's start");
    report.add(GROUP, &name, Unit::Seconds, begun.elapsed().as_secs_f64(), Bars::None);
    let mut took = Vec::new();
    for (round, address) in singles.iter().enumerate() {
        // At another moment of its period each time.
        thread::sleep(Duration::from_millis(u64::from(seconds) * 1000) * u32::try_from(round % 7)? / 7);
        crowdsec.cscli(&["decisions", "add", "--ip", address, "--duration", "4h"]);
        let begun = Instant::now();
        until_held(&net, address, begun)?;
        took.push(begun.elapsed().as_secs_f64());
    }
    let took = Samples::new(took);
    let name = format!("CrowdSec, asked every {seconds} s: one more");
    report.add_samples(GROUP, &name, Unit::Seconds, &took, Bars::None);
    ensure!(bouncer.ended().is_none(), "the firewall bouncer has ended");
    Ok(took)
}

fn until_held(net: &Net, address: &str, begun: Instant) -> anyhow::Result<()> {
    let holds = || {
        let element = format!("{{ {address} }}");
        let mut nft = net.host.command("nft");
        nft.args(["get", "element", "ip", "crowdsec", "crowdsec-blacklists", &element]);
        nft.output().is_ok_and(|output| output.status.success())
    };
    while !holds() {
        if begun.elapsed() > PATIENCE {
            bail!("{address} is not in the bouncer's set after {PATIENCE:?}");
        }
        thread::sleep(PAUSE);
    }
    Ok(())
}

const NUMBER: u32 = 50_000;
const PAUSE: Duration = Duration::from_millis(5);
const PATIENCE: Duration = Duration::from_mins(2);
