//! The inventory: the endpoints that are found are those that were used, and a specification differs where it should.

use std::{collections::BTreeSet, fs, time::Duration};

use enforcer_tests::{Agent, CLIENT, Client, Net, Nginx, Output, PAY, Request, eventually};
use serde_json::Value;

/// Given a shop with names and numbers in its paths. When 300 users are asked for, and others, and a scanner tries 200 paths that
/// are not there, and a blocked device one that is. Then the endpoints found are those used, each name and number a parameter,
/// also after a restart; nothing personal is told; the metrics say the same.
#[test]
fn the_endpoints_found_are_those_used() {
    let mut shop = Shop::open();
    shop.agent.block_device("mallory", "deny");
    shop.use_all();
    (0..200).for_each(|number| assert_eq!(shop.get(&format!("/admin/{}/{number}", name(number))), 404));
    let mut mallory = Client::connect(&shop.net.client, CLIENT.web4()).expect("connects");
    let refused = mallory.request(&Request::get("/api/secret").device("mallory")).expect("a refusal");
    assert_eq!(refused.status, 403);
    shop.know(USED.len(), 200);
    assert_eq!(shop.endpoints(), used());
    let metric = |shop: &Shop| shop.agent.metric("enforcer_api_endpoints", &[("service", "pay")]);
    assert_eq!((metric(&shop), shop.agent.metric("enforcer_api_forgotten_total", &[])), (Some(7.0), Some(0.0)));

    let shown = shop.agent.json(&["apis", "show", "GET", "/shop/users/{user}"]);
    assert_eq!((&shown["endpoint"]["calls"], &shown["statuses"]["200"]), (&300.into(), &300.into()), "{shown:#}");
    let fields: Vec<&str> =
        shown["answer"].as_array().expect("fields").iter().filter_map(|field| field["name"].as_str()).collect();
    assert_eq!(fields, ["", "mail", "name", "since"]);
    let sent = shop.agent.json(&["apis", "show", "POST", "/shop/orders"]);
    assert_eq!((&sent["request"][2]["name"], &sent["auth"]["bearer"]), (&"item".into(), &1.into()), "{sent:#}");
    let all = shop.agent.done(&["apis", "export", "--openapi"]);
    assert!(!all.contains(&name(7)) && !all.contains("bank.example"), "{all}");

    shop.agent.stop();
    shop.agent.restart();
    assert_eq!(shop.endpoints(), used());
    assert_eq!(metric(&shop), Some(7.0));
}

/// Given the same. When it is compared with its own specification, with one that lacks an endpoint and has another, and with one of
/// other types and credentials. Then each difference is told, no other, and the exit code says whether there are any.
#[test]
fn drift_is_right_in_both_directions() {
    let shop = Shop::open();
    shop.use_all();
    shop.know(USED.len(), 0);
    assert_eq!(shop.drift(SPEC).code, Some(0), "{:#?}", shop.drift(SPEC));
    let exported = shop.agent.done(&["apis", "export", "--openapi", "--service", "pay"]);
    assert_eq!(shop.drift(&exported).code, Some(0), "{:#?}", shop.drift(&exported));

    let other = SPEC.replace("/shop/items:", "/shop/offers:").replace("[{}]", "[{bearer: []}]");
    let other = other.replace("total: {type: number}", "total: {type: string}").replace("since: {type: string}", "");
    let found = shop.drift(&other);
    assert_eq!(found.code, Some(3), "{found:#?}");
    let differences = found.json()["differences"].as_array().expect("a list").clone();
    let told: BTreeSet<String> = differences.iter().map(in_words).collect();
    let wanted = [
        "changed-type GET /shop/orders/{id} answer total",
        "changed-type GET /shop/users/{name}/orders answer [].total",
        "changed-type POST /shop/orders answer total",
        "missing-auth GET /health ",
        "shadow GET /shop/items ",
        "undocumented GET /shop/users/me answer since",
        "undocumented GET /shop/users/{name} answer since",
        "zombie GET /shop/offers ",
    ];
    assert_eq!(told, wanted.map(str::to_owned).into());
}

/// The agent in front of a shop.
struct Shop {
    agent: Agent,
    net: Net,
    _nginx: Nginx,
}

impl Shop {
    fn open() -> Self {
        let net = Net::new();
        let (nginx, agent) = (Nginx::start(&net), Agent::start(&net, PAY));
        Self { net, _nginx: nginx, agent }
    }

