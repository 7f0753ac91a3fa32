//! The kernel room: three programs, one verdict table.
//!
//! ```text
//! packet  -> xdp.rs  bypass? blocked source? blocked flow?          -> Reason -> verdict.rs -> pass | drop
//! segment -> tc.rs   service port? which request?  blocked identity?  -> Reason -> verdict.rs -> pass | deny | reset | drop
//! answer  -> egress.rs  of a socket that was asked?  -> answers/ -> counts, samples; it always passes
//! ```
//!
//! In: packets and the policy maps. Out: verdicts, counters, events. Never here: policy, allocation, unbounded work. What
//! cannot be read passes and is counted. To add a check, give it a `Reason`, a line in `xdp.rs` or `tc.rs`, a row in the
//! verdict table. The pure parts (packet, http) compile for the host too, where they are tested on every prefix.
#![cfg_attr(target_arch = "bpf", no_std, no_main, feature(asm_experimental_arch))]
#![cfg_attr(
    not(target_arch = "bpf"),
    allow(dead_code, unused_imports, reason = "the host build only tests the pure parts")
)]
#![expect(unreachable_pub, reason = "a program has no outside; `pub` says what a room offers the others")]
#![expect(
    clippy::cast_possible_truncation,
    clippy::inline_always,
    clippy::manual_div_ceil,
    clippy::match_same_arms,
    reason = "what is written here is read by a verifier: one function where the source has one, plain arithmetic, rows of a table"
)]

#[cfg(target_arch = "bpf")]
mod allowlist;
#[cfg(target_arch = "bpf")]
mod answers;
#[cfg(target_arch = "bpf")]
mod clock;
#[cfg(target_arch = "bpf")]
mod egress;
#[cfg(target_arch = "bpf")]
mod events;
#[cfg(target_arch = "bpf")]
mod flows;
#[cfg(target_arch = "bpf")]
mod forwarded;
mod http;
#[cfg(target_arch = "bpf")]
mod identities;
#[cfg(target_arch = "bpf")]
mod limits;
mod packet;
#[cfg(target_arch = "bpf")]
mod places;
#[cfg(target_arch = "bpf")]
mod refusal;
#[cfg(target_arch = "bpf")]
mod request;
#[cfg(target_arch = "bpf")]
mod samples;
#[cfg(target_arch = "bpf")]
mod services;
#[cfg(target_arch = "bpf")]
mod settings;
#[cfg(target_arch = "bpf")]
mod sources;
#[cfg(target_arch = "bpf")]
mod stats;
mod stream;
#[cfg(target_arch = "bpf")]
mod tc;
mod verdict;
#[cfg(target_arch = "bpf")]
mod xdp;

/// Every packet that arrives on a protected interface.
#[cfg(target_arch = "bpf")]
#[aya_ebpf::macros::xdp(frags)]
pub fn enforcer_xdp(ctx: aya_ebpf::programs::XdpContext) -> u32 {
    xdp::run(&ctx)
}

/// The same for the generic mode. Not for packets in pieces, so the kernel joins them: what it does instead for a program
/// that takes pieces loses the length of the link header, and the classifier behind would be shown no Ethernet header.
#[cfg(target_arch = "bpf")]
#[aya_ebpf::macros::xdp]
pub fn enforcer_joined(ctx: aya_ebpf::programs::XdpContext) -> u32 {
    xdp::run(&ctx)
}

/// Every segment that arrives on an interface of a service.
#[cfg(target_arch = "bpf")]
#[aya_ebpf::macros::classifier]
pub fn enforcer_tc(ctx: aya_ebpf::programs::TcContext) -> i32 {
    tc::run(&ctx)
}

/// Every segment that leaves through an interface of a service.
#[cfg(target_arch = "bpf")]
#[aya_ebpf::macros::classifier]
pub fn enforcer_egress(ctx: aya_ebpf::programs::TcContext) -> i32 {
    egress::run(&ctx)
}

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
