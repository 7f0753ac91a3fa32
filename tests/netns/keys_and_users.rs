//! Partners' keys and users' names: the same value means nothing as a subject of another kind.

use enforcer_tests::{Agent, CLIENT, Client, Net, Nginx, PAY, Request};

/// Given a service that watches keys, users and devices. When one value is blocked as a key. Then a request is refused only
/// where it is the key; the same for a user.
#[test]
fn a_value_is_blocked_only_as_what_it_is() {
    for (kind, header, reason) in [("apikey", "X-Api-Key", "blocked_apikey"), ("user", "X-User", "blocked_user")] {
        let net = Net::new();
        let nginx = Nginx::start(&net);
        let watched = "user = [{ header = \"X-User\" }]\napikey = [{ header = \"X-Api-Key\" }]\n";
        let agent = Agent::start(&net, &format!("{PAY}{watched}"));
        agent.block(&[kind, "--value", "partner-7", "--service", "pay", "--action", "deny"]);
        for name in ["X-Api-Key", "X-User", "X-Device-Id", "X-Api-Key-Id"] {
            for (value, is_it) in
                [("partner-7", true), ("partner-70", false), ("partner-", false), ("Partner-7", false)]
            {
                let expected = if is_it && name == header { 403 } else { 200 };
                for name in [name.to_owned(), name.to_lowercase()] {
                    let mut client = Client::connect(&net.client, CLIENT.web4()).expect("connects");
                    let answer = client.request(&Request::get("/health").header(&name, value));
                    let status = answer.map(|response| response.status);
                    assert_eq!(status, Ok(expected), "{kind}: {name}: {value}");
                }
            }
        }
        assert_eq!((nginx.served_when(30).len(), agent.counted(reason)), (30, 2));
    }
}