    /// Uses every endpoint: those of users with 300 names.
    fn use_all(&self) {
        let mut client = Client::connect(&self.net.client, CLIENT.web4()).expect("connects");
        let mut ask = |path: String| {
            let request = Request::get(&path).header("Authorization", "Bearer x");
            assert_eq!(client.request(&request).expect("answered").status, 200, "{path}");
        };
        for number in 0..300 {
            ask(format!("/shop/users/{}", name(number)));
            ask(format!("/shop/users/{}/orders", name(number)));
            ask(format!("/shop/orders/{number}"));
            ask(format!("/shop/items?page={number}"));
            ask("/shop/users/me".to_owned());
        }
        assert_eq!(self.get("/health"), 200);
        let mut curl = self.net.client.command("curl");
        curl.args(["--silent", "--fail", "--header", "Authorization: Bearer x", "--json", r#"{"item":7,"count":2}"#]);
        let sent = curl.arg(format!("http://{}/shop/orders", CLIENT.web4())).output().expect("curl starts");
        assert!(sent.status.success(), "{sent:?}");
    }

    fn get(&self, path: &str) -> u16 {
        let mut client = Client::connect(&self.net.client, CLIENT.web4()).expect("connects");
        client.request(&Request::get(path)).expect("answered").status
    }

    /// Waits until the agent knows so many endpoints and paths that were not there; answers take their way to it.
    #[track_caller]
    fn know(&self, endpoints: usize, missing: u64) {
        eventually(DEADLINE, "the agent knows what was called", || {
            let report = self.agent.json(&["apis"]);
            let service = &report["services"][0];
            let calls: u64 =
                report["endpoints"].as_array().into_iter().flatten().filter_map(|one| one["calls"].as_u64()).sum();
            service["endpoints"] == endpoints
                && service["unmatched"]["404"].as_u64().unwrap_or(0) == missing
                && calls == CALLS
        });
    }

    fn endpoints(&self) -> BTreeSet<String> {
        let report = self.agent.json(&["apis", "--service", "pay"]);
        let one = |line: &Value| {
            format!("{} {}", line["method"].as_str().unwrap_or_default(), line["path"].as_str().unwrap_or_default())
        };
        report["endpoints"].as_array().expect("a list").iter().map(one).collect()
    }

    fn drift(&self, spec: &str) -> Output {
        let file = self.net.folder().join("spec.yaml");
        fs::write(&file, spec).expect("a file can be written");
        self.agent.cli(&["-o", "json", "apis", "drift", &file.display().to_string()])
    }
}

fn in_words(difference: &Value) -> String {
    ["kind", "method", "path", "field"].map(|name| difference[name].as_str().unwrap_or_default()).join(" ")
}

fn used() -> BTreeSet<String> {
    USED.map(str::to_owned).into()
}

/// Names that are nothing but names.
fn name(number: usize) -> String {
    let part = |number: usize| ["an", "be", "ca", "do", "el", "fi", "gu", "ha"][number % 8];
    [part(number), part(number / 8), part(number / 64)].concat()
}

const DEADLINE: Duration = Duration::from_secs(20);
/// Calls of all endpoints by [`Shop::use_all`].
const CALLS: u64 = 5 * 300 + 2;
const USED: [&str; 7] = [
    "GET /health",
    "GET /shop/items",
    "GET /shop/orders/{id}",
    "GET /shop/users/me",
    "GET /shop/users/{name}",
    "GET /shop/users/{name}/orders",
    "POST /shop/orders",
];
const SPEC: &str = r##"
openapi: 3.1.0
info: {title: shop, version: "1"}
security: [{bearer: []}]
paths:
  /health: {get: {security: [{}], responses: {"200": {description: ok, content: {application/json: {}}}}}}
  /shop/items:
    get:
      parameters: [{name: page, in: query, schema: {type: integer}}]
      responses: {"200": {description: ok, content: {application/json: {}}}}
  /shop/orders:
    post:
      requestBody:
        content: {application/json: {schema: {type: object, properties: {item: {type: integer}, count: {type: integer}}}}}
      responses: {"201": {$ref: "#/components/responses/Order"}}
  /shop/orders/{order}:
    parameters: [{name: order, in: path, required: true, schema: {type: integer}}]
    get: {responses: {"200": {$ref: "#/components/responses/Order"}}}
  /shop/users/me: {get: {responses: {"200": {$ref: "#/components/responses/User"}}}}
  /shop/users/{user}:
    parameters: [{name: user, in: path, required: true, schema: {type: string}}]
    get: {responses: {"200": {$ref: "#/components/responses/User"}}}
  /shop/users/{user}/orders:
    parameters: [{name: user, in: path, required: true, schema: {type: string}}]
    get:
      responses:
        "200":
          description: ok
          content: {application/json: {schema: {type: array, items: {$ref: "#/components/schemas/Order"}}}}
components:
  schemas:
    Order: {type: object, properties: {order: {type: integer}, total: {type: number}}}
    User:
      type: object
      properties:
        name: {type: string}
        mail: {type: string}
        since: {type: string}
  responses:
    Order: {description: ok, content: {application/json: {schema: {$ref: "#/components/schemas/Order"}}}}
    User: {description: ok, content: {application/json: {schema: {$ref: "#/components/schemas/User"}}}}
  securitySchemes: {bearer: {type: http, scheme: bearer}}
"##;
