//! The inventory of a fleet: what hosts know, made one, with what people said of it.
use std::fs;
use std::time::Duration;

use enforcer_tests::{Agent, CLIENT, Center, Client, Net, Nginx, PAY, Request, eventually};
use serde_json::{Value, json};

/// A host tells at most every 30 seconds.
const SOON: Duration = Duration::from_secs(90);

fn ask(net: &Net, request: &Request, times: usize) {
    for _ in 0..times {
        let mut client = Client::connect(&net.client, CLIENT.web4()).expect("a connection");
        assert_eq!(client.request(request).expect("an answer").status, 200);
    }
}

/// Given two hosts of one center whose APIs were called. When the center is asked, an endpoint is marked, it is then called otherwise, and a
/// host is revoked. Then calls are added up, only operators mark, the mark says that the endpoint has changed, and the revoked host's calls go.
#[test]
fn a_fleet_has_one_inventory_and_marks_outlive_the_center() {
    let nets = vec![Net::new(), Net::new()];
    let _servers: Vec<Nginx> = nets.iter().map(Nginx::start).collect();
    let mut center = Center::start(&nets);
    let (operator, viewer) = (center.token("ada", "operator"), center.token("eve", "viewer"));
    let mut agents: Vec<Agent> = nets.iter().map(|net| Agent::start(net, PAY)).collect();
    let health = || Request::get("/health").device("device-0001");
    ask(&nets[0], &health(), 3);
    ask(&nets[1], &health(), 4);
    for agent in &agents {
        eventually(SOON, "calls are known on the host", || {
            !agent.json(&["apis"])["endpoints"].as_array().expect("a list").is_empty()
        });
    }
    for (number, (net, agent)) in nets.iter().zip(&mut agents).enumerate() {
        center.enroll(net, agent, number, &[]);
    }
    let apis = |center: &Center| center.ask(&viewer, "GET", "/apis?service=pay", &Value::Null).1;
    let calls = |center: &Center| apis(center)["items"][0]["calls"].as_u64();
    eventually(SOON, "both hosts have told", || calls(&center) == Some(7));
    let hosts = |page: &Value| {
        page["hosts"].as_array().expect("hosts").iter().map(|host| host["name"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(hosts(&apis(&center)), [json!("host-0"), json!("host-1")]);

    let mark =
        json!({"service": "pay", "method": "GET", "path": "/health", "mark": "reviewed", "comment": "as it should be"});
    assert_eq!(center.ask(&viewer, "PUT", "/apis/marks", &mark).0, 403);
    let other = json!({"service": "pay", "method": "GET", "path": "/nowhere", "mark": "reviewed"});
    assert_eq!(center.ask(&operator, "PUT", "/apis/marks", &other).0, 404);
    assert_eq!(center.ask(&operator, "PUT", "/apis/marks", &mark).0, 200);
    center.kill9();
    center.restart();
    let said = |center: &Center| apis(center)["items"][0]["mark"].clone();
    assert_eq!((&said(&center)["mark"], &said(&center)["author"]), (&json!("reviewed"), &json!("ada")));
    assert_eq!(said(&center)["changed"], json!(false));
    let audit = center.ask(&viewer, "GET", "/audit?limit=1000", &Value::Null).1.to_string();
    assert!(audit.contains("GET /health of pay: reviewed (as it should be)"), "{audit}");

    ask(&nets[0], &health().header("Authorization", "Basic YWRhOnNlY3JldA=="), 1);
    eventually(SOON, "the endpoint looks otherwise", || said(&center)["changed"] == json!(true));

    let (secret, authority) = (nets[0].folder().join("token"), center.authority().display().to_string());
    fs::write(&secret, &operator).expect("a file can be written");
    let secret = secret.display().to_string();
    let flags = ["--center", "https://10.78.0.1:9443", "--token-file", &secret, "--authority", &authority];
    let fleet = |words: &[&str]| agents[0].cli(&[&["fleet", "apis"], &flags[..], words].concat());
    let listed = fleet(&[]).stdout;
    assert!(listed.contains("reviewed, changed since") && listed.contains("told by host-0"), "{listed}");
    assert!(fleet(&["show", "get", "/health"]).stdout.contains("basic"), "{:#?}", fleet(&["show", "get", "/health"]));
    assert!(fleet(&["export", "--openapi"]).stdout.contains("\"/health\""));
    let none = fleet(&["mark", "none", "GET", "/health"]);
    assert_eq!(none.code, Some(0), "{none:#?}");
    assert_eq!(said(&center), Value::Null);

    let (status, _) = center.ask(&operator, "DELETE", "/hosts/host-1", &Value::Null);
    assert_eq!(status, 204);
    assert_eq!((hosts(&apis(&center)), calls(&center)), (vec![json!("host-0")], Some(4)));
}
