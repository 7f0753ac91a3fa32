//! What gets lost on the way back: the client repeats itself, and is answered again.

use std::time::Duration;

use enforcer_tests::{Agent, CLIENT, Ending, Net, Nginx, PAY, RawTcp, Request, Response, WEB_PORT, eventually, notice};

const SHORT: Duration = Duration::from_secs(5);

/// Given a way back on which answers get lost. When a blocked device asks, and repeats itself. Then it gets the whole
/// refusal once the way is free, and a proper end; nginx has seen nothing.
#[test]
fn a_lost_refusal_is_sent_again() {
    for web in [CLIENT.web4(), CLIENT.web6()] {
        let net = Net::new();
        let (nginx, agent) = (Nginx::start(&net), Agent::start(&net, PAY));
        let id = agent.block_device("mallory", "deny");
        let mut raw = RawTcp::connect(&net.client, web);
        // Anything with a payload; bare acknowledgements are shorter.
        lose(&net, "meta length > 100");
        raw.send(&[&Request::get("/").device("mallory").bytes()]).expect("sent");
        // Once as a request, and as often again as what is left of a refused connection.
        agent.when_counted("refused_remainder", 2);
        net.client.exec("nft delete table inet lossy");

        let (answer, ending) = raw.read_to_end(SHORT);
        let (refusal, length) = Response::parse(&answer).expect("HTTP").expect("a whole answer");
        assert_eq!((refusal.status, refusal.text(), length), (403, notice(&id), answer.len()));
        assert_eq!(ending, Ending::Closed);
        assert_eq!((nginx.served().len(), nginx.open_connections()), (0, 0));
    }
}

/// Given a refused client whose farewell gets lost. When it repeats it. Then it is acknowledged: no socket stays behind.
#[test]
fn a_lost_farewell_is_answered_again() {
    let net = Net::new();
    let (_nginx, agent) = (Nginx::start(&net), Agent::start(&net, PAY));
    agent.block_device("mallory", "deny");
    let mut raw = RawTcp::connect(&net.client, CLIENT.web4());
    raw.send(&[&Request::get("/").device("mallory").bytes()]).expect("sent");
    assert_eq!(raw.read_to_end(SHORT).1, Ending::Closed);
    lose(&net, "");
    let before = agent.counted("refused_remainder");
    drop(raw);
    agent.when_counted("refused_remainder", before + 3);
    let waiting = format!("ss -Htn state last-ack dport = :{WEB_PORT}");
    assert!(!net.client.exec(&waiting).is_empty(), "the client did not miss an acknowledgement");
    net.client.exec("nft delete table inet lossy");
    eventually(SHORT, "the client's socket is gone", || net.client.exec(&waiting).is_empty());
}

/// Loses what comes back from the API and is `such`, until the table is deleted.
fn lose(net: &Net, such: &str) {
    net.client.exec("nft add table inet lossy");
    net.client.exec("nft add chain inet lossy in { type filter hook input priority 0 ; }");
    net.client.exec(&format!("nft add rule inet lossy in tcp sport {WEB_PORT} {such} drop"));
}
