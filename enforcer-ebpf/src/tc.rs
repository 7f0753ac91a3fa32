//! The order of checks for a TCP segment. In: a socket buffer. Out: a verdict, counts, an event when a decision matched.
//!
//! Only ports of configured services are looked at; everything else leaves at the first map lookup, uncounted here (the
//! packet programs have counted it).
use aya_ebpf::{EbpfContext as _, bindings::__sk_buff, btf_maps::PerCpuArray, macros::btf_map, programs::TcContext};
use enforcer_common::limits::HEAD_WINDOW;
use enforcer_common::{Action, Event, Reason, Rule, ServiceRule, Settings, SubjectKind, Verdict};

use crate::http::{self, Token, Work};
use crate::packet::{self, Span};
use crate::refusal::{self, Segment};
use crate::verdict::{tc_code, verdict};
use crate::{allowlist, clock, events, identities, services, settings, stats};

#[btf_map]
static CASES: PerCpuArray<Case, 1> = PerCpuArray::new();
#[btf_map]
static WORK: PerCpuArray<Work, 1> = PerCpuArray::new();

/// Bytes of headers that are read directly from the packet.
const HEADERS: u32 = 256;
/// Tokens that are looked up for one request.
const TOKENS: u32 = 16;

/// The segment under judgement: filled step by step, in a map so that the verifier forgets how each step went. Zero is a
/// valid value of every field.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Case {
    pub segment: Segment,
    pub service: ServiceRule,
    pub rule: Rule,
    pub digest: u64,
    pub reason: Option<Reason>,
    pub matched: bool,
}

/// Judges, carries out, counts, tells. Each step is verified by itself.
#[inline(always)]
pub fn run(ctx: &TcContext) -> i32 {
    let skb = ctx.skb.skb;
    if enforcer_segment(skb) == 0 || enforcer_judge(skb) == 0 {
        return tc_code(Verdict::Pass);
    }
    let Some(case) = case() else { return tc_code(Verdict::Pass) };
    let Some(mut reason) = case.reason else { return tc_code(Verdict::Pass) };
    let asked = if case.matched { case.rule.action() } else { Action::Observe };
    if reason == Reason::BlockedDevice && refusal::enforcer_refuse(skb) == 0 {
        reason = Reason::RefusalFailed;
    }
    let verdict = verdict(reason, asked);
    account(ctx, case, reason, verdict);
    tc_code(verdict)
}

/// The segment under judgement on this CPU.
#[inline(always)]
pub fn case() -> Option<&'static mut Case> {
    // SAFETY: this CPU's own value, used by one program run at a time.
    CASES.get_ptr_mut(0).map(|case| unsafe { &mut *case })
}

/// Step one: reads the segment, when it belongs to a service. Gives 0 when it does not.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn enforcer_segment(skb: *mut __sk_buff) -> u32 {
    let ctx = TcContext::new(skb);
    let Some(case) = case() else { return 0 };
    u32::from(segment_of_service(&ctx, case).is_some())
}

/// Step two: why the segment goes on or not. Gives 0 for one that is nobody's business.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn enforcer_judge(skb: *mut __sk_buff) -> u32 {
    let (Some(case), Some(settings), Some(work)) = (case(), settings::read(), WORK.get_ptr_mut(0)) else { return 0 };
    case.matched = false;
    case.reason = judge(&TcContext::new(skb), settings, case, work);
    if case.reason != Some(Reason::BlockedDevice) && refusal::enforcer_swallow(skb) != 0 {
        case.reason = Some(Reason::RefusedRemainder);
    }
    u32::from(case.reason.is_some())
}

