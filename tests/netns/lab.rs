//! A host and its center, for tests of what passes between the two.
//!
//! In: an agent's configuration beyond that of the service `pay`. Out: both, and what the center knows of the host. Never here: a test.

use std::collections::BTreeMap;

use enforcer_tests::{Agent, Center, Net, Nginx, PAY};
use serde_json::{Value, json};

/// A host with an nginx and an agent, and its center.
pub(crate) struct Lab {
    // The agent goes before the network it lives in.
    pub(crate) agent: Agent,
    _nginx: Nginx,
    pub(crate) center: Center,
    pub(crate) net: Net,
    pub(crate) token: String,
}

impl Lab {
    pub(crate) fn start() -> Self {
        Self::start_on(None, "")
    }

    /// The same, with a disk of so many mebibytes for the center, and more of a configuration for the agent.
    pub(crate) fn start_on(disk: Option<u32>, more: &str) -> Self {
        let nets = [Net::new()];
        let center = Center::start_on(&nets, disk);
        let [net] = nets;
        let nginx = Nginx::start(&net);
        let mut agent = Agent::start(&net, &format!("{PAY}{more}"));
        center.enroll(&net, &mut agent, 0, &[]);
        let token = center.token("ada", "operator");
        Self { agent, _nginx: nginx, center, net, token }
    }

    /// All events that fit.
    pub(crate) fn events(&self, which: &str) -> Vec<Value> {
        let (mut all, mut after) = (Vec::new(), 0);
        loop {
            let path = format!("/events?after={after}&limit=50{which}");
            let (status, page) = self.center.ask(&self.token, "GET", &path, &json!(null));
            assert_eq!(status, 200, "{page}");
            all.extend(page["items"].as_array().cloned().unwrap_or_default());
            let Some(next) = page["next"].as_u64() else { return all };
            after = next;
        }
    }

    /// The reasons of acts, and how often each is there.
    pub(crate) fn reasons(&self) -> BTreeMap<String, u64> {
        let mut reasons = BTreeMap::new();
        for act in self.events("&kind=act") {
            let message = act["message"].as_str().unwrap_or_default();
            let reason = message.rsplit_once("; ").map_or(message, |(_, reason)| reason);
            *reasons.entry(reason.to_owned()).or_default() += 1;
        }
        reasons
    }

    /// The same by the command line of the host.
    pub(crate) fn fleet(&self, more: &[&str]) -> Value {
        self.fleet_of("events", more)
    }

    /// What `fleet` says of something else.
    pub(crate) fn fleet_of(&self, what: &str, more: &[&str]) -> Value {
        let token = self.net.folder().join("token");
        std::fs::write(&token, &self.token).expect("a file can be written");
        let (token, authority) = (token.display().to_string(), self.center.authority().display().to_string());
        let center = ["--center", "https://10.78.0.1:9443", "--token-file", &token, "--authority", &authority];
        self.agent.json(&[&["fleet", what], &center[..], more].concat())
    }
}
