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
mod cut;
mod remainder;
mod segment;
mod write;

use aya_ebpf::bindings::__sk_buff;
pub use cut::enforcer_cut;
use enforcer_common::{LIMITED, Verdict};
use remainder::Refused;
pub use remainder::{RESET_AGAIN, enforcer_swallow};
use segment::{ACK, PSH, RST};
pub use segment::{FIN, Header, SYN, Segment, Socket, URG, at_most};
pub use write::enforcer_calm;
use write::{Answer, Body};

use crate::tc::{Case, case};

/// Refuses the request under judgement with this verdict. Gives 0 when it failed: then the packet must be dropped.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn enforcer_refuse(skb: *mut __sk_buff, verdict: u32) -> u32 {
    const RESET: u32 = Verdict::Reset as u32;
    const LIMIT: u32 = Verdict::Limit as u32;
    let Some(case) = case() else { return 0 };
    let notice = case.service.notice;
    let done = match verdict {
        RESET => carry_out(skb, case, None),
        LIMIT => carry_out(skb, case, Some(notice.wrapping_add(LIMITED))),
        _ => carry_out(skb, case, Some(notice)),
    };
    u32::from(done.is_some())
}

/// The later of two sequence numbers.
#[inline(always)]
fn later(a: u32, b: u32) -> u32 {
    if a.wrapping_sub(b).cast_signed() < 0 { b } else { a }
}

/// Answers the client with a notice (or resets it, without one), and resets the server.
#[inline(always)]
fn carry_out(skb: *mut __sk_buff, case: &Case, notice: Option<u8>) -> Option<()> {
    let segment = &case.segment;
    let sequence = case.socket.send_next;
    let acknowledge = segment.sequence.wrapping_add(segment.payload_length);
    let (flags, body) = match notice {
        Some(notice) => (ACK | PSH | FIN, Body::Notice(notice)),
        None => (ACK | RST, Body::None),
    };
    let end = write::to_client(skb, &Answer { sequence, acknowledge, flags, body })?;
    if let Some(notice) = notice {
        let decision = if case.matched != 0 { case.rule.decision() } else { 0 };
        remainder::remember(segment, Refused { decision, begin: sequence, end, notice });
    }
    let acknowledge = segment.acknowledge;
    let reset = |sequence| Answer { sequence, acknowledge, flags: ACK | RST, body: Body::None };
    write::turn_back(skb, segment)?;
    // What came before may still wait for the server to take it, or may have been thrown away: one of two resets fits.
    let begin = segment.sequence.wrapping_add(case.begin);
    if case.socket.receive_next != begin {
        write::into_reset(skb, &reset(case.socket.receive_next))?;
        write::send_in(skb)?;
    }
    write::into_reset(skb, &reset(begin))
}
