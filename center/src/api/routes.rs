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
    Center, agents, apis, audit, decisions, events, exports, foresight, health, hosts, loaders, metrics, modules,
    policy, proposals, revisions, rollout, sources,
};

/// Bytes of a request's body.
const BODY: usize = 32 << 20;
const AFTER: Asks = ("after", "Number", false);
const AFTER_NAME: Asks = ("after", "Text", false);
const LIMIT: Asks = ("limit", "Number", false);
const FORCE: Asks = ("force", "Flag", false);
const PAGES: &[Asks] = &[AFTER, LIMIT];
const NAMED_PAGES: &[Asks] = &[AFTER_NAME, LIMIT];
const IF_MATCH: &[Asks] = &[("If-Match", "IfMatch", false)];
const ONCE: &[Asks] = &[("Idempotency-Key", "IdempotencyKey", false)];
/// What can keep a change from becoming a revision: another one that is on, or the policy itself.
const PUBLISHES: &[u16] = &[409, 422];
const PUBLISHES_ON: &[u16] = &[409, 412, 422];
const PUBLISHES_WHAT_IS_THERE: &[u16] = &[404, 409, 422];

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
    let read = for_modules(for_apis(for_sources(for_readers(Api::new()))));
    for_hosts(for_decisions(for_rollouts(for_proposals(for_policy(read))))).done()
}

/// An operation of a person who reads.
const fn reads(id: &'static str, summary: &'static str, asks: &'static [Asks], gives: Gives) -> Operation {
    Operation { id, summary, who: Who::Person, asks, heeds: &[], says: Says::Nothing, gives, fails: &[] }
}

/// An operation of a person who changes something.
const fn changes(
    id: &'static str,
    summary: &'static str,
    asks: &'static [Asks],
    says: Says,
    gives: Gives,
) -> Operation {
    Operation { id, summary, who: Who::Operator, asks, heeds: &[], says, gives, fails: &[] }
}

/// An operation of a host.
const fn host(id: &'static str, summary: &'static str, asks: &'static [Asks], says: Says, gives: Gives) -> Operation {
    Operation { id, summary, who: Who::Host, asks, heeds: &[], says, gives, fails: &[] }
}

fn for_sources(api: Api) -> Api {
    let accept = changes("acceptList", "Believe what a list has become", &[], Says::Nothing, Gives::Nothing);
    api.route("get", "/sources", get(sources::list), reads("sources", "How sources are", &[], Gives::Json("Sources")))
        .route("post", "/sources/{name}/accept", post(sources::accept), accept.failing(&[404]))
}

fn for_readers(api: Api) -> Api {
    const WHICH: &[Asks] = &[
        AFTER,
        LIMIT,
        ("host", "Text", false),
        ("kind", "EventKind", false),
        ("service", "Text", false),
        ("since", "Number", false),
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
            changes("revokeHost", "No more policy for this host", &[], Says::Nothing, Gives::Nothing).failing(&[404]),
        )
}

fn for_policy(api: Api) -> Api {
    const ALL: &[Asks] = &[("all", "Flag", false)];
    const MANNER: &[Asks] = &[
        FORCE,
        ("confirm_within", "TrialSeconds", false),
        ("stages", "Stages", false),
        ("bake", "BakeSeconds", false),
        ("bound", "Percent", false),
    ];
    let (files, comment) = (Says::Json("Files"), Says::Perhaps("Comment"));
    let planned = Gives::Json("Planned");
    let plan = changes("plan", "What files would change", &[], files, planned).failing(&[422]);
    let apply = changes("apply", "Make files the policy", MANNER, files, planned);
    api.route("get", "/policy", get(policy::read), reads("policy", "The policy", ALL, Gives::Text("application/toml")))
        .route("put", "/policy", put(policy::apply), apply.heeding(IF_MATCH).failing(PUBLISHES_ON))
        .route("post", "/policy/plan", post(policy::plan), Operation { who: Who::Person, ..plan })
        .route(
            "post",
            "/policy/confirm",
            post(policy::confirm),
            changes("confirm", "What is on trial stays", &[], comment, Gives::Json("Revision")).failing(PUBLISHES),
        )
        .route(
            "delete",
            "/policy/trial",
            delete(policy::give_up),
            changes("undo", "What is on trial is undone", &[], comment, Gives::Json("Revision")).failing(PUBLISHES),
        )
        .route(
            "post",
            "/revisions/{number}/rollback",
            post(policy::roll_back),
            changes("rollBack", "What this revision said, as a new one", &[FORCE], comment, planned)
                .heeding(IF_MATCH)
                .failing(PUBLISHES_ON),
        )
}

