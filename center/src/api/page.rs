//! Pages of lists.
//!
//! In: where to begin, and how many. Out: items, and where the next page begins. Never here: what is listed.
use serde::{Deserialize, Serialize};

/// `?after=&limit=`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct From<After> {
    pub(super) after: Option<After>,
    limit: Option<usize>,
}

impl<After> From<After> {
    /// Items of this page, of which one has so many at most.
    pub(super) fn limit(&self, most: usize) -> usize {
        self.limit.unwrap_or(USUAL).clamp(1, most)
    }
}

impl From<u64> {
    /// The number to begin behind. None is greater than what a row can have.
    pub(super) fn number(&self) -> u64 {
        self.after.unwrap_or(0).min(1 << 62)
    }
}

/// A page, and what the next one begins behind.
#[derive(Serialize)]
pub(super) struct Page<Item, After> {
    pub(super) items: Vec<Item>,
    pub(super) next: Option<After>,
}

impl<Item, After> Page<Item, After> {
    /// One that may be followed by another if it is full.
    pub(super) fn full(items: Vec<Item>, limit: usize, place: impl FnOnce(&Item) -> After) -> Self {
        let next = items.last().filter(|_| items.len() == limit).map(place);
        Self { items, next }
    }
}

/// Items of a page unless somebody says otherwise.
const USUAL: usize = 100;
