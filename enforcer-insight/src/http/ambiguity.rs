//! What servers read differently in a head. The kernel has a flag for each; the words mean the same.

/// One thing that servers read differently.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, thiserror::Error)]
pub enum Ambiguity {
    /// A transfer coding other than `chunked` alone, or one in a version that has none.
    #[error("a transfer coding that servers read differently")]
    BadCoding,
    /// A length that is not digits and nothing else.
    #[error("a length that is no number")]
    BadLength,
    /// A length and a transfer coding.
    #[error("a length beside a transfer coding")]
    BothLengths,
    /// A control character, or a carriage return without newline.
    #[error("a control character")]
    Control,
    /// Two lengths.
    #[error("lengths that differ")]
    DifferingLengths,
    /// A line that begins with a blank.
    #[error("a folded line")]
    Folded,
    /// Blanks between a name and its colon.
    #[error("blanks before a colon")]
    Spaced,
}

/// Several, each once, in the order they were met.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Ambiguities(Vec<Ambiguity>);

impl Ambiguities {
    pub(super) fn note(&mut self, one: Ambiguity) {
        if !self.0.contains(&one) {
            self.0.push(one);
        }
    }

    pub(super) fn as_slice(&self) -> &[Ambiguity] {
        &self.0
    }
}
