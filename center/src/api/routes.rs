//! All routes, each with its description. In: the center. Out: a router. Never here: what requests do; how the document is put together.
//!
//! To add one: its line below, its handler in a file beside this one, its schemas in `schemas.json`, its line in docs/CENTER.md.
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::response::IntoResponse as _;
use axum::routing::{delete, get, post, put};
use serde_json::Value;

use super::openapi::{Api, Asks, Gives, Operation, Says, Who};
use super::problem::{Answer, Problem};
use super::{
    Center, agents, audit, decisions, events, exports, health, hosts, metrics, policy, proposals, revisions, rollout,
};

/// Bytes of a request's body.
const BODY: usize = 32 << 20;
const AFTER: Asks = ("after", "integer", false);
const AFTER_NAME: Asks = ("after", "string", false);
const LIMIT: Asks = ("limit", "integer", false);
const FORCE: Asks = ("force", "boolean", false);
const PAGES: &[Asks] = &[AFTER, LIMIT];
const NAMED_PAGES: &[Asks] = &[AFTER_NAME, LIMIT];

/// The router, and the document that describes it.
pub(crate) fn router(center: Center) -> Router {
    let (routes, document) = described();
    let answer = move || async move { Answer::json(&document) };
    Router::new()
        .nest("/v1", routes.route("/openapi.json", get(answer)))
        .fallback(async || Problem::not_found("there is nothing at this path").into_response())
        .method_not_allowed_fallback(async || Problem::method().into_response())
        .layer(DefaultBodyLimit::max(BODY))
        .with_state(center)
}

/// What is at every path.
pub(super) fn described() -> (Router<Center>, Value) {
    for_hosts(for_decisions(for_rollouts(for_proposals(for_policy(for_readers(Api::new())))))).done()
}

/// An operation of a person who reads.
const fn reads(id: &'static str, summary: &'static str, asks: &'static [Asks], gives: Gives) -> Operation {
    Operation { id, summary, who: Who::Person, asks, says: Says::Nothing, gives }
}

/// An operation of a person who changes something.
const fn changes(
    id: &'static str,
    summary: &'static str,
    asks: &'static [Asks],
    says: Says,
    gives: Gives,
) -> Operation {
    Operation { id, summary, who: Who::Operator, asks, says, gives }
}

/// An operation of a host.
const fn host(id: &'static str, summary: &'static str, asks: &'static [Asks], says: Says, gives: Gives) -> Operation {
    Operation { id, summary, who: Who::Host, asks, says, gives }
}

fn for_readers(api: Api) -> Api {
    const WHICH: &[Asks] = &[
        AFTER,
        LIMIT,
        ("host", "string", false),
        ("kind", "string", false),
        ("service", "string", false),
        ("since", "integer", false),
    ];
    let anybody =
        Operation { who: Who::Anybody, ..reads("health", "The present revision", &[], Gives::Json("Health")) };
    api.route("get", "/health", get(health), anybody)
        .route(
            "get",
            "/revisions",
            get(revisions::list),
            reads("revisions", "The history", PAGES, Gives::Json("Numbered")),
        )
        .route("get", "/audit", get(audit::list), reads("audit", "The audit log", PAGES, Gives::Json("Numbered")))
        .route("get", "/events", get(events::list), reads("events", "Events of hosts", WHICH, Gives::Json("Events")))
        .route("get", "/exports", get(exports::list), reads("exports", "How exports are", &[], Gives::Json("Exports")))
        .route(
            "get",
            "/metrics",
            get(metrics::page),
            reads("metrics", "What Prometheus is told", &[], Gives::Text(metrics::KIND)),
        )
        .route(
            "get",
            "/hosts",
            get(hosts::list),
            reads("hosts", "Hosts: desired against actual", NAMED_PAGES, Gives::Json("Named")),
        )
        .route(
            "delete",
            "/hosts/{name}",
            delete(hosts::revoke),
            changes("revokeHost", "No more policy for this host", &[], Says::Nothing, Gives::Nothing),
        )
}

fn for_policy(api: Api) -> Api {
    const ALL: &[Asks] = &[("all", "boolean", false)];
    const MANNER: &[Asks] = &[
        FORCE,
        ("confirm_within", "integer", false),
        ("stages", "string", false),
        ("bake", "integer", false),
        ("bound", "number", false),
    ];
    let (files, comment) = (Says::Json("Files"), Says::Perhaps("Comment"));
    let planned = Gives::Json("Planned");
    let plan = Operation { who: Who::Person, ..changes("plan", "What files would change", &[], files, planned) };
    api.route("get", "/policy", get(policy::read), reads("policy", "The policy", ALL, Gives::Text("application/toml")))
        .route("put", "/policy", put(policy::apply), changes("apply", "Make files the policy", MANNER, files, planned))
        .route("post", "/policy/plan", post(policy::plan), plan)
        .route(
            "post",
            "/policy/confirm",
            post(policy::confirm),
            changes("confirm", "What is on trial stays", &[], comment, Gives::Json("Revision")),
        )
        .route(
            "delete",
            "/policy/trial",
            delete(policy::give_up),
            changes("undo", "What is on trial is undone", &[], comment, Gives::Json("Revision")),
        )
        .route(
            "post",
            "/revisions/{number}/rollback",
            post(policy::roll_back),
            changes("rollBack", "What this revision said, as a new one", &[FORCE], comment, planned),
        )
}

