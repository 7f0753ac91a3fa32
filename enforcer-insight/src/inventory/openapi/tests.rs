//! Tests of the document: what it says (golden), and that a public validator takes it. In: calls of a small shop.
use std::io::Write as _;
use std::process::{Command, Stdio};

use proptest::prelude::*;

use super::*;
use crate::Call;
use crate::inventory::Inventory;
use crate::inventory::tests::{call, call_with, take};

const JSON: &str = "Content-Type: application/json\r\nAuthorization: Bearer x\r\n";
const FORM: &str = "Content-Type: application/x-www-form-urlencoded\r\nCookie: session=1\r\n";

fn shop() -> Inventory {
    let order = r#"{"id":7,"total":12.5,"placed":"2026-11-22","items":[{"sku":"a","count":2}],"note":null}"#;
    let listed =
        (0..12).map(|page| call_with(&format!("GET /orders?page={page}&q=x"), JSON, "", 200, &format!("[{order}]")));
    let one = call_with("GET /orders/7", JSON, "", 200, order);
    let none = call_with("GET /orders/8", JSON, "", 404, r#"{"error":"no"}"#);
    let make = call_with("POST /orders", JSON, r#"{"items":[{"sku":"a","count":2}],"4711":true}"#, 201, order);
    let form = call_with("POST /login", FORM, "user=anna&pin=1234", 302, "");
    let odd = ["PURGE /orders", "GET /a%7Bb%7D/c", "DELETE /orders/7/items/8", "GET /"].map(|line| call(line, 200));
    take(listed.chain([one, none, make, form]).chain(odd))
}

fn document(inventory: &Inventory) -> String {
    let text = serde_json::to_string_pretty(&openapi("pay", &inventory.list(Some("pay")))).unwrap();
    format!("{text}\n")
}

#[test]
fn the_document_says_what_was_seen() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/src/inventory/openapi/golden.json");
    let found = document(&shop());
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(file, &found).unwrap();
    }
    assert_eq!(found, std::fs::read_to_string(file).unwrap(), "UPDATE=1 writes it anew");
}

/// What the validator says: nothing when all is well.
fn validated(document: &str) -> String {
    let script = "import json,sys\nimport openapi_spec_validator as v\nv.validate(json.load(sys.stdin))";
    let python = Command::new("python3").args(["-c", script]).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut python = python.unwrap();
    python.stdin.take().unwrap().write_all(document.as_bytes()).unwrap();
    let done = python.wait_with_output().unwrap();
    if done.status.success() { String::new() } else { String::from_utf8_lossy(&done.stderr).into_owned() }
}

#[test]
#[ignore = "needs the Python package openapi-spec-validator, which Debian 12 does not have"]
fn a_public_validator_takes_it() {
    for document in [document(&shop()), document(&Inventory::default())] {
        assert_eq!(validated(&document), "");
    }
    let broken = document(&shop()).replace("\"in\": \"path\"", "\"in\": \"nowhere\"");
    assert!(validated(&broken).contains("nowhere"), "it does look");
}

#[test]
fn words_in_braces_are_no_parameters() {
    let document: Value = serde_json::from_str(&document(&shop())).unwrap();
    let paths: Vec<&String> = document["paths"].as_object().unwrap().keys().collect();
    assert_eq!(paths, ["/", "/a%7Bb%7D/c", "/login", "/orders", "/orders/{id}", "/orders/{id}/items/{id2}"]);
}

fn any_call() -> impl Strategy<Value = Call> {
    let path = prop::collection::vec("[a-zA-Z0-9%{}._~-]{1,9}", 0..4).prop_map(|parts| parts.join("/"));
    let query = "[a-z\\[\\]%0-9]{0,6}=[a-z0-9-]{0,6}";
    let body = r#"(\{"[a-z. ]{1,4}":([0-9]{1,3}|"[a-z]{0,3}"|\[\{"x":1\}\]|null)\}|\[1,"a"\])?"#;
    ("(GET|POST|PUT|X-Y)", path, query, body, 200_u16..300).prop_map(|(method, path, query, body, status)| {
        call_with(&format!("{method} /{path}?{query}"), JSON, &body, status, &body)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn every_document_names_its_parameters(calls in prop::collection::vec(any_call(), 0..20)) {
        let document: Value = serde_json::from_str(&document(&take(calls))).unwrap();
        for (path, item) in document["paths"].as_object().unwrap() {
            let wanted: Vec<&str> = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).collect();
            for (_, operation) in item.as_object().unwrap().iter().filter(|(method, _)| METHODS.contains(&&***method)) {
                let named = operation["parameters"].as_array().into_iter().flatten().filter(|one| one["in"] == "path");
                prop_assert_eq!(named.map(|one| one["name"].as_str().unwrap()).collect::<Vec<_>>(), wanted.clone());
            }
        }
    }
}
