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
    /// The same, or nothing at all.
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

/// A parameter of the query: name, type, and whether it must be there.
pub(super) type Asks = (&'static str, &'static str, bool);

/// One operation.
#[derive(Clone, Copy)]
pub(super) struct Operation {
    pub(super) id: &'static str,
    pub(super) summary: &'static str,
    pub(super) who: Who,
    pub(super) asks: &'static [Asks],
    pub(super) says: Says,
    pub(super) gives: Gives,
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
                "responses": {"Problem": {
                    "description": "It was not done; `detail` says why, `mend` what to do.",
                    "content": {"application/problem+json": {"schema": reference("Problem")}},
                }},
            },
        });
        (self.router, document)
    }
}

impl Operation {
    fn described(&self, path: &str) -> Value {
        let mut description = json!({
            "operationId": self.id, "summary": self.summary, "parameters": self.parameters(path),
            "responses": self.responses(), "security": self.security(),
        });
        let (schema, required) = match self.says {
            Says::Nothing => return description,
            Says::Json(schema) => (schema, true),
            Says::Perhaps(schema) => (schema, false),
        };
        description["requestBody"] =
            json!({"required": required, "content": {"application/json": {"schema": reference(schema)}}});
        description
    }

    fn parameters(&self, path: &str) -> Vec<Value> {
        let places = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
        let kind = |name: &str| if name == "number" { "integer" } else { "string" };
        let places = places.map(|name| {
            json!({
                "name": name, "in": "path", "required": true, "schema": {"type": kind(name)},
            })
        });
        let asks = self.asks.iter().map(|(name, kind, required)| {
            json!({
                "name": name, "in": "query", "required": required, "schema": {"type": kind},
            })
        });
        places.chain(asks).collect()
    }

    fn responses(&self) -> Value {
        let content =
            |kind: &str, schema: Value| json!({"description": "Done.", "content": {kind: {"schema": schema}}});
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
        }
        responses["default"] = json!({"$ref": "#/components/responses/Problem"});
        responses
    }

    fn security(&self) -> Value {
        match self.who {
            Who::Anybody => json!([]),
            Who::Host => json!([{"certificate": []}]),
            Who::Approver | Who::Operator | Who::Person => json!([{"token": []}]),
        }
    }
}

fn reference(schema: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{schema}")})
}

const SCHEMAS: &str = include_str!("schemas.json");
