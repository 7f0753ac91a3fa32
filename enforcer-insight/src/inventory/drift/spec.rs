//! A specification, read. In: text of `OpenAPI` 3.0 or 3.1, YAML or JSON. Out: its operations with what they say of parameters,
//! fields and credentials; or why it is none. Never here: files and what they refer to outside of themselves.
//!
//! Bounded: references are followed inside the document only, to a depth, and a number of schemas in all; what lies behind counts
//! as allowed.
use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::contract::{Contract, Reader};
use crate::inventory::openapi::METHODS;

/// Longest text that is read, bytes.
pub(super) const LONGEST: usize = 16 << 20;

/// Why a text is no specification.
#[derive(Debug, thiserror::Error)]
pub enum SpecError {
    /// It is larger than is read.
    #[error("the specification has {size} bytes, and at most {LONGEST} are read")]
    TooLong {
        /// Its bytes.
        size: usize,
    },
    /// Not JSON, though it begins like it.
    #[error("this is no JSON")]
    Json(#[source] serde_json::Error),
    /// Not YAML.
    #[error("this is no YAML")]
    Yaml(#[source] Box<serde_saphyr::Error>),
    /// Another version, or something else.
    #[error("this is no OpenAPI 3.0 or 3.1: its `openapi` is {found}")]
    Version {
        /// What stands there.
        found: String,
    },
    /// There are no paths.
    #[error("the specification has no paths")]
    NoPaths,
}

/// What a specification says.
#[derive(Clone, Debug, Default)]
pub struct Spec {
    /// Its operations, in its order.
    pub(super) operations: Vec<Operation>,
    /// The paths of its servers, each of which may stand before all others.
    pub(super) bases: Vec<Vec<Piece>>,
}

/// One operation.
#[derive(Clone, Debug, Default)]
pub(super) struct Operation {
    pub(super) method: String,
    /// As it is written.
    pub(super) text: String,
    pub(super) path: Vec<Piece>,
    pub(super) deprecated: bool,
    /// True when no call may come without credentials.
    pub(super) secured: bool,
    pub(super) parameters: Contract,
    pub(super) query: Contract,
    pub(super) request: Contract,
    pub(super) answer: Contract,
}

/// A segment of a path.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Piece {
    Fixed(String),
    /// A parameter, its name, and what stands before and behind it.
    Parameter(String, String, String),
}

impl Spec {
    /// Reads a text.
    pub fn read(text: &str) -> Result<Self, SpecError> {
        if text.len() > LONGEST {
            return Err(SpecError::TooLong { size: text.len() });
        }
        let document = if text.trim_start().starts_with('{') {
            serde_json::from_str(text).map_err(SpecError::Json)?
        } else {
            serde_saphyr::from_str(text).map_err(|error| SpecError::Yaml(Box::new(error)))?
        };
        Self::of(&document)
    }

    /// How many operations there are.
    pub fn operations(&self) -> usize {
        self.operations.len()
    }

