//! Owns `SETTINGS` and `HEARTBEAT`: the switches of the data path and the sign of life of the agent.
use aya_ebpf::{btf_maps::Array, macros::btf_map};
use enforcer_common::{ABI_VERSION, Settings};

use crate::clock;

#[btf_map]
static SETTINGS: Array<Settings, 1> = Array::new();

/// Written by the agent every second: monotonic nanoseconds.
#[btf_map]
static HEARTBEAT: Array<u64, 1> = Array::new();

/// The settings; nothing before the agent has written them, and then everything passes.
#[inline(always)]
pub fn read() -> Option<&'static Settings> {
    let settings = SETTINGS.get(0)?;
    if settings.abi == ABI_VERSION { Some(settings) } else { None }
}

/// True when the policy ends with the agent, and the agent has been silent for too long.
#[inline(always)]
pub fn lease_lost(settings: &Settings) -> bool {
    if settings.lease == 0 {
        return false;
    }
    match HEARTBEAT.get(0) {
        Some(beat) => clock::coarse().saturating_sub(*beat) > settings.lease,
        None => false,
    }
}
