//! The programs. All are marked `frags`, like the product's: a jump is allowed only between programs that agree on it.
#![expect(unreachable_pub, reason = "the attribute puts an entry point of its own around each function")]
use core::arch::asm;

use aya_ebpf::{
    bindings::xdp_action::{XDP_ABORTED, XDP_DROP, XDP_PASS},
    btf_maps::{Array, PerCpuArray, ProgramArray},
    helpers::bpf_redirect,
    macros::{btf_map, xdp},
    programs::XdpContext,
};
use bench_ebpf::{Plan, Shape, throw};

#[btf_map]
static PLAN: Array<[u64; 6], 1> = Array::new();
/// State of the dice.
#[btf_map]
static DICE: PerCpuArray<u64, 1> = PerCpuArray::new();
/// What `bench_vary` measures.
#[btf_map]
static TARGET: ProgramArray<1> = ProgramArray::new();
/// Packets, and a mixture of their sources: without a use of it, reading the source would be left out.
#[btf_map]
static COUNTS: PerCpuArray<[u64; 2], 1> = PerCpuArray::new();

const ETHERNET: usize = 14;
const IPV4: usize = 20;
const IPV6: usize = 40;
/// As it lies in the packet.
const ETHERTYPE_IPV4: u64 = 0x0008;
const ETHERTYPE_IPV6: u64 = 0xdd86;

/// Sends the frame on with another source.
#[xdp(frags)]
pub fn bench_flood(ctx: XdpContext) -> u32 {
    match rewrite(&ctx) {
        // SAFETY: takes numbers only.
        Some(interface) => unsafe { bpf_redirect(interface, 0) as u32 },
        None => XDP_ABORTED,
    }
}

/// Shows the frame to another program with another source.
#[xdp(frags)]
pub fn bench_vary(ctx: XdpContext) -> u32 {
    if rewrite(&ctx).is_some() {
        // SAFETY: nothing here has to be dropped.
        unsafe { TARGET.tail_call(&ctx, 0) };
    }
    XDP_ABORTED
}

/// Drops without a look.
#[xdp(frags)]
pub fn bench_drop(_ctx: XdpContext) -> u32 {
    XDP_DROP
}

/// Passes without a look.
#[xdp(frags)]
pub fn bench_pass(_ctx: XdpContext) -> u32 {
    XDP_PASS
}

/// What any filter has to do, and drop.
#[xdp(frags)]
pub fn bench_count(ctx: XdpContext) -> u32 {
    count(&ctx);
    XDP_DROP
}

/// What any filter has to do, and pass.
#[xdp(frags)]
pub fn bench_parse(ctx: XdpContext) -> u32 {
    count(&ctx);
    XDP_PASS
}

/// Writes the next source, and gives the interface to send to.
#[inline(always)]
fn rewrite(ctx: &XdpContext) -> Option<u32> {
    let plan = Plan::from_words(PLAN.get(0)?);
    let state = DICE.get_ptr_mut(0)?;
    // SAFETY: this CPU's own value.
    let dice = throw(unsafe { &mut *state });
    match plan.shape {
        Shape::Mixed6 => rewrite6(ctx, &plan, dice)?,
        Shape::Beside4 | Shape::Hosts4 | Shape::Networks4 => rewrite4(ctx, &plan, dice)?,
    }
    Some(plan.interface)
}

#[inline(always)]
fn rewrite4(ctx: &XdpContext, plan: &Plan, dice: u64) -> Option<()> {
    let header = window::<{ ETHERNET + IPV4 }>(ctx)?;
    let source = plan.source4(dice);
    let sum = plan.sum + u64::from(source >> 16) + u64::from(source & 0xffff);
    let sum = (sum & 0xffff) + (sum >> 16);
    let sum = (sum & 0xffff) + (sum >> 16);
    header.put16::<24>(!(sum as u16));
    header.put32::<26>(source);
    Some(())
}

#[inline(always)]
fn rewrite6(ctx: &XdpContext, plan: &Plan, dice: u64) -> Option<()> {
    let header = window::<{ ETHERNET + IPV6 }>(ctx)?;
    let (high, low) = plan.source6(dice);
    header.put64::<22>(high);
    header.put64::<30>(low);
    Some(())
}

/// Reads the source of an IPv4 or IPv6 packet, and counts it.
#[inline(always)]
fn count(ctx: &XdpContext) -> Option<()> {
    let source = match window::<ETHERNET>(ctx)?.get16::<12>() {
        ETHERTYPE_IPV4 => window::<{ ETHERNET + IPV4 }>(ctx)?.get32::<26>(),
        ETHERTYPE_IPV6 => {
            let header = window::<{ ETHERNET + IPV6 }>(ctx)?;
            header.get64::<22>() ^ header.get64::<30>()
        }
        _ => return None,
    };
    let counts = COUNTS.get_ptr_mut(0)?;
    // SAFETY: this CPU's own value.
    let [packets, mixture] = unsafe { &mut *counts };
    *packets += 1;
    *mixture ^= source;
    Some(())
}

/// The start of a packet that has bytes enough for whatever is read from it or written to it.
#[derive(Clone, Copy)]
struct Header(usize);

/// The start of the packet, when it has `N` bytes.
#[inline(always)]
fn window<const N: usize>(ctx: &XdpContext) -> Option<Header> {
    let start = ctx.data();
    if start + N > ctx.data_end() { None } else { Some(Header(start)) }
}

/// Loads and stores of the width that programs under test use. It matters: a load that is wider than the store before it waits
/// until that has left the pipeline, and with it every cache miss before. Packets from a wire don't have that.
macro_rules! access {
    ($get:ident, $put:ident, $type:ty, $text:literal) => {
        #[inline(always)]
        #[allow(dead_code, reason = "not every width is both read and written")]
        fn $get<const O: usize>(self) -> u64 {
            let value: u64;
            // SAFETY: callers checked a window that holds the offset, and the verifier checks it again.
            unsafe {
                asm!(
                    concat!("{value} = *(", $text, " *)({at} + {offset})"),
                    value = out(reg) value, at = in(reg) self.0, offset = const O,
                    options(readonly, nostack, preserves_flags),
                );
            }
            value
        }

        /// In network order.
        #[inline(always)]
        #[allow(dead_code, reason = "as above")]
        fn $put<const O: usize>(self, value: $type) {
            // SAFETY: as above.
            unsafe {
                asm!(
                    concat!("*(", $text, " *)({at} + {offset}) = {value}"),
                    value = in(reg) u64::from(value.to_be()), at = in(reg) self.0, offset = const O,
                    options(nostack, preserves_flags),
                );
            }
        }
    };
}

impl Header {
    access!(get16, put16, u16, "u16");
    access!(get32, put32, u32, "u32");
    access!(get64, put64, u64, "u64");
}
