//! The inventory: every API that is called, by what its calls show. In: calls with their answers, one by one, with the classes of
//! data that were found in them. Out: services with their endpoints (method and template), parameters, types, statuses, times,
//! credentials, callers, risk; as a list, as `OpenAPI`, and against a specification.
//!
//! ```text
//! Call ─ tree (segments; fold: names become parameters) ─ usage (counts, fields, types) ─┬─ list, risk
//!                                                                                       ├─ openapi
//!                                                                                       └─ drift <- a specification
//! ```
//! Never here: I/O, clocks, values of anything (only names, types and counts), decisions. What was refused teaches nothing but that
//! it was refused; what was not found makes no endpoint. The same calls in the same order make the same inventory, byte for byte.
//!
//! Every part is bounded, and counts what it forgot: [`SERVICES`], [`ENDPOINTS`] of all and of a service, segments beside each
//! other and below each other, methods, names of fields, classes.
mod auth;
mod bodies;
mod classes;
mod drift;
mod fields;
mod fold;
mod json;
mod keep;
mod likeness;
mod list;
mod numbers;
mod openapi;
mod packed;
mod risk;
mod service;
mod shape;
mod tree;
mod types;
mod usage;

use std::collections::BTreeMap;

use enforcer_common::SipKey;
use serde::{Deserialize, Serialize};

pub use auth::Auth;
pub use classes::{CLASSES, Classes, Place};
pub use drift::{Drift, Kind as DriftKind, Spec, SpecError, drift};
pub use fields::{FIELDS, Field, Fields};
pub use list::{Listed, Segment};
pub use numbers::{Distinct, Histogram};
pub use openapi::openapi;
pub use packed::{FORM, LONGEST as LONGEST_PACKED, PackError};
pub use risk::{Reason, Risk, risk};
pub use service::{ENDPOINTS as ENDPOINTS_OF_A_SERVICE, Forgotten, Service};
pub use shape::Shape;
pub use tree::{DEPTH, METHODS, SIBLINGS};
pub use types::Types;
pub use usage::Usage;

use crate::{Call, Placed};

/// Services that are kept apart.
pub const SERVICES: usize = 256;
/// Endpoints of all services.
pub const ENDPOINTS: usize = 8192;

/// Every API that was called.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Inventory {
    services: BTreeMap<Box<str>, Service>,
    forgotten: Forgotten,
}

impl Inventory {
    /// Takes one call; gives the endpoint where it belongs, when that is known. `key` makes the digests of clients' addresses, which are
    /// counted and not kept.
    pub fn take(&mut self, call: &Call, key: SipKey) -> Option<Placed> {
        let room = self.endpoints() < ENDPOINTS;
        if let Some(service) = self.services.get_mut(&*call.service) {
            return service.take(call, key, room);
        }
        if self.services.len() == SERVICES {
            self.forgotten.services += 1;
            return None;
        }
        self.services.entry((*call.service).into()).or_default().take(call, key, room)
    }

    /// The services, by name.
    pub fn services(&self) -> impl Iterator<Item = (&str, &Service)> {
        self.services.iter().map(|(name, service)| (&**name, service))
    }

    /// The endpoints of one service, or of all, by service, path and method.
    pub fn list(&self, service: Option<&str>) -> Vec<Listed<'_>> {
        let wanted = self.services().filter(|(name, _)| service.is_none_or(|service| service == *name));
        wanted.flat_map(|(name, service)| list::list(name, &service.root)).collect()
    }

    /// The inventory of one service alone.
    #[must_use]
    pub fn only(&self, service: &str) -> Self {
        let services = self.services.get_key_value(service).map(|(name, found)| (name.clone(), found.clone()));
        Self { services: services.into_iter().collect(), forgotten: Forgotten::default() }
    }

    /// How many endpoints there are.
    pub fn endpoints(&self) -> usize {
        self.services.values().map(|service| service.count).sum()
    }

    /// What found no room, in all services.
    pub fn forgotten(&self) -> Forgotten {
        self.services.values().fold(self.forgotten, |mut all, service| {
            all.merge(service.forgotten);
            all
        })
    }

    /// This and what another host saw. In whatever order and grouping inventories are merged, the result is the same; it has room
    /// for all of them, and names that only together are many stay apart, until it is [settled](Self::settled).
    #[must_use]
    pub fn merged(mut self, other: Self) -> Self {
        for (name, service) in other.services {
            self.services.entry(name).or_default().merge(service);
        }
        self.forgotten.merge(other.forgotten);
        self
    }

    /// The same, with names folded that have become many together, and without what is over the limits of each endpoint.
    #[must_use]
    pub fn settled(mut self) -> Self {
        self.services.values_mut().for_each(Service::settle);
        self
    }
}

#[cfg(test)]
mod tests;
