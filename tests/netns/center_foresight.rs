//! What a policy would have hit is what hosts have seen, each device counted once.
use std::fs;
use std::ops::Range;
use std::time::Duration;

use enforcer_tests::{Agent, CLIENT, Center, Client, Net, Nginx, PAY, Request, eventually};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(20);

/// A request of each device from the one client of a host's network.
fn ask(net: &Net, devices: Range<u32>) {
    for device in devices {
        let mut client = Client::connect(&net.client, CLIENT.web4()).expect("a connection");
        let request = Request::get("/health").device(&format!("device-{device:04}"));
        assert_eq!(client.request(&request).expect("an answer").status, 200);
    }
}

/// Given two hosts of one center, with 40 devices each, of which 20 came to both. When a policy is planned. Then each of its decisions says what it would have
/// hit on all hosts it is for, with a warning of the many behind one address; nothing is changed; and a host that does not answer is told.
#[test]
fn a_plan_says_whom_its_decisions_would_have_hit() {
    let nets = vec![Net::new(), Net::new()];
    let _servers: Vec<Nginx> = nets.iter().map(Nginx::start).collect();
    let center = Center::start(&nets);
    let token = center.token("ada", "viewer");
    let mut agents: Vec<Agent> = nets.iter().map(|net| Agent::start(net, PAY)).collect();
    for (number, (net, agent)) in nets.iter().zip(&mut agents).enumerate() {
        center.enroll(net, agent, number, &[if number == 0 { "canary" } else { "edge" }]);
    }
    ask(&nets[0], 0..40);
    ask(&nets[1], 20..60);

    let address = CLIENT.peer4.to_string();
    let text = format!(
        "[group.edge]\n[service.pay]\nports = [8080]\n[[decision]]\nip = \"{address}\"\naction = \"drop\"\n\
         [[decision]]\ndevice = \"device-0025\"\naction = \"deny\"\n\
         [[decision]]\ndevice = \"device-0026\"\naction = \"deny\"\ngroups = [\"edge\"]\n"
    );
    let files = json!({"files": [{"name": "a", "text": text}]});
    let planned = || center.ask(&token, "POST", "/policy/plan", &files);
    let of = |plan: &Value, name: &str| {
        let steps = plan["plan"]["changes"].as_array().expect("steps");
        steps.iter().find(|step| step["name"] == name).unwrap_or_else(|| panic!("{name} in {plan:#}"))["hit"].clone()
    };
    let about = |hit: &Value, what: &str| hit["reached"][what]["about"].as_u64();
    let mut plan = Value::Null;
    eventually(SOON, "both hosts tell all they have seen", || {
        plan = planned().1;
        let hit = of(&plan, &format!("ip {address}"));
        plan["plan"]["foreseen"]["answered"] == 2 && about(&hit, "requests") == Some(80)
    });
    let all = of(&plan, &format!("ip {address}"));
    let figures = ["requests", "devices", "addresses"].map(|what| about(&all, what));
    assert_eq!(figures, [Some(80), Some(60), Some(1)], "{all:#}");
    assert!(all["warnings"][0].as_str().expect("a warning").contains("hides 40 devices"), "{all:#}");
    let both = of(&plan, "device de…25");
    assert_eq!(["requests", "devices"].map(|what| about(&both, what)), [Some(2), Some(1)], "{both:#}");
    let edge = of(&plan, "device de…26");
    assert_eq!(["requests", "devices"].map(|what| about(&edge, what)), [Some(1), Some(1)], "{edge:#}");
    for what in ["sessions", "users", "keys"] {
        assert_eq!(all["reached"][what], Value::Null, "what no request carried is unknown");
    }
    assert_eq!(center.ask(&token, "GET", "/health", &Value::Null).1["revision"], 0, "a plan changes nothing");
    for net in &nets {
        ask(net, 25..26);
    }

    agents[1].signal(Signal::SIGSTOP);
    let partly = planned().1;
    assert_eq!((&partly["plan"]["foreseen"]["hosts"], &partly["plan"]["foreseen"]["answered"]), (&json!(2), &json!(1)));
    assert_eq!(about(&of(&partly, &format!("ip {address}")), "devices"), Some(40));
    agents[1].signal(Signal::SIGCONT);

    let (policy, secret) = (nets[0].folder().join("policy.toml"), nets[0].folder().join("token"));
    fs::write(&policy, &text).expect("a file can be written");
    fs::write(&secret, &token).expect("a file can be written");
    let arguments =
        ["--token-file", &secret.display().to_string(), "--authority", &center.authority().display().to_string()]
            .map(str::to_owned);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let policy = policy.display().to_string();
    let words = [&["policy", "plan", &policy, "--center", "https://10.78.0.1:9443"], &arguments[..]].concat();
    let mut said = String::new();
    eventually(SOON, "the command line tells it, too", || {
        said = agents[0].cli(&words).stdout;
        said.contains("would have hit 82 requests, 60 devices, 1 address\n")
    });
    assert!(said.contains("what 2 of 2 hosts have served since"), "{said}");
}
