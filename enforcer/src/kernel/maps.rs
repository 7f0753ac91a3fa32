//! The maps, typed: reads and writes one entry at a time, and knows how full each is.
use std::collections::BTreeMap;
use std::io;

use aya::Ebpf;
use aya::maps::lpm_trie::{Key, LpmTrie};
use aya::maps::{Array, HashMap, Map, MapData, MapError, PerCpuArray, PerCpuHashMap};
use enforcer_common::{
    Address, AllowKey, AllowRule, Counter, Denied, FlowKey, IdentityKey, Notice, Place, Rule, ServiceCounters,
    ServiceKey, ServiceRule, Settings, SpillKey, SpillRule, WIDE_WORDS, Watchlist, limits,
};

use super::KernelError;
use super::filter::{self, Filter};
use super::mapped::Mapped;
use super::named::Named;
use super::object::Sizes;
use super::sources::Sources;

/// Maps that are pinned: everything a program or an agent must find again. Scratch space is not among them.
pub(super) const PINNED: [&str; 29] = [
    "ALLOW",
    "BUCKETS",
    "COUNTERS",
    "DENIED",
    "EVENTS",
    "EVENT_COUNTS",
    "FILTER",
    "FLOWS",
    "GATE",
    "HEADS",
    "HEARTBEAT",
    "IDENTITIES",
    "LAST_DENIAL",
    "NAMED",
    "NOTICES",
    "OPENINGS",
    "PLACES",
    "SAMPLES",
    "SERVICES",
    "SERVICE_COUNTERS",
    "SESSION_USERS",
    "SETTINGS",
    "SK_STREAMS",
    "SOURCES4",
    "SOURCES6",
    "SPILL",
    "STREAMS",
    "TICKETS",
    "WATCHLISTS",
];

/// How full a map is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fill {
    /// The map.
    pub map: &'static str,
    /// Entries in use.
    pub used: u64,
    /// Entries it can hold.
    pub capacity: u64,
}

/// The typed maps.
pub(super) struct Maps {
    pub(super) settings: Array<MapData, Settings>,
    pub(super) heartbeat: Array<MapData, u64>,
    pub(super) counters: PerCpuArray<MapData, Counter>,
    pub(super) event_counts: PerCpuArray<MapData, u64>,
    pub(super) service_counters: PerCpuHashMap<MapData, u32, ServiceCounters>,
    pub(super) flows: Counted<FlowKey, Rule>,
    pub(super) identities: Counted<IdentityKey, Rule>,
    pub(super) named: Named,
    /// How far limited subjects have used up their rate, as `enforcer_common::Bucket`.
    pub(super) buckets: HashMap<MapData, IdentityKey, u64>,
    pub(super) services: Counted<ServiceKey, ServiceRule>,
    pub(super) allow: Trie<AllowRule>,
    pub(super) spill: Trie<SpillRule>,
    pub(super) notices: Array<MapData, Notice>,
    pub(super) watchlists: Array<MapData, Watchlist>,
    pub(super) places: Array<MapData, PlaceCell>,
    pub(super) denied: HashMap<MapData, FlowKey, Denied>,
    /// Users by session, both as digests.
    pub(super) session_users: HashMap<MapData, u64, u64>,
    pub(super) sources: Sources,
    /// A copy of the strata in use, IPv4 and IPv6: read for every network that is added.
    pub(super) strata: [u32; 2],
    pub(super) sizes: Sizes,
}

impl Maps {
    /// Takes the maps out of the loaded object.
    pub(super) fn take(ebpf: &mut Ebpf, sizes: Sizes) -> Result<Self, KernelError> {
        let settings: Array<MapData, Settings> = typed(ebpf, "SETTINGS")?;
        let limits = sizes.limits;
        let strata = settings.get(&0, 0).map_or([0; 2], |held| [held.strata4, held.strata6]);
        let sources = Sources {
            filter: Filter::new(
                mapped(ebpf, "FILTER", (WIDE_WORDS + sizes.filter) as usize)?,
                mapped(ebpf, "GATE", sizes.gate() as usize)?,
                sizes.geometry,
                settings.get(&0, 0).map_or(0, |held| held.filter).max(filter::FIRST - 1),
            ),
            v4: mapped(ebpf, "SOURCES4", sizes.buckets4 as usize * 8)?,
            v6: mapped(ebpf, "SOURCES6", sizes.buckets6 as usize * 8)?,
            geometry: sizes.geometry,
            used4: 0,
            used6: 0,
        };
        Ok(Self {
            settings,
            heartbeat: typed(ebpf, "HEARTBEAT")?,
            counters: typed(ebpf, "COUNTERS")?,
            event_counts: typed(ebpf, "EVENT_COUNTS")?,
            service_counters: typed(ebpf, "SERVICE_COUNTERS")?,
            flows: Counted::new(typed(ebpf, "FLOWS")?, "flows", limits.flows, |_| 0)?,
            identities: Counted::new(typed(ebpf, "IDENTITIES")?, "identities", limits.identities, kind_of)?,
            named: Named::new(mapped(ebpf, "NAMED", sizes.named as usize)?),
            services: Counted::new(typed(ebpf, "SERVICES")?, "services", SERVICE_PORTS, |_| 0)?,
            allow: Trie::new(typed(ebpf, "ALLOW")?, "allow", "allow", limits.allow)?,
            spill: Trie::new(typed(ebpf, "SPILL")?, "spill", "spill", limits.spill)?,
            notices: typed(ebpf, "NOTICES")?,
            watchlists: typed(ebpf, "WATCHLISTS")?,
            places: typed(ebpf, "PLACES")?,
            buckets: typed(ebpf, "BUCKETS")?,
            denied: typed(ebpf, "DENIED")?,
            session_users: typed(ebpf, "SESSION_USERS")?,
            sources,
            strata,
            sizes,
        })
    }

