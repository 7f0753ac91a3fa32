//! Tables of rules. In: the patterns of an engine. Out: which match a text, as evidence. Never here: what they are for.
use regex::bytes::{RegexSet, RegexSetBuilder};

use super::evidence::Evidence;
use crate::pattern::MOST_BYTES;
pub(super) use crate::pattern::Pattern;

/// A rule: its name, its weight, its pattern.
pub(super) type Rule = (&'static str, u8, &'static str);

/// Rules that are tried together.
pub(super) struct Rules {
    table: &'static [Rule],
    set: RegexSet,
    each: Vec<Pattern>,
}

impl Rules {
    pub(super) fn new(rules: &'static [Rule]) -> Self {
        let patterns = rules.iter().map(|(_, _, pattern)| pattern);
        let mut builder = RegexSetBuilder::new(patterns);
        let set = builder.unicode(false).ignore_whitespace(true).size_limit(MOST_BYTES).build().unwrap_or_default();
        Self { table: rules, set, each: rules.iter().map(|(_, _, pattern)| Pattern::new(pattern)).collect() }
    }

    /// Adds those that match `text`, with what `weigh` makes of their weight and place.
    pub(super) fn add(&self, text: &[u8], evidence: &mut Evidence, weigh: impl Fn(u8, usize) -> u8) {
        // Nearly nothing matches: asking whether anything does is cheaper.
        if !self.set.is_match(text) {
            return;
        }
        for index in self.set.matches(text) {
            let (Some((name, weight, _)), Some(pattern)) = (self.table.get(index), self.each.get(index)) else {
                continue;
            };
            let at = pattern.find(text).map_or(0, |(begin, _)| begin);
            evidence.add_here(name, *weight, weigh(*weight, at), text, at);
        }
    }

    #[cfg(test)]
    pub(super) fn compiles(&self) -> bool {
        self.set.len() == self.table.len() && self.each.iter().all(Pattern::compiles)
    }
}
