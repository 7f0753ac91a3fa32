//! The endpoints of an inventory, one by one. In: an inventory. Out: [`Listed`] endpoints in the order of their templates. Never
//! here: changes.
use std::collections::BTreeMap;

use serde::Serialize;

use super::shape::Shape;
use super::tree::{Node, Values};
use super::usage::Usage;

/// One endpoint, and where it lies.
#[derive(Clone, Debug)]
pub struct Listed<'i> {
    /// Its service.
    pub service: &'i str,
    /// Its method.
    pub method: &'i str,
    /// Its path, segment by segment.
    pub path: Vec<Segment<'i>>,
    /// What is known of it.
    pub usage: &'i Usage,
}

/// A segment of a template.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
pub enum Segment<'i> {
    /// Always the same.
    Fixed(&'i str),
    /// Anything: its name in the template, and the shapes of its values.
    Parameter(String, Vec<Shape>),
}

impl Listed<'_> {
    /// Its template: `/users/{id}/orders`.
    pub fn template(&self) -> String {
        let text = self.path.iter().map(|segment| match segment {
            Segment::Fixed(word) => format!("/{}", encoded(word)),
            Segment::Parameter(name, _) => format!("/{{{name}}}"),
        });
        let text: String = text.collect();
        if text.is_empty() { "/".to_owned() } else { text }
    }
}

/// A word as it can stand in a template and a URL.
pub(super) fn encoded(word: &str) -> String {
    let encode = |c: char| match c {
        '{' | '}' | '%' | '?' | '#' | '/' | ' ' => format!("%{:02X}", u32::from(c)),
        _ => c.to_string(),
    };
    word.chars().map(encode).collect()
}

/// The endpoints at and below a node, shallow ones first, by path and method.
pub(super) fn list<'i>(service: &'i str, root: &'i Node) -> Vec<Listed<'i>> {
    let mut found = Vec::new();
    walk(service, root, &mut Vec::new(), &mut found);
    found.sort_by(|one, two| (&one.path, one.method).cmp(&(&two.path, two.method)));
    found
}

fn walk<'i>(service: &'i str, node: &'i Node, path: &mut Vec<Segment<'i>>, found: &mut Vec<Listed<'i>>) {
    found.extend(node.methods.iter().map(|(method, usage)| Listed { service, method, path: path.clone(), usage }));
    for (word, below) in &node.fixed {
        path.push(Segment::Fixed(word));
        walk(service, below, path, found);
        path.pop();
    }
    if let Some(parameter) = &node.parameter {
        let shapes = parameter.values.shapes.keys().copied().collect();
        path.push(Segment::Parameter(name(&parameter.values, path), shapes));
        walk(service, &parameter.node, path, found);
        path.pop();
    }
}

/// The name of a parameter, by the shapes of its values; a second one of the same name has a number.
fn name(values: &Values, path: &[Segment<'_>]) -> String {
    let stem = stem(&values.shapes);
    let same = |segment: &&Segment<'_>| matches!(segment, Segment::Parameter(name, _) if name.trim_end_matches(|c: char| c.is_ascii_digit()) == stem);
    match path.iter().filter(same).count() {
        0 => stem.to_owned(),
        before => format!("{stem}{}", before + 1),
    }
}

fn stem(shapes: &BTreeMap<Shape, u64>) -> &'static str {
    let only = |shape: Shape| shapes.keys().eq([&shape]);
    match () {
        () if shapes.contains_key(&Shape::Name) => "name",
        () if only(Shape::Date) => "date",
        () if only(Shape::Email) => "email",
        () => "id",
    }
}
