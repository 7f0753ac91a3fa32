//! Filters: what they find in real traffic becomes a decision, or waits for a person.

use std::time::Duration;

use enforcer_tests::{Agent, CLIENT, Client, Net, Nginx, PAY, Request, eventually};
use serde_json::Value;

const SOON: Duration = Duration::from_secs(20);

/// Given a service on which one filter enforces. When a device walks through the accounts of others, beside devices that look at
/// their own. Then it is found, decided on without a person, and refused in the kernel; the others are served.
#[test]
fn who_walks_through_accounts_is_refused_by_itself() {
    let mut lab = Lab::start("filters = {walking = {mode = \"enforce\", objects = 20}}\n");
    // Enough others to say what is usual.
    let honest = |number: usize| {
        let own = format!("/api/accounts/{}", number * 977);
        assert_eq!(lab.ask(&Request::get(&own).device(&format!("honest-{number}"))), Some(200));
    };
    (0..120).for_each(|number| honest(number % 30));
    let mut account = 1000;
    eventually(SOON, "the walker is refused", || {
        account += 1;
        lab.ask(&Request::get(&format!("/api/accounts/{account}")).device("walker")) == Some(403)
    });
    assert!(account < 5000, "it was found after {} accounts", account - 1000);
    let found = lab.findings();
    let walking = found.iter().find(|one| one["filter"] == "walking" && !one["decision"].is_null());
    let walking = walking.unwrap_or_else(|| panic!("{found:#?}"));
    let id = walking["id"].as_str().expect("an id");
    let decision = walking["decision"].as_str().expect("a decision");
    let decisions = lab.agent.json(&["list"]);
    let made = decisions["decisions"].as_array().expect("a list");
    assert!(made.iter().any(|one| one["id"] == decision && one["origin"] == "finding"), "{decisions:#}");
    (0..30).for_each(honest);
    assert_eq!(lab.agent.metric("enforcer_findings_decided_total", &[]), Some(1.0));
    let shown = lab.agent.done(&["findings", "show", id]);
    assert!(shown.contains("API1:2023") && !shown.contains("walker"), "{shown}");
    let page = lab.agent.done(&["report"]);
    assert!(page.contains("API1:2023") && page.contains(&format!("decision {decision}")), "{page}");
    assert!(page.ends_with("</html>\n") && !page.contains("walker"), "{page}");

    // A restart forgets neither the finding nor what it led to.
    lab.agent.stop();
    lab.agent.restart();
    let after = lab.findings();
    assert!(after.iter().any(|one| one["id"] == id && one["decision"] == decision), "{after:#?}");
    lab.agent.done(&["unblock", decision]);
    lab.agent.done(&["findings", "except", id, "--reason", "a test"]);
    assert!(lab.findings().iter().all(|one| one["id"] != id));
    let report = lab.agent.json(&["report"]);
    assert_eq!(
        (&report["exceptions"][0]["filter"], &report["exceptions"][0]["reason"]),
        (&"walking".into(), &"a test".into())
    );
    assert_eq!(lab.agent.cli(&["report", "--month", "2026-13"]).code, Some(2));
}

/// Given filters that only observe. When passwords are tried. Then it is found, nobody is refused, and a person decides with one
/// command.
#[test]
fn what_is_only_observed_waits_for_a_person() {
    let lab = Lab::start("filters = {all = \"off\", logins = \"observe\"}\n");
    let filters = lab.agent.json(&["filters"]);
    let mut tries = 0;
    let mut found = Vec::new();
    eventually(SOON, "somebody is found to try passwords", || {
        tries += 1;
        let body = format!("{{\"user\":\"user{tries}\",\"password\":\"hunter{tries}\"}}");
        let request = Request::post("/login", &body).header("Content-Type", "application/json").device("stuffer");
        assert_eq!(lab.ask(&request), Some(401), "{filters:#}");
        found = lab.findings();
        !found.is_empty()
    });
    let suggested = |one: &&Value| !one["suggestion"].is_null();
    let finding = found.iter().find(suggested).unwrap_or_else(|| panic!("{found:#?}"));
    assert_eq!((&finding["filter"], &finding["decision"]), (&"logins".into(), &Value::Null));
    let id = finding["id"].as_str().expect("an id");
    lab.agent.done(&["findings", "decide", id, "--for", "5m"]);
    let after = lab.ask(&Request::post("/login", "{}").device("stuffer"));
    assert!(matches!(after, None | Some(403)), "{after:?}");
}

struct Lab {
    // The agent goes before the network it lives in.
    agent: Agent,
    _nginx: Nginx,
    net: Net,
}

impl Lab {
    fn start(more: &str) -> Self {
        let net = Net::new();
        let (nginx, agent) = (Nginx::start(&net), Agent::start(&net, &format!("{PAY}{more}")));
        Self { agent, _nginx: nginx, net }
    }

    /// The status; none when the connection is refused or dropped.
    fn ask(&self, request: &Request) -> Option<u16> {
        let from = CLIENT.peer4.into();
        let mut client = Client::connect_from(&self.net.client, from, CLIENT.web4(), Duration::from_secs(2)).ok()?;
        client.request(request).ok().map(|response| response.status)
    }

    fn findings(&self) -> Vec<Value> {
        self.agent.json(&["findings"])["findings"].as_array().cloned().unwrap_or_default()
    }
}
