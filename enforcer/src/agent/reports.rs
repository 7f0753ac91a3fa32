//! What the agent says of itself: status, list, top, metrics. In: the state. Out: reports. Never here: words for a terminal.
use std::time::Duration;

use enforcer_common::{ABI_VERSION, Action, Reason, SubjectKind, Verdict};
use enforcer_policy::{Filter, service_id};

use super::clock;
use super::core::Core;
use crate::config::{LostAgent, format_duration};
use crate::kernel::{KernelError, cpus, monotonic};
use crate::metrics::{Build, Lease, Snapshot};
use crate::sync::Traffic;
use crate::wire::{
    Attachment, EventTotals, Exit, KindCount, ListReport, ListRequest, MapFill, PolicyCounts, ReasonCount,
    ServiceReport, ServiceRequests, StatusReport, TopReport, Trouble,
};

/// Decisions in one page, at most.
const PAGE: u32 = 10_000;

impl Core {
    /// How the agent and the kernel are.
    pub(super) fn status(&self) -> StatusReport {
        let lost_agent = match self.config.agent.lost_agent {
            LostAgent::Keep => "keep".to_owned(),
            LostAgent::PassAfter(time) => format!("pass-after {}", format_duration(time)),
        };
        StatusReport {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            abi: ABI_VERSION,
            pid: std::process::id(),
            started: self.started,
            config_path: self.path.display().to_string(),
            bypass: self.kernel.bypass().unwrap_or(false),
            lost_agent,
            attachments: self.attachments(),
            services: self.services(),
            decisions: self.decisions(),
            allowed: self.allowed().len() as u64,
            maps: self.maps(),
            drift: self.drift.clone(),
            events: self.events(),
            center: self.center_report(),
            published: self.published_in_words(),
            problems: self.problems.values().chain(self.full.values()).cloned().collect(),
        }
    }

    /// A page of decisions.
    pub(super) fn list(&self, request: &ListRequest) -> Result<ListReport, Trouble> {
        let scope = request.scope.as_deref().map(|name| self.scope(Some(name))).transpose()?;
        let filter = Filter { kind: request.kind, scope };
        let page = self.ledger.page(request.after, request.limit.clamp(1, PAGE) as usize, &filter);
        let counts = self.ledger.counts();
        let total =
            filter.scope.is_none().then(|| filter.kind.map_or_else(|| counts.total(), |kind| counts.of(kind)) as u64);
        Ok(ListReport { decisions: page.decisions.iter().map(Into::into).collect(), next: page.next, total })
    }

    /// All counters.
    pub(super) fn top(&self) -> Result<TopReport, Trouble> {
        let unread = |error: KernelError| Trouble::new(Exit::Failed, error.to_string(), "enforcer doctor");
        let reasons = self.kernel.counters().map_err(unread)?;
        Ok(TopReport {
            at: clock::now(),
            cpus: cpus(),
            bypass: self.kernel.bypass().unwrap_or(false),
            reasons: reasons.into_iter().map(|(reason, counter)| ReasonCount::new(reason, counter)).collect(),
            services: self.requests(),
            maps: self.maps(),
            events: self.events(),
            recent: self.recent.iter().cloned().collect(),
        })
    }

    /// Everything that is exported.
    pub(super) fn snapshot(&self) -> Snapshot {
        let counters = self.kernel.counters().unwrap_or_default();
        Snapshot {
            build: Build::default(),
            counters: counters.into_iter().map(|(reason, counter)| (reason, usual_verdict(reason), counter)).collect(),
            services: self.requests(),
            decisions: self.decisions(),
            allowed: self.allowed().len() as u64,
            maps: self.maps(),
            events: self.events(),
            attachments: self.attachments(),
            bypass: self.kernel.bypass().unwrap_or(false),
            lease: self.remaining_lease(),
            drift: self.drift.clone(),
            orders_refused: self.refused_for_want_of_room,
            enforcement: self.enforcement.clone(),
            apis: self.apis.counts(),
            findings: self.finding_counts(),
            published: self.published_counts(),
            spool: self.told.counts(),
            crowdsec: self.crowdsec_counts(),
        }
    }

    /// Requests so far, with the packets that were dropped before there was one.
    pub(super) fn traffic(&self) -> Traffic {
        let counters = self.kernel.counters().unwrap_or_default().into_iter();
        let dropped = counters.filter(|(reason, _)| matches!(reason, Reason::BlockedSource | Reason::BlockedFlow));
        let dropped: u64 = dropped.map(|(_, counter)| counter.count).sum();
        let mut traffic = Traffic { all: dropped, refused: dropped };
        for counters in self.kernel.service_counters().values() {
            for (verdict, count) in Verdict::ALL.iter().zip(counters.requests) {
                traffic.all += count;
                traffic.refused += if matches!(verdict, Verdict::Pass | Verdict::Observe) { 0 } else { count };
            }
        }
        traffic
    }

    /// Whether the kernel enforces; if not, why.
    pub(super) fn ready(&self) -> Result<(), String> {
        let problem = ["hooks", "compare", "heartbeat"].iter().find_map(|name| self.problems.get(name));
        problem.map_or(Ok(()), |text| Err(text.clone()))
    }

