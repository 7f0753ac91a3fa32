//! Whom requests came from in the last day, so that a decision can say beforehand whom it would have hit.
//!
//! In: callers of requests that were served, with their time. Out: [`Told`]: requests and distinct devices, sessions, users and
//! addresses among the callers that somebody names. Never here: tokens (only their keyed digests), what was refused, clocks, disks.
//!
//! A caller is one combination of address, service and identities. Each slot of two hours keeps at most [`MOST`] of them with their
//! requests: about 8 MiB in all. While they fit, every figure is exact. When they do not, half of them go, chosen by keyed digests so that
//! nobody can arrange who stays: a caller stays when the digest of *any* of its parts ends in enough zeros. So all callers of a chosen
//! device are there, as are all of a chosen session or address, and each kind can be counted among its own chosen ones and scaled, for
//! any selection. Such a figure is an estimate and says by how much it may be off.
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use enforcer_common::{Address, SipKey, SubjectKind, siphash};
use enforcer_policy::Moment;
use enforcer_policy::reach::{Crowd, Estimate, Sketch, Told};

/// Who asked: one combination that is counted.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Caller {
    /// From where the packets came.
    pub source: Address,
    /// The forwarded address that it was judged by, or again the source.
    pub client: Address,
    /// The service's id.
    pub service: u32,
    /// Digests of its identities, in the order of [`TOKENS`]; 0 for none.
    pub tokens: [u64; TOKENS.len()],
}

/// The kinds of identities.
pub const TOKENS: [SubjectKind; 4] =
    [SubjectKind::Device, SubjectKind::Session, SubjectKind::User, SubjectKind::ApiKey];

/// The callers of the last day.
pub struct Reach {
    key: SipKey,
    slots: [Slot; SLOTS],
}

/// Two hours.
#[derive(Default)]
struct Slot {
    /// Which two hours, since 1970.
    number: u64,
    /// Zeros that a digest must end in.
    level: u32,
    callers: HashMap<Caller, u32>,
}

/// Slots of a day.
const SLOTS: usize = 12;
const LIVES: u64 = SLOTS as u64;
/// Milliseconds of one.
const SPAN: u64 = 2 * 3_600_000;
/// Callers of one slot: as many as a table of 8192 places takes.
const MOST: usize = 7168;

impl Reach {
    /// An empty one. Whoever does not know the key cannot tell who is chosen.
    pub fn new(key: SipKey) -> Self {
        Self { key, slots: std::array::from_fn(|_| Slot::default()) }
    }

    /// Takes a request that was served.
    pub fn take(&mut self, caller: Caller, now: Moment) {
        let (key, number) = (self.key, slot_of(now));
        let Some(slot) = self.slots.get_mut(place(number)) else { return };
        if slot.number > number {
            return;
        }
        if slot.number < number {
            *slot = Slot { number, ..Slot::default() };
        }
        slot.take(caller, key);
    }

    /// What the callers of the last day did that `hit` picks, each with the address by which it is hit.
    pub fn of(&self, now: Moment, hit: impl Fn(&Caller) -> Option<Address>) -> Told {
        let live = self.live(now);
        let level = live.clone().map(|slot| slot.level).max().unwrap_or(0);
        let mut hits: BTreeMap<(Address, Caller), u64> = BTreeMap::new();
        for (caller, requests) in live.flat_map(|slot| &slot.callers) {
            // A slot that kept more than others is as coarse as they are, or one caller would count for several.
            if (level == 0 || rank(caller, self.key) >= level)
                && let Some(address) = hit(caller)
            {
                *hits.entry((address, *caller)).or_default() += u64::from(*requests);
            }
        }
        Picked { key: self.key, level, hits }.told()
    }

    /// From when on callers are remembered; none when there are none.
    pub fn since(&self, now: Moment) -> Option<Moment> {
        self.live(now).map(|slot| Moment(slot.number * SPAN)).min()
    }

    /// Slots of the last day with somebody in them.
    fn live(&self, now: Moment) -> impl Iterator<Item = &Slot> + Clone {
        let present = slot_of(now);
        self.slots.iter().filter(move |slot| slot.number + LIVES > present && !slot.callers.is_empty())
    }
}

impl Slot {
    fn take(&mut self, caller: Caller, key: SipKey) {
        if let Some(requests) = self.callers.get_mut(&caller) {
            *requests = requests.saturating_add(1);
            return;
        }
        if self.level > 0 && rank(&caller, key) < self.level {
            return;
        }
        while self.callers.len() >= MOST {
            self.thin(key);
        }
        if self.level == 0 || rank(&caller, key) >= self.level {
            self.callers.insert(caller, 1);
        }
    }

