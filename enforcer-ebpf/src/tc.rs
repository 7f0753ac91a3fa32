//! The order of checks for a TCP segment. In: a socket buffer. Out: a verdict, counts, an event when a decision matched.
//!
//! ```text
//! service port? -> remainder of a refused connection? -> stream/ where reading goes on -> request.rs each request in it
//!               -> what the operator asked for in odd cases -> verdict.rs -> refusal/
//! ```
//! Only ports of configured services are looked at; everything else leaves at the first map lookup, uncounted here (the
//! packet programs have counted it).
use aya_ebpf::{bindings::__sk_buff, btf_maps::PerCpuArray, macros::btf_map, programs::TcContext};
use enforcer_common::{ASKED, Action, Address, Asked, KINDS, Reason, Rule, ServiceRule, Stream, Verdict};

use crate::http::Work;
use crate::packet::{self, Span};
use crate::refusal::{self, FIN, Header, RESET_AGAIN, SYN, Segment, Socket, URG};
use crate::verdict::{tc_code, verdict};
use crate::{answers, request, samples, services, stream};

#[btf_map]
static CASES: PerCpuArray<Case, 1> = PerCpuArray::new();
#[btf_map]
static WORK: PerCpuArray<Work, 1> = PerCpuArray::new();

/// Places that one request may lie in, those of its port's own service aside.
pub const SCOPES: usize = 16;
/// Bytes of headers that are read directly from the packet.
const HEADERS: u32 = 256;

/// The segment under judgement: filled step by step, in a map so that the verifier forgets how each step went. Zero is a
/// valid value of every field.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Case {
    pub segment: Segment,
    pub service: ServiceRule,
    /// The decision that matched, what it matched, and whether there is one.
    pub rule: Rule,
    pub digest: u64,
    pub kind: u32,
    pub matched: u32,
    /// The id of the port's own service: a request may lie in another.
    pub own_id: u32,
    /// The places that the request lies in, and how many.
    pub scopes: [u32; SCOPES],
    pub scope_count: u32,
    /// The forwarded address under judgement, and the one that matched.
    pub client: Address,
    pub refused_client: Address,
    /// The kinds of lists whose client was found, one bit each.
    pub walked: u32,
    /// Where the connection stands, and what the server's socket says of it.
    pub stream: Stream,
    pub socket: Socket,
    /// The next byte of the payload to read, and the first that was read.
    pub at: u32,
    pub begin: u32,
    /// Not zero: what is refused begins at `at`, behind something that is not.
    pub cut: u32,
    pub ifindex: u32,
    /// Not zero: the segment's bytes were counted.
    pub counted: u32,
    /// Not zero: the head is longer than is followed, and was read in part.
    pub long: u32,
    /// Requests of the segment that were passed on, and the one under judgement.
    pub passed_count: u32,
    pub passed: [Asked; ASKED],
    pub asked: Asked,
    /// Digests of the request's identities, by kind.
    pub digests: [u64; KINDS],
    pub reason: Option<Reason>,
}

/// Judges, carries out, counts, tells. Each step is verified by itself.
#[inline(always)]
pub fn run(ctx: &TcContext) -> i32 {
    let skb = ctx.skb.skb;
    if enforcer_network(skb) == 0 || enforcer_segment(skb) == 0 {
        return tc_code(Verdict::Pass);
    }
    let Some(case) = case() else { return tc_code(Verdict::Pass) };
    if case.reason.is_some() {
        stream::enforcer_settle();
    } else {
        match refusal::enforcer_swallow(skb) {
            0 => read(skb, case),
            RESET_AGAIN => {
                request::account(case, Reason::RefusedRemainder, Verdict::Reset);
                return tc_code(Verdict::Reset);
            }
            _ => case.reason = Some(Reason::RefusedRemainder),
        }
    }
    conclude(skb, case)
}

/// Reads the payload, if there is one.
#[inline(always)]
fn read(skb: *mut __sk_buff, case: &mut Case) {
    if case.segment.payload_length == 0 {
        return;
    }
    if case.segment.flags & SYN != 0 {
        // Data before the handshake: held back, since nobody can tell yet whether the server will take it.
        case.reason = Some(Reason::Ahead);
        stream::enforcer_settle();
        return;
    }
    if case.segment.flags & URG != 0 && case.service.enforce != 0 {
        refusal::enforcer_calm(skb);
    }
    follow(skb, case);
}

