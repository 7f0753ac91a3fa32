//! Tests of drift: specifications as they are written, and calls that differ from them in one thing each.
use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;
use crate::inventory::Inventory;
use crate::inventory::openapi;
use crate::inventory::tests::{call_with, take};

const SPEC: &str = r##"
openapi: 3.0.3
info: {title: shop, version: "1"}
servers: [{url: "https://shop.example/api"}]
security: [{bearer: []}]
paths:
  /users/{userId}:
    parameters:
      - {name: userId, in: path, required: true, schema: {type: integer}}
    get:
      parameters:
        - $ref: "#/components/parameters/verbose"
      responses:
        200: {$ref: "#/components/responses/User"}
    put:
      requestBody:
        content:
          application/json: {schema: {$ref: "#/components/schemas/User"}}
      responses: {"204": {description: done}}
  /users/me:
    get:
      security: [{}]
      responses: {"200": {$ref: "#/components/responses/User"}}
  /old: {get: {deprecated: true, responses: {"200": {description: ok, content: {text/plain: {}}}}}}
  /never: {delete: {responses: {"204": {description: ok}}}}
components:
  parameters:
    verbose: {name: verbose, in: query, schema: {type: boolean}}
  responses:
    User: {description: one, content: {application/json: {schema: {$ref: "#/components/schemas/User"}}}}
  schemas:
    User:
      allOf:
        - {type: object, properties: {id: {type: integer}, name: {type: string, nullable: true}}}
        - {type: object, properties: {friends: {type: array, items: {$ref: "#/components/schemas/User"}}, extra: {type: object}}}
  securitySchemes: {bearer: {type: http, scheme: bearer}}
"##;

const AUTH: &str = "Authorization: Bearer x\r\nContent-Type: application/json\r\n";
const USER: &str = r#"{"id":1,"name":null,"friends":[{"id":2,"name":"x"}],"extra":{"any":{"thing":1}}}"#;

/// Request line, headers, body, and the body of the answer.
type Sent<'t> = (&'t str, &'t str, &'t str, &'t str);

fn differences(calls: &[Sent<'_>]) -> Vec<String> {
    let calls = calls.iter().map(|(line, headers, sent, answer)| call_with(line, headers, sent, 200, answer));
    words(&take(calls), &Spec::read(SPEC).unwrap())
}

fn words(inventory: &Inventory, spec: &Spec) -> Vec<String> {
    let one = |drift: Drift| {
        let field = drift.field.map(|field| format!(" {field}")).unwrap_or_default();
        let types =
            drift.specified.zip(drift.seen).map(|(said, seen)| format!(": {said} / {seen}")).unwrap_or_default();
        format!("{} {} {}{field}{types}", drift.kind.name(), drift.method, drift.path)
    };
    drift(&inventory.list(None), spec).into_iter().map(one).collect()
}

/// Calls of all that is in the specification, but what is never called.
fn clean() -> Vec<Sent<'static>> {
    vec![
        ("GET /api/users/1?verbose=true", AUTH, "", USER),
        ("PUT /api/users/1", AUTH, USER, ""),
        ("GET /api/users/me", "", "", USER),
        ("OPTIONS /api/users/1", "", "", ""),
    ]
}

const ALWAYS: [&str; 2] = ["zombie DELETE /never", "zombie GET /old"];

#[test]
fn what_is_specified_is_no_drift() {
    assert_eq!(differences(&clean()), ALWAYS);
}

