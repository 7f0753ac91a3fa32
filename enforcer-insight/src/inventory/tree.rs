//! The paths of one service as a tree: fixed segments, one parameter beside them, endpoints by method at the ends. In: segments of
//! calls that were answered as served. Out: the endpoint they lie in. Never here: when segments become a parameter (fold).
//!
//! ```text
//! / ─ users ─┬─ me          GET           a fixed segment stays apart
//!            └─ {}          GET, PUT      one parameter, whatever the shapes of its values
//!                └─ orders  GET
//! ```
use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::fold;
use super::shape::{Shape, shape_of, stays_apart};
use super::usage::Usage;
use crate::Placed;

/// Segments of a path that are followed; what is deeper is counted.
pub const DEPTH: usize = 16;
/// Fixed segments beside each other.
pub const SIBLINGS: usize = 256;
/// Methods of one path.
pub const METHODS: usize = 12;
/// Longest method that is kept, bytes.
const METHOD: usize = 16;

/// A place in the tree.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Node {
    pub(super) fixed: BTreeMap<Box<str>, Self>,
    pub(super) parameter: Option<Box<Parameter>>,
    pub(super) methods: BTreeMap<Box<str>, Usage>,
}

/// What may be anything.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Parameter {
    pub(super) values: Values,
    pub(super) node: Node,
}

/// What stood where a parameter is.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(super) struct Values {
    /// How often, by shape.
    pub shapes: BTreeMap<Shape, u64>,
}

/// The endpoint of a call.
pub(super) struct Found<'n> {
    pub(super) usage: &'n mut Usage,
    /// Its last segment is a word that was taken for one of many names.
    pub(super) by_name: bool,
}

impl Parameter {
    fn enter(&mut self, segment: &[u8], learn: bool) -> &mut Node {
        if learn {
            let shape = if let Label::Shaped(shape) = Label::of(segment) { shape } else { Shape::Name };
            *self.values.shapes.entry(shape).or_default() += 1;
        }
        &mut self.node
    }
}

impl Values {
    /// True when names were learned to be values.
    pub(super) fn are_names(&self) -> bool {
        self.shapes.contains_key(&Shape::Name)
    }

    pub(super) fn merge(&mut self, other: Self) {
        other.shapes.into_iter().for_each(|(shape, count)| *self.shapes.entry(shape).or_default() += count);
    }
}

/// Why there was no room.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Full {
    /// Too many methods, or one that is none.
    Methods,
    /// Too many fixed segments beside each other.
    Siblings,
}

/// How a segment is kept.
pub(super) enum Label<'s> {
    /// By its shape only.
    Shaped(Shape),
    /// As it is.
    Word(&'s str),
}

impl<'s> Label<'s> {
    pub(super) fn of(segment: &'s [u8]) -> Self {
        let word = std::str::from_utf8(segment).unwrap_or_default();
        shape_of(segment).map_or(Self::Word(word), Self::Shaped)
    }
}

