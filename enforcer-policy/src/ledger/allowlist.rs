//! The allowlist: few entries (thousands), so every question looks at all of them.
//!
//! In: entries. Out: entries. Never here: which entry the kernel prefers (the narrowest; that is its trie's nature).
use std::cmp::Reverse;
use std::collections::BTreeMap;

use enforcer_common::{Address, Prefix};

use crate::{Allowed, Moment};

/// One entry per network.
#[derive(Default)]
pub(super) struct Allowlist(BTreeMap<Prefix, Allowed>);

impl Allowlist {
    pub(super) fn insert(&mut self, allowed: Allowed) -> Option<Allowed> {
        self.0.insert(allowed.prefix, allowed)
    }

    pub(super) fn remove(&mut self, prefix: Prefix) -> Option<Allowed> {
        self.0.remove(&prefix)
    }

    pub(super) fn expire(&mut self, now: Moment) -> Vec<Allowed> {
        self.0.extract_if(.., |_, one| one.until.is_some_and(|until| until <= now)).map(|(_, one)| one).collect()
    }

    pub(super) fn next_expiry(&self) -> Option<Moment> {
        self.0.values().filter_map(|one| one.until).min()
    }

    /// The narrowest first. As in the kernel's trie, an IPv6 network that holds the mapped range holds IPv4 too.
    pub(super) fn covering(&self, address: Address) -> Vec<&Allowed> {
        let mut found: Vec<&Allowed> = self.0.values().filter(|one| one.prefix.contains(address)).collect();
        found.sort_by_key(|one| Reverse(one.prefix.length()));
        found
    }

    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = &Allowed> {
        self.0.values()
    }
}
