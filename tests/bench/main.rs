//! `cargo xtask bench`: what a packet, a list and a request cost, beside what else there is.
//!
//! ```text
//! fastpath:
//! empty     agent without a list, then with 1,000 and 100,000 addresses   -> clean packets
//! hosts     1,000,000 addresses from a file                              -> load, clean packets, deltas, drops | nft, ipset
//! six       1,000,000 IPv6 addresses and /64s                            -> load, clean packets, drops
//! networks  1,000,000 networks of mixed length                           -> load, clean packets, drops | nft, ipset
//! requests: see requests/          fleet: see fleet/
//! ```
//! In: root, the built agent, the object of `bench-ebpf` (`$ENFORCER_BENCH_OBJECT`). Out: a table, and JSON on request.
//! Never here: a number from another run, or a setting changed outside the bench's own namespaces.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "the table is printed, progress goes to standard error")]

mod cables;
mod clean;
mod contest;
mod fleet;
mod flood;
mod ground;
mod lists;
mod loads;
mod memory;
mod object;
mod phases;
mod report;
mod requests;
mod rivals;
mod samples;

use std::{fs::File, path::PathBuf, time::Duration};

use anyhow::{Context as _, bail};
use clap::{Parser, ValueEnum};
use enforcer_tests::clean_up_when_interrupted;
use nix::fcntl::{Flock, FlockArg};

/// Measures, in network namespaces of its own.
#[derive(Parser)]
struct Arguments {
    /// What is measured
    #[arg(value_enum)]
    benchmark: Benchmark,
    /// A minute instead of five: fewer rounds, and no rivals that load slowly
    #[arg(long)]
    quick: bool,
    /// Also write everything to FILE, as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Run only these phases: empty, hosts, six, networks; of the fleet: hosts, thousand, million, crowdsec
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
}

/// What is measured.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Benchmark {
    Fastpath,
    Fleet,
    Requests,
}

/// How thorough the run is.
#[derive(Clone, Copy, Debug)]
struct Effort {
    quick: bool,
    /// Rounds that count.
    rounds: usize,
    /// How long packets are sent at a time.
    burst: Duration,
    /// Runs of a program at a time.
    runs: u32,
    /// Single orders, and orders of a thousand.
    orders: (usize, usize),
    /// How long requests are sent as fast as they go, and at a fixed pace, at a time.
    rush: Duration,
    paced: Duration,
}

impl Effort {
    const QUICK: Self = Self {
        quick: true,
        rounds: 3,
        burst: Duration::from_millis(200),
        runs: 300_000,
        orders: (50, 10),
        rush: Duration::from_secs(1),
        paced: Duration::from_secs(3),
    };
    const WHOLE: Self = Self {
        quick: false,
        rounds: 7,
        burst: Duration::from_millis(400),
        runs: 1_000_000,
        orders: (200, 50),
        rush: Duration::from_secs(2),
        paced: Duration::from_secs(5),
    };
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    clean_up_when_interrupted()?;
    let lock = File::create(LOCK).with_context(|| format!("failed to open {LOCK}"))?;
    let Ok(_alone) = Flock::lock(lock, FlockArg::LockExclusiveNonblock) else {
        bail!("another benchmark is running: two would measure each other");
    };
    let effort = if arguments.quick { Effort::QUICK } else { Effort::WHOLE };
    let (title, method, phases): (_, &[&str], &[phases::Phase]) = match arguments.benchmark {
        Benchmark::Fastpath => ("Fast path", &report::METHOD, &phases::ALL),
        Benchmark::Fleet => ("Fleet", &fleet::METHOD, &fleet::ALL),
        Benchmark::Requests => ("Requests", &requests::METHOD, &requests::ALL),
    };
    let mut report = report::Report::new(title, method, effort);
    for phase in phases {
        if arguments.only.is_empty() || arguments.only.iter().any(|name| name == phase.name) {
            eprintln!("== {}: {}", phase.name, phase.what);
            (phase.run)(effort, &mut report).with_context(|| format!("phase {}", phase.name))?;
        }
    }
    println!("{}", report.text());
    if let Some(path) = arguments.json {
        std::fs::write(&path, report.json()).with_context(|| format!("failed to write {}", path.display()))?;
    }
    Ok(())
}

const LOCK: &str = "/run/lock/enforcer-bench";
