//! When names become one parameter. In: a node to which a segment was added. Out: the node, with names that are alike folded into
//! its parameter. Never here: words that name nobody.
//!
//! Siblings are alike when the same methods and segments below them answer with the same types and mostly the same fields: the
//! pages of 300 users are, `accounts` and `orders` are not, however many such siblings there are. `/users/me` stays apart.
use std::mem;

use super::shape::{Shape, is_numbered, stays_apart};
use super::tree::Node;

/// Names that are alike become a parameter when there are this many.
pub(super) const NAMES: usize = 20;
/// The same for names with digits in them: `A1001`, `order-17`.
pub(super) const NUMBERED: usize = 5;
/// Levels below siblings that are compared.
const LEVELS: usize = 3;

/// Folds what the new segment, or a new endpoint below, makes foldable.
pub(super) fn after(node: &mut Node, new: Option<&str>) {
    if let Some(word) = new.filter(|word| !stays_apart(word)) {
        let crowd = crowd_of(node, word);
        let enough = if is_numbered(word) { NUMBERED } else { NAMES };
        if crowd.len() >= enough {
            fold(node, &crowd);
        }
    }
    absorb(node);
}

/// Folds wherever it can be done, as if each segment were new.
pub(super) fn settle(node: &mut Node) {
    node.fixed.values_mut().for_each(settle);
    if let Some(parameter) = &mut node.parameter {
        settle(&mut parameter.node);
    }
    let words: Vec<Box<str>> = node.fixed.keys().cloned().collect();
    for word in words {
        let new = node.fixed.contains_key(&word);
        after(node, Some(&*word).filter(|_| new));
    }
}

/// The siblings that are like this one, itself among them; numbered ones keep to themselves.
fn crowd_of(node: &Node, word: &str) -> Vec<Box<str>> {
    let Some(one) = node.fixed.get(word) else { return Vec::new() };
    let numbered = is_numbered(word);
    let fits = |other: &str| !stays_apart(other) && (!numbered || is_numbered(other));
    let alike = node
        .fixed
        .iter()
        .filter(|(other, node)| fits(other) && (&***other == word || alike(one, node, 0) == Some(true)));
    alike.map(|(other, _)| other.clone()).collect()
}

/// Once names are learned, those that were left behind follow when they turn out to be like the others.
fn absorb(node: &mut Node) {
    let Some(parameter) = node.parameter.as_ref().filter(|parameter| parameter.values.are_names()) else { return };
    let like =
        node.fixed.iter().filter(|(word, node)| !stays_apart(word) && alike(&parameter.node, node, 0) == Some(true));
    let crowd: Vec<Box<str>> = like.map(|(word, _)| word.clone()).collect();
    if !crowd.is_empty() {
        fold(node, &crowd);
    }
}

fn fold(node: &mut Node, crowd: &[Box<str>]) {
    let parameter = node.parameter.get_or_insert_default();
    for word in crowd {
        if let Some(gone) = node.fixed.remove(word) {
            *parameter.values.shapes.entry(Shape::Name).or_default() += calls(&gone);
            parameter.node.merge(gone);
        }
    }
    parameter.node.trim();
    // Names below names meet for the first time here.
    let mut below = mem::take(&mut parameter.node);
    settle(&mut below);
    parameter.node = below;
}

fn calls(node: &Node) -> u64 {
    let below = node.fixed.values().chain(node.parameter.iter().map(|parameter| &parameter.node));
    node.methods.values().map(|usage| usage.calls).sum::<u64>() + below.map(calls).sum::<u64>()
}

/// Whether what two nodes have in common is alike; nothing when they have nothing in common that tells.
fn alike(one: &Node, two: &Node, level: usize) -> Option<bool> {
    let methods = one.methods.iter().filter_map(|(method, usage)| usage.looks_like(two.methods.get(method)?));
    let fixed = one.fixed.iter().filter_map(|(word, node)| alike(node, two.fixed.get(word)?, level + 1));
    let parameters = one.parameter.iter().zip(&two.parameter);
    let below = fixed.chain(parameters.filter_map(|(one, two)| alike(&one.node, &two.node, level + 1)));
    methods.chain(below.take_while(|_| level < LEVELS)).reduce(|one, two| one && two)
}
