//! THE table: why -> what happens. The only file that names the kernel's drop codes. Default: pass.
use enforcer_common::{Action, Reason, Verdict};

/// What happens for `reason`. `asked` is what the matching decision asks for; it matters only where one matched.
#[inline(always)]
pub fn verdict(reason: Reason, asked: Action) -> Verdict {
    use Reason as R;
    match reason {
        R::BlockedSource | R::BlockedFlow => Verdict::Drop,
        R::BlockedDevice => match asked {
            Action::Observe => Verdict::Observe,
            Action::Deny => Verdict::Deny,
            Action::Reset => Verdict::Reset,
            Action::Drop => Verdict::Drop,
        },
        // A decision refused the request; what is left of its connection must not reach the server either.
        R::RefusalFailed | R::RefusedRemainder => Verdict::Drop,

        R::ObservedSource | R::ObservedFlow | R::ObservedDevice => Verdict::Observe,

        R::Bypass | R::Allowed | R::LeaseLost | R::Expired => Verdict::Pass,
        R::RequestBypass | R::RequestAllowed | R::RequestLeaseLost | R::RequestExpired => Verdict::Pass,
        R::Clean | R::RequestClean | R::RequestAnonymous => Verdict::Pass,

        R::NotIp | R::Fragment | R::EthernetTruncated | R::VlanTooDeep => Verdict::Pass,
        R::Ipv4Malformed | R::Ipv6Malformed | R::Ipv6TooDeep | R::TransportMalformed => Verdict::Pass,
        R::NotHttp | R::Tls | R::Http2 | R::HeadIncomplete | R::HeadTooLong | R::TokenTooLong => Verdict::Pass,
        R::SegmentUnreadable => Verdict::Pass,
    }
}

/// The verdict as XDP's return code.
#[cfg(target_arch = "bpf")]
#[inline(always)]
pub fn xdp_code(verdict: Verdict) -> u32 {
    use aya_ebpf::bindings::xdp_action::{XDP_DROP, XDP_PASS};
    match verdict {
        Verdict::Pass | Verdict::Observe => XDP_PASS,
        Verdict::Deny | Verdict::Reset | Verdict::Drop => XDP_DROP,
    }
}

/// The verdict as the classifier's return code. After deny and reset the packet goes on, because `refusal/` has made it the
/// reset that the server must see. "Next" lets other people's programs on the hook have their say.
#[cfg(target_arch = "bpf")]
#[inline(always)]
pub fn tc_code(verdict: Verdict) -> i32 {
    use aya_ebpf::bindings::{TC_ACT_SHOT, TC_ACT_UNSPEC};
    match verdict {
        Verdict::Pass | Verdict::Observe | Verdict::Deny | Verdict::Reset => TC_ACT_UNSPEC,
        Verdict::Drop => TC_ACT_SHOT as i32,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fail open: without a matching decision nothing is refused, and no decision that observes refuses.
    #[test]
    fn only_a_matching_decision_refuses() {
        let refusing: Vec<_> =
            Reason::ALL.iter().filter(|r| verdict(**r, Action::Drop) > Verdict::Observe).copied().collect();
        assert_eq!(
            refusing,
            [
                Reason::BlockedSource,
                Reason::BlockedFlow,
                Reason::BlockedDevice,
                Reason::RefusedRemainder,
                Reason::RefusalFailed
            ]
        );
        assert_eq!(verdict(Reason::BlockedDevice, Action::Observe), Verdict::Observe);
    }
}
