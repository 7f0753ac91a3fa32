//! One segment that leaves: does it go on where the last one ended?
use core::ffi::c_void;

use aya_ebpf::bindings::__sk_buff;
use aya_ebpf::btf_maps::PerCpuArray;
use aya_ebpf::helpers::generated::bpf_loop;
use aya_ebpf::macros::btf_map;
use aya_ebpf::programs::TcContext;
use enforcer_common::{ANSWER_PREFIX, Answering, Exchange, Phase};

use super::owed::is_followed;
use super::read::{UNTIL_CLOSED, lose, step};
use super::tell::{enforcer_complete, enforcer_part};
use crate::http::Work;
use crate::packet::{self, Span};
use crate::refusal::{FIN, Header, Segment};

#[btf_map]
static LEAVING: PerCpuArray<Leaving, 1> = PerCpuArray::new();
#[btf_map]
static ANSWER: PerCpuArray<Work, 1> = PerCpuArray::new();

/// Heads, bodies and chunks that are read of one segment. 64 KiB of the shortest chunks have fewer.
const STEPS: u32 = 1 << 14;

/// The segment that leaves: in a map of its own, as a refusal that is sent while another segment is judged also leaves.
#[repr(C)]
pub struct Leaving {
    pub segment: Segment,
    /// The next byte of the payload to read, and the first that the agent was not told.
    pub at: u32,
    pub begin: u32,
    /// Now, once it was asked for.
    pub time: u64,
    /// What the agent is told: this and the bytes behind it.
    pub part: Answering,
    pub bytes: [u8; ANSWER_PREFIX],
}

/// What the loop is handed; on the stack, as the kernel wants it.
#[repr(C)]
pub struct Turn {
    pub skb: *mut __sk_buff,
    pub exchange: *mut Exchange,
}

/// Follows the answers in a segment of this connection.
#[inline(always)]
pub fn leave(skb: *mut __sk_buff, exchange: &mut Exchange) {
    if !is_followed(exchange) || enforcer_leaving(skb) == 0 {
        return;
    }
    let Some(leaving) = leaving() else { return };
    let again = exchange.next.wrapping_sub(leaving.segment.sequence);
    if again.cast_signed() < 0 {
        // Something left on another way.
        lose(exchange);
        return;
    }
    if again >= leaving.segment.payload_length && leaving.segment.flags & FIN == 0 {
        return;
    }
    (leaving.at, leaving.begin) = (again, again);
    let mut turn = Turn { skb, exchange };
    // SAFETY: the kernel calls `step` with the index and this pointer, and nothing keeps it afterwards.
    unsafe { bpf_loop(STEPS, step as *mut c_void, (&raw mut turn).cast(), 0) };
    finish(skb, exchange, leaving);
}

/// Tells what was read of an answer that goes on; an answer that ends with the connection ends here.
#[inline(always)]
fn finish(skb: *mut __sk_buff, exchange: &mut Exchange, leaving: &Leaving) {
    let closes = leaving.segment.flags & FIN != 0;
    if closes && exchange.phase == Phase::Body as u8 && exchange.left > UNTIL_CLOSED {
        enforcer_complete(skb, exchange);
    } else if leaving.at > leaving.begin {
        enforcer_part(skb, exchange, 0);
    }
}

/// The segment that leaves on this CPU.
#[inline(always)]
pub fn leaving() -> Option<&'static mut Leaving> {
    // SAFETY: this CPU's own value, used by one program run at a time: what a refusal sends has no socket, and is not followed.
    LEAVING.get_ptr_mut(0).map(|leaving| unsafe { &mut *leaving })
}

/// The scratch space of this CPU for answers.
#[inline(always)]
pub fn answer() -> Option<*mut Work> {
    ANSWER.get_ptr_mut(0)
}

/// Reads the headers. Gives 0 when there is nothing to follow.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn enforcer_leaving(skb: *mut __sk_buff) -> u32 {
    let Some(leaving) = leaving() else { return 0 };
    // A server's own socket makes its headers linear; they are not made so here, since that would cost a copy.
    let ctx = TcContext::new(skb);
    let Ok(network) = packet::network(&Span::new(ctx.data(), ctx.data_end())) else { return 0 };
    if network.protocol != packet::TCP || network.fragment {
        return 0;
    }
    leaving.segment.network = network;
    let Some(header) = Header::load(skb, network.transport as u32) else { return 0 };
    // SAFETY: the context is the kernel's own.
    if leaving.segment.read(&header, unsafe { (*skb).len }).is_none() {
        return 0;
    }
    leaving.time = 0;
    u32::from(leaving.segment.payload_length != 0 || leaving.segment.flags & FIN != 0)
}
