//! Sessions: by cookie or by bearer token.

use enforcer_tests::{Agent, CLIENT, Client, Net, Nginx, PAY, Request};

const TOKEN: &str = "s3ss10n-AbC.dEf_42~x";

/// Given a blocked session. When its token comes in the watched cookie or as a bearer token, in any company. Then the
/// request is refused; what only resembles it, or stands elsewhere, is not.
#[test]
fn a_session_is_found_in_its_cookie_and_as_bearer() {
    let net = Net::new();
    let nginx = Nginx::start(&net);
    let agent = Agent::start(&net, &format!("{PAY}session = [{{ cookie = \"sid\" }}, {{ bearer = true }}]\n"));
    agent.block(&["session", "--value", TOKEN, "--service", "pay", "--action", "deny"]);
    let ask = |(name, value): (&str, &str)| {
        let mut client = Client::connect(&net.client, CLIENT.web4()).expect("connects");
        let request = Request::get("/health").header(name, &value.replace("TOKEN", TOKEN));
        client.request(&request).map(|response| response.status)
    };
    for header in REFUSED {
        assert_eq!(ask(header), Ok(403), "{header:?}");
    }
    for header in SERVED {
        assert_eq!(ask(header), Ok(200), "{header:?}");
    }
    assert_eq!(nginx.served_when(SERVED.len()).len(), SERVED.len());
    assert_eq!(agent.counted("blocked_session"), REFUSED.len() as u64);
}

const REFUSED: [(&str, &str); 11] = [
    ("Cookie", "sid=TOKEN"),
    ("cookie", "sid=TOKEN"),
    ("Cookie", "theme=dark; sid=TOKEN"),
    ("Cookie", "sid=TOKEN; theme=dark"),
    ("Cookie", "theme=dark;sid=TOKEN;lang=de"),
    ("Cookie", "a=1;   sid=TOKEN"),
    ("Cookie", "sid=other; sid=TOKEN"),
    ("Cookie", "sid=TOKEN; sid=other"),
    ("Authorization", "Bearer TOKEN"),
    ("authorization", "bearer TOKEN"),
    ("Authorization", "BEARER   TOKEN  "),
];

const SERVED: [(&str, &str); 15] = [
    ("Cookie", "sid=TOKEN0"),
    ("Cookie", "sid=0TOKEN"),
    ("Cookie", "sid="),
    ("Cookie", "sid"),
    ("Cookie", "xsid=TOKEN"),
    ("Cookie", "sid2=TOKEN"),
    ("Cookie", "SID=TOKEN"),
    ("Cookie", "a=sid=TOKEN"),
    ("Cookie", "TOKEN"),
    ("X-Cookie", "sid=TOKEN"),
    ("Authorization", "Bearer TOKEN0"),
    ("Authorization", "Basic TOKEN"),
    ("Authorization", "TOKEN"),
    ("Authorization", "Bearerx TOKEN"),
    ("X-Authorization", "Bearer TOKEN"),
];
