//! The namespace suite in a guest: each test in a process of its own, so that one that hangs costs nothing but its own time.
//!
//! In: a Debian with what tests run, the suite and the agent where the host has them, an order: both, and a test a line. Out: what became of each
//! test, told as it ends. Never here: which tests are played; whoever makes the order says that.

use std::{
    fs,
    os::unix::fs::symlink,
    process::{Command, Output},
    time::Instant,
};

use anyhow::{Context as _, ensure};

use crate::{acts, agent, stage, tell};

/// All tests of the order.
pub(crate) fn play() -> anyhow::Result<()> {
    stage::bare()?;
    let order = fs::read_to_string(ORDER).context("there is no order")?;
    let mut lines = order.lines();
    let (suite, program) = lines.next().zip(lines.next()).context("the order names neither suite nor agent")?;
    symlink(program, "/usr/bin/enforcer")?;
    agent::configure()?;
    acts::doctor()?;
    let suite = Suite { program: suite, agent: program };
    let failed = lines.map(|test| suite.play(test)).filter(|verdict| !matches!(verdict, Ok(true))).count();
    ensure!(failed == 0, "{failed} tests failed");
    Ok(())
}

struct Suite<'a> {
    program: &'a str,
    agent: &'a str,
}

impl Suite<'_> {
    /// Plays one test, tells what became of it, and whether it is well.
    fn play(&self, test: &str) -> anyhow::Result<bool> {
        let started = Instant::now();
        let output = self.run(test)?;
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        // A name that fits no test is no success.
        let well = output.status.success() && said.contains("1 passed");
        let skipped = said.lines().find_map(|line| Some(line.split_once("skipped: ")?.1));
        let (verdict, why) = match skipped {
            _ if !well => ("failed", ""),
            Some(why) => ("skipped", why),
            None => ("passed", ""),
        };
        tell("test", &format!("{verdict} {test} {:.1} {why}", started.elapsed().as_secs_f64()));
        if !well {
            println!("{said}");
        }
        Ok(well)
    }

    fn run(&self, test: &str) -> anyhow::Result<Output> {
        let mut command = Command::new("timeout");
        command.args(["--kill-after=5", TIME, self.program, "--exact", test, "--nocapture", "--test-threads=1"]);
        command.env("ENFORCER_BIN", self.agent).envs(SURROUNDINGS);
        command.output().context("failed to start the suite")
    }
}

/// Seconds of a test.
const TIME: &str = "400";
/// The order, when there is one.
pub(crate) const ORDER: &str = "/suite/order";
/// What every process has. Whoever waits waits longer here: an emulated processor is some twenty times slower.
const SURROUNDINGS: [(&str, &str); 5] = [
    ("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"),
    ("HOME", "/root"),
    ("RUST_BACKTRACE", "0"),
    ("ENFORCER_PATIENCE", "5"),
    ("ENFORCER_REPEATS", "1"),
];
