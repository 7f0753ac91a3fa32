//! THE table: why -> what happens. The only file that names the kernel's drop codes. Default: pass.
use enforcer_common::{Action, Reason, Verdict};

/// What happens for `reason`. `asked` is what the matching decision asks for; it matters only where one matched.
#[inline(always)]
pub fn verdict(reason: Reason, asked: Action) -> Verdict {
    use Reason as R;
    match reason {
        R::BlockedSource | R::BlockedFlow => Verdict::Drop,
        R::BlockedDevice | R::BlockedSession | R::BlockedUser | R::BlockedApikey | R::BlockedForwarded => match asked {
            Action::Observe => Verdict::Observe,
            Action::Limit | Action::Deny => Verdict::Deny,
            Action::Reset => Verdict::Reset,
            Action::Drop => Verdict::Drop,
        },
        R::OverLimit => Verdict::Limit,
        // A decision refused the request; what is left of its connection must not reach the server either.
        R::RefusalFailed | R::RefusedRemainder => Verdict::Drop,
        // Not refused: TCP sends it again, once the gap before it is filled.
        R::Ahead | R::Fragmented => Verdict::Drop,
        // Asked for by the service's `strict` and `ambiguous`; a conflict leaves no other way to keep one view.
        R::AmbiguousDenied => Verdict::Deny,
        R::Conflict | R::StrictRefused => Verdict::Reset,

        R::ObservedSource | R::ObservedFlow | R::ObservedRequest => Verdict::Observe,

        R::Bypass | R::Allowed | R::LeaseLost | R::Expired => Verdict::Pass,
        R::RequestBypass | R::RequestAllowed | R::RequestLeaseLost | R::RequestExpired => Verdict::Pass,
        R::Clean | R::RequestClean | R::RequestAnonymous | R::WithinLimit => Verdict::Pass,
        R::HeadOpen | R::Body | R::Repeated | R::Cut => Verdict::Pass,

        R::NotIp | R::Fragment | R::EthernetTruncated | R::VlanTooDeep => Verdict::Pass,
        R::Ipv4Malformed | R::Ipv6Malformed | R::Ipv6TooDeep | R::TransportMalformed => Verdict::Pass,
        R::RequestAmbiguous | R::HeadTooLong | R::TokenTooLong => Verdict::Pass,
        R::AheadObserved | R::Unfollowed | R::Evicted | R::GaveWay | R::AnswerLost => Verdict::Pass,
        R::NotHttp | R::Tls | R::Http2 | R::SegmentUnreadable => Verdict::Pass,
    }
}

/// The verdict as XDP's return code.
#[cfg(target_arch = "bpf")]
#[inline(always)]
pub fn xdp_code(verdict: Verdict) -> u32 {
    use aya_ebpf::bindings::xdp_action::{XDP_DROP, XDP_PASS};
    match verdict {
        Verdict::Pass | Verdict::Observe => XDP_PASS,
        Verdict::Limit | Verdict::Deny | Verdict::Reset | Verdict::Drop => XDP_DROP,
    }
}

/// The verdict as the classifier's return code. After deny and reset the packet goes on, because `refusal/` has made it the
/// reset that the server must see. "Next" lets other people's programs on the hook have their say.
#[cfg(target_arch = "bpf")]
#[inline(always)]
pub fn tc_code(verdict: Verdict) -> i32 {
    use aya_ebpf::bindings::{TC_ACT_SHOT, TC_ACT_UNSPEC};
    match verdict {
        Verdict::Pass | Verdict::Observe | Verdict::Limit | Verdict::Deny | Verdict::Reset => TC_ACT_UNSPEC,
        Verdict::Drop => TC_ACT_SHOT as i32,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use enforcer_common::Reason as R;

    /// Fail open: without a matching decision nothing is refused, and no decision that observes refuses.
    #[test]
    fn only_a_matching_decision_refuses() {
        let refusing: Vec<_> =
            Reason::ALL.iter().filter(|r| verdict(**r, Action::Drop) > Verdict::Observe).copied().collect();
        let by_decision = [
            R::BlockedSource,
            R::BlockedFlow,
            R::BlockedDevice,
            R::BlockedSession,
            R::BlockedUser,
            R::BlockedApikey,
            R::BlockedForwarded,
            R::OverLimit,
            R::RefusedRemainder,
            R::RefusalFailed,
        ];
        let by_configuration = [R::AmbiguousDenied, R::Ahead, R::Fragmented, R::Conflict, R::StrictRefused];
        for reason in Reason::ALL {
            let known = by_decision.contains(reason) || by_configuration.contains(reason);
            assert_eq!(refusing.contains(reason), known, "{reason:?}");
        }
        assert_eq!(verdict(Reason::BlockedDevice, Action::Observe), Verdict::Observe);
    }
}
