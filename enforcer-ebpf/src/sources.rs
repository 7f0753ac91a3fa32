//! Owns the source tables (`SUMMARY`, `SOURCES4`, `SOURCES6`, `SPILL`): is this address blocked?
//!
//! The layout is told in `enforcer_common::source`. All but the spill trie are written through `mmap` by the agent.
use aya_ebpf::{
    btf_maps::{Array, LpmTrie, lpm_trie::Key},
    macros::btf_map,
};
use enforcer_common::{
    Address, Bucket4, Bucket6, CELLS, Cell, HOST, Home, Outcome, Settings, SourceRule, SpillRule, cell_of, home_of,
    nodes_of, strata_to_probe,
};

use crate::{clock, settings};

const MMAPABLE: usize = aya_ebpf::bindings::BPF_F_MMAPABLE as usize;
const STRATA: u32 = 32;
/// The strata before are of lengths that only IPv6 has.
const FIRST_V4: u32 = 24;
/// Nested networks that are looked at in the spill trie. More than eight that are nested, spilled and expired (or only
/// observed) in front of one that refuses would pass: the trie holds what two full buckets could not, so that takes intent.
const SPILL_DEPTH: u32 = 8;

#[btf_map]
static SUMMARY: Array<u64, { CELLS / 32 }, MMAPABLE> = Array::new();
#[btf_map]
static SOURCES4: Array<Bucket4, 2, MMAPABLE> = Array::new();
#[btf_map]
static SOURCES6: Array<Bucket6, 2, MMAPABLE> = Array::new();
#[btf_map]
static SPILL: LpmTrie<Address, SpillRule, 65_536> = LpmTrie::new();

/// What the tables say of `address`. A clean address outside listed neighbourhoods costs one array read.
#[inline(always)]
pub fn judge(address: Address, settings: &Settings) -> Outcome {
    let v4 = address.is_v4();
    let cell = cell_of(address, &settings.geometry);
    let marks = SUMMARY.get(cell.word()).map_or(0, |word| *word >> cell.shift()) & 3;
    let in_use = if v4 { settings.strata4 } else { settings.strata6 };
    let networks = strata_to_probe(v4, in_use, marks);
    if marks & Cell::HOSTS == 0 && networks == 0 {
        return Outcome::CLEAN;
    }
    let now = clock::seconds();
    let mut outcome = Outcome::CLEAN;
    if marks & Cell::HOSTS != 0 {
        outcome = hosts(address, settings, now);
    }
    if networks != 0 && !outcome.has(Outcome::REFUSE) {
        outcome = outcome.and(Outcome(enforcer_networks(address.high(), address.low(), networks, now)));
    }
    outcome
}

/// What is said of a single address. IPv4, the common case, goes straight to its bucket.
#[inline(always)]
fn hosts(address: Address, settings: &Settings, now: u32) -> Outcome {
    if address.is_v4() {
        let home = home_of(address, HOST, &settings.geometry);
        let raw = enforcer_host4(home.tag as u32, home.bucket);
        if raw == 0 {
            return Outcome::CLEAN;
        }
        if raw != OVERFLOW {
            return SourceRule::from_raw(raw as u32).outcome(now);
        }
    }
    Outcome(enforcer_probe(address.high(), address.low(), HOST, now))
}

/// No slot of a bucket is free, and none is the one.
const OVERFLOW: u64 = 1 << 32;

/// The rule of a single IPv4 address in its first bucket; 0 for none, [`OVERFLOW`] when the search must go on elsewhere.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn enforcer_host4(tag: u32, bucket: u32) -> u64 {
    let Some(bucket) = SOURCES4.get(bucket) else { return 0 };
    for slot in &bucket.slots {
        let slot = *slot;
        if slot == 0 {
            return 0;
        }
        let rule = SourceRule::from_raw(slot as u32);
        if (slot >> 32) as u32 == tag && rule.raw() != 0 && rule.node() == 0 {
            return u64::from(rule.raw());
        }
    }
    OVERFLOW
}

/// Every stratum in `networks`, one bit each, until one refuses.
///
/// A function of its own (with a name the verifier can see), so that it is verified once and not for every kind of packet.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn enforcer_networks(high: u64, low: u64, networks: u32, now: u32) -> u32 {
    let mut outcome = Outcome::CLEAN;
    let mut stratum = if networks & 0x00ff_ffff == 0 { FIRST_V4 } else { 0 };
    while stratum < STRATA {
        if networks >> stratum & 1 == 1 {
            outcome = outcome.and(Outcome(enforcer_probe(high, low, stratum, now)));
        }
        if outcome.has(Outcome::REFUSE) {
            break;
        }
        stratum += 1;
    }
    outcome.0
}

/// One stratum: the home bucket, its neighbour when that is full, the spill trie when both are.
/// A function of its own, like the one above.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn enforcer_probe(high: u64, low: u64, stratum: u32, now: u32) -> u32 {
    let Some(settings) = settings::read() else { return 0 };
    let address = Address::from_halves(high, low);
    let home = home_of(address, stratum, &settings.geometry);
    let nodes = nodes_of(address, stratum);
    let mut outcome = scan(address, home, home.bucket, nodes, now);
    if outcome.has(Outcome::FULL) && !outcome.has(Outcome::REFUSE) {
        let second = scan(address, home, home.bucket ^ 1, nodes, now);
        outcome = Outcome(outcome.0 & !Outcome::FULL.0).and(second);
    }
    if outcome.has(Outcome::FULL) && !outcome.has(Outcome::REFUSE) {
        outcome = outcome.and(spilled(address, now));
    }
    outcome.0
}

#[inline(always)]
fn scan(address: Address, home: Home, bucket: u32, nodes: u32, now: u32) -> Outcome {
    if address.is_v4() {
        SOURCES4.get(bucket).map_or(Outcome::CLEAN, |b| b.scan(home.tag as u32, nodes, now))
    } else {
        SOURCES6.get(bucket).map_or(Outcome::CLEAN, |b| b.scan(home.tag, nodes, now))
    }
}

/// The longest match, and every shorter one for as long as matches only expired or observe.
#[inline(always)]
fn spilled(address: Address, now: u32) -> Outcome {
    let mut outcome = Outcome::CLEAN;
    let mut bits = 128;
    for _ in 0..SPILL_DEPTH {
        let Some(found) = SPILL.get(&Key::new(bits, address)) else { break };
        outcome = outcome.and(SourceRule::from_raw(found.rule).outcome(now));
        if outcome.has(Outcome::REFUSE) || found.bits == 0 {
            break;
        }
        bits = found.bits - 1;
    }
    outcome
}