    /// How full each map is that can be full.
    pub(super) fn fill(&self) -> Vec<Fill> {
        let limits = &self.sizes.limits;
        let fill = |map, used: u64, capacity: u32| Fill { map, used, capacity: u64::from(capacity) };
        vec![
            fill("allow", self.allow.entries.len() as u64, limits.allow),
            fill("flows", self.flows.used, limits.flows),
            fill("identities", self.identities.used, limits.identities),
            fill("services", self.services.used, SERVICE_PORTS),
            fill("sources_v4", self.sources.used4, limits.addresses_v4),
            fill("sources_v6", self.sources.used6, limits.addresses_v6),
            fill("spill", self.spill.entries.len() as u64, limits.spill),
        ]
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a small constant")]
const SERVICE_PORTS: u32 = limits::SERVICE_PORTS as u32;

/// A place as bytes.
#[repr(transparent)]
#[derive(Clone, Copy)]
pub(super) struct PlaceCell(pub(super) Place);

// SAFETY: `#[repr(C)]` inside, `Copy`, no padding that is not named, every bit pattern valid.
unsafe impl aya::Pod for PlaceCell {}

/// The class of an identity is its kind.
fn kind_of(key: &IdentityKey) -> usize {
    key.kind().map_or(0, |kind| kind as usize)
}

/// A hash map whose entries are counted as they come and go, apart by a class of the key.
pub(super) struct Counted<K: aya::Pod, V: aya::Pod> {
    map: HashMap<MapData, K, V>,
    /// Of the map, and of the setting that says how large it is.
    name: &'static str,
    limit: u32,
    class: fn(&K) -> usize,
    pub(super) used: u64,
    pub(super) used_by_class: [u64; CLASSES],
}

/// More than there are kinds of subjects.
const CLASSES: usize = 8;

const NO_EXIST: u64 = 1;
const EXIST: u64 = 2;

impl<K: aya::Pod + Ord, V: aya::Pod> Counted<K, V> {
    fn new(
        map: HashMap<MapData, K, V>,
        name: &'static str,
        limit: u32,
        class: fn(&K) -> usize,
    ) -> Result<Self, KernelError> {
        let mut counted = Self { map, name, limit, class, used: 0, used_by_class: [0; CLASSES] };
        counted.recount()?;
        Ok(counted)
    }

    /// Counts what the kernel holds now.
    pub(super) fn recount(&mut self) -> Result<(), KernelError> {
        self.recount_with(|_| ())
    }

    /// The same, and shows each key.
    pub(super) fn recount_with(&mut self, mut show: impl FnMut(&K)) -> Result<(), KernelError> {
        let mut counts = [0; CLASSES];
        for key in self.map.keys() {
            let key = key.map_err(|error| unusable(self.name, &error))?;
            counts[(self.class)(&key) % CLASSES] += 1;
            show(&key);
        }
        (self.used, self.used_by_class) = (counts.iter().sum(), counts);
        Ok(())
    }

    /// Adds an entry or replaces it whole.
    pub(super) fn put(&mut self, key: K, value: V) -> Result<(), KernelError> {
        match self.map.insert(key, value, NO_EXIST) {
            Ok(()) => {
                self.used += 1;
                self.used_by_class[(self.class)(&key) % CLASSES] += 1;
                Ok(())
            }
            Err(error) if errno(&error) == Some(libc::EEXIST) => {
                self.map.insert(key, value, EXIST).map_err(|error| unusable(self.name, &error))
            }
            Err(error) => Err(refused(self.name, self.name, self.limit, &error)),
        }
    }

    /// Takes an entry out; false when there was none.
    pub(super) fn remove(&mut self, key: &K) -> Result<bool, KernelError> {
        match self.map.remove(key) {
            Ok(()) => {
                self.used = self.used.saturating_sub(1);
                let class = &mut self.used_by_class[(self.class)(key) % CLASSES];
                *class = class.saturating_sub(1);
                Ok(true)
            }
            Err(error) if is_absent(&error) => Ok(false),
            Err(error) => Err(unusable(self.name, &error)),
        }
    }

    /// The entry, as the kernel holds it now.
    pub(super) fn read(&self, key: &K) -> Result<Option<V>, KernelError> {
        match self.map.get(key, 0) {
            Ok(value) => Ok(Some(value)),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(unusable(self.name, &error)),
        }
    }

    /// Everything, as the kernel holds it now.
    pub(super) fn all(&self) -> Result<BTreeMap<K, V>, KernelError> {
        self.map.iter().collect::<Result<_, _>>().map_err(|error| unusable(self.name, &error))
    }
}

/// A longest-prefix trie with a copy of its entries: the kernel cannot look one up exactly.
pub(super) struct Trie<V: aya::Pod> {
    map: LpmTrie<MapData, [u8; 16], V>,
    name: &'static str,
    key: &'static str,
    limit: u32,
    pub(super) entries: BTreeMap<SpillKey, V>,
}

impl<V: aya::Pod> Trie<V> {
    fn new(
        map: LpmTrie<MapData, [u8; 16], V>,
        name: &'static str,
        key: &'static str,
        limit: u32,
    ) -> Result<Self, KernelError> {
        let mut trie = Self { map, name, key, limit, entries: BTreeMap::new() };
        trie.reread()?;
        Ok(trie)
    }

    /// Makes the copy what the kernel holds now.
    pub(super) fn reread(&mut self) -> Result<(), KernelError> {
        self.entries = self.all()?;
        Ok(())
    }

    /// Adds an entry or replaces it.
    pub(super) fn put(&mut self, key: SpillKey, value: V) -> Result<(), KernelError> {
        self.map.insert(&trie_key(key), value, 0).map_err(|error| refused(self.name, self.key, self.limit, &error))?;
        self.entries.insert(key, value);
        Ok(())
    }

    /// Takes an entry out; false when there was none.
    pub(super) fn remove(&mut self, key: SpillKey) -> Result<bool, KernelError> {
        if self.entries.remove(&key).is_none() {
            return Ok(false);
        }
        match self.map.remove(&trie_key(key)) {
            Err(error) if !is_absent(&error) => Err(unusable(self.name, &error)),
            _ => Ok(true),
        }
    }

    /// Everything, as the kernel holds it now.
    pub(super) fn all(&self) -> Result<BTreeMap<SpillKey, V>, KernelError> {
        let entry = |found: Result<(Key<[u8; 16]>, V), MapError>| {
            found.map(|(key, value)| (SpillKey { bits: key.prefix_len(), address: Address::v6(key.data()) }, value))
        };
        self.map.iter().map(entry).collect::<Result<_, _>>().map_err(|error| unusable(self.name, &error))
    }
}

impl Trie<AllowRule> {
    /// The allowlist's own form of the entries.
    pub(super) fn rules(entries: BTreeMap<SpillKey, AllowRule>) -> BTreeMap<AllowKey, AllowRule> {
        entries.into_iter().map(|(key, rule)| (AllowKey { bits: key.bits, address: key.address }, rule)).collect()
    }
}

fn trie_key(key: SpillKey) -> Key<[u8; 16]> {
    Key::new(key.bits, *key.address.octets())
}

/// One of the object's maps, by name.
fn typed<T: TryFrom<Map, Error = MapError>>(ebpf: &mut Ebpf, name: &'static str) -> Result<T, KernelError> {
    let map = ebpf.take_map(name).ok_or_else(|| missing(name))?;
    T::try_from(map).map_err(|error| unusable(name, &error))
}

/// An array map as shared memory.
fn mapped(ebpf: &mut Ebpf, name: &'static str, words: usize) -> Result<Mapped, KernelError> {
    let Map::Array(data) = ebpf.take_map(name).ok_or_else(|| missing(name))? else {
        return Err(KernelError::Map { map: name, reason: "not an array".to_owned() });
    };
    Mapped::new(data, words)
}

fn missing(map: &'static str) -> KernelError {
    KernelError::Map { map, reason: "the object does not have it".to_owned() }
}

fn unusable(map: &'static str, error: &MapError) -> KernelError {
    KernelError::Map { map, reason: error.to_string() }
}

fn refused(map: &'static str, key: &'static str, limit: u32, error: &MapError) -> KernelError {
    match errno(error) {
        Some(libc::E2BIG | libc::ENOSPC) => KernelError::Full { map, limit: u64::from(limit), key },
        _ => unusable(map, error),
    }
}

fn is_absent(error: &MapError) -> bool {
    matches!(error, MapError::KeyNotFound | MapError::ElementNotFound) || errno(error) == Some(libc::ENOENT)
}

fn errno(error: &MapError) -> Option<i32> {
    let MapError::SyscallError(failed) = error else { return None };
    io::Error::raw_os_error(&failed.io_error)
}