    /// Lets half of the callers go. Into a new table: one with holes would grow when it is filled again.
    fn thin(&mut self, key: SipKey) {
        self.level += 1;
        let mut kept = HashMap::with_capacity(MOST);
        kept.extend(self.callers.drain().filter(|(caller, _)| rank(caller, key) >= self.level));
        self.callers = kept;
    }
}

/// Callers that were picked, with the address by which each is hit.
struct Picked {
    key: SipKey,
    level: u32,
    hits: BTreeMap<(Address, Caller), u64>,
}

impl Picked {
    fn told(&self) -> Told {
        let token = |at: usize| move |caller: &Caller| caller.tokens.get(at).copied().unwrap_or(0);
        let [devices, sessions, users, keys] = [0, 1, 2, 3].map(|at| self.distinct(at, token(at)));
        let addresses: BTreeSet<Address> = self.hits.keys().map(|(_, caller)| caller.client).collect();
        let digests = addresses.iter().map(|address| digest(self.key, ADDRESS, address.octets()));
        let crowd = self.crowd(0, SubjectKind::Device).or_else(|| self.crowd(1, SubjectKind::Session));
        let addresses = Sketch::new(self.level, digests);
        Told { requests: self.requests(), devices, sessions, users, keys, addresses, crowd, partly: false }
    }

    fn requests(&self) -> Estimate {
        let chosen = self.hits.iter().filter(|((_, caller), _)| zeros_of(caller, self.key) >= self.level);
        Estimate::sum(chosen.map(|(_, requests)| *requests), self.hits.values().sum(), self.level)
    }

    /// The different identities of a kind; none when no caller had one.
    fn distinct(&self, at: usize, token: impl Fn(&Caller) -> u64) -> Option<Sketch> {
        let all: BTreeSet<u64> = self.hits.keys().map(|(_, caller)| token(caller)).filter(|one| *one != 0).collect();
        (!all.is_empty()).then(|| self.sketch(at, all))
    }

    fn sketch(&self, at: usize, tokens: BTreeSet<u64>) -> Sketch {
        Sketch::new(self.level, tokens.into_iter().map(|one| digest(self.key, at, &one.to_le_bytes())))
    }

    /// The address with the most identities of a kind behind it.
    fn crowd(&self, at: usize, kind: SubjectKind) -> Option<Crowd> {
        let mut behind: BTreeMap<Address, BTreeSet<u64>> = BTreeMap::new();
        for (address, caller) in self.hits.keys() {
            let token = caller.tokens.get(at).copied().unwrap_or(0);
            if token != 0 {
                behind.entry(*address).or_default().insert(token);
            }
        }
        let counted = behind.into_iter().map(|(address, all)| {
            let count = self.sketch(at, all).estimate();
            Crowd { address: address.into(), kind, count }
        });
        counted.max_by_key(|crowd| crowd.count.about)
    }
}

/// The most zeros that the digest of any part of a caller, or of the whole, ends in.
fn rank(caller: &Caller, key: SipKey) -> u32 {
    let tokens = caller.tokens.iter().enumerate().filter(|(_, digest)| **digest != 0);
    let tokens = tokens.map(|(at, digest)| zeros(key, at, &digest.to_le_bytes())).max().unwrap_or(0);
    tokens.max(zeros(key, ADDRESS, caller.client.octets())).max(zeros_of(caller, key))
}

/// The zeros that the digest of a whole caller ends in.
fn zeros_of(caller: &Caller, key: SipKey) -> u32 {
    let mut bytes = [0; 68];
    let parts: [&[u8]; 2] = [caller.source.octets(), caller.client.octets()];
    let service = caller.service.to_le_bytes();
    let tokens = caller.tokens.iter().flat_map(|digest| digest.to_le_bytes());
    let all = parts.concat().into_iter().chain(service).chain(tokens);
    bytes.iter_mut().zip(all).for_each(|(place, byte)| *place = byte);
    zeros(key, WHOLE, &bytes)
}

fn zeros(key: SipKey, part: usize, bytes: &[u8]) -> u32 {
    digest(key, part, bytes).trailing_zeros()
}

/// The digest of a part; `part` keeps equal bytes of different parts apart.
fn digest(key: SipKey, part: usize, bytes: &[u8]) -> u64 {
    let SipKey([first, second]) = key;
    siphash(SipKey([first ^ part as u64, second]), bytes)
}

const fn slot_of(now: Moment) -> u64 {
    now.0 / SPAN
}

fn place(number: u64) -> usize {
    usize::try_from(number % LIVES).unwrap_or(0)
}

/// Parts behind the four identities.
const ADDRESS: usize = TOKENS.len();
const WHOLE: usize = ADDRESS + 1;
