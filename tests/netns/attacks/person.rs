//! Somebody who uses the bank. In: who it is. Out: requests with what that bears, and what came back. Never here: what people do.
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use enforcer_tests::{CLIENT, Client, Net, Request};
use serde_json::Value;

/// Who: an address behind the proxy, and maybe a device, a token, a partner's key.
pub(super) struct Person<'n> {
    net: &'n Net,
    connection: Option<Client>,
    pub(super) address: String,
    pub(super) device: Option<String>,
    pub(super) token: Option<String>,
    pub(super) key: Option<String>,
    agent: &'static str,
}

/// What came of a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Told {
    /// A status of the bank.
    Answered(u16),
    /// A refusal of the kernel: the notice, a limit, or a connection that ended.
    Refused,
}

impl<'n> Person<'n> {
    fn new(net: &'n Net, address: String) -> Self {
        let agent = "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/128.0";
        Self { net, connection: None, address, device: None, token: None, key: None, agent }
    }

    /// A customer at home, with a device of the bank's app.
    pub(super) fn customer(net: &'n Net, number: u32) -> Self {
        let device = Some(format!("app-{number}"));
        Self {
            device,
            agent: "bank-app/7.1",
            ..Self::new(net, format!("198.51.{}.{}", 100 + number / 50, 10 + number % 50))
        }
    }

    /// Somebody who does not say who it is.
    pub(super) fn visitor(net: &'n Net, number: u32) -> Self {
        Self::new(net, format!("203.0.{number}.7"))
    }

    /// Says that it uses this device.
    pub(super) fn with_device(self, device: &str) -> Self {
        Self { device: Some(device.to_owned()), ..self }
    }

    /// Says that it has this key of a partner.
    pub(super) fn with_key(self, key: &str) -> Self {
        Self { key: Some(key.to_owned()), ..self }
    }

    /// All that tells it from others now.
    pub(super) fn marks(&self) -> impl Iterator<Item = String> {
        let user = self.token.as_ref().and_then(|token| subject_of(token));
        let all = [Some(self.address.clone()), self.device.clone(), self.token.clone(), self.key.clone(), user];
        all.into_iter().flatten()
    }

    /// The name of customer `number`.
    pub(super) fn name(number: u32) -> String {
        const PARTS: [&str; 8] = ["an", "be", "cor", "da", "el", "fi", "gus", "ha"];
        (0..3).map(|shift| PARTS[number as usize / 8_usize.pow(shift) % 8]).collect()
    }

    /// Logs in as a customer whose password it knows.
    pub(super) fn log_in(&mut self, number: u32) -> Told {
        let body = format!("{{\"user\":\"{}\",\"password\":\"pw-{number}\"}}", Self::name(number));
        let (told, answer) = self.send(Request::post("/api/login", &body).header("Content-Type", "application/json"));
        self.token =
            serde_json::from_str::<Value>(&answer).ok().and_then(|it| it["access_token"].as_str().map(str::to_owned));
        told
    }

    /// GET.
    pub(super) fn get(&mut self, path: &str) -> Told {
        self.send(Request::get(path)).0
    }

    /// POST of JSON.
    pub(super) fn post(&mut self, path: &str, body: &str) -> Told {
        self.send(Request::post(path, body).header("Content-Type", "application/json")).0
    }

    /// Sends a request with all that this person bears; on a new connection when the old one has ended.
    pub(super) fn send(&mut self, request: Request) -> (Told, String) {
        let request = self.bear(request);
        // A connection on which an answer said that it ends here may be found closed.
        for _ in 0..2 {
            let kept = self.connection.is_some();
            let open = self.connection.take().or_else(|| Client::connect(&self.net.client, CLIENT.web4()).ok());
            let Some(mut open) = open else { return (Told::Refused, String::new()) };
            match open.request(&request) {
                Ok(answer) => {
                    let refused = matches!(answer.status, 403 | 429);
                    if !answer.closes() {
                        self.connection = Some(open);
                    }
                    return (if refused { Told::Refused } else { Told::Answered(answer.status) }, answer.text());
                }
                Err(_ended) if kept => {}
                Err(_ended) => break,
            }
        }
        (Told::Refused, String::new())
    }

    fn bear(&self, request: Request) -> Request {
        let bearer = self.token.as_ref().map(|token| format!("Bearer {token}"));
        let borne = [("X-Device-Id", &self.device), ("Authorization", &bearer), ("X-Api-Key", &self.key)];
        let request = request.header("X-Forwarded-For", &self.address).header("User-Agent", self.agent);
        borne.into_iter().fold(request, |request, (name, value)| match value {
            Some(value) => request.header(name, value),
            None => request,
        })
    }
}

/// Whom a token is for.
fn subject_of(token: &str) -> Option<String> {
    let claims = BASE64_URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    serde_json::from_slice::<Value>(&claims).ok()?["sub"].as_str().map(str::to_owned)
}
