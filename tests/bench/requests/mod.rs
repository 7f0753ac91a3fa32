//! `cargo xtask bench requests`: what a request costs, beside what else can refuse one by what it carries.
//!
//! ```text
//! servers.rs    nginx plain | with a map of the same ids | with ModSecurity and the Core Rule Set, one worker each
//! generator.rs  the same request over kept-alive connections: as many as go, or at fixed times
//! meters.rs     processor time of worker, sender and agent; run time of the agent's programs
//! rounds.rs     all of them in turns
//! scanner.rs    the TC program alone, on heads of several lengths
//! figures.rs    what the rounds mean, beside floor and target
//! ```
//! In: root, the built agent, Debian's packages. Out: figures in the report. Never here: a variant that was not seen to
//! refuse what it should before it was measured.

mod figures;
mod generator;
mod heads;
mod meters;
mod rounds;
mod scanner;
mod servers;

use anyhow::{Context as _, ensure};
use enforcer_tests::{Agent, CLIENT, Net};
use serde_json::Value;

use crate::{Effort, phases::Phase, report::Report};
use heads::{BLOCKED, Ids};
use meters::Programs;
use rounds::Rounds;
use servers::Servers;

/// All of them.
pub(crate) const ALL: [Phase; 1] =
    [Phase { name: "requests", what: "700-byte requests, 100,000 blocked device ids", run }];

/// What the figures were measured by.
pub(crate) use figures::METHOD;

fn run(effort: Effort, report: &mut Report) -> anyhow::Result<()> {
    let net = Net::new();
    let agent = Agent::start(&net, &configuration());
    block(&agent, &net)?;
    let servers = Servers::start(&net)?;
    servers.prove()?;
    let programs = Programs::find(&agent.pins())?;
    rounds::settled(&agent)?;
    let passed = agent.requests(SERVICE, "pass");
    let rounds = Rounds::run(&servers, &agent, &programs, effort)?;
    let judged = agent.requests(SERVICE, "pass") - passed;
    ensure!(judged >= rounds.inspected, "{} requests were sent, but only {judged} judged", rounds.inspected);
    figures::rounds(report, &rounds);
    figures::refused(report, &rounds::refused(&servers, &agent)?);
    eprintln!("   the TC program alone");
    figures::scanner(report, &scanner::measure(&net, &agent, &programs, effort)?, &programs)
}

/// The agent hangs on the client's cable only; everything else is reached over the attacker's.
fn configuration() -> String {
    let interface = CLIENT.interface;
    format!(
        "\n[fastpath]\ninterfaces = [{interface:?}]\n[limits]\nidentities = 120000\n\
         [[service]]\nname = {SERVICE:?}\nports = [{}]\ndevice = [{{ header = \"X-Device-Id\" }}]\n",
        servers::PLAIN_PORT
    )
}

/// Through the product's door: a file and `enforcer block device`.
fn block(agent: &Agent, net: &Net) -> anyhow::Result<()> {
    let file = net.folder().join("devices.txt");
    let lines: Vec<String> = Ids::blocked().collect();
    std::fs::write(&file, lines.join("\n") + "\n").context("the list of devices")?;
    let file = file.to_str().context("a plain path")?;
    let report = agent.json(&["block", "device", "--reason", "bench", "--file", file]);
    ensure!(report["added"].as_u64() == Some(BLOCKED), "not every device was blocked: {}", Value::to_string(&report));
    Ok(())
}

const SERVICE: &str = "pay";
