//! Services and the matrix of the center beside what this host's file says.
//!
//! In: the small part of a revision. Out: the configuration in force, and what of the center's cannot be part of it. Never here: how the
//! two become one (the config room), single decisions.
use std::sync::Arc;

use enforcer_policy::document::Base;
use enforcer_policy::revision::{Delta, Entry};

use super::{CenterState, Standing};
use crate::agent::core::Core;
use crate::config::{Config, LeftOut};

/// The problem of what cannot be carried out here.
const LEFT_OUT: &str = "center's services";

impl Core {
    /// Before anything hangs: the services that the center named before the agent ended.
    pub(in crate::agent) fn open_services(&mut self, base: &Base, groups: &[String]) {
        let state_dir = self.config.agent.state_dir.clone();
        self.center = CenterState { groups: groups.to_vec(), state_dir, base: base.clone(), ..CenterState::default() };
        self.config = self.beside_center(&self.own.clone());
    }

    /// The center's services and matrix beside the host's own.
    pub(super) fn serve_center(&mut self, base: &Base) {
        let before = std::mem::replace(&mut self.center.base, base.clone());
        let config = self.beside_center(&self.own.clone());
        if config == self.config {
            return;
        }
        if let Err(trouble) = self.turn_to(config) {
            // The next one that the center sends, or a reload, tries again.
            self.center.base = before;
            let why = format!("{}; what was in force stays", trouble.message);
            self.note_left_out(vec![LeftOut { what: "services and matrix".to_owned(), why }]);
            return;
        }
        tracing::info!(services = self.config.services.len(), "services and matrix as the center says");
        self.stand_again();
    }

    /// A file with what the center says; notes what of that cannot be carried out.
    pub(in crate::agent) fn beside_center(&mut self, own: &Config) -> Config {
        let (config, left_out) = own.with_center(&self.center.base, &self.center.groups);
        self.note_left_out(left_out);
        config
    }

    fn note_left_out(&mut self, left_out: Vec<LeftOut>) {
        if left_out.is_empty() {
            self.problems.remove(LEFT_OUT);
        } else {
            let lines: Vec<String> = left_out.iter().map(ToString::to_string).collect();
            self.problems
                .insert(LEFT_OUT, format!("the center's policy cannot be carried out here: {}", lines.join("; ")));
        }
        self.center.left_out = left_out;
    }

    /// Decisions on services that came or went with a configuration.
    pub(in crate::agent) fn stand_again(&mut self) {
        let other = |(entry, standing): &&(Arc<Entry>, Standing)| {
            let service = entry.decision.scope.service();
            service.is_some_and(|name| self.serves(name) == (*standing == Standing::Elsewhere))
        };
        let put: Vec<Arc<Entry>> =
            self.center.entries.values().filter(other).map(|(entry, _)| Arc::clone(entry)).collect();
        if !put.is_empty() {
            self.take_center(&Delta { put, ..Delta::default() });
        }
    }

    pub(super) fn serves(&self, name: &str) -> bool {
        self.config.services.iter().any(|service| service.name == name)
    }
}
