//! What most tests ask of the agent, one line each, and the service they ask it for.
//!
//! In: tokens, addresses, reasons. Out: ids of decisions, numbers. Never here: the wire of the socket; all of it goes
//! through the command line, as its users do it.

use std::time::Duration;

use serde_json::Value;

use crate::{agent::Agent, wait::eventually};

/// The service of most tests: the API on both cables, devices by header or in the `User-Agent`, a notice with the id.
pub const PAY: &str = r#"
[[service]]
name = "pay"
ports = [8080]
device = [{ header = "X-Device-Id" }, { header = "User-Agent", pattern = "DeviceId/" }]
notice = { type = "json", body = '{"error":"refused","decision":"{decision}"}' }
"#;

/// The body of the refusal that [`PAY`] sends for a decision.
pub fn notice(id: &str) -> String {
    format!("{{\"error\":\"refused\",\"decision\":\"{id}\"}}")
}

impl Agent {
    /// Blocks a device on the service `pay` with this action, and returns the decision's id.
    #[track_caller]
    pub fn block_device(&self, token: &str, action: &str) -> String {
        self.block(&["device", "--value", token, "--service", "pay", "--action", action])
    }

    /// Blocks an address or a network, and returns the decision's id.
    #[track_caller]
    pub fn block_ip(&self, network: &str) -> String {
        self.block(&["ip", network])
    }

    /// Blocks something for an hour, and returns the decision's id.
    #[track_caller]
    pub fn block(&self, what: &[&str]) -> String {
        let report = self.json(&[&["block"], what, &["--for", "1h", "--reason", "test"]].concat());
        let id = report["decision"]["id"].as_str();
        id.unwrap_or_else(|| panic!("a decision without an id: {report}")).to_owned()
    }

    /// What `enforcer top` shows.
    #[track_caller]
    pub fn top(&self) -> Value {
        self.json(&["top", "--once"])
    }

    /// How many packets or requests were judged for this reason.
    #[track_caller]
    pub fn counted(&self, reason: &str) -> u64 {
        let top = self.top();
        let mut reasons = top["reasons"].as_array().into_iter().flatten();
        let count = reasons.find(|one| one["reason"] == reason).and_then(|one| one["count"].as_u64());
        count.unwrap_or_else(|| panic!("nothing is known of `{reason}` in {top}"))
    }

    /// Waits until this reason was counted so often.
    #[track_caller]
    pub fn when_counted(&self, reason: &str, count: u64) {
        eventually(DEADLINE, &format!("{count} times `{reason}`"), || self.counted(reason) >= count);
    }

    /// How many requests of a service had this verdict.
    #[track_caller]
    pub fn requests(&self, service: &str, verdict: &str) -> u64 {
        let top = self.top();
        let mut services = top["services"].as_array().into_iter().flatten();
        let count = services.find(|one| one["name"] == service).and_then(|one| {
            let mut verdicts = one["requests"].as_array()?.iter();
            verdicts.find(|of| of["verdict"] == verdict)?["count"].as_u64()
        });
        count.unwrap_or_else(|| panic!("nothing is known of `{verdict}` on {service} in {top}"))
    }
}

const DEADLINE: Duration = Duration::from_secs(10);
