//! Events of the kernel in words. In: [`Event`]. Out: [`EventReport`]. Reports name the decision even where the kernel does
//! not hold it (sources).
use enforcer_common::{Event, Reason, SubjectKind, Verdict};
use enforcer_policy::DecisionId;

use super::clock;
use super::core::Core;
use crate::wire::EventReport;

impl Core {
    /// Takes one event in.
    pub(super) fn take_event(&mut self, event: &Event) {
        self.events_seen += 1;
        if let Some(report) = self.in_words(event) {
            self.tell_refusal(&report);
            self.remember(report);
        }
    }

    /// The first seconds: what was told into maps that were replaced since.
    pub(super) fn take_left_events(&mut self) {
        let mut events = Vec::new();
        let lost = self.kernel.drain_left(|event| events.push(event));
        for event in &events {
            self.take_event(event);
        }
        for (sum, more) in self.left_unread.iter_mut().zip(lost) {
            *sum += more;
        }
        if self.seconds > 0 {
            self.kernel.forget_left();
        }
    }

    fn in_words(&self, event: &Event) -> Option<EventReport> {
        let kind = SubjectKind::from_raw(event.kind);
        let decision = match (event.decision, kind) {
            (0, Some(SubjectKind::Ip)) => self.ledger.covering(event.source).first().map(|decision| decision.id),
            (0, _) => None,
            (id, _) => Some(DecisionId(id)),
        };
        Some(EventReport {
            time: clock::on_the_wall(event.time),
            reason: *Reason::ALL.get(usize::from(event.reason))?,
            verdict: *Verdict::ALL.get(usize::from(event.verdict))?,
            kind,
            decision,
            service: self.service_name(event.service),
            source: event.source.into(),
            source_port: event.source_port,
            destination: event.destination.into(),
            destination_port: event.destination_port,
            protocol: EventReport::protocol_name(event.protocol),
            interface: self.interface_name(event.ifindex),
            digest: (event.digest != 0).then(|| format!("{:016x}", event.digest)),
            bytes: event.length,
        })
    }
}
