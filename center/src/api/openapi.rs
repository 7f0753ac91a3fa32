//! The OpenAPI document, made of the same calls that make the routes: a route without its description cannot be added.
//!
//! In: routes with their operations. Out: a router and a document, OpenAPI 3.1. Never here: what requests do.
use axum::Router;
use axum::routing::MethodRouter;
use serde_json::{Map, Value, json};

use super::Center;

/// Who may make a request.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Who {
    Anybody,
    Approver,
    Host,
    Operator,
    Person,
}

/// What a request says.
#[derive(Clone, Copy)]
pub(super) enum Says {
    Nothing,
    /// JSON of this schema.
    Json(&'static str),
    /// Bytes of this type.
    Bytes(&'static str),
    /// The same as JSON, or nothing at all.
    Perhaps(&'static str),
}

/// What a good answer is.
#[derive(Clone, Copy)]
pub(super) enum Gives {
    Nothing,
    /// Bytes of this type, or nothing.
    Bytes(&'static str),
    /// JSON of this schema.
    Json(&'static str),
    /// The same, for something that was made.
    Made(&'static str),
    /// Text of this type.
    Text(&'static str),
}

/// A parameter of the query, or a header: name, schema, and whether it must be there.
pub(super) type Asks = (&'static str, &'static str, bool);

/// One operation.
#[derive(Clone, Copy)]
pub(super) struct Operation {
    pub(super) id: &'static str,
    pub(super) summary: &'static str,
    pub(super) who: Who,
    pub(super) asks: &'static [Asks],
    /// Headers that it heeds.
    pub(super) heeds: &'static [Asks],
    pub(super) says: Says,
    pub(super) gives: Gives,
    /// Statuses of the problems that only such a request has; those of all others follow from the rest.
    pub(super) fails: &'static [u16],
}

/// Routes and their document, under way.
pub(super) struct Api {
    router: Router<Center>,
    paths: Map<String, Value>,
}

impl Api {
    pub(super) fn new() -> Self {
        Self { router: Router::new(), paths: Map::new() }
    }

    /// Adds a route of one method. Its path begins below `/v1`.
    pub(super) fn route(
        mut self,
        method: &'static str,
        path: &'static str,
        handler: MethodRouter<Center>,
        operation: Operation,
    ) -> Self {
        let item = self.paths.entry(format!("/v1{path}")).or_insert_with(|| json!({}));
        if let Some(item) = item.as_object_mut() {
            item.insert(method.to_owned(), operation.described(path));
        }
        self.router = self.router.route(path, handler);
        self
    }

    /// The routes, and the document, which is one of them.
    pub(super) fn done(self) -> (Router<Center>, Value) {
        let schemas: Value = serde_json::from_str(SCHEMAS).unwrap_or_default();
        let document = json!({
            "openapi": "3.1.0",
            "info": {
                "title": "Enforcer Security Control Center", "version": env!("CARGO_PKG_VERSION"),
                "description": "Decide once; every host enforces. See docs/CENTER.md.",
                "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
            },
            "servers": [{"url": "/"}],
            "paths": self.paths,
            "components": {
                "schemas": schemas,
                "securitySchemes": {
                    "token": {"type": "http", "scheme": "bearer", "description": "enforcer-center token add"},
                    "certificate": {"type": "mutualTLS", "description": "A host's certificate: enforcer enroll"},
                },
                "headers": {
                    "Revision": {
                        "description": "The revision that this shows, for If-Match.",
                        "schema": {"type": "string", "pattern": "^\"[0-9]+\"$"},
                    },
                    "Scheme": {
                        "description": "How to say who asks.", "required": true,
                        "schema": {"type": "string", "const": super::problem::SCHEME},
                    },
                },
                "responses": {
                    "Problem": problem("It was not done; `detail` says why, `mend` what to do.", &json!({})),
                    "Stranger": problem(
                        "Nobody knows who asks.",
                        &json!({"WWW-Authenticate": {"$ref": "#/components/headers/Scheme"}}),
                    ),
                },
            },
        });
        (self.router, document)
    }
}

impl Operation {
    /// The same, which heeds these headers.
    pub(super) const fn heeding(self, heeds: &'static [Asks]) -> Self {
        Self { heeds, ..self }
    }

    /// The same, which can also fail with these statuses.
    pub(super) const fn failing(self, fails: &'static [u16]) -> Self {
        Self { fails, ..self }
    }

    fn described(&self, path: &str) -> Value {
        let mut description = json!({
            "operationId": self.id, "summary": self.summary, "parameters": self.parameters(path),
            "responses": self.responses(path), "security": self.security(),
        });
        let (kind, schema, required) = match self.says {
            Says::Nothing => return description,
            Says::Bytes(kind) => (kind, json!({}), true),
            Says::Json(schema) => ("application/json", reference(schema), true),
            Says::Perhaps(schema) => ("application/json", reference(schema), false),
        };
        description["requestBody"] = json!({"required": required, "content": {kind: {"schema": schema}}});
        description
    }

    fn parameters(&self, path: &str) -> Vec<Value> {
        let parameter = |place: &str, name: &str, schema: &str, required: bool| json!({"name": name, "in": place, "required": required, "schema": reference(schema)});
        let places = places(path).map(|name| {
            let schema = PLACES.iter().find(|(place, _)| *place == name).map_or("Text", |(_, schema)| schema);
            parameter("path", name, schema, true)
        });
        let asks = self.asks.iter().map(|(name, schema, required)| parameter("query", name, schema, *required));
        let heeds = self.heeds.iter().map(|(name, schema, required)| parameter("header", name, schema, *required));
        places.chain(asks).chain(heeds).collect()
    }

    fn responses(&self, path: &str) -> Value {
        let is_policy = matches!(self.who, Who::Approver | Who::Operator | Who::Person);
        let headers = if is_policy { json!({"ETag": {"$ref": "#/components/headers/Revision"}}) } else { json!({}) };
        let content = |kind: &str, schema: Value| json!({"description": "Done.", "headers": headers, "content": {kind: {"schema": schema}}});
        let nothing = json!({"description": "Done; there is nothing to tell."});
        let mut responses = match self.gives {
            Gives::Nothing => json!({"204": nothing}),
            Gives::Bytes(kind) => json!({"200": content(kind, json!({})), "204": nothing}),
            Gives::Json(schema) => json!({"200": content("application/json", reference(schema))}),
            Gives::Made(schema) => json!({"201": content("application/json", reference(schema))}),
            Gives::Text(kind) => json!({"200": content(kind, json!({"type": "string"}))}),
        };
        if self.who == Who::Operator && matches!(self.gives, Gives::Json(_) | Gives::Made(_)) {
            responses["202"] = content("application/json", reference("Waits"));
            responses["202"]["links"] = links(&["proposal", "approve", "reject"], "number", "/proposal/id");
        }
        if let Gives::Made("Decided") = self.gives {
            responses["201"]["links"] = links(&["end"], "id", "/decision/id");
        }
        for status in self.problems(path) {
            let name = if status == STRANGER { "Stranger" } else { "Problem" };
            responses[status.to_string()] = json!({"$ref": format!("#/components/responses/{name}")});
        }
        responses
    }

    /// The statuses of all problems that such a request can have.
    fn problems(&self, path: &str) -> impl Iterator<Item = u16> {
        let says = !matches!(self.says, Says::Nothing);
        let is_read = says || !self.asks.is_empty() || places(path).next().is_some();
        let known = self.who != Who::Anybody;
        let has_role = matches!(self.who, Who::Approver | Who::Operator);
        let derived = [(400, is_read), (STRANGER, known), (403, has_role), (413, says), (500, true), (503, true)];
        derived.into_iter().filter(|(_, can)| *can).map(|(status, _)| status).chain(self.fails.iter().copied())
    }

    fn security(&self) -> Value {
        match self.who {
            Who::Anybody => json!([]),
            Who::Host => json!([{"certificate": []}]),
            Who::Approver | Who::Operator | Who::Person => json!([{"token": []}]),
        }
    }
}

/// The names of a path's places.
fn places(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
}

/// What can be asked about a thing whose id stands in the answer.
fn links(operations: &[&str], place: &str, id: &str) -> Value {
    let link =
        |operation: &str| json!({"operationId": operation, "parameters": {place: format!("$response.body#{id}")}});
    operations.iter().map(|operation| ((*operation).to_owned(), link(operation))).collect::<Map<_, _>>().into()
}

fn reference(schema: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{schema}")})
}

fn problem(description: &str, headers: &Value) -> Value {
    let content = json!({"application/problem+json": {"schema": reference("Problem")}});
    json!({"description": description, "headers": headers, "content": content})
}

/// What stands at a place of a path.
const PLACES: [(&str, &str); 4] = [("digest", "Digest"), ("id", "DecisionId"), ("name", "Text"), ("number", "Number")];
const STRANGER: u16 = 401;
const SCHEMAS: &str = include_str!("schemas.json");
