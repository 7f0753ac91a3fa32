//! Judges one request. In: a scanned head. Out: whether it is refused, counts, an event when a decision matched.
use enforcer_common::{Action, Event, KINDS, Reason, Rule, ServiceRule, Settings, SubjectKind, Verdict};

use crate::http::{self, TOKENS, Token, Work};
use crate::tc::{Case, SCOPES, case, work};
use crate::verdict::verdict;
use crate::{allowlist, clock, events, identities, limits, settings, stats};

/// Looks up every identity of the request in the scratch space; the decision that asks for most stays in the case.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn enforcer_subjects() -> u32 {
    let (Some(case), Some(work)) = (case(), work()) else { return 0 };
    (case.matched, case.digests) = (0, [0; KINDS]);
    // SAFETY: this CPU's own scratch space.
    let work = unsafe { &*work };
    let mut at = 0;
    while at < TOKENS as u32 && at < work.found {
        if work.tokens[at as usize & (TOKENS - 1)].kind != Token::VALUE {
            enforcer_identity(at);
        }
        at += 1;
    }
    0
}

/// Judges the request, whose subjects were looked up. Gives 1 when it is refused: then the case says why, and nothing was
/// counted yet. Of a head that was read in part only a decision that matched counts.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn enforcer_request() -> u32 {
    let (Some(case), Some(settings), Some(work)) = (case(), settings::read(), work()) else { return 0 };
    if case.long != 0 && case.matched == 0 {
        return 0;
    }
    let reason = if case.matched != 0 { decide(settings, case) } else { unmatched(settings, case, work) };
    case.reason = Some(reason);
    let asked = verdict(reason, case.rule.action());
    if asked > Verdict::Observe {
        let late = case.at > case.begin;
        if late || (is_answered_in_turn(asked) && is_unanswered(case)) {
            (case.reason, case.matched) = (Some(Reason::Ahead), 0);
            case.cut = u32::from(late);
        }
        return 1;
    }
    account(case, reason, asked);
    0
}

/// Answers come in the order of the requests, so ours has to wait for those of the server.
#[inline(always)]
fn is_answered_in_turn(verdict: Verdict) -> bool {
    matches!(verdict, Verdict::Limit | Verdict::Deny)
}

/// True while the server owes answers to requests before, or the client lacks a part of one: then this request is held back,
/// and TCP sends it again. Where answers are not followed, the server must have fallen silent in between.
#[inline(always)]
fn is_unanswered(case: &mut Case) -> bool {
    let socket = &case.socket;
    let silent = case.stream.put_off == socket.send_next;
    let settled = case.segment.acknowledge == socket.send_next;
    let matters = socket.known != 0 && socket.closing == 0 && case.stream.again == 0;
    case.stream.put_off = socket.send_next;
    let pending = socket.pending + case.passed_count != 0;
    let owed = if socket.followed != 0 { pending || !settled } else { pending && !(silent && settled) };
    matters && owed
}

/// Looks up the identity that was found as number `at`.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn enforcer_identity(at: u32) -> u32 {
    let (Some(settings), Some(work)) = (settings::read(), work()) else { return 0 };
    // SAFETY: this CPU's own scratch space.
    let work = unsafe { &mut *work };
    let token = work.tokens[at as usize & (TOKENS - 1)];
    let digest = http::digest_token(work, token, settings.identity_key);
    note(token.kind, digest);
    match SubjectKind::from_raw(token.kind as u8) {
        Some(SubjectKind::Session) => {
            subject(settings, SubjectKind::Session, digest);
            if let Some(user) = identities::user(digest) {
                subject(settings, SubjectKind::User, user);
            }
        }
        Some(kind) => subject(settings, kind, digest),
        None => {}
    }
    0
}

/// Looks one subject up, if any decision names it.
#[inline(always)]
fn subject(settings: &Settings, kind: SubjectKind, digest: u64) {
    if identities::is_named(digest, settings) {
        enforcer_subject(kind as u32, digest);
    }
}

/// Remembers the digest for the agent.
#[inline(always)]
fn note(kind: u16, digest: u64) {
    if let Some(case) = case() {
        case.digests[usize::from(kind) & (KINDS - 1)] = digest;
    }
}

/// Looks one subject up in every scope of the request: everywhere, on the service, in each of its places.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn enforcer_subject(kind: u32, digest: u64) -> u32 {
    let (Some(case), Some(kind)) = (case(), SubjectKind::from_raw(kind as u8)) else { return 0 };
    look_up(case, kind, digest, 0);
    look_up(case, kind, digest, case.service.id);
    let mut at = 0;
    while at < SCOPES as u32 && at < case.scope_count {
        look_up(case, kind, digest, case.scopes[at as usize & (SCOPES - 1)]);
        at += 1;
    }
    0
}

/// Looks one subject up in one scope.
#[inline(always)]
fn look_up(case: &mut Case, kind: SubjectKind, digest: u64, scope: u32) {
    if let Some(rule) = identities::rule(kind, digest, scope) {
        consider(case, rule, kind, digest, clock::coarse());
    }
}