/// Reads on in the connection.
#[inline(always)]
fn follow(skb: *mut __sk_buff, case: &mut Case) {
    let Some(connection) = stream::find(skb, case) else {
        case.reason = Some(Reason::Unfollowed);
        stream::enforcer_settle();
        return;
    };
    if !stream::take(connection) {
        case.reason = Some(Reason::Ahead);
        stream::enforcer_settle();
        return;
    }
    case.stream = connection.stream;
    answers::recall(&connection.exchange, case);
    if !stream::begin(case) {
        // What the segment acknowledges may end the handshake.
        (case.reason, case.cut) = (Some(Reason::Ahead), u32::from(case.segment.flags & FIN == 0));
    } else if stream::enforcer_stand(skb) != 0 {
        stream::reading(skb);
    }
    stream::enforcer_settle();
    stream::keep(connection, case);
    answers::note(&mut connection.exchange, case);
    samples::body(skb, case, &connection.exchange);
    stream::give(connection);
}

/// Carries out what the reason asks for.
#[inline(always)]
fn conclude(skb: *mut __sk_buff, case: &mut Case) -> i32 {
    let Some(mut reason) = case.reason else { return tc_code(Verdict::Pass) };
    if reason == Reason::Ahead && case.cut != 0 && refusal::enforcer_cut(skb) != 0 {
        // What is refused comes again, in a segment of its own.
        reason = Reason::Cut;
    }
    let asked = if case.matched != 0 { case.rule.action() } else { Action::Observe };
    let mut outcome = verdict(reason, asked);
    let answered = matches!(outcome, Verdict::Limit | Verdict::Deny | Verdict::Reset);
    if answered && refusal::enforcer_refuse(skb, outcome as u32) == 0 {
        reason = Reason::RefusalFailed;
        outcome = verdict(reason, asked);
    }
    // What passed was counted when its head was read.
    if case.counted == 0 || outcome > Verdict::Observe {
        request::account(case, reason, outcome);
    }
    tc_code(outcome)
}

/// The segment under judgement on this CPU.
#[inline(always)]
pub fn case() -> Option<&'static mut Case> {
    // SAFETY: this CPU's own value, used by one program run at a time.
    CASES.get_ptr_mut(0).map(|case| unsafe { &mut *case })
}

/// The scratch space of this CPU.
#[inline(always)]
pub fn work() -> Option<*mut Work> {
    WORK.get_ptr_mut(0)
}

/// Step one: reads the network header. Gives 0 for what is not TCP, or has no TCP header.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn enforcer_network(skb: *mut __sk_buff) -> u32 {
    let Some(case) = case() else { return 0 };
    (case.reason, case.matched, case.counted, case.at, case.stream.again) = (None, 0, 0, 0, 0);
    (case.begin, case.cut) = (0, 0);
    let Ok(network) = packet::network(&headers(&TcContext::new(skb))) else { return 0 };
    case.segment.network = network;
    u32::from(network.protocol == packet::TCP && !network.fragment)
}

/// Step two: reads the segment, when it belongs to a service. Gives 0 when it does not.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn enforcer_segment(skb: *mut __sk_buff) -> u32 {
    let Some(case) = case() else { return 0 };
    // SAFETY: the context is the kernel's own.
    let (ifindex, length) = unsafe { ((*skb).ifindex, (*skb).len) };
    case.ifindex = ifindex;
    let Some(header) = Header::load(skb, case.segment.network.transport as u32) else { return 0 };
    let Some(service) = services::find(ifindex, header.destination()) else { return 0 };
    (case.service, case.own_id) = (service, service.id);
    if case.segment.network.more {
        case.reason = Some(Reason::Fragmented);
        return 1;
    }
    let known = case.segment.read(&header, length).is_some();
    if known && case.segment.flags & SYN != 0 {
        stream::enforcer_open(skb);
    }
    u32::from(known)
}

/// The headers, made linear when they are not.
#[inline(always)]
fn headers(ctx: &TcContext) -> Span {
    let wanted = if ctx.len() < HEADERS { ctx.len() } else { HEADERS };
    if ctx.data() + wanted as usize > ctx.data_end() {
        // What cannot be made linear is read as far as it goes.
        let _ = ctx.pull_data(wanted);
    }
    Span::new(ctx.data(), ctx.data_end())
}
