//! Compares. In: endpoints as they are called, and a specification. Out: differences, sorted. Never here: schemas.
use std::collections::BTreeSet;

use super::contract::Contract;
use super::spec::{Operation, Piece, Spec};
use super::{Drift, Kind};
use crate::inventory::fields::{Fields, NAMELESS};
use crate::inventory::list::{Listed, Segment, encoded};
use crate::inventory::shape::Shape;
use crate::inventory::types::Types;

/// Every difference between the endpoints of a service and its specification.
pub fn drift(endpoints: &[Listed<'_>], spec: &Spec) -> Vec<Drift> {
    let base = best_base(endpoints, spec);
    let mut found = BTreeSet::new();
    let mut called = BTreeSet::new();
    for endpoint in endpoints {
        match best_operation(endpoint, spec, base) {
            Some((number, operation)) => {
                called.insert(number);
                compare(endpoint, operation, base.len(), &mut found);
            }
            None if !is_implied(endpoint, spec, base) => drop(found.insert(whole(endpoint, Kind::Shadow))),
            None => {}
        }
    }
    let never = spec.operations.iter().enumerate().filter(|(number, _)| !called.contains(number));
    found.extend(never.map(|(_, operation)| zombie(operation)));
    found.into_iter().collect()
}

/// What stands before all paths: the path of one of the servers, or nothing, whichever fits more endpoints.
fn best_base<'s>(endpoints: &[Listed<'_>], spec: &'s Spec) -> &'s [Piece] {
    let fits = |base: &&[Piece]| endpoints.iter().filter(|one| best_operation(one, spec, base).is_some()).count();
    let bases = std::iter::once(&[] as &[Piece]).chain(spec.bases.iter().rev().map(|base| &**base));
    bases.max_by_key(fits).unwrap_or_default()
}

/// The operation with the most fixed segments of those that an endpoint lies in.
fn best_operation<'s>(endpoint: &Listed<'_>, spec: &'s Spec, base: &[Piece]) -> Option<(usize, &'s Operation)> {
    let fits = |operation: &&Operation| operation.method == endpoint.method && lies_in(endpoint, operation, base);
    let fixed = |operation: &Operation| operation.path.iter().filter(|piece| matches!(piece, Piece::Fixed(_))).count();
    let all = spec.operations.iter().enumerate().filter(|(_, operation)| fits(operation));
    all.max_by_key(|(number, operation)| (fixed(operation), std::cmp::Reverse(*number)))
}

fn lies_in(endpoint: &Listed<'_>, operation: &Operation, base: &[Piece]) -> bool {
    let wanted = base.iter().chain(&operation.path);
    endpoint.path.len() == base.len() + operation.path.len()
        && endpoint.path.iter().zip(wanted).all(|(one, wanted)| fits(one, wanted))
}

fn fits(seen: &Segment<'_>, wanted: &Piece) -> bool {
    match (seen, wanted) {
        (Segment::Fixed(word), Piece::Fixed(wanted)) => word == wanted || encoded(word) == *wanted,
        (Segment::Parameter(..), Piece::Fixed(_)) => false,
        (Segment::Parameter(..), Piece::Parameter(..)) => true,
        (Segment::Fixed(word), Piece::Parameter(_, before, behind)) => {
            word.len() >= before.len() + behind.len() && word.starts_with(&**before) && word.ends_with(&**behind)
        }
    }
}

/// Servers answer these by themselves wherever something is.
fn is_implied(endpoint: &Listed<'_>, spec: &Spec, base: &[Piece]) -> bool {
    matches!(endpoint.method, "HEAD" | "OPTIONS")
        && spec.operations.iter().any(|operation| lies_in(endpoint, operation, base))
}

fn whole(endpoint: &Listed<'_>, kind: Kind) -> Drift {
    let seen = match kind {
        Kind::MissingAuth => format!("{} served without credentials", calls(endpoint.usage.open)),
        Kind::Shadow | Kind::Zombie | Kind::Deprecated | Kind::Undocumented | Kind::ChangedType => {
            calls(endpoint.usage.calls)
        }
    };
    let (path, method) = (endpoint.template(), endpoint.method.to_owned());
    Drift { kind, path, method, field: None, specified: None, seen: Some(seen) }
}

fn calls(count: u64) -> String {
    if count == 1 { "1 call".to_owned() } else { format!("{count} calls") }
}

