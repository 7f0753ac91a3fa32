//! `cargo xtask fuzz`: every fuzzer for a while, on the compiler that builds the rest.
//!
//! In: `fuzz/fuzz_targets`, what earlier runs have found worth keeping, the seeds in `fuzz/seeds`. Out: a table; failure when a fuzzer has found
//! something, with the file that shows it. Never here: what is fuzzed.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, bail};

use crate::{
    steps::{self, cargo, execute},
    task_setup,
};

/// Which fuzzers, and how long.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Only these, such as differential [default: all of them]
    fuzzers: Vec<String>,
    /// Seconds for each
    #[arg(long, default_value_t = 60)]
    seconds: u32,
}

/// What the compiler adds, so that libFuzzer sees which ways were taken.
const FLAGS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
                     -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
                     -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1 -Cdebug-assertions --cfg fuzzing";

/// What came of one.
struct Outcome {
    name: String,
    runs: String,
    ways: String,
    /// What libFuzzer said last, when it found something.
    failure: Option<String>,
}

/// Runs the task.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let all = fuzzers()?;
    if let Some(unknown) = arguments.fuzzers.iter().find(|name| !all.contains(name)) {
        bail!("there is no fuzzer {unknown}; there are {}", all.join(", "));
    }
    task_setup::ensure()?;
    let folder = steps::target()?.join("fuzz");
    let programs = build(&folder)?;
    let wanted = all.iter().filter(|name| arguments.fuzzers.is_empty() || arguments.fuzzers.contains(name));
    let mut outcomes = Vec::new();
    for name in wanted {
        println!("== {name}");
        outcomes.push(fuzz(name, &programs, &folder, arguments.seconds)?);
    }
    show(&outcomes);
    match outcomes.iter().filter(|outcome| outcome.failure.is_some()).count() {
        0 => Ok(()),
        failures => bail!("{failures} of {} fuzzers found something", outcomes.len()),
    }
}

fn fuzzers() -> anyhow::Result<Vec<String>> {
    let files = fs::read_dir(steps::workspace().join("fuzz/fuzz_targets")).context("fuzz/fuzz_targets")?;
    let names = files.flatten().filter_map(|file| Some(file.path().file_stem()?.to_str()?.to_owned()));
    let mut names: Vec<String> = names.collect();
    names.sort();
    Ok(names)
}

/// Builds all, and says where they lie. Only what is fuzzed gets the flags: a target that is named keeps them from what runs while building.
fn build(folder: &Path) -> anyhow::Result<PathBuf> {
    let host = host()?;
    let flags = format!("CARGO_TARGET_{}_RUSTFLAGS", host.to_uppercase().replace('-', "_"));
    let manifest = steps::workspace().join("fuzz/Cargo.toml");
    let mut command = cargo();
    command.args(["build", "--release", "--bins", "--target", &host, "--manifest-path"]).arg(manifest);
    execute(command.arg("--target-dir").arg(folder).env(flags, FLAGS))?;
    Ok(folder.join(host).join("release"))
}

fn host() -> anyhow::Result<String> {
    let output = Command::new("rustc").arg("-vV").output().context("failed to start rustc")?;
    let said = String::from_utf8(output.stdout).context("rustc says something else than text")?;
    let host = said.lines().find_map(|line| line.strip_prefix("host: ")).context("rustc does not name its host")?;
    Ok(host.to_owned())
}

fn fuzz(name: &str, programs: &Path, folder: &Path, seconds: u32) -> anyhow::Result<Outcome> {
    let (corpus, found) = (folder.join("corpus").join(name), folder.join("found"));
    fs::create_dir_all(&corpus).and_then(|()| fs::create_dir_all(&found)).context("the folder of fuzzers")?;
    let mut command = Command::new(programs.join(name));
    command.arg(format!("-max_total_time={seconds}")).args(["-timeout=10", "-rss_limit_mb=2048", "-max_len=4096"]);
    command.arg(format!("-artifact_prefix={}/{name}-", found.display())).arg(corpus);
    let seeds = steps::workspace().join("fuzz/seeds").join(name);
    if seeds.is_dir() {
        command.arg(seeds);
    }
    let mut child = command.stderr(Stdio::piped()).spawn().with_context(|| format!("failed to start {name}"))?;
    let said = child.stderr.take().context("its standard error is a pipe")?;
    let lines: Vec<String> = BufReader::new(said).lines().map_while(Result::ok).collect();
    let failed = !child.wait().context("it cannot be waited for")?.success();
    Ok(told(name, &lines, failed))
}

/// From what libFuzzer says: `#1048576 pulse cov: 512 ft: 900 ...` and `Done 2000000 runs in 61 second(s)`.
fn told(name: &str, lines: &[String], failed: bool) -> Outcome {
    let word_after = |mark: &str| {
        let line = lines.iter().rev().find(|line| line.contains(mark))?;
        line.split(mark).nth(1)?.split_whitespace().next().map(str::to_owned)
    };
    let failure = failed.then(|| {
        let shown = lines.iter().rev().find(|line| line.contains("Test unit written to")).or_else(|| lines.last());
        shown.cloned().unwrap_or_default()
    });
    if failed {
        lines.iter().filter(|line| !line.starts_with('#')).for_each(|line| println!("{line}"));
    }
    let of = |mark| word_after(mark).unwrap_or_else(|| "?".to_owned());
    Outcome { name: name.to_owned(), runs: of("Done "), ways: of("cov: "), failure }
}

fn show(outcomes: &[Outcome]) {
    println!("{:16} {:>12} {:>8}  verdict", "fuzzer", "runs", "ways");
    for Outcome { name, runs, ways, failure } in outcomes {
        println!("{name:16} {runs:>12} {ways:>8}  {}", failure.as_deref().unwrap_or("nothing found"));
    }
}
