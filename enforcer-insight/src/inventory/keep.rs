//! A tree as a list of its places, to be kept and sent. In: a [`Node`]; a list. Out: the list; the node, or that it is none. Never
//! here: recursion over what was read, whose depth a stranger could choose.
use std::collections::BTreeMap;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::tree::{DEPTH, Node, Parameter, Values};
use super::usage::Usage;

/// What stands before a place.
#[derive(Serialize, Deserialize)]
enum Step {
    Fixed(Box<str>),
    Parameter(Values),
    Root,
}

/// One place; its depth says below which it lies.
#[derive(Serialize, Deserialize)]
struct Place<M> {
    depth: usize,
    step: Step,
    methods: M,
}

type Methods = BTreeMap<Box<str>, Usage>;

impl Serialize for Node {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut places = Vec::new();
        list(self, Step::Root, 0, &mut places);
        serializer.collect_seq(places)
    }
}

fn list<'n>(node: &'n Node, step: Step, depth: usize, places: &mut Vec<Place<&'n Methods>>) {
    places.push(Place { depth, step, methods: &node.methods });
    node.fixed.iter().for_each(|(word, below)| list(below, Step::Fixed(word.clone()), depth + 1, places));
    if let Some(parameter) = &node.parameter {
        list(&parameter.node, Step::Parameter(parameter.values.clone()), depth + 1, places);
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let places = Vec::<Place<Methods>>::deserialize(deserializer)?;
        build(places).ok_or_else(|| D::Error::custom("no tree of endpoints"))
    }
}

/// Puts the places together; nothing when one lies nowhere, or too deep, or holds what no calls make.
fn build(places: Vec<Place<Methods>>) -> Option<Node> {
    let mut open: Vec<(Step, Node)> = Vec::new();
    for place in places {
        if place.depth > DEPTH || !place.methods.values().all(Usage::is_sound) {
            return None;
        }
        close(&mut open, place.depth)?;
        let fits = open.len() == place.depth && matches!(place.step, Step::Root) == open.is_empty();
        open.push(Some((place.step, Node { methods: place.methods, ..Node::default() })).filter(|_| fits)?);
    }
    close(&mut open, 1)?;
    open.pop().map(|(_, root)| root)
}

/// Hangs what lies at `depth` and deeper into what it lies below.
fn close(open: &mut Vec<(Step, Node)>, depth: usize) -> Option<()> {
    while open.len() > depth {
        let (step, node) = open.pop()?;
        let (_, above) = open.last_mut()?;
        match step {
            Step::Fixed(word) => drop(above.fixed.insert(word, node)),
            Step::Parameter(values) => above.parameter = Some(Box::new(Parameter { values, node })),
            Step::Root => return None,
        }
    }
    Some(())
}
