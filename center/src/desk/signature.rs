//! Who stands behind a change.
//!
//! In: names, and a second person's word. Out: what heads and the audit log bear. Never here: who may do what.

use enforcer_policy::SOURCE;

/// What stands behind a change.
#[derive(Clone, Debug)]
pub struct Signature {
    /// Who made it.
    pub author: String,
    /// The id of that person's token; none has the center itself.
    pub token: String,
    /// Who else stands for it.
    pub approval: Option<Approval>,
    /// Why.
    pub comment: String,
}

/// A second person's word.
#[derive(Clone, Debug)]
pub struct Approval {
    /// Whose.
    pub who: String,
    /// For which proposal; 0 for a trial that was approved when it began.
    pub proposal: u64,
}

impl Signature {
    /// What the center does by itself.
    pub(crate) fn center(comment: String) -> Self {
        Self { author: CENTER.to_owned(), token: String::new(), approval: None, comment }
    }

    /// What a source wants.
    pub(super) fn source(name: &str, comment: String) -> Self {
        Self { author: format!("{SOURCE}{name}"), token: String::new(), approval: None, comment }
    }
}

/// Whose name stands under what the center does by itself.
pub(super) const CENTER: &str = "center";
