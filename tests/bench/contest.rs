//! Rounds: each contender between two baselines of its own.
//!
//! In: how to measure the baseline and the contenders. Out: what each cost, and its ratio to the baseline around it. On a
//! shared machine only such ratios mean something: a round whose two baselines differ too much is thrown away.

use anyhow::bail;

use crate::{Effort, flood::Cost, samples::Samples};

/// One measurement.
pub(crate) type Measure<'a, S> = dyn Fn(&mut S) -> anyhow::Result<Cost> + Sync + 'a;

/// Something that is measured against the baseline.
pub(crate) struct Contender<'a, S> {
    /// What it is called.
    pub(crate) name: &'static str,
    /// Measures it once.
    pub(crate) measure: &'a Measure<'a, S>,
}

/// What rounds brought.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    /// Whose.
    pub(crate) name: &'static str,
    /// Nanoseconds per packet.
    pub(crate) cost: Samples,
    /// Nanoseconds per packet more than the baseline.
    pub(crate) added: Samples,
    /// Packets for each packet of the contender that the baseline drops in the same time, turned around: 1 is as fast.
    pub(crate) ratio: Samples,
    /// The greatest share of packets that got past it.
    pub(crate) leak: f64,
    /// Nanoseconds per packet of the baseline.
    pub(crate) baseline: Samples,
    /// Rounds thrown away.
    pub(crate) rejected: usize,
}

/// Lets all contenders take turns until each has its rounds.
pub(crate) fn contest<S>(
    effort: Effort,
    state: &mut S,
    baseline: &Measure<'_, S>,
    contenders: &[Contender<'_, S>],
) -> anyhow::Result<Vec<Outcome>> {
    // The first measurement of all warms up.
    baseline(state)?;
    let mut before = baseline(state)?;
    let mut tallies: Vec<Tally> = contenders.iter().map(|_| Tally::default()).collect();
    for _ in 0..effort.rounds * PATIENCE {
        for (contender, tally) in contenders.iter().zip(&mut tallies) {
            if tally.rounds.len() == effort.rounds {
                continue;
            }
            let cost = (contender.measure)(state)?;
            let after = baseline(state)?;
            tally.add(before, cost, after);
            before = after;
        }
    }
    let outcome = |(contender, tally): (&Contender<'_, S>, Tally)| tally.outcome(contender.name);
    contenders.iter().zip(tallies).map(outcome).collect()
}

#[derive(Default)]
struct Tally {
    /// Cost of the contender, and of the baseline around it.
    rounds: Vec<(f64, f64)>,
    leak: f64,
    rejected: usize,
}

impl Tally {
    fn add(&mut self, before: Cost, cost: Cost, after: Cost) {
        let (low, high) = (before.nanoseconds.min(after.nanoseconds), before.nanoseconds.max(after.nanoseconds));
        self.leak = self.leak.max(cost.leak);
        if high > low * TOLERANCE {
            self.rejected += 1;
        } else {
            self.rounds.push((cost.nanoseconds, f64::midpoint(low, high)));
        }
    }

    fn outcome(self, name: &'static str) -> anyhow::Result<Outcome> {
        if self.rounds.is_empty() {
            bail!("{name}: in none of {} rounds did the two baselines agree; this machine is too busy", self.rejected);
        }
        let samples = |value: &dyn Fn(f64, f64) -> f64| {
            Samples::new(self.rounds.iter().map(|(cost, baseline)| value(*cost, *baseline)).collect())
        };
        Ok(Outcome {
            name,
            cost: samples(&|cost, _| cost),
            added: samples(&|cost, baseline| cost - baseline),
            ratio: samples(&|cost, baseline| baseline / cost),
            leak: self.leak,
            baseline: samples(&|_, baseline| baseline),
            rejected: self.rejected,
        })
    }
}

/// Baselines of one round may differ by a quarter.
const TOLERANCE: f64 = 1.25;
/// Rounds that are tried for each that counts.
const PATIENCE: usize = 3;
