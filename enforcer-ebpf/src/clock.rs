//! The kernel's monotonic clock.
use aya_ebpf::helpers::{bpf_ktime_get_ns, generated::bpf_ktime_get_coarse_ns};

const SECOND: u64 = 1_000_000_000;

/// Nanoseconds, as of the last timer tick: a sixth of the price of [`exact`].
#[inline(always)]
pub fn coarse() -> u64 {
    // SAFETY: takes no arguments, reads the clock.
    unsafe { bpf_ktime_get_coarse_ns() }
}

/// Nanoseconds.
#[inline(always)]
pub fn exact() -> u64 {
    // SAFETY: takes no arguments, reads the clock.
    unsafe { bpf_ktime_get_ns() }
}

/// Whole seconds, as of the last timer tick.
#[inline(always)]
pub fn seconds() -> u32 {
    (coarse() / SECOND) as u32
}
