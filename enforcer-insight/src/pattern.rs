//! Patterns in linear time. In: patterns of the rooms. Out: where one matches. Never here: what that means. A pattern that does not
//! compile matches nothing; tests of the rooms hold that all compile.
use regex::bytes::{Regex, RegexBuilder};

/// One pattern.
pub(crate) struct Pattern(Option<Regex>);

impl Pattern {
    pub(crate) fn new(pattern: &str) -> Self {
        Self(RegexBuilder::new(pattern).unicode(false).ignore_whitespace(true).size_limit(MOST_BYTES).build().ok())
    }

    /// Where it matches first.
    pub(crate) fn find(&self, text: &[u8]) -> Option<(usize, usize)> {
        let found = self.0.as_ref()?.find(text)?;
        Some((found.start(), found.end()))
    }

    pub(crate) fn matches(&self, text: &[u8]) -> bool {
        self.0.as_ref().is_some_and(|regex| regex.is_match(text))
    }

    /// Every place where it matches.
    pub(crate) fn all<'t>(&'t self, text: &'t [u8]) -> impl Iterator<Item = (usize, usize)> + 't {
        self.0.iter().flat_map(|regex| regex.find_iter(text)).map(|found| (found.start(), found.end()))
    }

    #[cfg(test)]
    pub(crate) fn compiles(&self) -> bool {
        self.0.is_some()
    }
}

/// Of one compiled pattern or table.
pub(crate) const MOST_BYTES: usize = 4 << 20;
