//! What is told of the center's decisions on this host. In: what is held of them. Out: the words for the center, and for `status`. Never here: changes.
use crate::agent::core::Core;
use crate::sync::{Held, Skipped};
use crate::wire::CenterReport;

impl Core {
    /// For the center.
    pub(super) fn held(&mut self) -> Held {
        let all = self.ledger.len() as u64;
        let center = &mut self.center;
        let (decisions, left_out) = (center.held.len() as u64, center.left_out.len() as u64);
        let (digest, skipped) = (center.held.root(), center.skipped);
        Held { decisions, digest, skipped, local: all.saturating_sub(decisions), left_out }
    }

    /// For `status`.
    pub(in crate::agent) fn center_report(&self) -> Option<CenterReport> {
        let mut report = self.center.report.clone()?;
        let Skipped { elsewhere, local, lifted, failed } = self.center.skipped;
        report.decisions = self.center.held.len() as u64;
        report.not_in_force = elsewhere + local + lifted + failed;
        Some(report)
    }
}
