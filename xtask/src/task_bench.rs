//! `cargo xtask bench`: what a packet, a list and a request cost, beside what else there is.
//!
//! In: root on a Linux host. Out: the benchmark's table. Never here: the benchmark; it is `enforcer-bench` of the tests
//! crate. Agent and benchmark are built for speed, whatever this program was built for.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Context as _;

use crate::{
    apt,
    steps::{self, cargo},
    task_setup,
};

/// Which benchmark.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    benchmark: Benchmark,
}

#[derive(clap::Subcommand)]
enum Benchmark {
    /// Drops over veth, clean packets, loading a million, single orders; beside nftables and ipset
    Fastpath(Fastpath),
    /// Requests: kernel path and agent beside nginx with a map, and with `ModSecurity` and the Core Rule Set
    Requests(Effort),
}

#[derive(clap::Args)]
struct Fastpath {
    #[command(flatten)]
    effort: Effort,
    /// Run only these phases: empty, hosts, six, networks
    #[arg(long, value_name = "PHASES")]
    only: Option<String>,
}

/// What all benchmarks understand.
#[derive(clap::Args)]
struct Effort {
    /// A minute instead of five: fewer rounds, and no rivals that load slowly
    #[arg(long)]
    quick: bool,
    /// Also write everything to FILE, as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Runs the task.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let benchmark = &arguments.benchmark;
    task_setup::require_root("to make network namespaces and to load kernel programs")?;
    let toolchain = task_setup::ensure()?;
    let missing = apt::missing(benchmark.rivals());
    if !missing.is_empty() {
        println!("== installing {}", missing.join(" "));
        apt::install(&missing)?;
    }
    // One call: with two selections of packages, each would compile what the other has just compiled.
    let packages = ["--package", "enforcer", "--package", "enforcer-tests", "--bin", "enforcer", "--bin", BENCH];
    steps::execute(cargo().args(["build", "--release"]).args(packages))?;
    let release = release()?;
    let workspace = steps::workspace();
    // The same folder as the product's kernel programs: the same compiler, so `core` is compiled once.
    let object = enforcer_ebpf_build::build_package(&toolchain, OBJECT, &workspace, &workspace.join("target/bpf"))?;
    let mut bench = benchmark.command(&release);
    steps::execute(bench.env("ENFORCER_BENCH_OBJECT", object))
}

impl Benchmark {
    /// What the product is compared with, beyond what `setup` installs.
    const fn rivals(&self) -> &'static [&'static str] {
        match self {
            // The match for sets of ipset is a part of it.
            Self::Fastpath(_) => &["iptables"],
            Self::Requests(_) => &["libnginx-mod-http-modsecurity", "modsecurity-crs"],
        }
    }

    fn command(&self, release: &Path) -> Command {
        let mut bench = Command::new(release.join(BENCH));
        bench.env("ENFORCER_BIN", release.join("enforcer"));
        let effort = match self {
            Self::Fastpath(fastpath) => {
                bench.arg("fastpath").args(fastpath.only.iter().flat_map(|phases| ["--only", phases]));
                &fastpath.effort
            }
            Self::Requests(effort) => {
                bench.arg("requests");
                effort
            }
        };
        bench.args(effort.quick.then_some("--quick"));
        bench.args(effort.json.iter().flat_map(|file| [Path::new("--json"), file]));
        bench
    }
}

/// Beside the folder this program lies in.
fn release() -> anyhow::Result<PathBuf> {
    let own = steps::sibling(BENCH)?;
    let target = own.ancestors().nth(2).context("programs lie in a folder of the target folder")?;
    Ok(target.join("release"))
}

const BENCH: &str = "enforcer-bench";
const OBJECT: &str = "bench-ebpf";
