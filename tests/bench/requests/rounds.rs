//! Rounds: all variants in turns, once as fast as they go and once at fixed times.
//!
//! In: servers, agent, programs. Out: samples per variant, one of each round. The order turns around from round to round, so
//! that no variant always follows the same one. Never here: what the samples mean.

use std::{collections::BTreeMap, thread, time::Duration};

use anyhow::{Context as _, bail, ensure};
use enforcer_tests::Agent;
use nix::unistd::gettid;

use super::{
    generator::{Generator, Rush},
    heads::{Head, ORDINARY, id},
    meters::{self, Programs, Reading},
    servers::{Servers, Variant},
};
use crate::{
    Effort,
    cables::{SENDER, on_sender, pin_first},
    memory,
    samples::{Samples, float},
};

/// What one variant did in each round.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    /// Nanoseconds of the worker per request.
    pub(crate) worker: Vec<f64>,
    /// Nanoseconds of worker and sender per request.
    pub(crate) ends: Vec<f64>,
    /// Requests per second.
    pub(crate) rate: Vec<f64>,
    /// Microseconds at the fixed pace, of each slice of each round.
    pub(crate) p50: Vec<f64>,
    /// The same, of the slowest in a hundred.
    pub(crate) p99: Vec<f64>,
}

/// What the agent's side did in each round, nanoseconds per request unless said otherwise.
#[derive(Clone, Debug, Default)]
pub(crate) struct Inside {
    /// The TC program.
    pub(crate) segments: Vec<f64>,
    /// The XDP program.
    pub(crate) packets: Vec<f64>,
    /// The program for what leaves.
    pub(crate) answers: Vec<f64>,
    /// All of them.
    pub(crate) kernel: Vec<f64>,
    /// The agent's process.
    pub(crate) agent: Vec<f64>,
    /// Kernel and agent.
    pub(crate) all: Vec<f64>,
    /// Runs of all programs per request.
    pub(crate) runs: Vec<f64>,
}

/// All rounds.
pub(crate) struct Rounds {
    /// By variant.
    pub(crate) tallies: BTreeMap<Variant, Tally>,
    /// Of the variant with the agent.
    pub(crate) inside: Inside,
    /// Requests that the agent's programs have seen.
    pub(crate) inspected: u64,
    /// Requests per second at the fixed pace: the rules have one of their own.
    pub(crate) pace: (f64, f64),
}

struct Course<'a> {
    servers: &'a Servers<'a>,
    agent: &'a Agent,
    programs: &'a Programs,
    effort: Effort,
    generators: BTreeMap<Variant, Generator>,
    rounds: Rounds,
}

impl Rounds {
    /// Runs them.
    pub(crate) fn run(
        servers: &Servers<'_>,
        agent: &Agent,
        programs: &Programs,
        effort: Effort,
    ) -> anyhow::Result<Self> {
        let mut generators = BTreeMap::new();
        for variant in Variant::ALL {
            let lines: Vec<_> = (0..CONNECTIONS).map(|_| servers.connect(variant)).collect::<Result<_, _>>()?;
            generators.insert(variant, Generator::new(lines).context(variant.name())?);
        }
        let rounds =
            Self { tallies: BTreeMap::new(), inside: Inside::default(), inspected: 0, pace: (f64::NAN, f64::NAN) };
        on_sender(move || {
            pin_first(gettid().as_raw(), SENDER)?;
            let mut course = Course { servers, agent, programs, effort, generators, rounds };
            course.calibrate()?;
            for round in 0..effort.rounds {
                eprintln!("   round {} of {}", round + 1, effort.rounds);
                course.turn(round)?;
            }
            Ok(course.rounds)
        })
    }

    /// The samples of a variant.
    pub(crate) fn of(&self, variant: Variant) -> &Tally {
        &self.tallies[&variant]
    }
}

