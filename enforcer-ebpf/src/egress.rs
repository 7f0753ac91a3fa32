//! Every segment that leaves. In: a socket buffer. Out: it passes, always; answers to requests that were judged are followed.
//!
//! Only sockets that have received a request are looked at; everything else leaves at the first two steps.
use aya_ebpf::helpers::generated::bpf_sk_fullsock;
use aya_ebpf::programs::TcContext;
use enforcer_common::Verdict;

use crate::verdict::tc_code;
use crate::{answers, stream};

/// Follows the answer in the segment, when it is part of one.
#[inline(always)]
pub fn run(ctx: &TcContext) -> i32 {
    let skb = ctx.skb.skb;
    // SAFETY: the context is the kernel's own; both pointers are checked before they are used.
    let socket = unsafe {
        let any = (*skb).__bindgen_anon_2.sk;
        if any.is_null() { any } else { bpf_sk_fullsock(any) }
    };
    if !socket.is_null()
        && let Some(connection) = stream::of_socket(socket)
    {
        answers::leave(skb, &mut connection.exchange);
    }
    tc_code(Verdict::Pass)
}
