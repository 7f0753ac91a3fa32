//! What the kernel itself has counted, read from the pinned maps by their descriptors: a map that is replaced during a round is
//! read to its end all the same, and so is the one that replaces it.
//!
//! In: an agent's pins. Out: packets and requests by reason, and what became of the events. Never here: the agent's word.

use aya::maps::{Map, MapData, MapInfo, PerCpuArray};
use enforcer_common::{Counter, Reason};
use enforcer_tests::Agent;

/// The counters since it was opened.
pub(crate) struct Gauge {
    sets: Vec<Set>,
}

struct Set {
    id: u32,
    counters: PerCpuArray<MapData, Counter>,
    events: PerCpuArray<MapData, u64>,
    before: Tally,
}

/// Counts.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Tally {
    reasons: Vec<u64>,
    /// Events that were put into the ring, that found no room in it, and that were left out by sampling.
    pub(crate) told: u64,
    pub(crate) lost: u64,
    pub(crate) unsampled: u64,
}

impl Tally {
    /// How many were judged for this reason.
    pub(crate) fn of(&self, reason: Reason) -> u64 {
        self.reasons.get(reason as usize).copied().unwrap_or(0)
    }

    /// All refusals: what the agent is to be told of.
    pub(crate) fn refused(&self) -> u64 {
        REFUSING.iter().map(|reason| self.of(*reason)).sum()
    }

    fn combine(&self, other: &Self, with: fn(u64, u64) -> u64) -> Self {
        let at = |tally: &Self, index: usize| tally.reasons.get(index).copied().unwrap_or(0);
        Self {
            reasons: (0..Reason::COUNT).map(|index| with(at(self, index), at(other, index))).collect(),
            told: with(self.told, other.told),
            lost: with(self.lost, other.lost),
            unsampled: with(self.unsampled, other.unsampled),
        }
    }
}

impl Gauge {
    /// Of what is pinned now, which must be there.
    pub(crate) fn open(agent: &Agent) -> Self {
        let mut gauge = Self { sets: Vec::new() };
        gauge.look(agent);
        let set = gauge.sets.first_mut().expect("maps are pinned");
        set.before = set.read();
        gauge
    }

    /// Takes up the maps that are pinned now, if they are new: they begin at zero.
    pub(crate) fn look(&mut self, agent: &Agent) {
        let pin = agent.pins().join("maps/COUNTERS");
        let Ok(id) = MapInfo::from_pin(pin).map(|info| info.id()) else { return };
        if self.sets.iter().any(|set| set.id == id) {
            return;
        }
        let counters = typed(agent.pinned("COUNTERS"));
        let events = typed(agent.pinned("EVENT_COUNTS"));
        self.sets.push(Set { id, counters, events, before: Tally::default() });
    }

    /// Everything counted since it was opened, in all sets of maps.
    pub(crate) fn read(&self) -> Tally {
        let since = |set: &Set| set.read().combine(&set.before, u64::saturating_sub);
        self.sets.iter().map(since).fold(Tally::default(), |all, one| all.combine(&one, |a, b| a + b))
    }
}

impl Set {
    fn read(&self) -> Tally {
        let sum = |index| self.events.get(&index, 0).expect("a counter can be read").iter().sum();
        let reasons = Reason::ALL.iter().map(|reason| {
            let counters = self.counters.get(&(*reason as u32), 0).expect("a counter can be read");
            counters.iter().map(|counter| counter.count).sum()
        });
        Tally { reasons: reasons.collect(), told: sum(0), lost: sum(1), unsampled: sum(2) }
    }
}

fn typed<V: aya::Pod>(map: Map) -> PerCpuArray<MapData, V> {
    map.try_into().expect("an array for each processor")
}

/// What the agent is told of, in these rounds.
const REFUSING: [Reason; 4] =
    [Reason::BlockedSource, Reason::BlockedFlow, Reason::BlockedDevice, Reason::RefusalFailed];