fn for_rollouts(api: Api) -> Api {
    const ROLLOUT: Gives = Gives::Json("Rollout");
    let comment = Says::Perhaps("Comment");
    api.route("get", "/policy/rollout", get(rollout::look), reads("rollout", "How a rollout is", &[], ROLLOUT))
        .route(
            "delete",
            "/policy/rollout",
            delete(rollout::stop),
            changes("stopRollout", "All of it goes back", &[], comment, ROLLOUT),
        )
        .route(
            "post",
            "/policy/rollout/promote",
            post(rollout::promote),
            changes("promote", "The next stage now", &[], comment, ROLLOUT),
        )
}

fn for_proposals(api: Api) -> Api {
    const ONE: &str = "/policy/proposals/{number}";
    let comment = Says::Perhaps("Comment");
    let approve = changes("approve", "Stand for a change of somebody else", &[], comment, Gives::Json("Revision"));
    let reject = changes("reject", "It is not to be, or the author takes it back", &[], comment, Gives::Nothing);
    let all = reads("proposals", "What waits for a second person", &[], Gives::Json("Proposals"));
    api.route("get", "/policy/proposals", get(proposals::list), all)
        .route("get", ONE, get(proposals::look), reads("proposal", "One, with its plan", &[], Gives::Json("Looked")))
        .route("delete", ONE, delete(proposals::reject), Operation { who: Who::Person, ..reject })
        .route(
            "post",
            "/policy/proposals/{number}/approve",
            post(proposals::approve),
            Operation { who: Who::Approver, ..approve },
        )
}

fn for_decisions(api: Api) -> Api {
    api.route(
        "get",
        "/decisions",
        get(decisions::list),
        reads("decisions", "Decisions, tokens masked", NAMED_PAGES, Gives::Json("Decisions")),
    )
    .route(
        "post",
        "/decisions",
        post(decisions::decide),
        changes("decide", "Make a decision", &[FORCE], Says::Json("Wanted"), Gives::Made("Decided")),
    )
    .route(
        "post",
        "/decisions/many",
        post(decisions::decide_many),
        changes(
            "decideMany",
            "Make many decisions, as one revision",
            &[FORCE],
            Says::Json("Many"),
            Gives::Made("Counted"),
        ),
    )
    .route(
        "delete",
        "/decisions/{id}",
        delete(decisions::end),
        changes("end", "End a decision", &[], Says::Nothing, Gives::Json("Decided")),
    )
}

fn for_hosts(api: Api) -> Api {
    const WATCH: &[Asks] = &[
        ("number", "integer", true),
        ("hash", "string", true),
        ("wait", "integer", false),
        ("whole", "boolean", false),
    ];
    let (renew, renewed) = (Says::Json("Renew"), Gives::Json("Renewed"));
    let enrol = host("enrol", "A certificate, for a one-time token", &[], Says::Json("Enrol"), Gives::Json("Enrolled"));
    let batch = host("bring", "Events, at least once", &[], Says::Json("Batch"), Gives::Json("Has"));
    let ack = host("acknowledge", "What the kernel holds", &[], Says::Json("Acknowledgement"), Gives::Nothing);
    let delivery = Gives::Bytes("application/vnd.enforcer.delivery");
    api.route("post", "/enrol", post(agents::enrol), Operation { who: Who::Anybody, ..enrol })
        .route("get", "/agent/watch", get(agents::watch), host("watch", "What is new", WATCH, Says::Nothing, delivery))
        .route("post", "/agent/ack", post(agents::acknowledge), ack)
        .route("post", "/agent/events", post(events::take), batch)
        .route("post", "/agent/renew", post(agents::renew), host("renew", "A new certificate", &[], renew, renewed))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Every value of a key, anywhere in the document.
    fn all<'d>(value: &'d Value, key: &str, found: &mut Vec<&'d Value>) {
        match value {
            Value::Object(fields) => {
                for (name, field) in fields {
                    if name == key {
                        found.push(field);
                    }
                    all(field, key, found);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| all(item, key, found)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    #[test]
    fn the_document_holds_together() {
        let (_, document) = described();
        assert_eq!(document["openapi"], "3.1.0");
        let mut references = Vec::new();
        all(&document, "$ref", &mut references);
        assert!(references.len() > 40);
        for reference in references {
            let pointer = reference.as_str().unwrap().strip_prefix('#').unwrap();
            assert!(document.pointer(pointer).is_some(), "{pointer} is nowhere");
        }
        let mut ids = Vec::new();
        all(&document["paths"], "operationId", &mut ids);
        let distinct: BTreeSet<_> = ids.iter().map(|id| id.as_str().unwrap()).collect();
        assert_eq!(distinct.len(), ids.len());
        let used = document["paths"].to_string();
        for name in document["components"]["schemas"].as_object().unwrap().keys() {
            let inner = document["components"].to_string();
            let reference = format!("#/components/schemas/{name}\"");
            assert!(used.contains(&reference) || inner.contains(&reference), "{name} is unused");
        }
    }

    #[test]
    fn every_place_of_a_path_is_a_parameter() {
        let (_, document) = described();
        let paths = document["paths"].as_object().unwrap();
        assert!(paths.len() >= 18, "{}", paths.len());
        for (path, item) in paths {
            for (method, operation) in item.as_object().unwrap() {
                let declared = operation["parameters"].as_array().unwrap();
                let places = declared.iter().filter(|one| one["in"] == "path").count();
                assert_eq!(places, path.matches('{').count(), "{method} {path}");
                assert!(operation["responses"]["default"].is_object(), "{method} {path}");
            }
        }
    }
}
