//! A decision for one endpoint: there it holds however the path is written, and nowhere else.

use enforcer_tests::{Agent, CLIENT, Net, Nginx, PAY, RawTcp, Response};

const SERVICE: &str = "apikey = [{ header = \"X-Api-Key\" }]\n";

/// Given a partner's key that is denied on one endpoint. When the partner asks for anything else, or another partner for that
/// endpoint. Then it is served; when the partner asks for that endpoint in any way to write it, it is refused.
#[test]
fn a_key_is_denied_on_one_endpoint_only() {
    let net = Net::new();
    let nginx = Nginx::start(&net);
    let agent = Agent::start(&net, &format!("{PAY}{SERVICE}"));
    let scope = "pay:GET /api/accounts/{id}";
    agent.block(&["apikey", "--value", "partner", "--scope", scope, "--action", "deny"]);
    let ask = |line: &str, key: &str| ask(&net, &format!("{line} HTTP/1.1\r\nHost: a\r\nX-Api-Key: {key}\r\n\r\n"));
    for line in SAME {
        let (status, body) = ask(line, "other");
        let is_there = body.contains("\"account\":7");
        assert!(status == 200 && is_there, "{line}: not the same endpoint for nginx: {status} {body}");
        assert_eq!(ask(line, "partner").0, 403, "{line}");
    }
    for line in OTHERS {
        let other = ask(line, "other");
        assert_eq!(ask(line, "partner"), other, "{line}");
        assert!(other.0 == 200, "{line}: {}", other.0);
    }
    let served = SAME.len() + 2 * OTHERS.len();
    assert_eq!(nginx.served_when(served).len(), served);
    assert_eq!(agent.counted("blocked_apikey"), SAME.len() as u64);

    // Taken back, all is served.
    agent.done(&["unblock", "apikey", "--value", "partner", "--scope", scope]);
    assert_eq!(ask(SAME[0], "partner").0, 200);
}

/// Given the same for any method, with everything below. When the partner asks there. Then it is refused.
#[test]
fn an_open_endpoint_covers_what_is_below() {
    let net = Net::new();
    let _nginx = Nginx::start(&net);
    let agent = Agent::start(&net, &format!("{PAY}{SERVICE}"));
    agent.block(&["apikey", "--value", "partner", "--scope", "pay:/api/accounts/**", "--action", "deny"]);
    let ask = |line: &str| {
        ask(&net, &format!("{line} HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nX-Api-Key: partner\r\n\r\n")).0
    };
    for line in ["GET /api/accounts/7", "POST /api/accounts/7", "DELETE /api/accounts/7/x/y", "PUT /api/accounts/"] {
        assert_eq!(ask(line), 403, "{line}");
    }
    for line in ["GET /api/accountsx/7", "GET /api/account", "POST /api/payments", "GET /health"] {
        assert_eq!(ask(line), 200, "{line}");
    }
}

fn ask(net: &Net, request: &str) -> (u16, String) {
    let mut raw = RawTcp::connect(&net.client, CLIENT.web4());
    raw.send(&[request.as_bytes()]).expect("sent");
    let whole = |received: &[u8]| Response::parse(received).ok().flatten();
    let (received, _) = raw.read_until(std::time::Duration::from_secs(5), |received| whole(received).is_some());
    let answer = whole(&received).map(|(response, _)| (response.status, response.text()));
    answer.unwrap_or_else(|| panic!("no answer to {request:?}: {:?}", String::from_utf8_lossy(&received)))
}

/// For nginx all of these are account 7.
const SAME: [&str; 14] = [
    "GET /api/accounts/7",
    "GET /api/accounts/7?x=y",
    "GET /api/accounts/7?/../health",
    "GET /api/accounts/7#x",
    "GET //api/accounts/7",
    "GET /api//accounts///7",
    "GET /api/./accounts/7",
    "GET /./api/accounts/7",
    "GET /api/x/../accounts/7",
    "GET /health/../api/accounts/7",
    "GET /api/%61ccounts/7",
    "GET /%2e/api%2Faccounts/%37",
    "GET http://a/api/accounts/7",
    "GET http://a:80/api/accounts/7?x",
];
/// None of these is the endpoint.
const OTHERS: [&str; 6] = [
    "GET /api/accounts",
    "GET /api/accounts/7/balance",
    "GET /api/payments/7",
    "POST /api/accounts/7",
    "DELETE /api/accounts/7",
    "GET /health?/api/accounts/7",
];
