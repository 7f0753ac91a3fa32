//! Fields as a schema. In: names and types of a body. Out: JSON Schema. Never here: what a type means for a specification that is
//! compared (drift).
use serde_json::{Map, Value, json};

use super::super::fields::{Field, Fields, NAMELESS};
use super::super::types::Types;

/// A place in a body, with what lies below it.
#[derive(Default)]
struct Part<'f> {
    field: Field,
    members: Vec<(&'f str, Self)>,
    items: Option<Box<Self>>,
}

/// The schema of a value of these types.
pub(super) fn of_types(types: Types) -> Value {
    let forms: Vec<&str> = FORMS.iter().filter(|(form, _)| types.has(*form)).map(|(_, word)| *word).collect();
    let mut kinds: Vec<&str> = KINDS.iter().filter(|(kind, _)| types.has(*kind)).map(|(_, word)| *word).collect();
    kinds.extend((!forms.is_empty() && !types.has(Types::TEXT)).then_some("string"));
    // A number may lack its fraction.
    kinds.retain(|kind| *kind != "integer" || !types.has(Types::NUMBER));
    let mut schema = Map::new();
    if let [one] = &*kinds {
        schema.insert("type".to_owned(), json!(one));
    } else if !kinds.is_empty() {
        schema.insert("type".to_owned(), json!(kinds));
    }
    if let ([form], false) = (&*forms, types.has(Types::TEXT)) {
        schema.insert("format".to_owned(), json!(form));
    }
    schema.into()
}

/// The schema of a body.
pub(super) fn of_fields(fields: &Fields, required: impl Fn(Field) -> bool) -> Value {
    let mut root = Part::default();
    fields.iter().for_each(|(path, field)| root.at(path).field = field);
    let names: Vec<&str> =
        root.members.iter().filter(|(_, part)| required(part.field)).map(|(name, _)| *name).collect();
    let mut schema = root.schema();
    if !names.is_empty() {
        schema["required"] = json!(names);
    }
    schema
}

impl<'f> Part<'f> {
    /// The part at a path such as `items[].id`.
    fn at(&mut self, path: &'f str) -> &mut Self {
        let mut part = self;
        for piece in path.split('.').filter(|piece| !piece.is_empty()) {
            let name = piece.trim_end_matches("[]");
            if !name.is_empty() {
                part = part.member(name);
            }
            for _ in 0..(piece.len() - name.len()) / 2 {
                part = part.items.get_or_insert_default();
            }
        }
        part
    }

    fn member(&mut self, name: &'f str) -> &mut Self {
        let at = self.members.iter().position(|(known, _)| *known == name).unwrap_or_else(|| {
            self.members.push((name, Self::default()));
            self.members.len() - 1
        });
        &mut self.members[at].1
    }

    fn schema(self) -> Value {
        let mut types = self.field.types;
        types = types.and(if self.members.is_empty() { Types::NONE } else { Types::OBJECT });
        types = types.and(if self.items.is_some() { Types::ARRAY } else { Types::NONE });
        let mut schema = of_types(types);
        if let Some(items) = self.items {
            schema["items"] = items.schema();
        }
        let (nameless, named): (Vec<_>, Vec<_>) = self.members.into_iter().partition(|(name, _)| *name == NAMELESS);
        if !named.is_empty() {
            schema["properties"] =
                named.into_iter().map(|(name, part)| (name.to_owned(), part.schema())).collect::<Map<_, _>>().into();
        }
        for (_, part) in nameless {
            schema["additionalProperties"] = part.schema();
        }
        schema
    }
}

const KINDS: &[(Types, &str)] = &[
    (Types::ARRAY, "array"),
    (Types::BOOLEAN, "boolean"),
    (Types::INTEGER, "integer"),
    (Types::NULL, "null"),
    (Types::NUMBER, "number"),
    (Types::OBJECT, "object"),
    (Types::TEXT, "string"),
];
const FORMS: &[(Types, &str)] = &[
    (Types::DATE, "date"),
    (Types::MOMENT, "date-time"),
    (Types::EMAIL, "email"),
    (Types::FILE, "binary"),
    (Types::UUID, "uuid"),
];
