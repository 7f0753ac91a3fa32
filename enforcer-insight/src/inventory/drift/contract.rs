//! What a specification allows in one place. In: schemas. Out: a [`Contract`]: names with their types, and where anything may
//! stand. Never here: what was seen.
use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::inventory::fields::label;
use crate::inventory::types::Types;

/// Schemas in each other that are followed.
const DEPTH: usize = 16;
/// Schemas of one document that are looked at, those that are referred to counted each time.
const SCHEMAS: usize = 200_000;
/// References that lead to references.
const HOPS: usize = 8;

/// What is allowed.
#[derive(Clone, Debug, Default)]
pub(super) struct Contract {
    /// All values are text, as in queries and forms.
    pub(super) textual: bool,
    named: BTreeMap<String, Types>,
    /// Where anything may stand, and below.
    open: BTreeSet<String>,
}

impl Contract {
    /// Allows anything under this name and below.
    pub(super) fn allow(&mut self, name: &str) {
        self.open.insert(name.to_owned());
    }

    pub(super) fn join(&mut self, other: Self) {
        self.textual |= other.textual;
        other.named.into_iter().for_each(|(name, types)| self.add(&name, types));
        self.open.extend(other.open);
    }

    /// The types of a name; `NONE` when any may be, nothing when it is not there. A parameter such as `filter[name]` may be a part of
    /// `filter`.
    pub(super) fn of(&self, name: &str) -> Option<Types> {
        if self.is_open(name) {
            return Some(Types::NONE);
        }
        let stem = name.split('[').next().filter(|_| self.textual).unwrap_or(name);
        self.named.get(name).or_else(|| self.named.get(stem)).copied()
    }

    fn is_open(&self, name: &str) -> bool {
        let starts = |open: &String| {
            name.strip_prefix(&**open)
                .is_some_and(|rest| open.is_empty() || rest.is_empty() || rest.starts_with(['.', '[']))
        };
        self.open.iter().any(starts)
    }

    fn add(&mut self, name: &str, types: Types) {
        let known = self.named.entry(name.to_owned()).or_default();
        *known = known.and(types);
    }
}

/// Reads schemas of one document.
pub(super) struct Reader<'d> {
    document: &'d Value,
    left: usize,
    /// References that are being followed: what refers to itself holds anything there.
    within: Vec<String>,
}

impl<'d> Reader<'d> {
    pub(super) const fn new(document: &'d Value) -> Self {
        Self { document, left: SCHEMAS, within: Vec::new() }
    }

    /// What a reference leads to; itself when it is none, or leads out of the document.
    pub(super) fn resolve<'v>(&self, value: &'v Value) -> &'v Value
    where
        'd: 'v,
    {
        let mut found = value;
        for _ in 0..HOPS {
            let pointer = found.get("$ref").and_then(Value::as_str).and_then(|text| text.strip_prefix('#'));
            let Some(next) = pointer.and_then(|pointer| self.document.pointer(pointer)) else { break };
            found = next;
        }
        found
    }

    /// Puts what a schema says of `path` into the contract.
    pub(super) fn fill(&mut self, schema: &Value, path: &str, depth: usize, contract: &mut Contract) {
        let reference = schema.get("$ref").and_then(Value::as_str).map(str::to_owned);
        let again = reference.as_ref().is_some_and(|reference| self.within.contains(reference));
        let Some(left) = self.left.checked_sub(1).filter(|_| depth < DEPTH && !again) else {
            return contract.allow(path);
        };
        self.left = left;
        let followed = usize::from(reference.is_some());
        self.within.extend(reference);
        self.fill_resolved(self.resolve(schema), path, depth, contract);
        self.within.truncate(self.within.len() - followed);
    }

    fn fill_resolved(&mut self, schema: &Value, path: &str, depth: usize, contract: &mut Contract) {
        let parts = ["allOf", "anyOf", "oneOf"].iter().filter_map(|name| schema.get(name)?.as_array()).flatten();
        let mut told = false;
        for part in parts {
            told = true;
            self.fill(part, path, depth + 1, contract);
        }
        let types = types(schema);
        if types.is_empty() && !told {
            return contract.allow(path);
        }
        contract.add(path, types);
        self.fill_members(schema, path, depth, contract);
        self.fill_items(schema, path, depth, contract);
    }

    fn fill_members(&mut self, schema: &Value, path: &str, depth: usize, contract: &mut Contract) {
        let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        let members = schema.get("properties").and_then(Value::as_object);
        for (name, member) in members.into_iter().flatten() {
            self.fill(member, &below(label(name.as_bytes())), depth + 1, contract);
        }
        let is_object = types(schema).has(Types::OBJECT);
        match schema.get("additionalProperties") {
            // What members of any name hold is not compared.
            Some(Value::Bool(true) | Value::Object(_)) => contract.allow(path),
            _ if is_object && members.is_none() && !has_parts(schema) => contract.allow(path),
            _ => {}
        }
        if schema.get("patternProperties").is_some() {
            contract.allow(path);
        }
    }

    fn fill_items(&mut self, schema: &Value, path: &str, depth: usize, contract: &mut Contract) {
        let below = format!("{path}[]");
        let each = schema.get("prefixItems").and_then(Value::as_array).into_iter().flatten();
        for item in each.chain(schema.get("items")) {
            self.fill(item, &below, depth + 1, contract);
        }
        if types(schema).has(Types::ARRAY) && schema.get("items").is_none() && schema.get("prefixItems").is_none() {
            contract.allow(&below);
        }
    }
}

fn has_parts(schema: &Value) -> bool {
    ["allOf", "anyOf", "oneOf"].iter().any(|name| schema.get(name).is_some())
}

/// The types that a schema names, or shows by what it has.
fn types(schema: &Value) -> Types {
    let named = match schema.get("type") {
        Some(Value::String(word)) => of_word(word),
        Some(Value::Array(words)) => words.iter().filter_map(Value::as_str).map(of_word).fold(Types::NONE, Types::and),
        _ => shown(schema),
    };
    let nullable = schema.get("nullable") == Some(&Value::Bool(true));
    if nullable && !named.is_empty() { named.and(Types::NULL) } else { named }
}

fn shown(schema: &Value) -> Types {
    let values = schema.get("enum").and_then(Value::as_array).into_iter().flatten().chain(schema.get("const"));
    let known = values.map(of_value).fold(Types::NONE, Types::and);
    let signs = [("properties", Types::OBJECT), ("additionalProperties", Types::OBJECT), ("items", Types::ARRAY)];
    signs.iter().filter(|(sign, _)| schema.get(sign).is_some()).fold(known, |types, (_, one)| types.and(*one))
}

fn of_word(word: &str) -> Types {
    match word {
        "array" => Types::ARRAY,
        "boolean" => Types::BOOLEAN,
        "integer" => Types::INTEGER,
        "null" => Types::NULL,
        // An integer is a number.
        "number" => Types::NUMBER.and(Types::INTEGER),
        "object" => Types::OBJECT,
        "string" => Types::TEXT,
        _ => Types::NONE,
    }
}

fn of_value(value: &Value) -> Types {
    match value {
        Value::Null => Types::NULL,
        Value::Bool(_) => Types::BOOLEAN,
        Value::Number(_) => of_word("number"),
        Value::String(_) => Types::TEXT,
        Value::Array(_) => Types::ARRAY,
        Value::Object(_) => Types::OBJECT,
    }
}
