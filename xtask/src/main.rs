//! Every chore of the project: `cargo xtask <name>`.
//!
//! In: the command line. Out: what the task did, on the terminal, and an exit code. Never here: the work of a task; add
//! one as `task_<name>.rs` with a `run`, and a line in each of the two lists below.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "these tasks talk to a person at a terminal")]

mod apt;
mod dist;
mod steps;
mod task_bench;
mod task_book;
mod task_build;
mod task_check;
mod task_demo;
mod task_dist;
mod task_faults;
mod task_fuzz;
mod task_setup;
mod task_soak;
mod task_test;
mod task_vm;
mod vm;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The project's chores.
#[derive(Parser)]
#[command(name = "cargo xtask", disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Measure the fast path against nftables and ipset
    Bench(task_bench::Arguments),
    /// Make a book of the documentation
    Book,
    /// Compile the kernel programs and the agent
    Build(task_build::Arguments),
    /// Check the format and run clippy; every failure is listed at the end
    Check,
    /// Show the whole of it on real traffic, in network namespaces of its own
    Demo(task_demo::Arguments),
    /// Make the Debian packages and the tarball
    Dist(task_dist::Arguments),
    /// Inject faults under traffic, and make five sums after each
    Faults(task_faults::Arguments),
    /// Run the fuzzers, a minute each
    Fuzz(task_fuzz::Arguments),
    /// Install what is missing: packages, bpf-linker
    Setup,
    /// Inject a fault a minute under steady traffic, and see whether the agent grows
    Soak(task_soak::Arguments),
    /// Check, unit tests, and the suite on the real kernel
    Test(task_test::Arguments),
    /// Boot other kernels, and see the agent load, judge, stay and go on each
    Vm(task_vm::Arguments),
}

fn main() -> ExitCode {
    match run(Arguments::parse().task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> anyhow::Result<()> {
    match task {
        Task::Bench(arguments) => task_bench::run(&arguments),
        Task::Book => task_book::run(),
        Task::Build(arguments) => task_build::run(&arguments),
        Task::Check => task_check::run(),
        Task::Demo(arguments) => task_demo::run(&arguments),
        Task::Dist(arguments) => task_dist::run(&arguments),
        Task::Faults(arguments) => task_faults::run(&arguments),
        Task::Fuzz(arguments) => task_fuzz::run(&arguments),
        Task::Setup => task_setup::run(),
        Task::Soak(arguments) => task_soak::run(&arguments),
        Task::Test(arguments) => task_test::run(&arguments),
        Task::Vm(arguments) => task_vm::run(&arguments),
    }
}
