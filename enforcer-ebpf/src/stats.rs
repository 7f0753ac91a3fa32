//! Owns `COUNTERS` and `SERVICE_COUNTERS`: exact counts per CPU, by reason and by service.
use core::arch::asm;

use aya_ebpf::{
    btf_maps::{PerCpuArray, PerCpuHashMap},
    macros::btf_map,
};
use enforcer_common::{Counter, Reason, ServiceCounters, Verdict, limits};

#[btf_map]
static COUNTERS: PerCpuArray<Counter, { Reason::COUNT }> = PerCpuArray::new();

/// Keyed by service id; the agent makes the entries.
#[btf_map]
static SERVICE_COUNTERS: PerCpuHashMap<u32, ServiceCounters, { limits::SERVICES }> = PerCpuHashMap::new();

/// One packet or request, with its bytes.
#[inline(always)]
pub fn count(reason: Reason, bytes: u64) {
    if let Some(counter) = COUNTERS.get_ptr_mut(reason as u32) {
        // SAFETY: this CPU's own value; programs are not preempted by themselves.
        unsafe {
            (*counter).count += 1;
            (*counter).bytes += bytes;
        }
    }
}

/// One request of a service.
#[inline(always)]
pub fn request(service: u32, verdict: Verdict) {
    if let Some(counters) = SERVICE_COUNTERS.get_ptr_mut(service) {
        let mut index = verdict as usize;
        // The compiler knows that a verdict is small, the verifier does not: hide it from the one, so that the bounds check
        // stays for the other. SAFETY: adds nothing.
        unsafe { asm!("{0} += 0", inout(reg) index, options(pure, nomem, nostack)) };
        // SAFETY: this CPU's own value.
        if let Some(requests) = unsafe { (*counters).requests.get_mut(index) } {
            *requests += 1;
        }
    }
}
