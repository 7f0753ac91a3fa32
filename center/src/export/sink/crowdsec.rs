//! Alerts to a CrowdSec local API.
//!
//! In: findings. Out: they are there when CrowdSec says so; how many had no place there. Never here: what an alert looks like (`format/alert.rs`),
//! the protocol (`enforcer-crowdsec`).
use anyhow::Context as _;
use enforcer_crowdsec::{CrowdSecError, Machine};
use serde_json::Value;

use super::super::format::alert;
use super::super::settings::CrowdSecTarget;
use crate::clock;
use crate::store::KeptEvent;

/// A machine of CrowdSec.
pub(in super::super) struct CrowdSecSink {
    settings: CrowdSecTarget,
    machine: Machine,
}

impl CrowdSecSink {
    pub(super) fn new(settings: CrowdSecTarget) -> Self {
        Self { machine: machine(&settings), settings }
    }

    /// Brings the alerts among them; how many events were none.
    pub(super) async fn send(&mut self, events: &[KeptEvent]) -> anyhow::Result<u64> {
        let now = clock::now();
        let alerts: Vec<Value> =
            events.iter().filter_map(|event| alert(event, self.settings.ban.as_deref(), now)).collect();
        let mut left_out = (events.len() - alerts.len()) as u64;
        if alerts.is_empty() {
            return Ok(left_out);
        }
        match self.bring(&alerts).await {
            // One that it does not understand must not keep the others from it for ever.
            Err(error) if is_strange(&error) => {
                for alert in &alerts {
                    left_out += self.bring_one(alert).await?;
                }
            }
            brought => brought?,
        }
        Ok(left_out)
    }

    /// 1 for an alert that CrowdSec does not understand.
    async fn bring_one(&mut self, alert: &Value) -> anyhow::Result<u64> {
        match self.bring(std::slice::from_ref(alert)).await {
            Err(error) if is_strange(&error) => {
                tracing::warn!(%error, "CrowdSec does not take this finding; it is left out");
                Ok(1)
            }
            brought => Ok(brought.map(|()| 0).context("an alert")?),
        }
    }

    async fn bring(&mut self, alerts: &[Value]) -> Result<(), CrowdSecError> {
        self.machine.alert(Value::Array(alerts.to_vec()).to_string().into()).await
    }

    /// The next one logs in anew.
    pub(super) fn close(&mut self) {
        self.machine = machine(&self.settings);
    }
}

fn machine(settings: &CrowdSecTarget) -> Machine {
    let CrowdSecTarget { place, machine, password, .. } = settings;
    Machine::new(place.clone(), machine.clone(), password.clone())
}

/// Whether it does not understand an alert, and will not the next time. Debian 12's (1.4.6) answers 500 to what its form lacks.
fn is_strange(error: &CrowdSecError) -> bool {
    match error {
        CrowdSecError::Alert(400 | 422, _) => true,
        CrowdSecError::Alert(500, why) => why.contains("validation failure"),
        CrowdSecError::Alert(..)
        | CrowdSecError::Answer(_)
        | CrowdSecError::File { .. }
        | CrowdSecError::Login(_)
        | CrowdSecError::Stream(_)
        | CrowdSecError::Unreachable(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_understood_is_told_from_what_fails() {
        let refused = |status, why: &str| is_strange(&CrowdSecError::Alert(status, why.to_owned()));
        assert!(refused(400, "") && refused(422, "") && refused(500, "validation failure list: capacity is required"));
        assert!(!refused(500, "unable to write") && !refused(503, "") && !is_strange(&CrowdSecError::Login(403)));
    }
}
