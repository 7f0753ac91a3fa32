//! Kernel truth: what the maps hold is compared with what was decided, and mended. In: ledger and maps. Out: the number of
//! differences, and repairs. Also the work of every second: heartbeat, expiries.
use std::collections::{BTreeMap, HashSet};

use enforcer_policy::{Desired, MapOp, Subject, diff, put};

use super::clock;
use super::core::Core;
use crate::apply::apply_one;
use crate::config::LostAgent;
use crate::kernel::KernelError;

/// Decisions that end in one second, at most: the rest ends in the next. The kernel ignores them by itself.
const ENDING: usize = 65_536;
/// Seconds between comparisons, at least.
const PERIOD: u64 = 5;
/// One more second of period for so many sources, so that a comparison stays a small part of a processor's time.
const SOURCES_A_SECOND: u64 = 20_000;

impl Core {
    /// The work of a second.
    pub(super) fn tick(&mut self) {
        if self.detached {
            // Nothing may be put back between `detach` and the end.
            return;
        }
        if let Err(error) = self.kernel.heartbeat() {
            self.problems.insert("heartbeat", error.to_string());
        }
        self.take_left_events();
        self.tend_hooks();
        self.end_what_is_over();
        self.look_for_room();
        self.tend_center();
        self.tend_told();
        self.seconds += 1;
        let period = PERIOD + self.kernel.sources_installed() / SOURCES_A_SECOND;
        if self.seconds.is_multiple_of(period) {
            self.compare();
        }
    }

    fn end_what_is_over(&mut self) {
        let now = clock::now();
        let ended = self.ledger.expire_up_to(now, ENDING);
        self.forget(&ended);
        let allowed = self.ledger.expire_allowed(now);
        for entry in &allowed {
            if let Err(error) = apply_one(&mut self.kernel, &enforcer_policy::remove_allow(entry.prefix)) {
                tracing::warn!(%error, "an allowlist entry could not be taken out");
            }
        }
        if !allowed.is_empty() {
            let records: Vec<_> = allowed.iter().map(|entry| crate::store::Record::Disallow(entry.prefix)).collect();
            // A problem for `status`, and noted there.
            let _ = self.keep(&records);
        }
    }

    /// Compares everything, repairs what differs, and remembers how much did.
    pub(super) fn compare(&mut self) {
        match self.repair() {
            Ok(differences) => {
                self.drift.last_check = Some(clock::now());
                self.drift.differences = differences;
                self.drift.repaired += differences;
                self.problems.remove("compare");
                if differences != 0 {
                    tracing::warn!(differences, "the kernel held something else than was decided; mended");
                    // Nobody but this agent has any business there: what somebody did by hand stands in the center's audit log.
                    let what = format!("{differences} entries of the kernel's maps were not what was decided; mended");
                    self.tell_act("somebody", "drift", what);
                }
            }
            Err(error) => {
                self.problems.insert("compare", format!("the kernel cannot be compared with the policy: {error}"));
            }
        }
    }

    /// Makes the kernel hold what was decided; gives the number of steps that took.
    pub(super) fn repair(&mut self) -> Result<u64, KernelError> {
        self.kernel.recount_sources()?;
        let mut steps = 0;
        for op in self.small_differences()? {
            apply_one(&mut self.kernel, &op)?;
            steps += 1;
        }
        steps += self.missing_sources()?;
        steps += self.surplus_sources()?;
        if steps != 0 {
            self.kernel.recount_small()?;
        }
        self.sweep_filter();
        Ok(steps)
    }

    /// Clears what the filter holds in vain: removals and its own growth leave marks that are nobody's.
    pub(super) fn sweep_filter(&mut self) {
        self.kernel.sweep_filter(self.ledger.networks());
    }

    fn small_differences(&self) -> Result<Vec<MapOp>, KernelError> {
        let small = self.ledger.iter().filter(|decision| !matches!(decision.subject, Subject::Ip(_)));
        let mut desired = Desired::new(small, self.allowed(), &clock::both());
        let compiled = self.compiled(self.side, &self.placed);
        let mut ops: Vec<MapOp> = compiled.ops.into_iter().filter(|op| self.is_misplaced(op)).collect();
        desired.services = compiled.services;
        ops.extend(diff(&desired, &self.kernel.observed()?));
        Ok(ops)
    }

    /// A place that the kernel does not hold as it should.
    fn is_misplaced(&self, op: &MapOp) -> bool {
        matches!(op, MapOp::PutPlace { index, place } if self.kernel.place(*index).as_ref() != Some(&**place))
    }

    fn missing_sources(&mut self) -> Result<u64, KernelError> {
        let clock = clock::both();
        let mut steps = 0;
        for decision in self.ledger.iter() {
            let op = put(&decision, &clock);
            let MapOp::PutSource { prefix, rule } = op else { continue };
            if self.kernel.source(prefix).is_none_or(|held| !held.is_like(rule)) {
                apply_one(&mut self.kernel, &op)?;
                steps += 1;
            }
        }
        Ok(steps)
    }

    /// Takes out sources that nobody decided. Only looked for when the numbers differ.
    fn surplus_sources(&mut self) -> Result<u64, KernelError> {
        if self.kernel.sources_installed() == self.ledger.counts().addresses as u64 {
            return Ok(0);
        }
        let prefixes: Vec<_> = self.ledger.iter().filter_map(|decision| decision.subject.network()).collect();
        let slots: HashSet<_> = prefixes.iter().filter_map(|prefix| self.kernel.source_slot(*prefix)).collect();
        let mut steps = self.kernel.retain_sources(|held| slots.contains(held));
        let wanted: HashSet<_> = prefixes.into_iter().collect();
        for prefix in self.kernel.spilled() {
            if !wanted.contains(&prefix) {
                self.kernel.remove_source(prefix)?;
                steps += 1;
            }
        }
        Ok(steps)
    }

    /// The settings that come from the configuration.
    pub(super) fn lease(&self) -> MapOp {
        MapOp::Lease(match self.config.agent.lost_agent {
            LostAgent::Keep => 0,
            LostAgent::PassAfter(time) => u64::try_from(time.as_nanos()).unwrap_or(u64::MAX),
        })
    }

    /// The side of watchlists, notices and places that the pinned services use.
    pub(super) fn observed_side(&self) -> Result<Option<u8>, KernelError> {
        let services: BTreeMap<_, _> = self.kernel.observed()?.services;
        Ok(services.values().next().map(|rule| rule.watchlist))
    }
}
