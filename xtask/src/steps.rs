//! Running other programs, one step after the other, and remembering which of them failed.
//!
//! In: commands. Out: their output, passed on as it comes, and the list of failures. Never here: which commands.

use std::{
    env,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};

use anyhow::{Context as _, bail};

/// A run of several steps. Later steps run even when an earlier one failed, so that one run shows everything.
#[derive(Default)]
pub(crate) struct Steps {
    failed: Vec<String>,
}

impl Steps {
    /// Runs one step.
    pub(crate) fn run(&mut self, name: &str, command: &mut Command) {
        self.read(name, command.stdout(Stdio::inherit()), |_| ());
    }

    /// Runs one step whose output is of interest only when it fails.
    pub(crate) fn quietly(&mut self, name: &str, command: &mut Command) {
        match command.stdin(Stdio::null()).output() {
            Ok(output) if output.status.success() => println!("== {name}: done"),
            Ok(output) => {
                let said = [output.stdout, output.stderr].concat();
                println!("{}", String::from_utf8_lossy(&said));
                self.fail(name.to_owned());
            }
            Err(error) => self.fail(format!("{name}: {error}")),
        }
    }

    /// Runs one step, shows each line of its piped standard output to `reader` besides passing it on, and says whether
    /// the step succeeded.
    pub(crate) fn read(&mut self, name: &str, command: &mut Command, reader: impl FnMut(&str)) -> bool {
        println!("== {name}");
        let started = Instant::now();
        let done = pass_on(command, reader);
        match &done {
            Ok(true) => println!("== {name}: done in {:.1} s", started.elapsed().as_secs_f64()),
            Ok(false) => self.fail(name.to_owned()),
            Err(error) => self.fail(format!("{name}: {error:#}")),
        }
        done.is_ok_and(|done| done)
    }

    /// Says that a step is left out, and why; it counts neither as done nor as failed.
    pub(crate) fn skip(name: &str, why: &str) {
        println!("== {name}: SKIPPED: {why}");
    }

    /// Notes a step that could not even be tried.
    pub(crate) fn fail(&mut self, name: String) {
        println!("== {name}: FAILED");
        self.failed.push(name);
    }

    /// Adds to what is named at the end.
    pub(crate) fn note(&mut self, names: Vec<String>) {
        self.failed.extend(names);
    }

    /// How many steps have failed.
    pub(crate) fn failures(&self) -> usize {
        self.failed.len()
    }

    /// Names the failed steps on the terminal, last, where they are seen.
    pub(crate) fn report(&self) {
        for name in &self.failed {
            println!("failed: {name}");
        }
    }
}

/// Runs one command to its end, with its output on the terminal.
pub(crate) fn execute(command: &mut Command) -> anyhow::Result<()> {
    let status = command.status().with_context(|| format!("failed to start {}", command.get_program().display()))?;
    if !status.success() {
        let words: Vec<_> = command.get_args().map(|word| word.to_string_lossy()).collect();
        bail!("`{} {}` failed ({status})", command.get_program().display(), words.join(" "));
    }
    Ok(())
}

/// The cargo that runs us, in the workspace's folder.
pub(crate) fn cargo() -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(workspace());
    cargo
}

/// The workspace's folder, as the cargo that runs us sees it: a target folder can serve several checkouts.
pub(crate) fn workspace() -> PathBuf {
    let xtask = env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
    xtask.parent().map_or_else(|| ".".into(), Path::to_owned)
}

/// Where cargo put us, and so puts the other programs of the same profile.
pub(crate) fn sibling(program: &str) -> anyhow::Result<PathBuf> {
    Ok(env::current_exe().context("failed to find this program's own file")?.with_file_name(program))
}

/// The target folder.
pub(crate) fn target() -> anyhow::Result<PathBuf> {
    let own = sibling("xtask")?;
    Ok(own.ancestors().nth(2).context("programs lie in a folder of the target folder")?.to_owned())
}

fn pass_on(command: &mut Command, mut reader: impl FnMut(&str)) -> anyhow::Result<bool> {
    let program = command.get_program().display().to_string();
    let mut child = command.spawn().with_context(|| format!("failed to start {program}"))?;
    if let Some(output) = child.stdout.take() {
        for line in BufReader::new(output).lines() {
            let line = line.with_context(|| format!("failed to read the output of {program}"))?;
            println!("{line}");
            reader(&line);
        }
    }
    Ok(child.wait().with_context(|| format!("failed to wait for {program}"))?.success())
}
