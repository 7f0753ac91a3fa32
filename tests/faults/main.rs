//! `cargo xtask faults`: each fault injected under traffic, and five sums made after each.
//!
//! ```text
//! table      what faults there are, running them, the table
//! agents, disks, hooks, interfaces, calls, crowds, centers     the faults, by what they strike
//! ground     where they are injected        traffic    numbered, in the logs of the servers
//! sums       packets, enforcement, events, state, journal      gauge      what the kernel counted
//! cycles     a million probes of each kind over many deaths and upgrades
//! soak       one fault a minute for a long time, and whether the agent grows
//! ```
//! In: root, the built agent and center. Out: the table; an exit code other than zero when a sum does not come out. Never here: traffic
//! outside of namespaces of its own, or anything left behind, also after Ctrl-C.
#![forbid(unsafe_code)]
#![expect(clippy::expect_used, clippy::panic, reason = "a round fails by panicking, and the table says so")]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "the table is printed, progress goes to standard error")]

mod agents;
mod calls;
mod centers;
mod crowds;
mod cycles;
mod disks;
mod fleet;
mod gauge;
mod ground;
mod hooks;
mod interfaces;
mod soak;
mod sums;
mod table;
mod traffic;

use std::{fs, process::ExitCode, thread};

use clap::Parser;
use enforcer_tests::clean_up_when_interrupted;
use table::Row;

/// Injects faults under traffic, in network namespaces of its own.
#[derive(Parser)]
struct Arguments {
    /// How often each fault is injected
    #[arg(long, value_name = "N", default_value_t = 1)]
    times: usize,
    /// Only these faults
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    only: Vec<String>,
    /// Instead: kill, restart and upgrade the agent so often under a million probes of each kind
    #[arg(long, value_name = "N")]
    cycles: Option<usize>,
    /// Instead: one fault a minute for so many minutes, and whether memory and descriptors of the agent stay flat
    #[arg(long, value_name = "MINUTES", conflicts_with = "cycles")]
    soak: Option<usize>,
    /// Requests a second of a soak
    #[arg(long, value_name = "N", default_value_t = 2000)]
    rate: u32,
    /// Where the order of the faults of a soak begins
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Print the names of all faults, and end
    #[arg(long)]
    list: bool,
}

fn main() -> Result<ExitCode, ctrlc::Error> {
    let arguments = Arguments::parse();
    if arguments.list {
        for fault in table::faults() {
            println!("{:<24} {}", fault.name, fault.what);
        }
        return Ok(ExitCode::SUCCESS);
    }
    clean_up_when_interrupted()?;
    if let Some(cycles) = arguments.cycles {
        return Ok(if cycles::run(cycles) { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    if let Some(minutes) = arguments.soak {
        let plan = soak::Plan { minutes, rate: arguments.rate, seed: arguments.seed };
        return Ok(if soak::run(plan) { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    let known = table::faults();
    if let Some(unknown) = arguments.only.iter().find(|name| known.iter().all(|fault| fault.name != **name)) {
        eprintln!("there is no fault {unknown}; --list prints all");
        return Ok(ExitCode::FAILURE);
    }
    let chosen = known
        .into_iter()
        .filter(|fault| arguments.only.is_empty() || arguments.only.iter().any(|name| name == fault.name));
    let rows: Vec<Row> = chosen.map(|fault| told(Row::run(fault, arguments.times))).collect();
    Ok(report(&rows))
}

/// Progress.
fn told(row: Row) -> Row {
    eprintln!("{}", row.line());
    row.failures.iter().for_each(|failure| eprintln!("    {failure}"));
    row
}

fn report(rows: &[Row]) -> ExitCode {
    println!("{}\n\n{}", machine(), table::HEAD);
    for row in rows {
        println!("{}", row.line());
    }
    let failures: Vec<&String> = rows.iter().flat_map(|row| &row.failures).collect();
    for failure in &failures {
        println!("failed: {failure}");
    }
    let (faults, times) = (rows.len(), rows.iter().map(|row| row.times).sum::<usize>());
    println!("{faults} faults, {times} times: {} sums did not come out", failures.len());
    if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Where it ran.
fn machine() -> String {
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let processors = thread::available_parallelism().map_or(0, usize::from);
    format!("Linux {}, {processors} processors", kernel.trim())
}
