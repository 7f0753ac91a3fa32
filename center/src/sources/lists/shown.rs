//! How a list was read last: for `GET /v1/sources`, and whoever looks.
//!
//! In: a list, and what was left of it. Out: counts, and the first lines that are not taken. Never here: whether it is believed.
use std::collections::BTreeMap;

use enforcer_policy::lists::{Linted, List};
use serde::Serialize;

/// How a list was read last.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct ListShown {
    /// How it is written.
    pub format: String,
    /// Its lines.
    pub lines: u64,
    /// Networks that are left of it.
    pub networks: u64,
    /// IPv4 addresses in them.
    pub addresses: u64,
    /// Entries that were there more than once, or inside of wider ones.
    pub folded: u64,
    /// Lines that could not be read.
    pub rejected: u64,
    /// Entries that no list may hit, by why: `everything`, `guarded`, `special`, `too_wide`.
    pub removed: BTreeMap<&'static str, u64>,
    /// The first lines that are not taken, and why.
    pub not_taken: Vec<String>,
}

impl ListShown {
    /// Of a list, and what was left of it.
    pub(super) fn of(list: &List, linted: &Linted) -> Self {
        Self {
            format: list.format.name().to_owned(),
            lines: list.lines,
            networks: linted.networks.len() as u64,
            addresses: linted.addresses,
            folded: linted.duplicates + linted.inside,
            rejected: list.rejected,
            removed: linted.removed.clone(),
            not_taken: linted.not_taken(list).iter().take(SHOWN).map(ToString::to_string).collect(),
        }
    }
}

/// Lines that are shown one by one.
const SHOWN: usize = 20;
