//! The center of a ground that has one.
//!
//! In: a network with an agent. Out: an enrolled host, decisions of the center, its audit log verified. Never here: a fault.

use enforcer_tests::{Agent, Center, Net};
use serde_json::{Value, json};

/// A center with one host.
pub(crate) struct Fleet {
    pub(crate) center: Center,
    pub(crate) token: String,
}

impl Fleet {
    /// Starts it, and makes the host one of its own.
    pub(crate) fn start(net: &Net, agent: &mut Agent) -> Self {
        let center = Center::start(std::slice::from_ref(net));
        center.enroll(net, agent, 0, &[]);
        let token = center.token("ada", "operator");
        // The first start with the fleet's key makes the maps anew, which status tells.
        agent.stop();
        agent.restart();
        Self { center, token }
    }

    /// The chain of the audit log verifies by the center's own command, and the numbers of the host's events have no hole.
    pub(crate) fn audit(&self) -> Result<(), String> {
        self.center.cli(&["audit", "verify"]);
        let numbers = self.numbers()?;
        let expected: Vec<u64> = (1..=numbers.len() as u64).collect();
        if numbers == expected { Ok(()) } else { Err(format!("the numbers of events at the center: {numbers:?}")) }
    }

    /// The numbers of the host's events, none of which may be given up.
    fn numbers(&self) -> Result<Vec<u64>, String> {
        let (mut numbers, mut after) = (Vec::new(), 0);
        loop {
            let (status, page) =
                self.center.ask(&self.token, "GET", &format!("/events?after={after}&limit=500"), &Value::Null);
            if status != 200 {
                return Err(format!("the center answers {status}: {page}"));
            }
            for event in page["items"].as_array().into_iter().flatten() {
                if event["kind"] == "gap" {
                    return Err(format!("events were given up: {event}"));
                }
                numbers.extend(event["sequence"].as_u64());
            }
            let Some(next) = page["next"].as_u64() else { return Ok(numbers) };
            after = next;
        }
    }

    /// Blocks a device on all hosts.
    pub(crate) fn block(&self, device: &str) -> String {
        let asked = json!({"kind": "device", "value": device, "action": "deny", "seconds": 86_400, "reason": "faults"});
        let (status, answer) = self.center.ask(&self.token, "POST", "/decisions", &asked);
        assert_eq!(status, 201, "{answer}");
        answer["decision"]["id"].as_str().expect("an id").to_owned()
    }

    /// Whether the host has all that was decided, and has said so.
    pub(crate) fn is_in_sync(&self) -> bool {
        let (status, health) = self.center.ask(&self.token, "GET", "/health", &Value::Null);
        status == 200
            && self.center.states(&self.token) == [("in sync".to_owned(), health["revision"].as_u64().unwrap_or(0))]
    }
}
