//! Limits: so many requests of a subject pass, the others get a 429.

use std::time::Duration;

use enforcer_tests::{Agent, CLIENT, Net, Nginx, PAY, Requests, Summary, eventually};

/// Given a device that may send a burst of five and one a minute. When it sends twenty. Then five are served and fifteen get
/// a 429; nginx has seen five, the counters are exact, and nobody else notices.
#[test]
fn what_is_over_the_limit_gets_429() {
    let net = Net::new();
    let (nginx, agent) = (Nginx::start(&net), Agent::start(&net, PAY));
    limit(&agent, "1/m", "5");
    let send = |device: &'static str, total| {
        let load = Requests::to(CLIENT.web4()).total(total).device(move |_| Some(device.to_owned()));
        Summary::of(&load.run(&net.client)).counts
    };
    assert_eq!(send("busy", 20), [("200".to_owned(), 5), ("429".to_owned(), 15)].into());
    assert_eq!(send("other", 20), [("200".to_owned(), 20)].into());
    assert_eq!(nginx.served_when(25).len(), 25);
    assert_eq!((agent.counted("within_limit"), agent.counted("over_limit")), (5, 15));
    assert_eq!(agent.requests("pay", "limit"), 15);
}

/// Given a limit over many connections at a time, of both families. When they all send. Then together they get no more than
/// the limit.
#[test]
fn connections_share_a_limit() {
    let net = Net::new();
    let (nginx, agent) = (Nginx::start(&net), Agent::start(&net, PAY));
    limit(&agent, "1/m", "50");
    for web in [CLIENT.web4(), CLIENT.web6()] {
        let load = Requests::to(web).connections(10).total(100).device(|_| Some("busy".to_owned()));
        let outcomes = load.run(&net.client);
        assert!(outcomes.iter().all(|one| matches!(one.status(), Some(200 | 429))), "{}", Summary::of(&outcomes));
    }
    assert_eq!(nginx.served_when(50).len(), 50);
    assert_eq!((agent.counted("within_limit"), agent.counted("over_limit")), (50, 150));
}

/// Given a device whose burst is used up, and twenty requests a second. When it waits. Then it is served again.
#[test]
fn a_limit_fills_up_again() {
    let net = Net::new();
    let (_nginx, agent) = (Nginx::start(&net), Agent::start(&net, PAY));
    limit(&agent, "20/s", "1");
    let ask = || Requests::to(CLIENT.web4()).device(|_| Some("busy".to_owned())).run(&net.client)[0].status();
    let pause = Duration::from_secs(5);
    eventually(pause, "a request over the limit", || ask() == Some(429));
    eventually(pause, "a request within the limit", || ask() == Some(200));
}

fn limit(agent: &Agent, rate: &str, burst: &str) {
    let what = ["device", "--value", "busy", "--service", "pay", "--action", "limit", "--rate", rate, "--burst", burst];
    agent.block(&what);
}
