//! A decision reaches as far as its service, and no further.

use std::net::SocketAddr;

use enforcer_tests::{Agent, CLIENT, Net, Nginx, PAY, Requests, SECOND_PORT};

/// Given two services on two ports. When a device is blocked on one. Then the other serves it; when it is blocked
/// everywhere, both refuse it; when that ends, the first decision still holds.
#[test]
fn a_decision_for_one_service_leaves_the_other_alone() {
    let net = Net::new();
    let nginx = Nginx::start(&net);
    let shop =
        format!("[[service]]\nname = \"shop\"\nports = [{SECOND_PORT}]\ndevice = [{{ header = \"X-Device-Id\" }}]\n");
    let agent = Agent::start(&net, &format!("{PAY}{shop}"));
    let (pay, shop) = (CLIENT.web4(), SocketAddr::new(CLIENT.host4.into(), SECOND_PORT));
    let ask = |web| Requests::to(web).device(|_| Some("mallory".into())).run(&net.client)[0].status();

    agent.block_device("mallory", "deny");
    assert_eq!((ask(pay), ask(shop)), (Some(403), Some(200)));
    agent.block(&["device", "--value", "mallory", "--action", "deny"]);
    assert_eq!((ask(pay), ask(shop)), (Some(403), Some(403)));
    agent.done(&["unblock", "device", "--value", "mallory"]);
    assert_eq!((ask(pay), ask(shop)), (Some(403), Some(200)));

    assert_eq!(nginx.served_when(2).len(), 2);
    assert_eq!((agent.requests("pay", "deny"), agent.requests("shop", "deny")), (3, 1));
    assert_eq!(agent.requests("shop", "pass"), 2);
}