fn for_apis(api: Api) -> Api {
    const SERVICE: &[Asks] = &[("service", "Text", false)];
    let list = reads("apis", "Every API that is called, of all hosts", SERVICE, Gives::Json("Apis"));
    let inventory = reads("inventory", "The same with all detail, packed", SERVICE, Gives::Bytes(apis::KIND));
    let mark = reads("mark", "What somebody says of an endpoint", &[], Gives::Json("Mark"));
    let mark = Operation { who: Who::Operator, says: Says::Json("Marked"), ..mark };
    api.route("get", "/apis", get(apis::list), list)
        .route("get", "/apis/inventory", get(apis::inventory), inventory.failing(&[409]))
        .route("put", "/apis/marks", put(apis::mark), mark.failing(&[404, 409]))
}

fn for_modules(api: Api) -> Api {
    let list = reads("modules", "Published modules, and how each is on every host", &[], Gives::Json("Modules"));
    let publish = changes("publishModule", "Let hosts have a module", &[], Says::Json("Sending"), Gives::Json("Taken"));
    let approve = Operation { who: Who::Approver, says: Says::Json("Approving"), ..publish };
    let approve = Operation { id: "approveModule", summary: "Stand for a module of somebody else", ..approve };
    let withdraw = changes("withdrawModule", "Nobody is to have it any more", &[], Says::Nothing, Gives::Nothing);
    let withdraw = Operation { who: Who::Person, ..withdraw };
    api.route("get", "/modules", get(modules::list), list)
        .route("post", "/modules", post(modules::publish), publish.failing(&[409, 422]))
        .route("post", "/modules/{name}/approve", post(modules::approve), approve.failing(&[404, 409]))
        .route("delete", "/modules/{name}", delete(modules::withdraw), withdraw.failing(&[403, 404]))
}

fn for_rollouts(api: Api) -> Api {
    const ROLLOUT: Gives = Gives::Json("Rollout");
    let comment = Says::Perhaps("Comment");
    api.route("get", "/policy/rollout", get(rollout::look), reads("rollout", "How a rollout is", &[], ROLLOUT))
        .route(
            "delete",
            "/policy/rollout",
            delete(rollout::stop),
            changes("stopRollout", "All of it goes back", &[], comment, ROLLOUT).failing(PUBLISHES),
        )
        .route(
            "post",
            "/policy/rollout/promote",
            post(rollout::promote),
            changes("promote", "The next stage now", &[], comment, ROLLOUT).failing(PUBLISHES),
        )
}

fn for_proposals(api: Api) -> Api {
    const ONE: &str = "/policy/proposals/{number}";
    let comment = Says::Perhaps("Comment");
    let approve = changes("approve", "Stand for a change of somebody else", &[], comment, Gives::Json("Revision"));
    let reject = changes("reject", "It is not to be, or the author takes it back", &[], comment, Gives::Nothing);
    let look = reads("proposal", "One, with its plan", &[], Gives::Json("Looked")).failing(PUBLISHES_WHAT_IS_THERE);
    let all = reads("proposals", "What waits for a second person", &[], Gives::Json("Proposals"));
    api.route("get", "/policy/proposals", get(proposals::list), all)
        .route("get", ONE, get(proposals::look), look)
        .route("delete", ONE, delete(proposals::reject), Operation { who: Who::Person, ..reject.failing(&[403, 404]) })
        .route(
            "post",
            "/policy/proposals/{number}/approve",
            post(proposals::approve),
            Operation { who: Who::Approver, ..approve.failing(PUBLISHES_WHAT_IS_THERE) },
        )
}

