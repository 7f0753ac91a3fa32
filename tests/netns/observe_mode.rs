//! A service that only observes: the way to try a policy on real traffic.

use std::time::Duration;

use enforcer_tests::{Agent, CLIENT, Net, Nginx, PAY, Requests, eventually};

/// Given a service that observes, and a blocked device. When it asks. Then it is served and counted, until the service is
/// told to enforce.
#[test]
fn an_observing_service_refuses_nobody_until_it_enforces() {
    let net = Net::new();
    let nginx = Nginx::start(&net);
    let observing = format!("{PAY}mode = \"observe\"\n");
    let mut agent = Agent::start(&net, &observing);
    agent.block_device("mallory", "deny");
    let ask = || Requests::to(CLIENT.web4()).device(|_| Some("mallory".into())).run(&net.client)[0].status();

    assert_eq!(ask(), Some(200));
    assert_eq!(nginx.served_when(1).len(), 1);
    assert_eq!((agent.counted("observed_request"), agent.requests("pay", "observe")), (1, 1));

    agent.reload(PAY);
    eventually(Duration::from_secs(5), "the service enforces", || ask() == Some(403));
    let served = nginx.served().len();
    assert_eq!(ask(), Some(403));
    assert_eq!(nginx.served().len(), served);
}
