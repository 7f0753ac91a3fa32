//! Endpoints that decisions speak of, in the kernel's table of places. In: scopes. Out: a table that has them, before any
//! decision on them is put into the kernel. Never here: how the table is laid out (the config room).
//!
//! The table has two sides, as watchlists and notices have: a new endpoint fills the side not in use, then every service is
//! turned to it. An endpoint whose last decision is gone stays until the next time.
use std::collections::BTreeSet;
use std::sync::Arc;

use enforcer_policy::{Endpoint, MapOp, Scope, service_id};

use super::core::{Core, trouble};
use crate::apply::apply;
use crate::config::{Compiled, PLACES_PER_SIDE, Scene, compile};
use crate::wire::{Exit, Trouble};

impl Core {
    /// Makes sure that the kernel can tell the requests of an endpoint from others.
    pub(super) fn place(&mut self, scope: &Scope) -> Result<(), Trouble> {
        let Some(endpoint) = scope.endpoint().filter(|endpoint| !self.placed.contains(*endpoint)) else {
            return Ok(());
        };
        let mut endpoints = self.decided_endpoints();
        if let Some(other) = self.namesake(endpoint, &endpoints) {
            let message = format!("{endpoint} and {other} have the same number in the kernel");
            return Err(Trouble::new(Exit::Refused, message, "name the endpoint with another method or path"));
        }
        endpoints.insert(Arc::clone(endpoint));
        let compiled = self.compiled(self.side ^ 1, &endpoints);
        if !compiled.unplaced.is_empty() {
            self.refused_for_want_of_room += 1;
            let message = format!("the table of places is full: {PLACES_PER_SIDE} hosts, paths and endpoints");
            let hint = "end decisions on other endpoints, or name one wider endpoint such as pay:/accounts/**";
            return Err(Trouble::new(Exit::Refused, message, hint));
        }
        let ops = self.turning(&compiled);
        apply(&mut self.kernel, &ops).map_err(|error| {
            self.note_if_full(&error.source);
            trouble(&error)
        })?;
        self.turned(endpoints, &compiled);
        Ok(())
    }

    /// The endpoints of all decisions.
    pub(super) fn decided_endpoints(&self) -> BTreeSet<Arc<Endpoint>> {
        self.ledger.endpoints().cloned().collect()
    }

    /// The configuration for one side, with these endpoints.
    pub(super) fn compiled(&self, side: u8, endpoints: &BTreeSet<Arc<Endpoint>>) -> Compiled {
        compile(&self.config, &Scene { interfaces: &self.interfaces, endpoints, key: self.key, side })
    }

    /// What fills a side and turns every service to it; services that are no longer configured go last.
    pub(super) fn turning(&self, compiled: &Compiled) -> Vec<MapOp> {
        let mut ops = compiled.ops.clone();
        if let Ok(observed) = self.kernel.observed() {
            let gone = observed.services.into_keys().filter(|key| !compiled.services.contains_key(key));
            ops.extend(gone.map(|key| MapOp::RemoveService { key }));
        }
        ops
    }

    /// Takes note that the services were turned to the other side, which has these endpoints.
    pub(super) fn turned(&mut self, endpoints: BTreeSet<Arc<Endpoint>>, compiled: &Compiled) {
        self.side ^= 1;
        self.take_places(endpoints, compiled);
    }

    /// Takes note of what the side in use holds. Endpoints without room are a problem for `status`.
    pub(super) fn take_places(&mut self, endpoints: BTreeSet<Arc<Endpoint>>, compiled: &Compiled) {
        self.placed = endpoints;
        self.places_used = compiled.places as u64;
        for endpoint in &compiled.unplaced {
            self.placed.remove(endpoint);
        }
        if let Some(first) = compiled.unplaced.first() {
            let count = compiled.unplaced.len();
            let text = format!(
                "decisions on {count} endpoints are not enforced (the first is {first}): the table of places has no room; \
                 name fewer hosts and paths, or end decisions on endpoints"
            );
            self.problems.insert("places", text);
        } else {
            self.problems.remove("places");
        }
    }

    /// Another scope with the number of `endpoint`: once in four thousand million.
    fn namesake(&self, endpoint: &Endpoint, others: &BTreeSet<Arc<Endpoint>>) -> Option<String> {
        let id = endpoint.id();
        let service = self.config.services.iter().find(|service| service_id(&service.name) == id);
        let other = others.iter().find(|other| other.id() == id && ***other != *endpoint);
        service.map(|service| service.name.clone()).or_else(|| other.map(ToString::to_string))
    }
}
