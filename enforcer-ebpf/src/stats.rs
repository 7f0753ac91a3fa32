//! Owns `COUNTERS` and `SERVICE_COUNTERS`: exact counts per CPU, by reason and by service.
use core::arch::asm;

use aya_ebpf::{
    btf_maps::{PerCpuArray, PerCpuHashMap},
    macros::btf_map,
};
use enforcer_common::{Counter, Reason, ServiceCounters, Times, Verdict, limits};

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

/// One answer of a service, with its bytes; `times` are those of its first and its last byte.
#[inline(always)]
pub fn answer(service: u32, status: u32, bytes: u64, times: [u64; 2]) {
    if let Some(counters) = SERVICE_COUNTERS.get_ptr_mut(service) {
        // SAFETY: this CPU's own value.
        let counters = unsafe { &mut *counters };
        let class = near(u64::from(status / 100));
        if let Some(answers) = counters.answers.get_mut(if class < 6 { class } else { 0 } as usize) {
            *answers += 1;
        }
        counters.bytes += bytes;
        add(&mut counters.first_byte, times[0]);
        add(&mut counters.whole, times[1]);
    }
}

/// Adds a time to a histogram.
#[inline(always)]
fn add(histogram: &mut Times, time: u64) {
    let bucket = near(Times::bucket(time) as u64) as usize;
    if let Some(count) = histogram.buckets.get_mut(bucket) {
        *count += 1;
    }
    histogram.sum += time;
}

/// The compiler knows that an index is small, the verifier does not: hidden from the one, so that the bounds check stays for
/// the other.
#[inline(always)]
fn near(mut index: u64) -> u64 {
    // SAFETY: adds nothing.
    unsafe { asm!("{0} += 0", inout(reg) index, options(pure, nomem, nostack)) };
    index
}

/// One request of a service.
#[inline(always)]
pub fn request(service: u32, verdict: Verdict) {
    if let Some(counters) = SERVICE_COUNTERS.get_ptr_mut(service) {
        // SAFETY: this CPU's own value.
        if let Some(requests) = unsafe { (*counters).requests.get_mut(near(verdict as u64) as usize) } {
            *requests += 1;
        }
    }
}