impl Node {
    /// The endpoint of a call: by its fixed segments before any parameter. With `learn`, the values of parameters are counted.
    pub(super) fn find(&mut self, segments: &[Bytes], method: &str, learn: bool) -> Option<Found<'_>> {
        let way = self.way(segments, method)?;
        let is_word = |segment: &Bytes| matches!(Label::of(segment), Label::Word(_));
        let by_name = way.last().is_some_and(Option::is_none) && segments.last().is_some_and(is_word);
        let node = way.iter().zip(segments).try_fold(self, |node, (step, segment)| match step {
            Some(word) => node.fixed.get_mut(*word),
            None => node.parameter.as_mut().map(|parameter| parameter.enter(segment, learn)),
        })?;
        node.methods.get_mut(method).map(|usage| Found { usage, by_name })
    }

    /// The endpoint of these segments as a template, and what stands in its places.
    pub(super) fn place(&self, segments: &[Bytes], method: &str) -> Option<Placed> {
        let mut placed = Placed::default();
        for (step, segment) in self.way(segments, method)?.iter().zip(segments) {
            match step {
                Some(word) => placed.push_word(word),
                None => placed.push_parameter(segment.clone()),
            }
        }
        if segments.is_empty() {
            placed.template.push('/');
        }
        Some(placed)
    }

    /// The fixed segments on the way to an endpoint, `None` for a parameter.
    fn way<'s>(&self, segments: &'s [Bytes], method: &str) -> Option<Vec<Option<&'s str>>> {
        let Some((segment, below)) = segments.split_first() else {
            return self.methods.contains_key(method).then(|| Vec::with_capacity(DEPTH));
        };
        let word = match Label::of(segment) {
            Label::Word(word) => Some(word),
            Label::Shaped(_) => None,
        };
        let fixed = word.and_then(|word| self.fixed.get(word)).and_then(|node| node.way(below, method));
        if let Some(mut way) = fixed {
            way.insert(0, word);
            return Some(way);
        }
        let named = word.is_none_or(|word| !stays_apart(word));
        let fits = |parameter: &&Parameter| word.is_none() || (named && parameter.values.are_names());
        let parameter = self.parameter.as_deref().filter(fits)?;
        let mut way = parameter.node.way(below, method)?;
        way.insert(0, None);
        Some(way)
    }

    /// Makes the endpoint of a call with this first `usage`; folds names on the way that have become many. `apart` says that its
    /// last segment is a word even where names are.
    pub(super) fn make(&mut self, segments: &[Bytes], method: &str, usage: Usage, apart: bool) -> Result<(), Full> {
        let Some((segment, below)) = segments.split_first() else { return self.make_method(method, usage) };
        let shape = match Label::of(segment) {
            Label::Word(word) if !self.takes_as_name(word, below, apart) => {
                return self.make_fixed(word, below, method, usage, apart);
            }
            Label::Word(_) => Shape::Name,
            Label::Shaped(shape) => shape,
        };
        let (calls, parameter) = (usage.calls, self.parameter.get_or_insert_default());
        if let Err(full) = parameter.node.make(below, method, usage, apart) {
            self.parameter.take_if(|parameter| parameter.node == Self::default());
            return Err(full);
        }
        *parameter.values.shapes.entry(shape).or_default() += calls;
        fold::after(self, None);
        Ok(())
    }

    fn make_fixed(&mut self, word: &str, below: &[Bytes], method: &str, usage: Usage, apart: bool) -> Result<(), Full> {
        let new = !self.fixed.contains_key(word);
        if new && self.fixed.len() >= SIBLINGS {
            return Err(Full::Siblings);
        }
        let made = self.fixed.entry(word.into()).or_default().make(below, method, usage, apart);
        if made.is_err() {
            new.then(|| self.fixed.remove(word));
            return made;
        }
        fold::after(self, Some(word).filter(|_| new));
        made
    }

    /// Where names are learned, a new word is one more, unless it answers otherwise or has something below it as none of them.
    fn takes_as_name(&self, word: &str, below: &[Bytes], apart: bool) -> bool {
        let Some(parameter) = self.parameter.as_ref().filter(|parameter| parameter.values.are_names()) else {
            return false;
        };
        let fits = if below.is_empty() { !apart } else { !parameter.node.is_leaf() };
        fits && !self.fixed.contains_key(word) && !stays_apart(word)
    }

    fn make_method(&mut self, method: &str, usage: Usage) -> Result<(), Full> {
        let plain = method.len() <= METHOD && method.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-');
        if !plain || self.methods.len() >= METHODS {
            return Err(Full::Methods);
        }
        self.methods.entry(method.into()).or_default().merge(usage);
        Ok(())
    }

    /// How many endpoints lie here and below.
    pub(super) fn count(&self) -> usize {
        let below = self.fixed.values().chain(self.parameter.iter().map(|parameter| &parameter.node));
        self.methods.len() + below.map(Self::count).sum::<usize>()
    }

    fn is_leaf(&self) -> bool {
        self.fixed.is_empty() && self.parameter.is_none()
    }

    /// Takes all of another's, segment by segment.
    pub(super) fn merge(&mut self, other: Self) {
        other.fixed.into_iter().for_each(|(word, node)| self.fixed.entry(word).or_default().merge(node));
        other.methods.into_iter().for_each(|(method, usage)| self.methods.entry(method).or_default().merge(usage));
        if let Some(theirs) = other.parameter {
            let mine = self.parameter.get_or_insert_default();
            mine.values.merge(theirs.values);
            mine.node.merge(theirs.node);
        }
    }

    /// Lets go of what is over the limits of each endpoint.
    pub(super) fn trim(&mut self) {
        self.methods.values_mut().for_each(Usage::trim);
        self.fixed.values_mut().for_each(Self::trim);
        if let Some(parameter) = &mut self.parameter {
            parameter.node.trim();
        }
    }
}
