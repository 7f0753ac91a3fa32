//! The API on a real store, without sockets: whatever is sent is answered as the document says.
use axum::Extension;
use axum::body::{Body, Bytes};
use axum::http::{Method, Request, StatusCode, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use enforcer_policy::revision::{Digest, Signer};
use http_body_util::BodyExt as _;
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;
use serde_json::Value;

use super::routes::described;
use super::*;
use crate::folder::Folder;
use crate::rules::Rules;
use crate::serve::Peer;
use crate::store::{Enrolment, Role, Store};

struct Lab {
    router: axum::Router,
    token: String,
    approver: String,
    center: Center,
    _folder: tempfile::TempDir,
}

struct Said {
    status: StatusCode,
    kind: String,
    /// Which modules a host is told that there are for it.
    modules: Option<String>,
    body: Bytes,
}

impl Lab {
    fn new() -> Self {
        Self::under("")
    }

    /// With these rules on who may change what alone.
    fn under(rules: &str) -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let folder = Folder::at(&temporary.path().join("center"));
        folder.create().unwrap();
        Authority::create(&folder, &["localhost".to_owned()]).unwrap();
        let mut store = Store::open(&folder.store()).unwrap();
        let token = store.add_token("ada", Role::Operator, None, "test").unwrap();
        let approver = store.add_token("bea", Role::Approver, None, "test").unwrap();
        let (key, digits) = folder.identity_key().unwrap();
        let desk = Desk::open(store, folder.signer().unwrap(), key).unwrap().with_rules(Rules::parse(rules).unwrap());
        let center = Center::new(desk, Authority::open(&folder).unwrap(), digits, &folder).unwrap();
        let peer = Peer { address: [192, 0, 2, 1].into(), certificate: None };
        let router = router(center.clone()).layer(Extension(peer));
        Self { router, token, approver, center, _folder: temporary }
    }

    async fn ask(&self, method: &str, path: &str, token: Option<&str>, body: impl Into<Body>) -> Said {
        let mut request = Request::builder().method(Method::from_bytes(method.as_bytes()).unwrap()).uri(path);
        if let Some(token) = token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let request = request.body(body.into()).unwrap();
        let answer = TowerToHyperService::new(self.router.clone()).call(request).await.unwrap();
        let kind = answer.headers().get(header::CONTENT_TYPE).map_or("", |kind| kind.to_str().unwrap()).to_owned();
        let modules = answer.headers().get("enforcer-modules").map(|digest| digest.to_str().unwrap().to_owned());
        let status = answer.status();
        Said { status, kind, modules, body: answer.into_body().collect().await.unwrap().to_bytes() }
    }
}

impl Lab {
    /// The same as a host of this group sees it.
    fn as_host(&self, group: &str) -> Self {
        let mut desk = self.center.desk();
        let host = Enrolment { host: "edge-1".to_owned(), groups: vec![group.to_owned()] };
        let until = crate::clock::now().plus(Duration::from_mins(1));
        let (id, _) = desk.store().invite(&host, until, "test").unwrap();
        assert!(desk.store().enrol(&id, &host, "fingerprint").unwrap());
        drop(desk);
        let peer = Peer { address: [192, 0, 2, 1].into(), certificate: Some("fingerprint".to_owned()) };
        let router = router(self.center.clone()).layer(Extension(peer));
        let (token, approver) = (self.token.clone(), self.approver.clone());
        Self { router, token, approver, center: self.center.clone(), _folder: tempfile::tempdir().unwrap() }
    }
}

impl Said {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    #[track_caller]
    fn is_problem(&self) {
        let text = String::from_utf8_lossy(&self.body);
        assert_eq!(self.kind, "application/problem+json", "{}: {text}", self.status);
        let problem: Value = serde_json::from_slice(&self.body).unwrap();
        assert_eq!(problem["status"], self.status.as_u16(), "{text}");
        for name in ["title", "detail", "mend"] {
            assert!(problem[name].is_string(), "{text}");
        }
    }
}