#[test]
fn each_difference_is_told_once() {
    let cases: &[(Sent<'_>, &str)] = &[
        (("GET /api/admin/dump", AUTH, "", "{}"), "shadow GET /api/admin/dump"),
        (("DELETE /api/users/1", AUTH, "", ""), "shadow DELETE /api/users/{id}"),
        (("GET /api/users/2?debug=1", AUTH, "", USER), "undocumented GET /api/users/{id} query debug"),
        (
            ("GET /api/users/2?verbose=maybe", AUTH, "", USER),
            "changed-type GET /api/users/{id} query verbose: boolean / string",
        ),
        (("PUT /api/users/2", AUTH, r#"{"role":{"admin":true}}"#, ""), "undocumented PUT /api/users/{id} request role"),
        (
            ("PUT /api/users/2", AUTH, r#"{"id":"7"}"#, ""),
            "changed-type PUT /api/users/{id} request id: integer / string",
        ),
        (
            ("GET /api/users/2", AUTH, "", r#"{"id":null}"#),
            "changed-type GET /api/users/{id} answer id: integer / null",
        ),
        (("GET /api/users/2", AUTH, "", r#"{"iban":"DE"}"#), "undocumented GET /api/users/{id} answer iban"),
        (("PUT /api/users/2", "Content-Type: application/json\r\n", USER, ""), "missing-auth PUT /api/users/{id}"),
        (
            ("PUT /api/users/550e8400-e29b-41d4-a716-446655440000", AUTH, USER, ""),
            "changed-type PUT /api/users/{id} path userId: integer / string (uuid)",
        ),
    ];
    for (call, wanted) in cases {
        let mut found = differences(&clean().into_iter().chain([*call]).collect::<Vec<_>>());
        // Both methods share the parameter, and both differ then.
        let both = |one: &str| one.contains(" path ") && one.contains(" GET ");
        found.retain(|one| !(ALWAYS.contains(&&**one) || both(one)));
        assert_eq!(found, [*wanted]);
    }
}

#[test]
fn deprecated_calls_are_told() {
    let found = differences(&[clean(), vec![("GET /api/old", AUTH, "", "x")]].concat());
    assert_eq!(found, ["zombie DELETE /never", "deprecated GET /api/old"]);
}

#[test]
fn nothing_seen_is_all_zombies() {
    assert_eq!(differences(&[]).len(), 5);
}

#[test]
fn texts_that_are_no_specification_say_why() {
    let why = |text: &str| Spec::read(text).unwrap_err().to_string();
    assert_eq!(why("{"), "this is no JSON");
    assert_eq!(why("a: [b"), "this is no YAML");
    assert_eq!(why("swagger: '2.0'"), "this is no OpenAPI 3.0 or 3.1: its `openapi` is missing");
    assert_eq!(why("openapi: 3.1.0"), "the specification has no paths");
}

#[test]
fn aliases_and_references_are_bounded() {
    let mut bomb = "a0: &a0 [x]\n".to_owned();
    for n in 1..40 {
        writeln!(bomb, "a{n}: &a{n} [*a{0}, *a{0}, *a{0}]", n - 1).unwrap();
    }
    assert!(Spec::read(&format!("openapi: 3.1.0\npaths: {{}}\n{bomb}")).is_err());
    assert!(
        Spec::read(&"[".repeat(100_000)).is_err() && Spec::read(&format!("{{\"a\":{}", "[".repeat(100_000))).is_err()
    );
    let ring = r##"{"openapi":"3.1.0","paths":{"/a":{"$ref":"#/paths/~1a"}}}"##;
    assert_eq!(Spec::read(ring).unwrap().operations(), 0);
}

#[test]
fn what_was_exported_has_no_drift() {
    let inventory = take([
        call_with("GET /users/1?verbose=true&page=2", AUTH, "", 200, USER),
        call_with(
            "POST /users/1/notes",
            AUTH,
            r#"{"text":"x","at":"2026-11-22","tags":["a",1],"4711":{"x":1}}"#,
            201,
            USER,
        ),
        call_with("GET /files/a%7Bb", "", "", 200, "[[1],[null]]"),
    ]);
    let exported = openapi("pay", &inventory.list(None)).to_string();
    assert_eq!(words(&inventory, &Spec::read(&exported).unwrap()), Vec::<String>::new());
}

proptest! {
    #[test]
    fn no_text_does_harm(text in "(openapi: 3.1.0\npaths:\n)?[ a-z:{}\\[\\]$/#&*\"\n-]{0,200}") {
        if let Ok(spec) = Spec::read(&text) {
            prop_assert!(drift(&Inventory::default().list(None), &spec).len() <= spec.operations());
        }
    }
}
