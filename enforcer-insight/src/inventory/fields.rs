//! Names and types of parameters and fields of one endpoint. In: a name and a type, often. Out: [`Fields`], each name once with
//! all its types and how often it was seen. Never here: values. Bounded: what finds no room is counted.
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::shape::{WORD, shape_of};
use super::types::Types;

/// Names of one place of one endpoint.
pub const FIELDS: usize = 128;

/// One name.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Field {
    /// What its values were.
    pub types: Types,
    /// How many there were.
    pub seen: u64,
}

/// All names of a place: a query, the bodies of requests, of answers.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Fields {
    named: BTreeMap<Box<str>, Field>,
    /// Queries or bodies that were looked at.
    pub looks: u64,
    /// Values whose names found no room.
    pub forgotten: u64,
}

impl Fields {
    /// Names and what is known of them, in the order of the names. The whole body is named `""`.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Field)> {
        self.named.iter().map(|(name, field)| (&**name, *field))
    }

    /// Names of what is in it: not the whole itself.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.named.keys().map(|name| &**name).filter(|name| !name.is_empty())
    }

    /// What is known of a name.
    pub fn of(&self, name: &str) -> Option<Field> {
        self.named.get(name).copied()
    }

    /// True when no name was seen.
    pub fn is_empty(&self) -> bool {
        self.named.is_empty()
    }

    /// Takes one value.
    pub(super) fn note(&mut self, name: &str, types: Types) {
        if let Some(field) = self.named.get_mut(name) {
            field.join(Field { types, seen: 1 });
        } else if self.named.len() < FIELDS {
            self.named.insert(name.into(), Field { types, seen: 1 });
        } else {
            self.forgotten += 1;
        }
    }

    /// Takes all of another's.
    pub(super) fn merge(&mut self, other: Self) {
        for (name, field) in other.named {
            self.named.entry(name).or_default().join(field);
        }
        self.looks += other.looks;
        self.forgotten += other.forgotten;
    }

    /// Lets go of the rarest, until the rest finds room.
    pub(super) fn trim(&mut self) {
        while self.named.len() > FIELDS {
            let rarest = self.named.iter().min_by_key(|(_, field)| field.seen).map(|(name, _)| name.clone());
            let gone = rarest.and_then(|name| self.named.remove(&name));
            self.forgotten += gone.map_or(0, |field| field.seen);
        }
    }

    /// False when half of the names are others, unless one side has none.
    pub(super) fn are_like(&self, other: &Self) -> bool {
        let (mine, others) = (self.names().count(), other.names().count());
        let common = self.names().filter(|name| other.of(name).is_some()).count();
        mine == 0 || others == 0 || common * 2 >= mine + others - common
    }
}

impl Field {
    fn join(&mut self, other: Self) {
        self.types = self.types.and(other.types);
        self.seen += other.seen;
    }
}

/// How a key is kept: as it is when it is a name, otherwise as `{}`.
pub(super) fn label(key: &[u8]) -> &str {
    let plain = |c: char| c.is_alphanumeric() || "_-$@: ".contains(c);
    std::str::from_utf8(key).ok().filter(|text| is_name(text, plain)).unwrap_or(NAMELESS)
}

/// The same for parameters of queries and forms: there, `filter[name]` is a name.
pub(super) fn parameter_label(key: &str) -> &str {
    let plain = |c: char| c.is_alphanumeric() || "_-$:.[]".contains(c);
    if is_name(key, plain) { key } else { NAMELESS }
}

fn is_name(text: &str, plain: impl Fn(char) -> bool) -> bool {
    !text.is_empty() && text.len() <= WORD && text.chars().all(plain) && shape_of(text.as_bytes()).is_none()
}

/// Stands for keys that are no names.
pub(super) const NAMELESS: &str = "{}";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_bounded_and_the_rest_is_counted() {
        let mut fields = Fields::default();
        (0..FIELDS + 5).for_each(|number| fields.note(&format!("f{number}"), Types::TEXT));
        assert_eq!((fields.names().count(), fields.forgotten), (FIELDS, 5));
        let mut other = Fields::default();
        (0..10).for_each(|number| other.note(&format!("other{number}"), Types::TEXT));
        (0..3).for_each(|_| other.note("often", Types::NULL));
        fields.merge(other);
        fields.trim();
        assert_eq!((fields.names().count(), fields.forgotten), (FIELDS, 5 + 11));
        assert_eq!(fields.of("often"), Some(Field { types: Types::NULL, seen: 3 }));
    }

    #[test]
    fn fields_are_alike_when_half_are_the_same() {
        let of = |names: &[&str]| {
            let mut fields = Fields::default();
            for name in names {
                fields.note(name, Types::TEXT);
            }
            fields
        };
        let like = |one: &[&str], two: &[&str]| of(one).are_like(&of(two)) && of(two).are_like(&of(one));
        assert!(like(&["", "id", "name", "mail"], &["", "id", "name"]) && like(&["", "id"], &[""]) && like(&[], &[]));
        assert!(!like(&["id", "name", "iban"], &["id", "total", "items"]));
    }
}