impl Course<'_> {
    /// The pace is half of what plain nginx can do; the rules, which could never keep it, get half of what they can do.
    fn calibrate(&mut self) -> anyhow::Result<()> {
        for variant in Variant::ALL {
            self.rush(variant)?;
        }
        let half = |rush: Rush| float(rush.requests) / rush.took.as_secs_f64() / 2.0;
        self.rounds.pace = (half(self.rush(Variant::Plain)?), half(self.rush(Variant::Rules)?));
        Ok(())
    }

    fn turn(&mut self, round: usize) -> anyhow::Result<()> {
        let mut order = Variant::ALL;
        if round % 2 == 1 {
            order.reverse();
        }
        for variant in order {
            self.fast(variant)?;
        }
        for _ in 0..SLICES {
            order.reverse();
            order.into_iter().try_for_each(|variant| self.paced(variant))?;
        }
        Ok(())
    }

    fn paced(&mut self, variant: Variant) -> anyhow::Result<()> {
        let rate = if variant == Variant::Rules { self.rounds.pace.1 } else { self.rounds.pace.0 };
        let (pause, length) = (Duration::from_secs_f64(1.0 / rate), self.effort.paced / SLICES);
        let times = Samples::new(self.generator(variant)?.pace(pause, length).context(variant.name())?);
        self.count(variant, u64::try_from(times.len())?);
        let tally = self.rounds.tallies.entry(variant).or_default();
        tally.p50.push(times.median());
        tally.p99.push(times.at(99));
        Ok(())
    }

    fn fast(&mut self, variant: Variant) -> anyhow::Result<()> {
        let _timed = Programs::watch()?;
        let worker = self.servers.worker(variant);
        let before = (meters::busy(worker)?, self.programs.read()?, memory::busy(self.agent)?);
        let rush = self.rush(variant)?;
        let busy = meters::busy(worker)? - before.0;
        let (runs, agent) = (self.programs.read()?.since(before.1), memory::busy(self.agent)? - before.2);
        let requests = float(rush.requests);
        let tally = self.rounds.tallies.entry(variant).or_default();
        tally.worker.push(float(busy) / requests);
        tally.ends.push(float(busy + rush.busy) / requests);
        tally.rate.push(requests / rush.took.as_secs_f64());
        if variant == Variant::Enforcer {
            self.rounds.inside.add(requests, runs, agent);
        }
        Ok(())
    }

    fn rush(&mut self, variant: Variant) -> anyhow::Result<Rush> {
        let length = self.effort.rush;
        let rush = self.generator(variant)?.rush(length).context(variant.name())?;
        self.count(variant, rush.requests);
        Ok(rush)
    }

    fn count(&mut self, variant: Variant, requests: u64) {
        if variant == Variant::Enforcer {
            self.rounds.inspected += requests;
        }
    }

    fn generator(&mut self, variant: Variant) -> anyhow::Result<&mut Generator> {
        self.generators.get_mut(&variant).context("every variant has a generator")
    }
}

impl Inside {
    fn add(&mut self, requests: f64, runs: Reading, agent: u64) {
        let (segments, packets) = (float(runs.segments.time) / requests, float(runs.packets.time) / requests);
        let agent = float(agent) / requests;
        let answers = float(runs.answers.time) / requests;
        self.answers.push(answers);
        self.segments.push(segments);
        self.packets.push(packets);
        self.kernel.push(segments + packets + answers);
        self.agent.push(agent);
        self.all.push(segments + packets + answers + agent);
        self.runs.push(float(runs.segments.count + runs.packets.count + runs.answers.count) / requests);
    }
}

/// What a refused request costs the agent, nanoseconds: its event is read and counted. Each has a connection of its own, for
/// the refusal ends it.
pub(crate) fn refused(servers: &Servers<'_>, agent: &Agent) -> anyhow::Result<Samples> {
    let (mut head, mut costs) = (Head::new(ORDINARY), Vec::new());
    for batch in 0..REFUSED_BATCHES {
        let before = settled(agent)?;
        for number in 0..REFUSED {
            let status = servers.ask(Variant::Enforcer, head.with(&id(batch * REFUSED + number)))?;
            ensure!(status == 403, "a blocked device was answered {status}");
        }
        costs.push(float(settled(agent)? - before) / float(REFUSED));
    }
    Ok(Samples::new(costs))
}

/// The agent's processor time, once it has nothing left to do: events are read, the journal is written.
pub(crate) fn settled(agent: &Agent) -> anyhow::Result<u64> {
    let mut before = memory::busy(agent)?;
    for _ in 0..LOOKS {
        thread::sleep(LOOK);
        let now = memory::busy(agent)?;
        if Duration::from_nanos(now - before) < LOOK / 100 {
            return Ok(now);
        }
        before = now;
    }
    bail!("the agent does not come to rest")
}

/// At rest it takes less than a hundredth of a processor.
const LOOK: Duration = Duration::from_millis(300);
const LOOKS: usize = 60;
/// A round's time at the fixed pace is cut up: a pause of the machine spoils a slice, and a spoilt slice is not in the middle.
const SLICES: u32 = 6;
const CONNECTIONS: usize = 16;
const REFUSED: u64 = 300;
const REFUSED_BATCHES: u64 = 3;
