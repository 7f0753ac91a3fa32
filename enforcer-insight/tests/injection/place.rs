//! Puts a text at a place of a request, encoded as clients encode it. In: a text, a place. Out: a call. Never here: judgement.
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr};

use bytes::Bytes;
use enforcer_common::{KINDS, Reason, Verdict};
use enforcer_insight::Call;
use enforcer_insight::content::Place;
use enforcer_insight::http::Head;
use enforcer_policy::Moment;

/// The places that are measured.
pub(crate) const PLACES: [Place; 7] =
    [Place::Path, Place::Query, Place::Header, Place::Cookie, Place::Form, Place::Json, Place::Multipart];

/// A request with `text` at this place; `None` where no client could put it there.
pub(crate) fn call(text: &str, place: Place) -> Option<Call> {
    let host = "Host: shop.example\r\n";
    Some(match place {
        Place::Path => get(&format!("/v1/items/{}/parts", percent(text, false)), host),
        Place::Query => get(&format!("/v1/search?page=2&q={}&sort=name", percent(text, true)), host),
        Place::Header if text.bytes().any(|byte| byte < b' ' || byte == 0x7f) => return None,
        Place::Header => get("/v1/search", &format!("{host}X-Note: {text}\r\n")),
        Place::Cookie => {
            get("/v1/search", &format!("{host}Cookie: theme=dark; note={}; n=1\r\n", percent(text, false)))
        }
        Place::Form => {
            post("application/x-www-form-urlencoded", &format!("page=2&q={}&sort=name", percent(text, true)))
        }
        Place::Json => {
            post("application/json", &format!(r#"{{"page":2,"filter":{{"q":{}}},"sort":["name"]}}"#, json(text)))
        }
        Place::Multipart => post("multipart/form-data; boundary=frontier", &parts(text)),
        Place::Text | Place::Xml => return None,
    })
}

fn get(target: &str, headers: &str) -> Call {
    parse(&format!("GET {target} HTTP/1.1\r\n{headers}User-Agent: {AGENT}\r\nAccept: text/html,*/*;q=0.8\r\n\r\n"), "")
}

/// A request with a body of this type.
pub(crate) fn post(kind: &str, body: &str) -> Call {
    let head = format!(
        "POST /v1/search HTTP/1.1\r\nHost: shop.example\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    parse(&head, body)
}

fn parse(head: &str, body: &str) -> Call {
    let head = Head::read(&Bytes::copy_from_slice(head.as_bytes())).unwrap().unwrap();
    let source = IpAddr::V4(Ipv4Addr::LOCALHOST);
    Call {
        id: 1,
        time: Moment(1),
        service: "shop".into(),
        source,
        source_port: 1,
        client: source,
        digests: [0; KINDS],
        reason: Reason::RequestClean,
        verdict: Verdict::Pass,
        decision: None,
        placed: None,
        sensitive: enforcer_insight::classes::Sensitive::default(),
        head,
        body: Bytes::copy_from_slice(body.as_bytes()),
        answer: None,
    }
}

fn percent(text: &str, plus: bool) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        match byte {
            b' ' if plus => out.push('+'),
            _ if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) => out.push(char::from(byte)),
            _ => write!(out, "%{byte:02X}").unwrap(),
        }
        out
    })
}

/// Half of the signs that JSON lets one escape are escaped.
fn json(text: &str) -> String {
    let mut out = String::from('"');
    for (number, c) in text.chars().enumerate() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            _ if c < ' ' || (c.is_ascii_punctuation() && number % 2 == 0) => {
                write!(out, "\\u{:04x}", u32::from(c)).unwrap();
            }
            _ => out.push(c),
        }
    }
    out + "\""
}

fn parts(text: &str) -> String {
    let part = |name: &str, value: &str| {
        format!("--frontier\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    part("page", "2") + &part("q", text) + "--frontier--\r\n"
}

const AGENT: &str =
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36";