fn for_decisions(api: Api) -> Api {
    api.route(
        "get",
        "/decisions",
        get(decisions::list),
        reads(
            "decisions",
            "Decisions, tokens masked",
            &[("after", "DecisionId", false), LIMIT],
            Gives::Json("Decisions"),
        ),
    )
    .route(
        "post",
        "/decisions",
        post(decisions::decide),
        changes("decide", "Make a decision", &[FORCE], Says::Json("Wanted"), Gives::Made("Decided"))
            .heeding(ONCE)
            .failing(PUBLISHES),
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
        )
        .heeding(ONCE)
        .failing(PUBLISHES),
    )
    .route(
        "delete",
        "/decisions/{id}",
        delete(decisions::end),
        changes("end", "End a decision", &[], Says::Nothing, Gives::Json("Decided")).failing(PUBLISHES_WHAT_IS_THERE),
    )
}

fn for_hosts(api: Api) -> Api {
    const WATCH: &[Asks] = &[
        ("number", "Number", true),
        ("hash", "Digest", true),
        ("wait", "Number", false),
        ("whole", "Flag", false),
        ("answered", "Number", false),
        ("modules", "Digest", false),
    ];
    const QUESTION: &str = "/agent/questions/{number}";
    let (renew, renewed) = (Says::Json("Renew"), Gives::Json("Renewed"));
    let enrol = host("enrol", "A certificate, for a one-time token", &[], Says::Json("Enrol"), Gives::Json("Enrolled"));
    let batch = host("bring", "Events, at least once", &[], Says::Json("Batch"), Gives::Json("Has"));
    let ack = host("acknowledge", "What the kernel holds", &[], Says::Json("Acknowledgement"), Gives::Nothing);
    let tell = host("tell", "What it knows of APIs", &[], Says::Bytes(apis::KIND), Gives::Nothing);
    let delivery = Gives::Bytes("application/vnd.enforcer.delivery");
    let watch = host("watch", "What is new", WATCH, Says::Nothing, delivery);
    let asked = host("question", "Decisions that somebody thinks of", &[], Says::Nothing, Gives::Json("Question"));
    let answer = host("answer", "Whom they would have hit", &[], Says::Json("Answer"), Gives::Nothing);
    let listed = host("hostModules", "Modules for this host", &[], Says::Nothing, Gives::Json("ModuleList"));
    let module = host("hostModule", "The file of one of them", &[], Says::Nothing, Gives::Bytes(loaders::KIND));
    let told = host("tellModules", "How they are there", &[], Says::Json("ModulesTold"), Gives::Nothing);
    let api = api
        .route("get", "/agent/modules", get(loaders::list), listed)
        .route("post", "/agent/modules", post(loaders::tell), told)
        .route("get", "/agent/modules/{digest}", get(loaders::file), module.failing(&[404]));
    api.route("post", "/enrol", post(agents::enrol), Operation { who: Who::Anybody, ..enrol.failing(&[403]) })
        .route("get", "/agent/watch", get(agents::watch), watch.failing(&[409]))
        .route("post", "/agent/ack", post(agents::acknowledge), ack)
        .route("post", "/agent/apis", post(apis::take), tell)
        .route("get", QUESTION, get(foresight::question), asked.failing(&[404]))
        .route("post", QUESTION, post(foresight::answer), answer.failing(&[404]))
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
        let items = document["paths"].as_object().unwrap().values().flat_map(|item| item.as_object().unwrap().values());
        let ids: Vec<_> = items.map(|operation| operation["operationId"].as_str().unwrap()).collect();
        let distinct: BTreeSet<_> = ids.iter().copied().collect();
        assert_eq!(distinct.len(), ids.len());
        let mut links = Vec::new();
        all(&document["paths"], "links", &mut links);
        let led_to = links.iter().flat_map(|links| links.as_object().unwrap().values());
        assert!(led_to.into_iter().all(|link| distinct.contains(link["operationId"].as_str().unwrap())));
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
                assert!(operation["responses"]["500"].is_object(), "{method} {path}");
            }
        }
    }
}
