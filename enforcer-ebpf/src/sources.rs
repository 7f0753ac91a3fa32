//! Owns the source tables (`GATE`, `FILTER`, `SOURCES4`, `SOURCES6`, `SPILL`): is this address blocked?
//!
//! The layout is told in `enforcer_common::source`. All but the spill trie are written through `mmap` by the agent.
use aya_ebpf::{
    btf_maps::{Array, LpmTrie, lpm_trie::Key},
    macros::btf_map,
};
use enforcer_common::{
    Address, Bucket4, Bucket6, Cell, Halves, Home, Outcome, Settings, SourceRule, SpillRule, Spread, always, home_of,
    host6, narrow, nodes_of, wide_mark,
};

use crate::{clock, settings};

const MMAPABLE: usize = aya_ebpf::bindings::BPF_F_MMAPABLE as usize;
const STRATA: u32 = 32;
/// Nested networks that are looked at in the spill trie. More than eight that are nested, spilled and expired (or only
/// observed) in front of one that refuses would pass: the trie holds what two full buckets could not, so that takes intent.
const SPILL_DEPTH: u32 = 8;

#[btf_map]
static GATE: Array<u64, 2, MMAPABLE> = Array::new();
#[btf_map]
static FILTER: Array<u64, 2, MMAPABLE> = Array::new();
#[btf_map]
static SOURCES4: Array<Bucket4, 2, MMAPABLE> = Array::new();
#[btf_map]
static SOURCES6: Array<Bucket6, 2, MMAPABLE> = Array::new();
#[btf_map]
static SPILL: LpmTrie<Address, SpillRule, 65_536> = LpmTrie::new();

/// What the tables say of `source`. Most clean addresses cost one array read, that of the gate; wide networks cost one more.
///
/// All three places are found by the address alone, so under attack, when the processor expects a hit, it reads them at once.
#[inline(always)]
pub fn judge(source: Halves, settings: &Settings) -> Outcome {
    let cell = Cell::of(source, &settings.geometry);
    let in_use = if source.is_v4() { settings.strata4 } else { settings.strata6 };
    let gate = cell.gate(settings.gate);
    if !GATE.get(gate.word).is_some_and(|word| *word & gate.bits != 0) {
        let wide = in_use ^ narrow(source.is_v4(), in_use);
        return if wide == 0 { Outcome::CLEAN } else { networks(source, settings, wide, u64::MAX) };
    }
    let Some(word) = FILTER.get(cell.word(settings.filter)) else { return Outcome::CLEAN };
    let unset = !*word;
    let outcome = host(source, settings, unset);
    if in_use == 0 || outcome.has(Outcome::REFUSE) {
        return outcome;
    }
    let narrow = if unset & cell.networks() == 0 { 0 } else { narrow(source.is_v4(), in_use) };
    outcome.and(networks(source, settings, in_use ^ narrow, unset))
}

/// What is said of the address itself, if the filter does not exclude it: `unset` are the bits that its word does not have.
#[inline(always)]
fn host(source: Halves, settings: &Settings, unset: u64) -> Outcome {
    let spread = Spread::of(source, &settings.geometry);
    if unset & spread.bits() != 0 {
        return Outcome::CLEAN;
    }
    Outcome(if source.is_v4() {
        enforcer_host4(source.low as u32, spread.bucket4(&settings.geometry))
    } else {
        enforcer_host6(source.high, source.low)
    })
}

/// What networks say of the address: of the strata `left`, less the wide ones if it lies in none of those.
#[inline(always)]
fn networks(source: Halves, settings: &Settings, left: u32, unset: u64) -> Outcome {
    let v4 = source.is_v4();
    let wide = left ^ narrow(v4, left) ^ always(v4, left);
    let asked = wide_mark(source, &settings.geometry);
    let is_outside = wide != 0 && FILTER.get(asked.word).is_some_and(|word| *word & asked.bits == 0);
    let left = if is_outside { left ^ wide } else { left };
    if left == 0 { Outcome::CLEAN } else { Outcome(enforcer_networks(source.high, source.low, left, unset)) }
}

