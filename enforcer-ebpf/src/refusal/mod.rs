//! Carries out a refusal. In: the segment that holds the request, and what to do. Out: the client is answered, the server's
//! socket is closed, and what still arrives on the connection is swallowed politely.
//!
//! ```text
//! deny   client <- 403, FIN          server <- RST (in place of the request)      connection remembered
//! reset  client <- RST               server <- RST (in place of the request)
//! drop   nothing; the client repeats itself until it gives up, and the server keeps its socket: the worst choice
//! ```
//! The same buffer is turned round and sent back as the answer (a clone leaves, the original stays), then rebuilt as the
//! reset that goes on to the server. Numbers come from the server's own socket where there is one on this host.
mod remainder;
mod segment;
mod write;

use aya_ebpf::bindings::__sk_buff;
use enforcer_common::{Action, Verdict};
pub use remainder::enforcer_swallow;
use segment::{ACK, FIN, PSH, RST};
pub use segment::{Segment, at_most};
use write::{Answer, Body};

use crate::tc::{Case, case};

/// Refuses the request under judgement. Gives 0 when it failed: then the packet must be dropped.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn enforcer_refuse(skb: *mut __sk_buff) -> u32 {
    let Some(case) = case() else { return 0 };
    let done = match case.rule.action() {
        Action::Observe | Action::Drop => Some(()),
        Action::Deny => carry_out(skb, case, Verdict::Deny),
        Action::Reset => carry_out(skb, case, Verdict::Reset),
    };
    u32::from(done.is_some())
}

#[inline(always)]
fn carry_out(skb: *mut __sk_buff, case: &Case, verdict: Verdict) -> Option<()> {
    let segment = &case.segment;
    let socket = segment.socket(skb);
    let acknowledge = segment.sequence.wrapping_add(segment.payload_length);
    let (flags, body) = match verdict {
        Verdict::Deny => (ACK | PSH | FIN, Body::Notice),
        _ => (ACK | RST, Body::None),
    };
    let end = write::to_client(skb, &Answer { sequence: socket.send_next, acknowledge, flags, body })?;
    if verdict == Verdict::Deny {
        remainder::remember(segment, end);
    }
    let acknowledge = segment.acknowledge;
    write::to_server(skb, &Answer { sequence: socket.receive_next, acknowledge, flags: ACK | RST, body: Body::None })
}
