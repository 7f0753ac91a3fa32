//! One run of schemathesis.
//!
//! In: where a center serves, who asks, how long. Out: nothing, or a failed test with the tool's report. Never here: a check that is left out
//! without its reason (`schemathesis.toml`), a tool of another version.
use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::office::Host;

/// A run that has not begun.
pub(crate) struct Tool {
    command: Command,
    runs: &'static [&'static str],
}

impl Tool {
    /// Against the center at this address.
    pub(crate) fn new(url: &str, authority: &Path, folder: &Path) -> Self {
        let program = program();
        assert!(program.exists(), "{} is not there: cargo xtask setup installs it", program.display());
        let mut command = Command::new(program);
        let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/schemathesis/schemathesis.toml");
        command.arg("--config-file").arg(config).args(["run", &format!("{url}/openapi.json")]);
        command.arg("--tls-verify").arg(authority).args(["--max-time", &seconds(), "--seed", &seed(), "--no-color"]);
        // Nothing leaves this host, and nothing is left behind.
        for proxy in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"] {
            command.env_remove(proxy);
        }
        command.current_dir(folder);
        Self { command, runs: &[] }
    }

    /// By somebody with this token.
    pub(crate) fn token(mut self, token: &str) -> Self {
        self.command.args(["--header", &format!("Authorization: Bearer {token}")]);
        self
    }

    /// By this host.
    pub(crate) fn host(mut self, host: &Host) -> Self {
        self.command.arg("--request-cert").arg(&host.certificate).arg("--request-cert-key").arg(&host.key);
        self
    }

    /// Only at paths like this.
    pub(crate) fn only(mut self, path: &str) -> Self {
        self.command.args(["--include-path-regex", path]);
        self
    }

    /// Not at paths like this.
    pub(crate) fn without(mut self, path: &str) -> Self {
        self.command.args(["--exclude-path-regex", path]);
        self
    }

    /// In these phases, a run for each of them. On a slow machine the first phases of a run leave no time to its last, and one of requests that
    /// follow from each other (`stateful`) fails when it had none.
    pub(crate) fn phases(self, runs: &'static [&'static str]) -> Self {
        Self { runs, ..self }
    }

    /// Runs it. Whatever it finds fails the test.
    pub(crate) fn holds(mut self) {
        for phases in self.runs {
            // What is said last counts.
            let output = self.command.args(["--phases", phases]).output().unwrap();
            let (out, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
            assert!(output.status.success(), "{out}\n{error}");
            eprintln!("{out}");
        }
    }
}

/// Where `cargo xtask setup` installs it.
fn program() -> PathBuf {
    let pinned = include_str!("requirements.txt").lines().find(|line| line.starts_with("schemathesis=="));
    let root = enforcer_ebpf_build::tools_root().unwrap();
    root.join(pinned.unwrap().replace("==", "-")).join("bin/schemathesis")
}

fn seconds() -> String {
    set("ENFORCER_SCHEMATHESIS_SECONDS").unwrap_or_else(|| "20".to_owned())
}

fn seed() -> String {
    set("ENFORCER_SEED").unwrap_or_else(|| "1".to_owned())
}

fn set(variable: impl AsRef<OsStr>) -> Option<String> {
    env::var(variable).ok().filter(|value| !value.is_empty())
}
