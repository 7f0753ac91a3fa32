//! A new configuration while traffic runs; one with mistakes changes nothing and says so.

use std::time::Duration;

use enforcer_tests::{
    ATTACKER, Agent, CLIENT, Client, Failure, Net, Nginx, Request, Requests, Summary, Tap, eventually,
};

/// Given a blocked device and steady clean traffic. When its service is taken out of the configuration and put in again, with
/// other words for the refused. Then the device is refused exactly while there is a service, in the words of the day, and
/// not one clean request fails.
#[test]
fn services_come_and_go_under_traffic() {
    let net = Net::new();
    let _nginx = Nginx::start(&net);
    let mut agent = Agent::start(&net, &service("first"));
    agent.done(&["block", "device", "mallory"]);
    let load = Requests::to(CLIENT.web4()).connections(4).per_second(500).device(|_| Some("alice".into()));
    let load = load.start(&net.client);
    assert_eq!(answer(&net), Ok((403, "first".into())));
    for words in ["second", "third"] {
        agent.reload("");
        eventually(SOON, "the service is gone", || answer(&net).is_ok_and(|(status, _)| status == 200));
        agent.reload(&service(words));
        eventually(SOON, "the service is back", || answer(&net) == Ok((403, words.into())));
    }
    agent.reload(&service("fourth"));
    eventually(SOON, "only the words change", || {
        let (status, words) = answer(&net).expect("an answer");
        assert_eq!(status, 403);
        words == "fourth"
    });
    let outcomes = load.stop();
    assert!(outcomes.iter().all(|outcome| outcome.status() == Some(200)), "{}", Summary::of(&outcomes));
    assert_eq!(agent.json(&["status"])["problems"], serde_json::json!([]));
}

/// Given a service and an allowed network. When a file with two mistakes is read. Then everything is as before, status, log
/// and the command name both lines; and a good file ends the complaint.
#[test]
fn a_bad_file_keeps_the_old_configuration() {
    let net = Net::new();
    let _nginx = Nginx::start(&net);
    let allow = "[[allow]]\nnetwork = \"203.0.113.7\"\nas = \"full\"\n";
    let mut agent = Agent::start(&net, &(service("words") + allow));
    let tap = Tap::open(&net, &ATTACKER);
    agent.done(&["block", "device", "mallory"]);
    agent.done(&["block", "ip", "203.0.113.0/24"]);
    agent.reload("[[service]]\nname = \"pay\"\nports = [99999]\n[limits]\nflow = 3\n");
    eventually(SOON, "the mistakes are told", || problems(&agent).contains("the last reload failed"));
    for mistake in ["99999", "flow"] {
        assert!(problems(&agent).contains(mistake) && agent.log().contains(mistake), "{}", problems(&agent));
    }
    let refused = agent.cli(&["reload"]);
    assert_eq!(refused.code, Some(1), "{refused:#?}");
    assert!(refused.stderr.contains("99999"), "{refused:#?}");
    assert_eq!(answer(&net), Ok((403, "words".into())));
    assert_eq!(tap.passing(&["203.0.113.7", "203.0.113.8"]), [true, false]);

    agent.reload(&service("words"));
    eventually(SOON, "the complaint ends", || problems(&agent) == "[]");
    assert_eq!(tap.passing(&["203.0.113.7", "203.0.113.8"]), [false, false]);
    assert_eq!(answer(&net), Ok((403, "words".into())));
}

/// Given a running agent. When the file changes the interfaces, the lease and the limits. Then programs come off and on, the
/// lease is in force, and status says that limits wait for a restart.
#[test]
fn interfaces_and_lease_change_at_once_and_limits_do_not() {
    let net = Net::new();
    let mut agent = Agent::start(&net, "");
    let tap = Tap::open(&net, &ATTACKER);
    agent.done(&["block", "ip", "203.0.113.7"]);
    assert!(!tap.passes("203.0.113.7"));
    agent.reload("[agent]\nlost_agent = \"pass-after 1h\"\n[fastpath]\ninterfaces = [\"client0\"]\n");
    eventually(SOON, "the program is off", || tap.passes("203.0.113.7"));
    assert_eq!(agent.metric("enforcer_lease_seconds", &[]), Some(3600.0));
    assert_eq!(agent.pinned_links().len(), 1);
    agent.reload("[limits]\nflows = 7\n");
    eventually(SOON, "the program is on", || !tap.passes("203.0.113.7"));
    assert!(problems(&agent).contains("take effect when the agent is restarted"), "{}", problems(&agent));
    assert_eq!(agent.metric("enforcer_lease_seconds", &[]), Some(0.0));
    agent.reload("");
    eventually(SOON, "nothing waits any more", || problems(&agent) == "[]");
}

fn problems(agent: &Agent) -> String {
    agent.json(&["status"])["problems"].to_string()
}

/// What the blocked device gets.
fn answer(net: &Net) -> Result<(u16, String), Failure> {
    let mut client = Client::connect(&net.client, CLIENT.web4())?;
    let answer = client.request(&Request::get("/health").device("mallory"))?;
    Ok((answer.status, answer.text()))
}

fn service(words: &str) -> String {
    format!(
        "[[service]]\nname = \"pay\"\nports = [8080]\ndevice = [{{ header = \"X-Device-Id\" }}]\n\
         notice = {{ type = \"text\", body = {words:?} }}\n"
    )
}

const SOON: Duration = Duration::from_secs(10);