    fn of(document: &Value) -> Result<Self, SpecError> {
        let version = document.get("openapi").map_or_else(|| "missing".to_owned(), Value::to_string);
        if !["3.0", "3.1"].iter().any(|known| version.trim_matches('"').starts_with(known)) {
            return Err(SpecError::Version { found: version });
        }
        let paths = document.get("paths").and_then(Value::as_object).ok_or(SpecError::NoPaths)?;
        let mut reader = Reader::new(document);
        let operations = paths.iter().flat_map(|(path, item)| operations(path, item, document, &mut reader)).collect();
        let servers = document.get("servers").and_then(Value::as_array).into_iter().flatten();
        let urls = servers.filter_map(|server| server.get("url")?.as_str());
        Ok(Self { operations, bases: urls.map(base).filter(|base| !base.is_empty()).collect() })
    }
}

fn operations(path: &str, item: &Value, document: &Value, reader: &mut Reader<'_>) -> Vec<Operation> {
    let item = reader.resolve(item);
    let methods = item.as_object().into_iter().flatten().filter(|(method, _)| METHODS.contains(&&***method));
    methods.map(|(method, operation)| read_operation(path, method, (item, operation), document, reader)).collect()
}

fn read_operation(
    path: &str,
    method: &str,
    (item, operation): (&Value, &Value),
    document: &Value,
    reader: &mut Reader<'_>,
) -> Operation {
    let security = operation.get("security").or_else(|| document.get("security"));
    let mut parameters = read_parameters(&[item, operation], reader);
    let mut query = parameters.remove("query").unwrap_or_default();
    query.textual = true;
    keys_in_queries(document).for_each(|name| query.allow(name));
    Operation {
        method: method.to_ascii_uppercase(),
        text: path.to_owned(),
        path: pieces(path),
        deprecated: operation.get("deprecated") == Some(&Value::Bool(true)),
        secured: security.is_some_and(is_secured),
        parameters: parameters.remove("path").unwrap_or_default(),
        query,
        request: operation.get("requestBody").map(|body| read_content(body, reader)).unwrap_or_default(),
        answer: read_answers(operation, reader),
    }
}

/// Parameters by where they stand; those of the operation are read last.
fn read_parameters(holders: &[&Value], reader: &mut Reader<'_>) -> BTreeMap<String, Contract> {
    let mut found: BTreeMap<String, Contract> = BTreeMap::new();
    let lists = holders.iter().filter_map(|holder| holder.get("parameters")?.as_array());
    for parameter in lists.flatten() {
        let parameter = reader.resolve(parameter);
        let text = |name: &str| parameter.get(name).and_then(Value::as_str);
        let (Some(name), Some(place)) = (text("name"), text("in")) else { continue };
        let contract = found.entry(place.to_owned()).or_default();
        match parameter.get("schema") {
            Some(schema) => reader.fill(schema, name, 0, contract),
            None => contract.allow(name),
        }
    }
    found
}

fn keys_in_queries(document: &Value) -> impl Iterator<Item = &str> {
    let schemes = document.pointer("/components/securitySchemes").and_then(Value::as_object);
    let named = |scheme: &'_ Map<String, Value>| scheme.get("in").and_then(Value::as_str) == Some("query");
    let schemes = schemes.into_iter().flat_map(Map::values).filter_map(Value::as_object);
    schemes.filter(move |scheme| named(scheme)).filter_map(|scheme| scheme.get("name")?.as_str())
}

/// All content types together: which of them a call has is not compared.
fn read_content(holder: &Value, reader: &mut Reader<'_>) -> Contract {
    let mut contract = Contract::default();
    let content = reader.resolve(holder).get("content").and_then(Value::as_object);
    for (media, content) in content.into_iter().flatten() {
        contract.textual |= media.contains("form");
        match content.get("schema") {
            Some(schema) => reader.fill(schema, "", 0, &mut contract),
            None => contract.allow(""),
        }
    }
    contract
}

fn read_answers(operation: &Value, reader: &mut Reader<'_>) -> Contract {
    let all = operation.get("responses").and_then(Value::as_object);
    let good = all.into_iter().flatten().filter(|(status, _)| status.starts_with('2') || *status == "default");
    good.fold(Contract::default(), |mut contract, (_, response)| {
        contract.join(read_content(response, reader));
        contract
    })
}

fn is_secured(security: &Value) -> bool {
    let empty = |one: &Value| one.as_object().is_some_and(Map::is_empty);
    security.as_array().is_some_and(|ways| !ways.is_empty() && !ways.iter().any(empty))
}

/// The segments of the path of a server's URL; none for one that is not fixed.
fn base(url: &str) -> Vec<Piece> {
    let behind = url.split_once("://").map_or(url, |(_, behind)| behind);
    let path = behind.find('/').and_then(|at| behind.get(at..)).unwrap_or_default();
    if path.contains('{') { Vec::new() } else { pieces(path) }
}

fn pieces(path: &str) -> Vec<Piece> {
    path.split('/').filter(|piece| !piece.is_empty()).map(piece).collect()
}

fn piece(text: &str) -> Piece {
    let Some((before, rest)) = text.split_once('{') else { return Piece::Fixed(text.to_owned()) };
    let Some((name, _)) = rest.split_once('}') else { return Piece::Fixed(text.to_owned()) };
    let behind = rest.rsplit_once('}').map_or("", |(_, behind)| behind);
    Piece::Parameter(name.to_owned(), before.to_owned(), behind.to_owned())
}
