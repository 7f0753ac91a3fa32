//! The order of checks for a packet. In: a frame. Out: a verdict, a count, perhaps an event.
use aya_ebpf::{EbpfContext as _, programs::XdpContext};
use enforcer_common::{Action, Event, FlowKey, Outcome, Reason, Settings, SubjectKind};

use crate::packet::{self, Network, Ports, Span};
use crate::verdict::{verdict, xdp_code};
use crate::{allowlist, clock, events, flows, settings, sources, stats};

/// Judges, counts, tells.
#[inline(always)]
pub fn run(ctx: &XdpContext) -> u32 {
    let frame = Span::new(ctx.data(), ctx.data_end());
    let reason = judge(ctx, frame);
    stats::count(reason, frame.length());
    xdp_code(verdict(reason, Action::Drop))
}

#[inline(always)]
fn judge(ctx: &XdpContext, frame: Span) -> Reason {
    let Some(settings) = settings::read() else { return Reason::Bypass };
    if settings.bypass != 0 {
        return Reason::Bypass;
    }
    let network = match packet::network(&frame) {
        Ok(network) => network,
        Err(reason) => return reason,
    };
    let ports = packet::ports(&frame, &network);
    let mut reason = source(sources::judge(network.halves, settings));
    if settings.flows != 0 && !is_refusal(reason) {
        reason = flow(&network, ports, reason);
    }
    if is_refusal(reason) {
        reason = overrule(settings, &network, reason);
        tell(ctx, settings, &network, ports, frame.length(), reason);
    }
    match ports {
        Err(unreadable) if reason == Reason::Clean => unreadable,
        _ => reason,
    }
}

#[inline(always)]
fn source(outcome: Outcome) -> Reason {
    if outcome.has(Outcome::REFUSE) {
        Reason::BlockedSource
    } else if outcome.has(Outcome::OBSERVE) {
        Reason::ObservedSource
    } else if outcome.has(Outcome::EXPIRED) {
        Reason::Expired
    } else {
        Reason::Clean
    }
}

/// What the flow list says; `reason`, what the source tables said, stands when it says nothing.
#[inline(always)]
fn flow(network: &Network, ports: Result<Ports, Reason>, reason: Reason) -> Reason {
    let Ok(ports) = ports else { return reason };
    let key = FlowKey::new(network.source, ports.source, network.destination, ports.destination, network.protocol);
    match flows::rule(&key) {
        None => reason,
        Some(rule) if rule.until() <= clock::coarse() => Reason::Expired,
        Some(rule) if matches!(rule.action(), Action::Observe) => Reason::ObservedFlow,
        Some(_) => Reason::BlockedFlow,
    }
}

#[inline(always)]
fn is_refusal(reason: Reason) -> bool {
    matches!(reason, Reason::BlockedSource | Reason::BlockedFlow)
}

/// Allow wins, and a lost lease ends all refusing.
#[inline(always)]
fn overrule(settings: &Settings, network: &Network, reason: Reason) -> Reason {
    if allowlist::protects_source(settings, network.source) {
        Reason::Allowed
    } else if settings::lease_lost(settings) {
        Reason::LeaseLost
    } else {
        reason
    }
}

#[inline(always)]
fn tell(
    ctx: &XdpContext,
    settings: &Settings,
    network: &Network,
    ports: Result<Ports, Reason>,
    length: u64,
    reason: Reason,
) {
    let now = clock::coarse();
    if !events::due(settings, now) {
        return;
    }
    let ports = match ports {
        Ok(ports) => ports,
        Err(_) => Ports { source: 0, destination: 0 },
    };
    let kind = if matches!(reason, Reason::BlockedFlow) { SubjectKind::Flow } else { SubjectKind::Ip };
    // SAFETY: the context is the kernel's own.
    let ifindex = unsafe { (*ctx.as_ptr().cast::<aya_ebpf::bindings::xdp_md>()).ingress_ifindex };
    events::tell(&Event {
        time: now,
        decision: 0,
        digest: 0,
        source: network.source,
        destination: network.destination,
        service: 0,
        ifindex,
        length: length as u32,
        source_port: ports.source,
        destination_port: ports.destination,
        reason: reason as u8,
        verdict: verdict(reason, Action::Drop) as u8,
        kind: kind as u8,
        protocol: network.protocol,
        pad: 0,
    });
}