/// What is said of a single IPv4 address. A function of its own (with a name the verifier can see), so that it is verified
/// once and not for every kind of packet.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn enforcer_host4(tag: u32, bucket: u32) -> u32 {
    let Some(home) = SOURCES4.get(bucket) else { return 0 };
    let mut rule = home.host(tag);
    if rule.raw() == 0 && home.is_full() {
        let Some(neighbour) = SOURCES4.get(bucket ^ 1) else { return 0 };
        rule = neighbour.host(tag);
        if rule.raw() == 0 && neighbour.is_full() {
            return spilled(Halves::v4(tag).address(), clock::seconds()).0;
        }
    }
    meaning(rule)
}

/// What is said of a single IPv6 address.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn enforcer_host6(high: u64, low: u64) -> u32 {
    let Some(settings) = settings::read() else { return 0 };
    let source = Halves { high, low };
    let Home { tag, check, bucket } = host6(source, &settings.geometry);
    let Some(home) = SOURCES6.get(bucket) else { return 0 };
    let mut rule = home.host(tag, check);
    if rule.raw() == 0 && home.is_full() {
        let Some(neighbour) = SOURCES6.get(bucket ^ 1) else { return 0 };
        rule = neighbour.host(tag, check);
        if rule.raw() == 0 && neighbour.is_full() {
            return spilled(source.address(), clock::seconds()).0;
        }
    }
    meaning(rule)
}

/// The clock is read only when a rule was found that ends.
#[inline(always)]
fn meaning(rule: SourceRule) -> u32 {
    if rule.raw() == 0 {
        return Outcome::CLEAN.0;
    }
    let now = if rule.is_forever() { 0 } else { clock::seconds() };
    rule.outcome(now).0
}

/// The strata in `strata`, one bit each, until one refuses; `unset` are the bits that the word of the cell does not have.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn enforcer_networks(high: u64, low: u64, strata: u32, unset: u64) -> u32 {
    let Some(settings) = settings::read() else { return 0 };
    let source = Halves { high, low };
    let cell = Cell::of(source, &settings.geometry);
    let told = narrow(source.is_v4(), strata);
    // Read before the first probe: the filter excludes most strata, often all.
    let mut now = 0;
    let mut outcome = Outcome::CLEAN;
    let mut left = strata;
    // The bound is for the verifier.
    for _ in 0..STRATA {
        if left == 0 || outcome.has(Outcome::REFUSE) {
            break;
        }
        let stratum = left.trailing_zeros();
        left &= left - 1;
        if told >> stratum & 1 == 0 || unset & cell.stratum(stratum) == 0 {
            if now == 0 {
                now = clock::seconds();
            }
            outcome = outcome.and(Outcome(enforcer_probe(high, low, stratum, now)));
        }
    }
    outcome.0
}

/// One stratum: the home bucket, its neighbour when that is full, the spill trie when both are.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn enforcer_probe(high: u64, low: u64, stratum: u32, now: u32) -> u32 {
    let Some(settings) = settings::read() else { return 0 };
    let source = Halves { high, low };
    let home = home_of(source, stratum, &settings.geometry);
    let nodes = nodes_of(source, stratum);
    let mut outcome = scan(source, home, home.bucket, nodes, now);
    if outcome.has(Outcome::FULL) && !outcome.has(Outcome::REFUSE) {
        let second = scan(source, home, home.bucket ^ 1, nodes, now);
        outcome = Outcome(outcome.0 & !Outcome::FULL.0).and(second);
    }
    if outcome.has(Outcome::FULL) && !outcome.has(Outcome::REFUSE) {
        outcome = outcome.and(spilled(source.address(), now));
    }
    outcome.0
}

#[inline(always)]
fn scan(source: Halves, home: Home, bucket: u32, nodes: u32, now: u32) -> Outcome {
    if source.is_v4() {
        SOURCES4.get(bucket).map_or(Outcome::CLEAN, |b| b.scan(home.tag as u32, nodes, now))
    } else {
        SOURCES6.get(bucket).map_or(Outcome::CLEAN, |b| b.scan(home.tag, home.check, nodes, now))
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