    fn attachments(&self) -> Vec<Attachment> {
        let attachment = |(hook, mode): (&crate::kernel::Hook, &str)| Attachment {
            interface: hook.interface.clone(),
            hook: hook.kind.name().to_owned(),
            mode: mode.to_owned(),
        };
        let mut all: Vec<Attachment> = self.kernel.attachments().map(attachment).collect();
        all.sort();
        all
    }

    fn services(&self) -> Vec<ServiceReport> {
        let requests = self.requests();
        let report = |(service, requests): (&crate::config::Service, ServiceRequests)| ServiceReport {
            name: service.name.clone(),
            ports: service.ports.clone(),
            interfaces: service.interfaces.clone(),
            mode: if service.enforce { "enforce" } else { "observe" }.to_owned(),
            from: if service.from_center { "center" } else { "file" }.to_owned(),
            requests: requests.requests,
        };
        self.config.services.iter().zip(requests).map(report).collect()
    }

    fn requests(&self) -> Vec<ServiceRequests> {
        let counters = self.kernel.service_counters();
        let of = |name: &String| counters.get(&service_id(name)).copied().unwrap_or_default();
        let services = self.config.services.iter();
        services.map(|service| ServiceRequests::new(&service.name, &of(&service.name))).collect()
    }

    fn decisions(&self) -> PolicyCounts {
        let installed = |kind: &SubjectKind| KindCount { kind: *kind, count: self.kernel.installed(*kind) };
        PolicyCounts {
            intended: KindCount::list(self.ledger.counts()),
            installed: SubjectKind::ALL.iter().map(installed).collect(),
        }
    }

    fn maps(&self) -> Vec<MapFill> {
        let fill =
            |fill: crate::kernel::Fill| MapFill { map: fill.map.to_owned(), used: fill.used, capacity: fill.capacity };
        let capacity = crate::config::PLACES_PER_SIDE as u64;
        let places = MapFill { map: "places".to_owned(), used: self.places_used, capacity };
        self.kernel.fill().into_iter().map(fill).chain([places]).collect()
    }

    fn events(&self) -> EventTotals {
        let [_told, lost, _unsampled, samples, samples_lost] = self.kernel.event_counts();
        let [events, parts] = self.left_unread;
        EventTotals { seen: self.events_seen, lost: lost + events, samples, samples_lost: samples_lost + parts }
    }

    fn remaining_lease(&self) -> Option<Lease> {
        let LostAgent::PassAfter(length) = self.config.agent.lost_agent else { return None };
        let beat = self.kernel.last_heartbeat().unwrap_or(0);
        let silent = Duration::from_nanos(monotonic().saturating_sub(beat));
        Some(Lease { length, left: length.saturating_sub(silent) })
    }
}

/// The verdict of a reason that has only one. The same table as the kernel's `verdict.rs`, seen from the other side.
#[expect(clippy::match_same_arms, reason = "rows of a table")]
fn usual_verdict(reason: Reason) -> Option<Verdict> {
    use Reason as R;
    match reason {
        R::BlockedDevice | R::BlockedSession | R::BlockedUser | R::BlockedApikey | R::BlockedForwarded => None,
        R::OverLimit => Some(Verdict::Limit),
        R::AmbiguousDenied => Some(Verdict::Deny),
        R::Conflict | R::StrictRefused => Some(Verdict::Reset),
        R::BlockedSource | R::BlockedFlow | R::RefusedRemainder | R::RefusalFailed | R::Ahead | R::Fragmented => {
            Some(Verdict::Drop)
        }
        R::ObservedSource | R::ObservedFlow | R::ObservedRequest => Some(Verdict::Observe),
        R::Clean | R::Bypass | R::Allowed | R::LeaseLost | R::Expired | R::NotIp | R::Fragment => Some(Verdict::Pass),
        R::EthernetTruncated | R::VlanTooDeep | R::Ipv4Malformed | R::Ipv6Malformed => Some(Verdict::Pass),
        R::Ipv6TooDeep | R::TransportMalformed | R::RequestClean | R::RequestAnonymous => Some(Verdict::Pass),
        R::RequestBypass | R::RequestAllowed | R::RequestLeaseLost | R::RequestExpired => Some(Verdict::Pass),
        R::WithinLimit | R::RequestAmbiguous | R::HeadTooLong | R::TokenTooLong => Some(Verdict::Pass),
        R::HeadOpen
        | R::Body
        | R::Repeated
        | R::Cut
        | R::AheadObserved
        | R::Unfollowed
        | R::Evicted
        | R::GaveWay
        | R::AnswerLost => Some(Verdict::Pass),
        R::NotHttp | R::Tls | R::Http2 | R::SegmentUnreadable => Some(Verdict::Pass),
    }
}

/// The verdict an action leads to.
pub(super) const fn verdict_of(action: Action) -> Verdict {
    match action {
        Action::Observe => Verdict::Observe,
        Action::Limit => Verdict::Limit,
        Action::Deny => Verdict::Deny,
        Action::Reset => Verdict::Reset,
        Action::Drop => Verdict::Drop,
    }
}
