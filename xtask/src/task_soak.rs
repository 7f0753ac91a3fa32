//! `cargo xtask soak`: one fault a minute under steady traffic for a long time, and whether the agent grows.
//!
//! In: root on a Linux host. Out: a line for each minute and the medians that are compared (`docs/FAULTS.md`). Never here: the suite; it is
//! `enforcer-faults` of the tests crate.

use crate::{steps, task_faults};

/// How long, and how fast.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// How many minutes, with a fault in each
    #[arg(long, value_name = "N", default_value_t = 30)]
    minutes: usize,
    /// Requests a second
    #[arg(long, value_name = "N", default_value_t = 2000)]
    rate: u32,
    /// Where the order of the faults begins
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
}

/// Runs the task.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let mut suite = task_faults::suite()?;
    suite.args(["--soak", &arguments.minutes.to_string(), "--rate", &arguments.rate.to_string()]);
    steps::execute(suite.args(["--seed", &arguments.seed.to_string()]))
}