#[tokio::test]
async fn a_body_that_is_too_large_and_every_other_no_is_a_problem_document() {
    let lab = Lab::new();
    let token = Some(lab.token.as_str());
    let too_large = lab.ask("POST", "/v1/decisions", token, vec![b' '; (32 << 20) + 1]).await;
    assert_eq!(too_large.status, StatusCode::PAYLOAD_TOO_LARGE);
    too_large.is_problem();
    for (method, path, status) in [
        ("POST", "/v1/revisions/x/rollback", 400),
        ("POST", "/v1/revisions/99999999999999999999/rollback", 400),
        ("DELETE", "/v1/hosts/%ff", 400),
        ("DELETE", "/v1/hosts/nobody", 404),
        ("GET", "/v1/events?kind=nonsense", 400),
        ("GET", "/v1/events?colour=blue", 400),
        ("GET", "/v1/audit?limit=-1", 400),
        ("GET", "/v1/nowhere", 404),
        ("PATCH", "/v1/policy", 405),
    ] {
        let said = lab.ask(method, path, token, "").await;
        assert_eq!(said.status, status, "{method} {path}");
        said.is_problem();
    }
    let wanted = |seconds: u64| format!(r#"{{"kind": "user", "value": "x", "action": "deny", "seconds": {seconds}}}"#);
    for (seconds, status) in [(31_536_000_000, 201), (31_536_000_001, 400), (u64::MAX, 400)] {
        let said = lab.ask("POST", "/v1/decisions", token, wanted(seconds)).await;
        assert_eq!(said.status, status, "{seconds}");
    }
    // What is exported can be applied again.
    let exported = lab.ask("GET", "/v1/policy?all=true", token, "").await;
    let files = serde_json::json!({"files": [{"name": "a", "text": String::from_utf8_lossy(&exported.body)}]});
    assert_eq!(lab.ask("POST", "/v1/policy/plan", token, files.to_string()).await.status, StatusCode::OK);
    let stranger = lab.ask("GET", "/v1/events", None, "").await;
    assert_eq!(stranger.status, StatusCode::UNAUTHORIZED);
    stranger.is_problem();
}

#[tokio::test]
async fn whatever_is_sent_is_answered_as_the_document_says() {
    let lab = Lab::new();
    let (_, document) = described();
    let deep = "[".repeat(5000);
    let bodies = ["", "{", "{}", "null", "[]", "\u{0}", "{\"files\":[]}", "{\"comment\":7}", &deep];
    let queries = ["", "?", "?limit=0&after=0", "?limit=99999999999999999999", "?after=%00", "?force=perhaps", "?%ff"];
    let (mut asked, mut good) = (0, 0);
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            for place in ["0", "x", "%ff", "18446744073709551615"] {
                let path = path.replace("{id}", place).replace("{name}", place).replace("{number}", place);
                for (query, body) in queries.iter().flat_map(|query| bodies.map(|body| (query, body))) {
                    for token in [None, Some(lab.token.as_str())] {
                        let place = format!("{} {path}{query} {body:.20}", method.to_uppercase());
                        let (method, path) = (method.to_uppercase(), format!("{path}{query}"));
                        let said = lab.ask(&method, &path, token, body.to_owned()).await;
                        assert!(!said.status.is_server_error(), "{place}: {}", said.status);
                        asked += 1;
                        let promised = &operation["responses"][said.status.as_str()];
                        assert!(promised.is_object(), "{place}: {} is not promised", said.status);
                        if said.status.is_success() {
                            let kind = promised["content"].as_object().and_then(|content| content.keys().next());
                            assert!(kind.is_none_or(|kind| *kind == said.kind), "{place}: {}", said.kind);
                            good += 1;
                        } else {
                            said.is_problem();
                        }
                    }
                }
                if !operation["parameters"].to_string().contains("\"path\"") {
                    break;
                }
            }
        }
    }
    assert!(asked > 3000 && good > 100, "{asked} were asked, {good} were good");
}

#[test]
fn a_key_that_cannot_be_kept_is_refused() {
    let longest = "k".repeat(255);
    for (key, sound) in [("a", true), (longest.as_str(), true), ("", false), ("a b", false), ("é", false)] {
        assert_eq!(decisions::sound_key(key.as_bytes()).is_ok(), sound, "{key}");
    }
    assert!(decisions::sound_key(&[b'k'; 256]).is_err());
}

#[tokio::test]
async fn the_document_is_served_to_anybody() {
    let lab = Lab::new();
    let said = lab.ask("GET", "/v1/openapi.json", None, "").await;
    assert_eq!((said.status, said.kind.as_str()), (StatusCode::OK, "application/json"));
    assert_eq!(serde_json::from_slice::<Value>(&said.body).unwrap(), described().1);
}

