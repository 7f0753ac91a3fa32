//! Several services on one port, told apart by host names or by the beginnings of paths.

use enforcer_tests::{Agent, CLIENT, Net, Nginx, RawTcp, Response};

/// Given two services by host. When a device is blocked on one. Then it is refused there, however the host is written, and
/// served on the other; the same by path.
#[test]
fn services_that_share_a_port_have_decisions_of_their_own() {
    for (settings, refused, served) in [
        (["hosts = [\"pay.example\"]", "hosts = [\"shop.example\"]"], &BY_HOST.0[..], &BY_HOST.1[..]),
        (["paths = [\"/api/pay\"]", "paths = [\"/api/shop\"]"], &BY_PATH.0[..], &BY_PATH.1[..]),
    ] {
        let net = Net::new();
        let nginx = Nginx::start(&net);
        // The first is the port's own: what fits neither of the others is its.
        let services = [("rest", ""), ("pay", settings[0]), ("shop", settings[1])];
        let agent = Agent::start(&net, &services.map(|(name, settings)| service(name, settings)).concat());
        agent.block_device("mallory", "deny");
        for (texts, expected) in [(refused, 403), (served, 200)] {
            for text in texts {
                assert_eq!(ask(&net, text), expected, "{text}");
            }
        }
        assert_eq!(nginx.served_when(served.len()).len(), served.len());
        agent.block(&["device", "--value", "mallory", "--action", "deny"]);
        for text in refused.iter().chain(served) {
            assert_eq!(ask(&net, text), 403, "blocked everywhere: {text}");
        }
    }
}

fn service(name: &str, where_to: &str) -> String {
    format!("[[service]]\nname = \"{name}\"\nports = [8080]\n{where_to}\ndevice = [{{ header = \"X-Device-Id\" }}]\n\n")
}

fn ask(net: &Net, text: &str) -> u16 {
    let mut raw = RawTcp::connect(&net.client, CLIENT.web4());
    raw.send(&[format!("{text}\r\nX-Device-Id: mallory\r\n\r\n").as_bytes()]).expect("sent");
    let whole = |received: &[u8]| Response::parse(received).ok().flatten();
    let (received, _) = raw.read_until(std::time::Duration::from_secs(5), |received| whole(received).is_some());
    let answer = whole(&received).map(|(response, _)| response.status);
    answer.unwrap_or_else(|| panic!("no answer to {text:?}: {:?}", String::from_utf8_lossy(&received)))
}

/// Beginnings of requests: refused, served.
type Texts<const REFUSED: usize, const SERVED: usize> = ([&'static str; REFUSED], [&'static str; SERVED]);
const BY_HOST: Texts<7, 5> = (
    [
        "GET /health HTTP/1.1\r\nHost: pay.example",
        "GET /health HTTP/1.1\r\nhost:pay.example",
        "GET /health HTTP/1.1\r\nHost: PAY.Example",
        "GET /health HTTP/1.1\r\nHost: pay.example:8080",
        "GET http://pay.example/health HTTP/1.1\r\nHost: pay.example",
        // The target's host counts for servers, not the header's.
        "GET http://pay.example/health HTTP/1.1\r\nHost: shop.example",
        "GET /health HTTP/1.0\r\nHost: pay.example",
    ],
    [
        "GET /health HTTP/1.1\r\nHost: shop.example",
        "GET /health HTTP/1.1\r\nHost: xpay.example",
        "GET /health HTTP/1.1\r\nHost: pay.example.org",
        "GET /health HTTP/1.1\r\nHost: shop.example\r\nX-Host: pay.example",
        "GET /health?pay.example HTTP/1.1\r\nHost: shop.example",
    ],
);
const BY_PATH: Texts<8, 5> = (
    [
        "GET /api/pay HTTP/1.1\r\nHost: a",
        "GET /api/pay/7 HTTP/1.1\r\nHost: a",
        "GET /api/pay?x HTTP/1.1\r\nHost: a",
        "POST /api/pay/7/8/9 HTTP/1.1\r\nHost: a\r\nContent-Length: 0",
        "GET /api//pay/7 HTTP/1.1\r\nHost: a",
        "GET /api/shop/../pay/7 HTTP/1.1\r\nHost: a",
        "GET /api/%70ay/7 HTTP/1.1\r\nHost: a",
        "GET http://a/api/pay HTTP/1.1\r\nHost: a",
    ],
    [
        "GET /api/shop/7 HTTP/1.1\r\nHost: a",
        "GET /api/shop HTTP/1.1\r\nHost: a",
        "GET /api/payments HTTP/1.1\r\nHost: a",
        "GET /api/shop/pay HTTP/1.1\r\nHost: a",
        "GET /api/shop?/api/pay HTTP/1.1\r\nHost: a",
    ],
);