/// Of two decisions that match, the one that asks for more counts.
#[inline(always)]
pub fn consider(case: &mut Case, rule: Rule, kind: SubjectKind, digest: u64, now: u64) {
    if case.matched == 0 || identities::strength(&rule, now) > identities::strength(&case.rule, now) {
        (case.rule, case.digest, case.kind, case.matched) = (rule, digest, kind as u32, 1);
    }
}

/// A decision matched: does anything stand against it?
#[inline(always)]
fn decide(settings: &Settings, case: &Case) -> Reason {
    if settings.bypass != 0 {
        Reason::RequestBypass
    } else if case.rule.until() <= clock::coarse() {
        Reason::RequestExpired
    } else if case.service.enforce == 0 || matches!(case.rule.action(), Action::Observe) {
        Reason::ObservedRequest
    } else if allowlist::protects_requests(settings, case.segment.network.source) {
        Reason::RequestAllowed
    } else if settings::lease_lost(settings) {
        Reason::RequestLeaseLost
    } else if matches!(case.rule.action(), Action::Limit) {
        if limits::take(case) { Reason::WithinLimit } else { Reason::OverLimit }
    } else {
        blocked(case.kind)
    }
}

/// True when segments of this connection may be held back or refused at all.
#[inline(always)]
pub fn holds(settings: &Settings, case: &Case) -> bool {
    case.service.enforce != 0
        && settings.bypass == 0
        && !settings::lease_lost(settings)
        && !allowlist::protects_requests(settings, case.segment.network.source)
}

#[inline(always)]
fn blocked(kind: u32) -> Reason {
    match SubjectKind::from_raw(kind as u8) {
        Some(SubjectKind::Session) => Reason::BlockedSession,
        Some(SubjectKind::User) => Reason::BlockedUser,
        Some(SubjectKind::ApiKey) => Reason::BlockedApikey,
        Some(SubjectKind::Ip) => Reason::BlockedForwarded,
        _ => Reason::BlockedDevice,
    }
}

#[inline(always)]
fn unmatched(settings: &Settings, case: &Case, work: *mut Work) -> Reason {
    // SAFETY: this CPU's own scratch space.
    let (odd, named, missed) = unsafe { ((*work).odd, (*work).named, (*work).missed) };
    if odd != 0 {
        let denied = case.service.has(ServiceRule::DENY_AMBIGUOUS) && holds(settings, case);
        if denied { Reason::AmbiguousDenied } else { Reason::RequestAmbiguous }
    } else if missed != 0 {
        if case.service.has(ServiceRule::STRICT) && holds(settings, case) {
            return Reason::StrictRefused;
        }
        Reason::TokenTooLong
    } else if named == 0 {
        Reason::RequestAnonymous
    } else {
        Reason::RequestClean
    }
}

/// Counts by reason and by service; tells of what matched. A segment's bytes count with the first thing found in it.
#[inline(always)]
pub fn account(case: &mut Case, reason: Reason, verdict: Verdict) {
    let bytes = if case.counted == 0 { case.segment.length } else { 0 };
    case.counted = 1;
    stats::count(reason, u64::from(bytes));
    if is_request(reason) {
        stats::request(case.service.id, verdict);
    }
    if case.matched != 0 || (is_finding(reason) && is_due()) {
        enforcer_tell(reason as u32, verdict as u32);
    }
}

/// A head that was read to its end, or far enough to judge it.
#[inline(always)]
fn is_request(reason: Reason) -> bool {
    reason as u8 >= Reason::RequestClean as u8
        && (reason as u8) < Reason::HeadOpen as u8
        && reason != Reason::RefusedRemainder
}

/// Worth telling though no decision matched.
#[inline(always)]
fn is_finding(reason: Reason) -> bool {
    use Reason as R;
    matches!(reason, R::RequestAmbiguous | R::AmbiguousDenied | R::Conflict | R::StrictRefused)
}

#[inline(always)]
fn is_due() -> bool {
    settings::read().is_some_and(|settings| events::due(settings, clock::coarse()))
}

/// Tells the agent. A function of its own for the sake of the stack.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn enforcer_tell(reason: u32, verdict: u32) -> u32 {
    let Some(case) = case() else { return 0 };
    let segment = &case.segment;
    let matched = case.matched != 0;
    let (decision, digest, kind) =
        if matched { (case.rule.decision(), case.digest, case.kind) } else { (0, 0, SubjectKind::Flow as u32) };
    let forwarded = matched && kind == SubjectKind::Ip as u32;
    events::tell(&Event {
        time: clock::exact(),
        decision,
        digest,
        source: if forwarded { case.refused_client } else { segment.network.source },
        destination: segment.network.destination,
        service: case.service.id,
        ifindex: case.ifindex,
        length: segment.length,
        source_port: segment.ports.source,
        destination_port: segment.ports.destination,
        reason: reason as u8,
        verdict: verdict as u8,
        kind: kind as u8,
        protocol: segment.network.protocol,
        pad: 0,
    });
    0
}
