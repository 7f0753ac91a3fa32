//! An inventory as a specification. In: endpoints of one service. Out: a document of `OpenAPI` 3.1 as JSON, the same for the same
//! endpoints. Never here: servers, descriptions, what was not seen.
//!
//! What calls show is less than what a specification may say: a parameter is required when every call bore it, a type is what its
//! values were. What there is no word for (counts, risk) stands under `x-enforcer`.
mod schema;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::auth::Auth;
use super::fields::{Field, Fields, NAMELESS};
use super::list::{Listed, Segment};
use super::risk::risk;
use super::shape::Shape;
use super::usage::Usage;

/// Calls after which what all of them bore counts as required.
const ENOUGH: u64 = 10;

/// The document for the endpoints of a service.
pub fn openapi(service: &str, endpoints: &[Listed<'_>]) -> Value {
    let mut paths: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
    for endpoint in endpoints {
        let method = endpoint.method.to_ascii_lowercase();
        if METHODS.contains(&&*method) {
            paths.entry(endpoint.template()).or_default().insert(method, operation(endpoint));
        } else {
            let others =
                paths.entry(endpoint.template()).or_default().entry("x-enforcer-methods").or_insert_with(|| json!([]));
            others.as_array_mut().into_iter().for_each(|others| others.push(json!(endpoint.method)));
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {"title": service, "version": "observed"},
        "paths": paths,
        "components": {"securitySchemes": schemes(endpoints)},
    })
}

fn operation(endpoint: &Listed<'_>) -> Value {
    let usage = endpoint.usage;
    let mut operation = json!({
        "operationId": operation_id(endpoint),
        "responses": responses(usage),
        "x-enforcer": {"calls": usage.calls, "refused": usage.refused, "risk": risk(endpoint, None).score},
    });
    let parameters: Vec<Value> = in_path(&endpoint.path).chain(in_query(&usage.query)).collect();
    let parameters = Some(parameters).filter(|all| !all.is_empty()).map(Value::Array);
    for (name, value) in [("parameters", parameters), ("requestBody", body(usage)), ("security", security(usage))] {
        if let Some(value) = value {
            operation[name] = value;
        }
    }
    operation
}

fn operation_id(endpoint: &Listed<'_>) -> String {
    let parts = endpoint.path.iter().map(|segment| match segment {
        Segment::Fixed(word) => (*word).to_owned(),
        Segment::Parameter(name, _) => format!("{{{name}}}"),
    });
    // Words keep their signs, so that two paths never share a name.
    std::iter::once(endpoint.method.to_ascii_lowercase()).chain(parts).collect::<Vec<_>>().join("/")
}

fn in_path<'p>(path: &'p [Segment<'_>]) -> impl Iterator<Item = Value> + 'p {
    path.iter().filter_map(|segment| match segment {
        Segment::Fixed(_) => None,
        Segment::Parameter(name, shapes) => {
            Some(json!({"name": name, "in": "path", "required": true, "schema": of_shapes(shapes)}))
        }
    })
}

fn of_shapes(shapes: &[Shape]) -> Value {
    match shapes {
        [Shape::Date] => json!({"type": "string", "format": "date"}),
        [Shape::Email] => json!({"type": "string", "format": "email"}),
        [Shape::Integer] => json!({"type": "integer"}),
        [Shape::Uuid] => json!({"type": "string", "format": "uuid"}),
        _ => json!({"type": "string"}),
    }
}

fn in_query(query: &Fields) -> impl Iterator<Item = Value> {
    // What is no name cannot be told apart.
    query.iter().filter(|(name, _)| *name != NAMELESS).map(|(name, field)| {
        let required = is_required(field, query.looks);
        json!({"name": name, "in": "query", "required": required, "schema": schema::of_types(field.types)})
    })
}

fn is_required(field: Field, looks: u64) -> bool {
    looks >= ENOUGH && field.seen >= looks
}

fn body(usage: &Usage) -> Option<Value> {
    let schema = schema::of_fields(&usage.request, |field| is_required(field, usage.request.looks));
    let content = content(usage.request_types.keys(), &schema);
    (!usage.request_types.is_empty()).then(|| json!({"content": content}))
}

fn content<'t>(types: impl Iterator<Item = &'t Box<str>>, schema: &Value) -> Value {
    types.map(|media| ((**media).to_owned(), json!({"schema": schema}))).collect::<Map<_, _>>().into()
}

fn responses(usage: &Usage) -> Value {
    let schema = schema::of_fields(&usage.answer, |_| false);
    let one = |(status, count): (&u16, &u64)| {
        let mut response = json!({"description": format!("Seen {count} times.")});
        if (200..300).contains(status) && !usage.answer_types.is_empty() {
            response["content"] = content(usage.answer_types.keys(), &schema);
        }
        (status.to_string(), response)
    };
    let seen: Map<_, _> = usage.statuses.iter().map(one).collect();
    // A specification must name one.
    if seen.is_empty() { json!({"default": {"description": "No answer was seen."}}) } else { seen.into() }
}

/// One of what was seen; the empty one for calls without.
fn security(usage: &Usage) -> Option<Value> {
    let one = |auth: &Auth| match auth {
        Auth::None => json!({}),
        Auth::Basic | Auth::Bearer | Auth::Certificate | Auth::Cookie | Auth::Key | Auth::Other | Auth::Url => {
            json!({auth.name(): []})
        }
    };
    let served = |auth: &&Auth| **auth != Auth::None || usage.open > 0;
    let seen: Vec<Value> = usage.auth.keys().filter(served).map(one).collect();
    (!seen.is_empty()).then_some(seen.into())
}

fn schemes(endpoints: &[Listed<'_>]) -> Value {
    let seen = endpoints.iter().flat_map(|endpoint| endpoint.usage.auth.keys());
    seen.filter_map(|auth| Some((auth.name().to_owned(), scheme(*auth)?))).collect::<Map<_, _>>().into()
}

/// The names of headers and cookies are not kept: those that are usual stand for them.
fn scheme(auth: Auth) -> Option<Value> {
    match auth {
        Auth::None => None,
        Auth::Basic => Some(json!({"type": "http", "scheme": "basic"})),
        Auth::Bearer => Some(json!({"type": "http", "scheme": "bearer"})),
        Auth::Certificate => Some(json!({"type": "mutualTLS"})),
        Auth::Cookie => Some(json!({"type": "apiKey", "in": "cookie", "name": "session"})),
        Auth::Key => Some(json!({"type": "apiKey", "in": "header", "name": "X-Api-Key"})),
        Auth::Other => Some(json!({"type": "apiKey", "in": "header", "name": "Authorization"})),
        Auth::Url => Some(json!({"type": "apiKey", "in": "query", "name": "api_key"})),
    }
}

/// What a path of `OpenAPI` can hold.
pub(super) const METHODS: &[&str] = &["delete", "get", "head", "options", "patch", "post", "put", "trace"];

#[cfg(test)]
mod tests;
