//! What is asked of each kernel. In: the stage. Out: what was found, told as it is found; the first thing that is wrong.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use aya::programs::{ProgramInfo, loaded_programs};
use serde_json::Value;

use crate::{
    agent::{Agent, cli, configure},
    http, stage, tell,
};

/// All of it, in the life of one agent and its successor.
pub(crate) fn play() -> anyhow::Result<()> {
    configure()?;
    doctor()?;
    http::serve()?;
    expect("before the agent", "mallory", 200)?;
    let agent = Agent::start()?;
    hooks()?;
    devices().context("blocking a device")?;
    answers().context("following answers")?;
    address().context("blocking an address")?;
    let hanging = programs()?.len();
    agent.crash()?;
    expect("after a crash", "mallory", 403)?;
    let agent = Agent::start().context("starting again")?;
    settle(hanging).context("after a restart")?;
    expect("after a restart", "mallory", 403)?;
    agent.detach()?;
    settle(0).context("after detach")?;
    expect("after detach", "mallory", 200)
}

/// Nothing may be missing on a kernel of the list; what is degraded is told.
pub(crate) fn doctor() -> anyhow::Result<()> {
    tell("kernel", fs::read_to_string("/proc/sys/kernel/osrelease")?.trim());
    let report = cli(&["doctor"])?;
    for check in report["checks"].as_array().context("doctor has checks")? {
        let word = |key: &str| check[key].as_str().unwrap_or_default();
        tell("doctor", &format!("{}: {}: {}", word("name"), word("state"), word("detail")));
    }
    Ok(())
}

/// Where the programs hang, and what the verifier had to read for them.
fn hooks() -> anyhow::Result<()> {
    let status = cli(&["status"])?;
    let list = status["attachments"].as_array().context("status has attachments")?;
    let mode = |hook: &str| list.iter().find(|one| one["hook"] == hook).and_then(|one| one["mode"].as_str());
    for hook in ["xdp", "tc", "egress"] {
        tell(hook, mode(hook).with_context(|| format!("nothing hangs at {hook}: {list:?}, {}", status["problems"]))?);
    }
    ensure!(status["problems"] == Value::Array(Vec::new()), "problems: {}", status["problems"]);
    for program in programs()? {
        let instructions = program.verified_instruction_count().unwrap_or(0);
        tell("verified", &format!("{} {instructions}", program.name_as_str().unwrap_or_default()));
    }
    Ok(())
}

fn devices() -> anyhow::Result<()> {
    let blocked = ["block", "device", "--value", "mallory", "--service", "pay", "--action", "deny"];
    cli(&[&blocked[..], &UNTIL].concat())?;
    expect("another device", "alice", 200)?;
    expect("a blocked device", "mallory", 403)
}

/// Only the program on the way out can have counted them.
fn answers() -> anyhow::Result<()> {
    let counted = |page: &str| page.lines().any(|line| line.starts_with(ANSWERED) && !line.ends_with(" 0"));
    eventually("answers are not counted", || Ok(counted(&http::metrics()?)))
}

fn address() -> anyhow::Result<()> {
    cli(&[&["block", "ip", stage::OUTSIDE][..], &UNTIL].concat())?;
    let asked = http::ask("alice", 1);
    ensure!(asked.is_err(), "a blocked address is answered: {asked:?}");
    cli(&["unblock", "ip", stage::OUTSIDE])?;
    expect("an address that was blocked", "alice", 200)
}

/// One request in one segment, and one in two.
pub(crate) fn expect(when: &str, device: &str, status: u16) -> anyhow::Result<()> {
    for segments in [1, 2] {
        let got = http::ask(device, segments).with_context(|| format!("{when}, {segments} segments"))?;
        ensure!(got == status, "{when}, {segments} segments: {got} where {status} is due");
    }
    Ok(())
}

/// The kernel lets go of a program some time after the last that held it.
pub(crate) fn settle(wanted: usize) -> anyhow::Result<()> {
    eventually(&format!("the kernel does not hold {wanted} programs"), || Ok(programs()?.len() == wanted))
}

/// The programs of the agent that the kernel holds.
pub(crate) fn programs() -> anyhow::Result<Vec<ProgramInfo>> {
    let loaded = loaded_programs().collect::<Result<Vec<_>, _>>()?;
    Ok(loaded.into_iter().filter(|one| one.name_as_str().is_some_and(|name| name.starts_with("enforcer"))).collect())
}

/// Waits until something is true.
pub(crate) fn eventually(otherwise: &str, mut holds: impl FnMut() -> anyhow::Result<bool>) -> anyhow::Result<()> {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !holds()? {
        if Instant::now() > deadline {
            bail!("{otherwise}");
        }
        thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

const UNTIL: [&str; 4] = ["--for", "1h", "--reason", "vm"];
const ANSWERED: &str = "enforcer_responses_total{service=\"pay\",class=\"2xx\"}";
