//! The table: which faults there are, what each is, and which sums apply; running them, and what is printed.
//!
//! In: names, how often. Out: a row for each fault. Never here: how a fault is injected. To add one: a row in the list of the file of
//! its group.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    time::{Duration, Instant},
};

use crate::{
    agents, calls, centers, crowds, disks,
    ground::{Ground, Pace, Probes, Round},
    hooks, interfaces,
    sums::{Fate, Sum},
    traffic::Traffic,
};

/// One fault.
#[derive(Clone, Copy)]
pub(crate) struct Fault {
    /// What it is called on the command line.
    pub(crate) name: &'static str,
    /// What is done.
    pub(crate) what: &'static str,
    /// Injects it, under traffic, for the n-th time, and leaves an agent that runs.
    pub(crate) inject: fn(&mut Ground, &Traffic, usize) -> Fate,
    /// What stands before the service in the agent's configuration.
    pub(crate) config: &'static str,
    /// Whether the host belongs to a center.
    pub(crate) central: bool,
    /// Whether the state folder is a disk of its own.
    pub(crate) disk: bool,
    /// Whether each round has a host of its own, because one leaves behind what would be the next one's.
    pub(crate) afresh: bool,
    /// Which sums apply: packets, enforcement, events, state, journal.
    pub(crate) sums: [bool; 5],
}

impl Fault {
    /// One on which all sums are made.
    pub(crate) const fn new(
        name: &'static str,
        what: &'static str,
        inject: fn(&mut Ground, &Traffic, usize) -> Fate,
    ) -> Self {
        Self { name, what, inject, config: "", central: false, disk: false, afresh: false, sums: [true; 5] }
    }

    /// With this in the agent's configuration.
    pub(crate) const fn with(mut self, config: &'static str) -> Self {
        self.config = config;
        self
    }

    /// With a host of its own for each round.
    pub(crate) const fn afresh(mut self) -> Self {
        self.afresh = true;
        self
    }

    /// With a state folder that is a disk of its own.
    pub(crate) const fn on_disk(mut self) -> Self {
        self.disk = true;
        self
    }

    /// On a host that belongs to a center.
    pub(crate) const fn central(mut self) -> Self {
        self.central = true;
        self
    }
}

/// All faults, in the order of the table.
pub(crate) fn faults() -> Vec<Fault> {
    [agents::FAULTS, calls::FAULTS, centers::FAULTS, crowds::FAULTS, disks::FAULTS, hooks::FAULTS, interfaces::FAULTS]
        .into_iter()
        .flatten()
        .copied()
        .collect()
}

/// What came of one fault.
pub(crate) struct Row {
    pub(crate) fault: Fault,
    /// How often it was injected, and each sum came out.
    pub(crate) times: usize,
    pub(crate) exact: [usize; 5],
    pub(crate) failures: Vec<String>,
    pub(crate) probes: Probes,
    pub(crate) open: Duration,
    pub(crate) took: Duration,
}

impl Row {
    /// Injects a fault so often.
    pub(crate) fn run(fault: Fault, times: usize) -> Self {
        let (started, probes) = (Instant::now(), Probes::default());
        let mut row = Self {
            fault,
            times,
            exact: [0; 5],
            failures: Vec::new(),
            probes,
            open: Duration::ZERO,
            took: Duration::ZERO,
        };
        let mut ground = None;
        for nth in 0..times {
            ground.take_if(|_| fault.afresh);
            let done = catch_unwind(AssertUnwindSafe(|| {
                ground.get_or_insert_with(|| Ground::new(&fault)).round(&fault, nth, Pace::default())
            }));
            match done {
                Ok(round) => {
                    if row.take(nth, &round) {
                        continue;
                    }
                }
                Err(panic) => row.failures.push(format!("{} #{nth}: {}", fault.name, words(&*panic))),
            }
            // What a failure has left behind is nobody's ground.
            ground = None;
        }
        row.took = started.elapsed();
        row
    }

    /// Enters a round; true when all its sums come out.
    fn take(&mut self, nth: usize, round: &Round) -> bool {
        self.open = self.open.max(round.open);
        self.probes.bad += round.probes.bad;
        self.probes.good += round.probes.good;
        let mut all = true;
        for (at, sum) in round.sums.iter().enumerate() {
            match sum {
                Sum::Apart => {}
                Sum::Exact => self.exact[at] += 1,
                Sum::Wrong(why) => {
                    all = false;
                    self.failures.push(format!("{} #{nth}, {}: {why}", self.fault.name, SUMS[at]));
                }
            }
        }
        all
    }

    /// One line of the table.
    pub(crate) fn line(&self) -> String {
        let sum = |at: usize| if self.fault.sums[at] { self.exact[at].to_string() } else { "-".to_owned() };
        let sums: Vec<String> = (0..5).map(sum).collect();
        let open = if self.open.is_zero() { "-".to_owned() } else { format!("{} ms", self.open.as_millis()) };
        format!(
            "| {} | {} | {} | {} | {}, {} | {open} | {:.0} s |",
            self.fault.name,
            self.fault.what,
            self.times,
            sums.join(" | "),
            self.probes.bad,
            self.probes.good,
            self.took.as_secs_f64()
        )
    }
}

/// The head of the table.
pub(crate) const HEAD: &str = "| fault | what is done | times | packets | enforcement | events | state | journal | probes: blocked, clean | open | took |\n|---|---|---|---|---|---|---|---|---|---|---|";

pub(crate) const SUMS: [&str; 5] = ["packets", "enforcement", "events", "state", "journal"];

/// What a panic said.
pub(crate) fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it panicked").to_owned()
}
