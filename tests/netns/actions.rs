//! What each action but `deny` looks like from both ends.

use std::time::Duration;

use enforcer_tests::{Agent, CLIENT, Failure, Net, Nginx, PAY, RawTcp, Request, Requests, WEB_PORT, eventually};

const SHORT: Duration = Duration::from_secs(5);

/// Given a device whose requests are reset. When it asks. Then its connection is reset, the server's socket is gone, and
/// nginx has seen nothing.
#[test]
fn reset_ends_the_connection_on_both_sides() {
    for web in [CLIENT.web4(), CLIENT.web6()] {
        let net = Net::new();
        let (nginx, agent) = (Nginx::start(&net), Agent::start(&net, PAY));
        agent.block_device("mallory", "reset");
        let outcomes = Requests::to(web).total(10).device(|_| Some("mallory".into())).run(&net.client);
        assert!(outcomes.iter().all(|outcome| outcome.answer == Err(Failure::Reset)), "{outcomes:#?}");
        eventually(SHORT, "the server has no socket left", || nginx.open_connections() == 0);
        assert!(nginx.served().is_empty());
        assert_eq!(agent.requests("pay", "reset"), 10);
    }
}

/// Given a device whose requests are dropped. When it asks. Then it gets no answer however often it repeats itself, and
/// the server keeps a socket that nothing ever arrives on.
#[test]
fn drop_swallows_the_request_silently() {
    let net = Net::new();
    let (nginx, agent) = (Nginx::start(&net), Agent::start(&net, PAY));
    agent.block_device("mallory", "drop");
    let mut raw = RawTcp::connect(&net.client, CLIENT.web4());
    eventually(SHORT, "nginx has accepted the connection", || nginx.open_connections() == 1);
    raw.send(&[&Request::get("/").device("mallory").bytes()]).expect("sent");
    // The first, and two repetitions by the client's TCP.
    agent.when_counted("blocked_device", 3);
    let (answer, _) = raw.read_to_end(Duration::from_millis(1));
    assert!(answer.is_empty(), "{}", String::from_utf8_lossy(&answer));
    assert!(nginx.served().is_empty());
    assert_eq!(net.host.sockets("established", WEB_PORT).len(), 1);
    assert_eq!(agent.requests("pay", "deny") + agent.requests("pay", "reset"), 0);
}

/// Given a device that is only observed. When it asks. Then it is served, and counted.
#[test]
fn observe_serves_and_counts() {
    let net = Net::new();
    let (nginx, agent) = (Nginx::start(&net), Agent::start(&net, PAY));
    agent.block_device("alice", "observe");
    let outcomes = Requests::to(CLIENT.web4()).total(10).device(|_| Some("alice".into())).run(&net.client);
    assert!(outcomes.iter().all(|outcome| outcome.status() == Some(200)), "{outcomes:#?}");
    assert_eq!(nginx.served_when(10).len(), 10);
    assert_eq!((agent.counted("observed_request"), agent.requests("pay", "observe")), (10, 10));
}