#[tokio::test]
async fn a_proposal_is_answered_as_such_and_only_an_approver_makes_it_so() {
    let lab = Lab::under("second_person = [\"wide\"]\n");
    let (ada, bea) = (Some(lab.token.as_str()), Some(lab.approver.as_str()));
    let wide = r#"{"kind": "ip", "value": "198.51.0.0/16", "action": "drop", "seconds": 60}"#;
    let waits = lab.ask("POST", "/v1/decisions", ada, wide).await;
    assert_eq!(waits.status, StatusCode::ACCEPTED);
    let waits: Value = serde_json::from_slice(&waits.body).unwrap();
    assert_eq!((&waits["proposal"]["id"], &waits["proposal"]["way"]), (&Value::from(1), &Value::from("decided")));
    let look = lab.ask("GET", "/v1/policy/proposals/1", bea, "").await;
    let look: Value = serde_json::from_slice(&look.body).unwrap();
    assert_eq!(look["plan"]["counts"]["added"], 1, "{look}");
    for (path, token, status) in [("1/approve", ada, 403), ("1/approve", None, 401), ("2/approve", bea, 404)] {
        let said = lab.ask("POST", &format!("/v1/policy/proposals/{path}"), token, "").await;
        assert_eq!(said.status, status, "{path}");
        said.is_problem();
    }
    let approved = lab.ask("POST", "/v1/policy/proposals/1/approve", bea, r#"{"comment": "yes"}"#).await;
    assert_eq!((approved.status, &approved.body[..]), (StatusCode::OK, &b"{\"revision\":1}"[..]));
    let again = lab.ask("POST", "/v1/decisions", ada, wide.replace("51", "18")).await;
    assert_eq!(again.status, StatusCode::ACCEPTED);
    assert_eq!(lab.ask("DELETE", "/v1/policy/proposals/2", ada, "").await.status, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn what_makes_no_sense_of_a_rollout_is_said_so() {
    let lab = Lab::new();
    let token = Some(lab.token.as_str());
    let files = r#"{"files": [{"name": "a", "text": "[[decision]]\ndevice = \"stolen\"\naction = \"deny\"\n"}]}"#;
    for (query, status) in [
        ("stages=canary,all&confirm_within=60", 400),
        ("bake=60", 400),
        ("stages=canary", 400),
        ("stages=all&bake=0", 400),
        ("stages=all&bound=1000", 400),
        ("stages=all&bound=NaN", 400),
        ("stages=canary,all&bake=60&bound=2.5", 409),
    ] {
        let said = lab.ask("PUT", &format!("/v1/policy?{query}"), token, files).await;
        assert_eq!(said.status, status, "{query}: {}", String::from_utf8_lossy(&said.body));
        said.is_problem();
    }
    for (method, path) in [("DELETE", "/v1/policy/rollout"), ("POST", "/v1/policy/rollout/promote")] {
        assert_eq!(lab.ask(method, path, token, "").await.status, StatusCode::CONFLICT);
        assert_eq!(lab.ask(method, path, Some(&lab.approver), "").await.status, StatusCode::FORBIDDEN);
    }
    let none = lab.ask("GET", "/v1/policy/rollout", token, "").await;
    assert_eq!(&none.body[..], b"{\"rollout\":null}");
}

#[tokio::test]
async fn sources_are_shown_and_nobody_is_called_like_one() {
    let lab = Lab::under("second_person = [\"everything\"]\n");
    let want = |address: &str| crate::desk::Want {
        subject: enforcer_policy::Subject::Ip(enforcer_policy::parse_prefix(address).unwrap()),
        action: enforcer_policy::Action::Drop,
        until: None,
        reason: Arc::from("listed"),
        groups: Vec::new(),
    };
    let wants = crate::desk::Wants::All(vec![want("203.0.113.7"), want("0.0.0.0/0")]);
    lab.center.take_source("list x", wants, Duration::from_mins(1)).await;
    lab.center.source_failed("list x", "no answer");
    let read = async |path: &str| -> Value {
        serde_json::from_slice(&lab.ask("GET", path, Some(&lab.approver), "").await.body).unwrap()
    };
    let source = read("/v1/sources").await["items"][0].clone();
    assert_eq!((&source["name"], &source["held"], &source["wanted"]), (&"list x".into(), &1.into(), &2.into()));
    assert_eq!((&source["left_out"][0]["why"], &source["failing"]["why"]), (&"refused".into(), &"no answer".into()));
    let decision = read("/v1/decisions").await["items"][0].clone();
    assert_eq!((&decision["source"], &decision["reason"]), (&"list x".into(), &"listed".into()));
    assert_eq!(lab.ask("GET", "/v1/sources", None, "").await.status, StatusCode::UNAUTHORIZED);
    for name in ["source:list x", " Source:list x"] {
        let refused = lab.center.desk().store().add_token(name, Role::Operator, None, "test").unwrap_err();
        assert!(refused.to_string().contains("source:"), "{refused}");
    }
}

/// A module of this name, signed, as it is sent.
fn sending(name: &str, more: &Value) -> String {
    let manifest = format!(
        r#"{{"abi":1,"name":"{name}","version":"1.0.0","title":"pages","risk":"API4:2023","kinds":[{{"name":"page","severity":"low","fix":"none"}}]}}"#
    );
    let content = [b"\x11enforcer.manifest", manifest.as_bytes()].concat();
    let length = [u8::try_from(content.len() & 0x7f).unwrap() | 0x80, u8::try_from(content.len() >> 7).unwrap()];
    let module = [b"\0asm\x01\0\0\0\0".as_slice(), &length, &content].concat();
    let signed = enforcer_module::sign(&module, &Signer::from_seed(&[7; 32]));
    let mut body = serde_json::json!({"module": STANDARD.encode(signed)});
    body.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
    body.to_string()
}

#[tokio::test]
async fn modules_are_for_the_hosts_that_they_are_published_for() {
    let lab = Lab::new();
    let (token, host) = (Some(lab.token.as_str()), lab.as_host("edge"));
    for (name, more, status) in [
        ("pages", serde_json::json!({"groups": ["edge"]}), 200),
        ("others", serde_json::json!({"groups": ["core"]}), 422),
        ("tokens", Value::Null, 400),
        ("pages", serde_json::json!({"parameters": {"size": "1"}}), 400),
        ("pages", serde_json::json!({"mode": "enforce"}), 400),
    ] {
        let said = lab.ask("POST", "/v1/modules", token, sending(name, &more)).await;
        assert_eq!(said.status, status, "{name} {more}: {}", String::from_utf8_lossy(&said.body));
    }
    assert_eq!(lab.ask("POST", "/v1/modules", Some(&lab.approver), sending("more", &Value::Null)).await.status, 403);
    assert_eq!(lab.ask("POST", "/v1/modules", None, "{").await.status, 401, "a stranger's bytes are not looked at");
    let none = Digest::default();
    let before = host.ask("GET", &format!("/v1/agent/watch?number=0&hash={none}"), None, "").await;
    assert_eq!((before.status, before.modules), (StatusCode::NO_CONTENT, None), "an agent of before is not told");
    let watch = |held: &str| format!("/v1/agent/watch?number=0&hash={none}&wait=0&modules={held}");
    let told = host.ask("GET", &watch(&none.to_string()), None, "").await.modules.unwrap();
    assert_eq!(host.ask("GET", &watch(&told), None, "").await.modules, None, "it knows");
    let list = host.ask("GET", "/v1/agent/modules", None, "").await.json();
    assert_eq!((&list["digest"], &list["modules"][0]["name"]), (&Value::from(told), &Value::from("pages")));
    let path = format!("/v1/agent/modules/{}", list["modules"][0]["digest"].as_str().unwrap());
    let file = host.ask("GET", &path, None, "").await;
    assert_eq!(enforcer_module::Label::read(&file.body).unwrap().manifest.name, "pages");
    assert_eq!(host.ask("GET", &format!("/v1/agent/modules/{none}"), None, "").await.status, 404);
    assert_eq!(lab.ask("GET", &path, token, "").await.status, 401, "people do not ask as hosts");
    let page = lab.ask("GET", "/v1/modules", token, "").await.json();
    assert_eq!(page["items"][0]["hosts"][0]["state"], "unheard");
    assert_eq!(lab.ask("DELETE", "/v1/modules/pages", Some(&lab.approver), "").await.status, 404, "it does not wait");
    assert_eq!(lab.ask("DELETE", "/v1/modules/pages", token, "").await.status, 204);
    assert!(host.ask("GET", &watch(page["items"][0]["digest"].as_str().unwrap()), None, "").await.modules.is_some());
}

#[tokio::test]
async fn what_is_approved_is_what_was_looked_at() {
    let lab = Lab::under("second_person = [\"modules\"]\n");
    let (token, bea) = (Some(lab.token.as_str()), Some(lab.approver.as_str()));
    let proposed = lab.ask("POST", "/v1/modules", token, sending("pages", &Value::Null)).await.json();
    assert_eq!(proposed["waits"], true);
    let approve = async |who, digest: &Value| {
        let body = serde_json::json!({"digest": digest}).to_string();
        lab.ask("POST", "/v1/modules/pages/approve", who, body).await.status
    };
    assert_eq!(approve(token, &proposed["digest"]).await, 403);
    assert_eq!(approve(bea, &Value::from(Digest::default().to_string())).await, 409);
    assert_eq!(approve(bea, &proposed["digest"]).await, 200);
    assert_eq!(approve(bea, &proposed["digest"]).await, 404, "it waits no more");
    lab.ask("POST", "/v1/modules", token, sending("others", &Value::Null)).await;
    assert_eq!(lab.ask("DELETE", "/v1/modules/others", bea, "").await.status, 204, "an approver rejects");
    let page = lab.ask("GET", "/v1/modules", bea, "").await.json();
    assert_eq!((page["items"].as_array().unwrap().len(), page["waiting"].as_array().unwrap().len()), (1, 0));
}
