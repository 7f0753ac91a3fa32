//! The kernel programs of the benchmark.
//!
//! ```text
//! bench_flood   rewrites the source of a live frame by the plan, and sends the frame to an interface
//! bench_vary    rewrites the source by the plan, then jumps to the program in TARGET: that program sees a new source each run
//! bench_drop    bare XDP_DROP          bench_count   read the source, count, drop
//! bench_pass    bare XDP_PASS          bench_parse   read the source, count, pass
//! ```
//! In: frames made by the benchmark. Out: traffic and baselines. Never here: anything the product needs.
#![cfg_attr(target_arch = "bpf", no_std, no_main, feature(asm_experimental_arch))]
#![cfg_attr(
    target_arch = "bpf",
    expect(
        clippy::cast_possible_truncation,
        clippy::inline_always,
        reason = "halves of numbers are meant, and a verifier reads one function where the source has one"
    )
)]

#[cfg(target_arch = "bpf")]
mod programs;

/// Loops for ever, so that the verifier refuses a program from which it could be reached.
#[cfg(target_arch = "bpf")]
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

/// A GPL-compatible licence is what the kernel asks for before it lends its helpers.
#[cfg(target_arch = "bpf")]
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

#[cfg(not(target_arch = "bpf"))]
fn main() {}
