//! `cargo xtask bench`: what a packet, a list and a request cost, beside what else there is.
//!
//! In: root on a Linux host, but for `filters`. Out: the benchmark's table. Never here: the benchmark; it is `enforcer-bench` of the tests
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
    /// Filters: what a call costs in the agent, and what is held after millions of distinct ones
    Filters(Filters),
    /// Fleet: a decision at the center until hosts refuse; a thousand simulated hosts; a million decisions
    Fleet(Fleet),
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

#[derive(clap::Args)]
struct Fleet {
    #[command(flatten)]
    effort: Effort,
    /// Run only these phases: hosts, thousand, million, crowdsec
    #[arg(long, value_name = "PHASES")]
    only: Option<String>,
}

#[derive(clap::Args)]
struct Filters {
    /// Millions of calls of which no two are alike
    #[arg(long, value_name = "NUMBER", default_value_t = 10)]
    millions: u32,
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
    match &arguments.benchmark {
        // The match for sets of ipset is a part of iptables.
        Benchmark::Fastpath(fastpath) => {
            let only: Vec<&str> = fastpath.only.iter().flat_map(|phases| ["--only", phases]).collect();
            on_the_kernel("fastpath", &["iptables"], &only, &fastpath.effort)
        }
        Benchmark::Filters(filters) => filters.run(),
        Benchmark::Fleet(fleet) => {
            let only: Vec<&str> = fleet.only.iter().flat_map(|phases| ["--only", phases]).collect();
            task_setup::unpack_bouncer()?;
            on_the_kernel("fleet", &[], &only, &fleet.effort)
        }
        Benchmark::Requests(effort) => {
            on_the_kernel("requests", &["libnginx-mod-http-modsecurity", "modsecurity-crs"], &[], effort)
        }
    }
}

impl Filters {
    /// Needs no kernel and nobody's rights.
    fn run(&self) -> anyhow::Result<()> {
        let example = ["run", "--release", "--package", "enforcer-insight", "--example", "filters_cost", "--"];
        steps::execute(cargo().args(example).arg(self.millions.to_string()))
    }
}

/// Measures beside `rivals`, which are installed beyond what `setup` installs.
fn on_the_kernel(name: &str, rivals: &[&'static str], more: &[&str], effort: &Effort) -> anyhow::Result<()> {
    task_setup::require_root("to make network namespaces and to load kernel programs")?;
    let toolchain = task_setup::ensure()?;
    let missing = apt::missing(rivals);
    if !missing.is_empty() {
        println!("== installing {}", missing.join(" "));
        apt::install(&missing)?;
    }
    // One call: with two selections of packages, each would compile what the other has just compiled.
    let packages = ["enforcer", "enforcer-center", "enforcer-tests"].map(|name| format!("--package={name}"));
    let programs = ["enforcer", "enforcer-center", BENCH].map(|name| format!("--bin={name}"));
    steps::execute(cargo().args(["build", "--release"]).args(packages).args(programs))?;
    let release = release()?;
    let workspace = steps::workspace();
    // The same folder as the product's kernel programs: the same compiler, so `core` is compiled once.
    let object = enforcer_ebpf_build::build_package(&toolchain, OBJECT, &workspace, &workspace.join("target/bpf"))?;
    let mut bench = Command::new(release.join(BENCH));
    bench.env("ENFORCER_BIN", release.join("enforcer")).env("ENFORCER_BENCH_OBJECT", object);
    bench.arg(name).args(more).args(effort.quick.then_some("--quick"));
    steps::execute(bench.args(effort.json.iter().flat_map(|file| [Path::new("--json"), file])))
}

/// Beside the folder this program lies in.
fn release() -> anyhow::Result<PathBuf> {
    let own = steps::sibling(BENCH)?;
    let target = own.ancestors().nth(2).context("programs lie in a folder of the target folder")?;
    Ok(target.join("release"))
}

const BENCH: &str = "enforcer-bench";
const OBJECT: &str = "bench-ebpf";