fn zombie(operation: &Operation) -> Drift {
    let (path, method) = (operation.text.clone(), operation.method.clone());
    Drift { kind: Kind::Zombie, path, method, field: None, specified: None, seen: None }
}

fn compare(endpoint: &Listed<'_>, operation: &Operation, base: usize, found: &mut BTreeSet<Drift>) {
    let usage = endpoint.usage;
    found.extend(operation.deprecated.then(|| whole(endpoint, Kind::Deprecated)));
    found.extend((operation.secured && usage.open > 0).then(|| whole(endpoint, Kind::MissingAuth)));
    let places = [
        ("query", &usage.query, &operation.query),
        ("request", &usage.request, &operation.request),
        ("answer", &usage.answer, &operation.answer),
    ];
    let one = |field: String, kind: Kind, specified: Option<String>, seen: Types| Drift {
        kind,
        path: endpoint.template(),
        method: endpoint.method.to_owned(),
        field: Some(field),
        specified,
        seen: Some(seen.words().join(", ")),
    };
    for (place, fields, contract) in places {
        let differing = differing(fields, contract).into_iter();
        found
            .extend(differing.map(|(name, kind, said, seen)| {
                one(format!("{place} {name}").trim_end().to_owned(), kind, said, seen)
            }));
    }
    for (name, said, seen) in parameters(endpoint, operation, base) {
        found.insert(one(format!("path {name}"), Kind::ChangedType, Some(said), seen));
    }
}

type Difference<'f> = (&'f str, Kind, Option<String>, Types);

/// Names that are not in the contract, those below them left out; and names of other types.
fn differing<'f>(fields: &'f Fields, contract: &Contract) -> Vec<Difference<'f>> {
    let mut found: Vec<Difference<'f>> = Vec::new();
    for (name, field) in fields.iter() {
        let below = |(above, kind, ..): &Difference<'_>| *kind == Kind::Undocumented && lies_below(name, above);
        match contract.of(name) {
            Some(said) => {
                let other = field.types.without(allowed(said, contract.textual));
                let differs = !said.is_empty() && !other.is_empty();
                found.extend(differs.then(|| (name, Kind::ChangedType, Some(said.words().join(", ")), other)));
            }
            None if name == NAMELESS || found.iter().any(below) => {}
            // A body of which nothing is said, not even that there is one.
            None => found.push((name, Kind::Undocumented, None, field.types)),
        }
    }
    found
}

fn lies_below(name: &str, above: &str) -> bool {
    name.strip_prefix(above).is_some_and(|rest| above.is_empty() || rest.starts_with(['.', '[']))
}

/// All that a value of a specified type can look like.
fn allowed(said: Types, textual: bool) -> Types {
    let texts = Types::TEXT.and(Types::DATE).and(Types::MOMENT).and(Types::UUID).and(Types::EMAIL).and(Types::FILE);
    let plain = Types::INTEGER.and(Types::NUMBER).and(Types::BOOLEAN);
    let anything = textual && !said.common(Types::TEXT.and(Types::ARRAY).and(Types::OBJECT)).is_empty();
    let all = if said.has(Types::TEXT) { said.and(texts) } else { said };
    if anything { all.and(texts).and(plain) } else { all }
}

/// Parameters of the path that were something else than is said: name, what is said, what was seen.
fn parameters<'e>(
    endpoint: &'e Listed<'_>,
    operation: &'e Operation,
    base: usize,
) -> impl Iterator<Item = (&'e str, String, Types)> {
    let pairs = endpoint.path.iter().skip(base).zip(&operation.path);
    pairs.filter_map(|(seen, wanted)| {
        let (Segment::Parameter(_, shapes), Piece::Parameter(name, ..)) = (seen, wanted) else { return None };
        let said = operation.parameters.of(name).filter(|said| !said.is_empty())?;
        let seen = shapes.iter().map(|shape| of_shape(*shape)).fold(Types::NONE, Types::and);
        let other = seen.without(allowed(said, true));
        (!other.is_empty()).then(|| (&**name, said.words().join(", "), other))
    })
}

const fn of_shape(shape: Shape) -> Types {
    match shape {
        Shape::Date => Types::DATE,
        Shape::Email => Types::EMAIL,
        Shape::Integer => Types::INTEGER,
        Shape::Name | Shape::Token => Types::TEXT,
        Shape::Uuid => Types::UUID,
    }
}
