//! Owns `EVENTS`, `EVENT_COUNTS` and `LAST_EVENT`: what the agent is told.
//!
//! Under an attack packets are dropped by the million and the ring would only ever hold the last few: packet events are
//! sampled by time, one per CPU and gap. Requests are told each; when the ring is full the loss is counted.
use aya_ebpf::{
    btf_maps::{PerCpuArray, RingBuf},
    macros::btf_map,
};
use enforcer_common::{Event, Settings};

#[btf_map]
static EVENTS: RingBuf<Event, { 1 << 20 }> = RingBuf::new();
/// 0: told, 1: lost, 2: not sampled; 3 and 4: samples told and lost.
#[btf_map]
static EVENT_COUNTS: PerCpuArray<u64, 5> = PerCpuArray::new();
#[btf_map]
static LAST_EVENT: PerCpuArray<u64, 1> = PerCpuArray::new();

const TOLD: u32 = 0;
const LOST: u32 = 1;
const UNSAMPLED: u32 = 2;
const SAMPLES_TOLD: u32 = 3;
const SAMPLES_LOST: u32 = 4;

/// True when this CPU told of no packet within the gap, so that this one is to be told. Counts those that are not.
#[inline(always)]
pub fn due(settings: &Settings, now: u64) -> bool {
    let due = gap_is_over(settings.event_gap, now);
    if !due {
        tally(UNSAMPLED);
    }
    due
}

/// Tells of a packet that is due, or of a request.
#[inline(always)]
pub fn tell(event: &Event) {
    match EVENTS.output(event, 0) {
        Ok(()) => tally(TOLD),
        Err(_) => tally(LOST),
    }
}

/// Counts a sample.
#[inline(always)]
pub fn sampled(told: bool) {
    tally(if told { SAMPLES_TOLD } else { SAMPLES_LOST });
}

#[inline(always)]
fn gap_is_over(gap: u64, now: u64) -> bool {
    let Some(last) = LAST_EVENT.get_ptr_mut(0) else { return false };
    // SAFETY: this CPU's own value.
    unsafe {
        let due = now.wrapping_sub(*last) >= gap;
        if due {
            *last = now;
        }
        due
    }
}

#[inline(always)]
fn tally(index: u32) {
    if let Some(count) = EVENT_COUNTS.get_ptr_mut(index) {
        // SAFETY: this CPU's own value.
        unsafe { *count += 1 };
    }
}
