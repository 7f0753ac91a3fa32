//! Who must never be cut off.
//!
//! In: addresses with the reason why they matter, and a content. Out: decisions that would drop them. Never here: whether that is
//! carried out all the same.
use enforcer_common::{Action, Address, AllowKind, Prefix};

use super::Lockout;
use crate::Decision;
use crate::revision::Content;

/// Addresses that must stay reachable.
#[derive(Clone, Default, Debug)]
pub struct Guard {
    addresses: Vec<(Address, String)>,
}

impl Guard {
    /// Adds an address, and whose it is.
    pub fn add(&mut self, address: Address, whose: &str) {
        self.addresses.push((address, whose.to_owned()));
    }

    /// All of them, and whose they are.
    pub fn addresses(&self) -> impl Iterator<Item = (Address, &str)> {
        self.addresses.iter().map(|(address, whose)| (*address, whose.as_str()))
    }

    /// Whom these decisions would cut off, under the allowlist of `content`.
    pub fn hit<'d>(&self, decisions: impl IntoIterator<Item = &'d Decision>, content: &Content) -> Vec<Lockout> {
        let dropped = decisions.into_iter().filter(|decision| decision.action == Action::Drop);
        dropped.filter_map(|decision| decision.subject.network()).flat_map(|one| self.hit_by(one, content)).collect()
    }

    /// The decisions that would drop a guarded address. The allowlist wins over decisions, so what it holds is safe.
    pub(super) fn lockouts(&self, content: &Content) -> Vec<Lockout> {
        self.hit(content.entries().map(|entry| &entry.decision), content)
    }

    fn hit_by(&self, network: Prefix, content: &Content) -> Vec<Lockout> {
        let safe = |address: Address| {
            content.base().allow.iter().any(|allow| {
                allow.groups.is_empty()
                    && allow.network.contains(address)
                    && matches!(allow.kind, AllowKind::Full | AllowKind::Proxy)
            })
        };
        let hit = self.addresses.iter().filter(|(address, _)| network.contains(*address) && !safe(*address));
        hit.map(|(address, whose)| Lockout {
            network,
            address: *address,
            whose: whose.clone(),
            mend: format!("decide on narrower networks, or put {} on the allowlist first", Prefix::host(*address)),
        })
        .collect()
    }
}
