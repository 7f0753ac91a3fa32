//! The agent as its users use it. In: its program and a configuration. Out: a running process, what its command line says.

use std::{
    fs,
    process::{Child, Command},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;

/// Writes the configuration that every command reads.
pub(crate) fn configure() -> anyhow::Result<()> {
    fs::write(CONFIGURATION_FILE, CONFIGURATION).context("failed to write the configuration")
}

/// A running agent.
pub(crate) struct Agent(Child);

impl Agent {
    /// Starts it, and returns when it answers.
    pub(crate) fn start() -> anyhow::Result<Self> {
        let mut agent = Self(command().arg("run").spawn().context("failed to start the agent")?);
        let deadline = Instant::now() + PATIENCE;
        while cli(&["status"]).is_err() {
            if let Some(status) = agent.0.try_wait()? {
                bail!("the agent ended ({status}); its log is above");
            }
            ensure!(Instant::now() < deadline, "the agent does not answer");
            thread::sleep(Duration::from_millis(100));
        }
        Ok(agent)
    }

    /// Kills it like a crash would.
    pub(crate) fn crash(mut self) -> anyhow::Result<()> {
        self.0.kill()?;
        self.0.wait()?;
        Ok(())
    }

    /// Has it take everything off, and waits for its end.
    pub(crate) fn detach(mut self) -> anyhow::Result<()> {
        cli(&["detach"])?;
        let status = self.0.wait()?;
        ensure!(status.success(), "the agent ended with {status}");
        Ok(())
    }
}

/// What a command of the agent's command line prints with `-o json`.
pub(crate) fn cli(arguments: &[&str]) -> anyhow::Result<Value> {
    let output = command().args(["-o", "json"]).args(arguments).output().context("failed to start the command line")?;
    let said = String::from_utf8_lossy(&output.stdout);
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "`enforcer {}`: {} {said}", arguments.join(" "), complaint.trim());
    Ok(serde_json::from_str(said.trim()).unwrap_or(Value::Null))
}

fn command() -> Command {
    let mut command = Command::new("/bin/enforcer");
    command.args(["--config", CONFIGURATION_FILE]);
    command
}

/// An emulated processor is some twenty times slower, and the verifier runs on it.
const PATIENCE: Duration = Duration::from_mins(2);
const CONFIGURATION_FILE: &str = "/run/enforcer.toml";
/// The sizes of the maps are the defaults, so that they too are seen to fit.
const CONFIGURATION: &str = r#"
[agent]
state_dir = "/run/enforcer/state"
socket = "/run/enforcer/enforcer.sock"
metrics = "127.0.0.1:9920"

[fastpath]
interfaces = ["inside"]

[[service]]
name = "pay"
ports = [8080]
device = [{ header = "X-Device-Id" }]
"#;
