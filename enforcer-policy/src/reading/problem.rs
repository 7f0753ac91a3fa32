//! What is wrong with a configuration file.
//!
//! In: findings of the reader and the checks. Out: [`Problems`], in the order of the file, each with its mend. Never here:
//! judging the file.
use std::fmt;

/// One thing that is wrong, and how to mend it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Problem {
    /// Line in the file, counted from 1.
    pub line: usize,
    /// Where in the file's meaning, such as `service[1].ports` (entries are counted from 1).
    pub place: String,
    /// What is wrong.
    pub what: String,
    /// How to mend it.
    pub mend: String,
}

/// Everything that is wrong with a file, in the order of its lines; never empty.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}: {}\n  mend: {}", self.line, self.place, self.what, self.mend)
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.0.len();
        write!(f, "{count} {} in the configuration", if count == 1 { "problem" } else { "problems" })?;
        self.0.iter().try_for_each(|problem| write!(f, "\n{problem}"))
    }
}