/// The TCP segment, when it belongs to a service.
#[inline(always)]
fn segment_of_service(ctx: &TcContext, case: &mut Case) -> Option<()> {
    let frame = headers(ctx);
    let network = packet::network(&frame).ok()?;
    if network.protocol != packet::TCP || network.fragment {
        return None;
    }
    let ports = packet::ports(&frame, &network).ok()?;
    case.service = services::find(ifindex(ctx), ports.destination)?;
    case.segment = Segment::read(&frame, network, ports, ctx.len())?;
    Some(())
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

#[inline(always)]
fn ifindex(ctx: &TcContext) -> u32 {
    // SAFETY: the context is the kernel's own.
    unsafe { (*ctx.skb.skb).ifindex }
}

/// Why this segment goes on or not; no reason for one without payload.
#[inline(always)]
fn judge(ctx: &TcContext, settings: &Settings, case: &mut Case, work: *mut Work) -> Option<Reason> {
    if case.segment.payload_length == 0 {
        return None;
    }
    if let Err(reason) = copy_head(ctx, case, work) {
        return Some(reason);
    }
    // SAFETY: this CPU's own scratch space.
    let outcome = http::scan(unsafe { &mut *work });
    if matches!(outcome, Err(Reason::NotHttp | Reason::Http2)) {
        return outcome.err();
    }
    look_up(work);
    Some(if case.matched { decide(settings, case) } else { unmatched(outcome, work) })
}

/// Copies the first bytes of the payload into the scratch space.
#[inline(always)]
fn copy_head(ctx: &TcContext, case: &Case, work: *mut Work) -> Result<(), Reason> {
    let window = HEAD_WINDOW as u32;
    let length = if case.segment.payload_length < window { case.segment.payload_length } else { window };
    let length = refusal::at_most::<{ HEAD_WINDOW as u32 }>(length);
    // SAFETY: `head` is the first field and as long as the window; `length` lies between 1 and the window.
    let copied = unsafe {
        aya_ebpf::helpers::generated::bpf_skb_load_bytes(
            ctx.as_ptr().cast_const(),
            case.segment.payload,
            work.cast(),
            length,
        )
    };
    if copied != 0 {
        return Err(Reason::SegmentUnreadable);
    }
    // SAFETY: this CPU's own scratch space.
    let work = unsafe { &mut *work };
    work.length = length;
    work.watches = u32::from(case.service.watches);
    work.side = u32::from(case.service.watchlist);
    match http::not_a_request(work.head[0], work.head[1]) {
        Some(reason) => Err(reason),
        None => Ok(()),
    }
}

/// Looks up every identity found; the decision that asks for most stays in the case.
#[inline(always)]
fn look_up(work: *mut Work) {
    let now = clock::coarse();
    let mut at = 0;
    // SAFETY: this CPU's own scratch space.
    let found = unsafe { (*work).found };
    while at < TOKENS && at < found {
        enforcer_identity(at, now);
        at += 1;
    }
}

/// Looks up the identity that was found as number `at`.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn enforcer_identity(at: u32, now: u64) -> u32 {
    let (Some(case), Some(settings), Some(work)) = (case(), settings::read(), WORK.get_ptr_mut(0)) else { return 0 };
    // SAFETY: this CPU's own scratch space; `at` is masked to the array's length.
    let token = unsafe { (*work).tokens[(at & (TOKENS - 1)) as usize] };
    if token.kind == Token::VALUE {
        return 0;
    }
    let digest = http::digest_token(work, token, settings.identity_key);
    let Some(rule) = identities::rule(SubjectKind::Device, digest, case.service.id, now) else { return 0 };
    if !case.matched || identities::strength(&rule, now) > identities::strength(&case.rule, now) {
        (case.rule, case.digest, case.matched) = (rule, digest, true);
    }
    1
}

/// A decision matched: does anything stand against it?
#[inline(always)]
fn decide(settings: &Settings, case: &Case) -> Reason {
    if settings.bypass != 0 {
        Reason::RequestBypass
    } else if case.rule.until() <= clock::coarse() {
        Reason::RequestExpired
    } else if case.service.enforce == 0 || matches!(case.rule.action(), Action::Observe) {
        Reason::ObservedDevice
    } else if allowlist::protects_requests(settings, case.segment.network.source) {
        Reason::RequestAllowed
    } else if settings::lease_lost(settings) {
        Reason::RequestLeaseLost
    } else {
        Reason::BlockedDevice
    }
}

#[inline(always)]
fn unmatched(outcome: Result<(), Reason>, work: *mut Work) -> Reason {
    // SAFETY: this CPU's own scratch space.
    let (found, missed) = unsafe { ((*work).found, (*work).missed) };
    match outcome {
        Err(reason) => reason,
        Ok(()) if missed != 0 => Reason::TokenTooLong,
        Ok(()) if found == 0 => Reason::RequestAnonymous,
        Ok(()) => Reason::RequestClean,
    }
}

/// Counts by reason and by service; tells of what matched.
#[inline(always)]
fn account(ctx: &TcContext, case: &Case, reason: Reason, verdict: Verdict) {
    let segment = &case.segment;
    stats::count(reason, u64::from(segment.length));
    if is_request(reason) {
        stats::request(case.service.id, verdict);
    }
    if !case.matched {
        return;
    }
    events::tell(&Event {
        time: clock::exact(),
        decision: case.rule.decision(),
        digest: case.digest,
        source: segment.network.source,
        destination: segment.network.destination,
        service: case.service.id,
        ifindex: ifindex(ctx),
        length: segment.length,
        source_port: segment.ports.source,
        destination_port: segment.ports.destination,
        reason: reason as u8,
        verdict: verdict as u8,
        kind: SubjectKind::Device as u8,
        protocol: segment.network.protocol,
        pad: 0,
    });
}

/// A head that was read to its end, or far enough to judge it.
#[inline(always)]
fn is_request(reason: Reason) -> bool {
    !matches!(
        reason,
        Reason::NotHttp | Reason::Tls | Reason::Http2 | Reason::SegmentUnreadable | Reason::RefusedRemainder
    )
}
