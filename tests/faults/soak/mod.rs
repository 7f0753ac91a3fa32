//! `--soak MINUTES`: one fault a minute under steady traffic, the five sums made after each, and the agent watched all the while.
//!
//! ```text
//! faults     which fault, and when        watch      what the agent takes of the machine
//! ```
//! In: how long, how fast, a seed. Out: a line for each minute, and whether memory, descriptors and threads of the agent stay flat. Never
//! here: a tolerance in a sum. Between two minutes the traffic rests for as long as the sums take.

mod faults;
mod watch;

use std::{
    collections::BTreeSet,
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use enforcer_tests::{Slack, Thirds, median};

use crate::{
    ground::{Ground, Pace, Round},
    machine,
    sums::{Fate, Sum},
    table::{Fault, SUMS, words},
};
use watch::{Sample, Watch};

/// What is asked for.
#[derive(Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) minutes: usize,
    pub(crate) rate: u32,
    pub(crate) seed: u64,
}

/// Runs it, and tells; true when all sums came out and nothing grew.
pub(crate) fn run(plan: Plan) -> bool {
    let Plan { minutes, rate, seed } = plan;
    println!("{}: {minutes} minutes, {rate} requests a second, seed {seed}\n\n{HEAD}", machine());
    let mut ground = Ground::new(&lab());
    let (watch, mut failures, mut total) = (Watch::start(&ground.agent), Vec::new(), Total::default());
    for (nth, fault) in faults::faults(minutes, seed).iter().enumerate() {
        let before = watch.samples().len();
        match minute(&mut ground, fault, nth, rate) {
            Ok(round) => {
                println!("{}", line(nth, fault, &round, watch.samples().get(before..).unwrap_or_default()));
                failures.extend(wrong(nth, fault, &round));
                total.add(&round);
            }
            Err(why) => {
                // What a fault has left behind half way is nobody's ground.
                failures.push(format!("minute {nth}, {}: {why}", fault.name));
                break;
            }
        }
    }
    failures.extend(grown(&watch.stop()));
    failures.extend(total.slow(rate));
    println!("\n{}", total.line());
    for failure in &failures {
        println!("failed: {failure}");
    }
    failures.is_empty()
}

/// A host of a center, whose events are all told.
fn lab() -> Fault {
    Fault::new("soak", "", |_, _, _| Fate::default()).with("[limits]\nevents_per_second = 1_000_000\n").central()
}

fn minute(ground: &mut Ground, fault: &Fault, nth: usize, rate: u32) -> Result<Round, String> {
    let pace = Pace { per_second: rate, requests: 60 * rate as usize };
    let round = catch_unwind(AssertUnwindSafe(|| {
        ground.nginx.forget();
        let round = ground.round(fault, nth, pace);
        ground.keep_first(FIRST);
        round
    }));
    round.map_err(|panic| words(&*panic))
}

fn wrong(nth: usize, fault: &Fault, round: &Round) -> Vec<String> {
    let sums = SUMS.iter().zip(&round.sums);
    let wrong = sums.filter_map(|(name, sum)| if let Sum::Wrong(why) = sum { Some((name, why)) } else { None });
    wrong.map(|(name, why)| format!("minute {nth}, {}, {name}: {why}", fault.name)).collect()
}

/// Tells how each quantity went, and what has grown.
fn grown(samples: &[Sample]) -> Vec<String> {
    println!("\n{:<24}{:>10}{:>10}{:>10}", "median of", "middle", "last", "at most");
    let mut failures = Vec::new();
    for (name, of, slack) in QUANTITIES {
        let series: Vec<u64> = samples.iter().map(of).collect();
        let Some(thirds) = Thirds::of(&series) else {
            return vec![format!("{} samples are too few to judge by", samples.len())];
        };
        println!("{name:<24}{:>10}{:>10}{:>10}", thirds.middle, thirds.last, thirds.most(slack));
        if !thirds.is_flat(slack) {
            failures.push(format!("{name}: {} in the middle third, {} in the last", thirds.middle, thirds.last));
        }
    }
    let lives: BTreeSet<u32> = samples.iter().skip(samples.len() / 3 + 1).map(|sample| sample.process).collect();
    if lives.len() > 1 {
        failures.push(format!("{} processes were the agent where it should have survived", lives.len()));
    }
    failures
}

fn line(nth: usize, fault: &Fault, round: &Round, samples: &[Sample]) -> String {
    let exact = round.sums.iter().filter(|sum| **sum == Sum::Exact).count();
    let of = |quantity: fn(&Sample) -> u64| median(&samples.iter().map(quantity).collect::<Vec<_>>());
    format!(
        "{:>6}  {:<21}{:>8}{:>9}{:>9}{exact:>6}{:>9}{:>9}{:>13}{:>9}{:>9}{:>12}",
        nth + 1,
        fault.name,
        rate(round.asked),
        round.probes.bad,
        round.probes.good,
        round.open.as_millis(),
        of(|sample| sample.memory),
        of(|sample| sample.descriptors),
        of(|sample| sample.threads),
        of(|sample| sample.decided),
        of(|sample| sample.remembered)
    )
}

/// A second.
fn rate((asked, lasted): (usize, Duration)) -> u128 {
    asked as u128 * 1000 / lasted.as_millis().max(1)
}

#[derive(Default)]
struct Total {
    rounds: usize,
    asked: (usize, Duration),
    bad: u64,
    good: u64,
}

impl Total {
    fn add(&mut self, round: &Round) {
        self.rounds += 1;
        self.asked = (self.asked.0 + round.asked.0, self.asked.1 + round.asked.1);
        self.bad += round.probes.bad;
        self.good += round.probes.good;
    }

    fn line(&self) -> String {
        let Self { rounds, asked, bad, good } = self;
        format!(
            "{rounds} faults, {} requests ({} a second), {bad} blocked and {good} clean probes",
            asked.0,
            rate(*asked)
        )
    }

    /// A load that was not there proves nothing.
    fn slow(&self, wanted: u32) -> Option<String> {
        let slow = rate(self.asked) < u128::from(wanted) * 9 / 10;
        slow.then(|| format!("{} requests a second, not {wanted}", rate(self.asked)))
    }
}

type Quantity = (&'static str, fn(&Sample) -> u64, Slack);

/// What must not grow, and the most by which it may.
const QUANTITIES: [Quantity; 4] = [
    ("resident memory, KiB", |sample| sample.memory, Slack { percent: 2, plus: 1024 }),
    ("descriptors", |sample| sample.descriptors, Slack { percent: 0, plus: 1 }),
    ("threads", |sample| sample.threads, Slack { percent: 0, plus: 1 }),
    // Those of the center stay: two for each of its faults.
    ("entries of decisions", |sample| sample.decided, Slack { percent: 0, plus: 40 }),
];
/// The two decisions of the traffic.
const FIRST: usize = 2;
const HEAD: &str = "minute  fault                asked/s  blocked    clean  sums  open ms  RSS KiB  descriptors  threads  decided  remembered";
