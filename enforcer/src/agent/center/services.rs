//! Services and the matrix of the center beside what this host's file says.
//!
//! In: the small part of a revision. Out: the configuration in force, and what of the center's cannot be part of it. Never here: how the
//! two become one (the config room), single decisions.
use std::path::Path;
use std::sync::Arc;

use enforcer_policy::document::{Base, Document, to_toml};
use enforcer_policy::revision::{Content, Delta, Entry};

use super::{CenterState, Standing};
use crate::agent::core::Core;
use crate::config::{Config, LeftOut};
use crate::sync::{Enrolment, keep_secret};

/// The problem of what cannot be carried out here.
const LEFT_OUT: &str = "center's services";

impl Core {
    /// Before anything hangs: the services that the center named before the agent ended, as they were carried out. Where nothing tells of
    /// them, those of the revision that this host has.
    pub(in crate::agent) fn open_services(&mut self, revision: Option<(&Base, &[String])>) {
        let state_dir = self.config.agent.state_dir.clone();
        let (base, groups) = revision.map(|(base, groups)| (base.clone(), groups.to_vec())).unwrap_or_default();
        let base = kept(&state_dir).unwrap_or(base);
        self.center = CenterState { groups, state_dir, base, ..CenterState::default() };
        self.config = self.beside_center(&self.own.clone());
    }

    /// The center's services and matrix beside the host's own.
    pub(super) fn serve_center(&mut self, base: &Base) {
        self.center.base = base.clone();
        self.serve_again();
    }

    /// The same, as they were said last. What fails is tried again: what was in force stays meanwhile.
    pub(in crate::agent) fn serve_again(&mut self) {
        let config = self.beside_center(&self.own.clone());
        self.center.unserved = false;
        let other = config != self.config;
        if config.is_like_but_for_filters(&self.config) {
            self.config = config;
            self.apply_filters();
        } else if let Err(trouble) = self.turn_to(config) {
            self.center.unserved = true;
            let why = format!("{}; what was in force stays", trouble.message);
            self.note_left_out(vec![LeftOut { what: "services and matrix".to_owned(), why }]);
            return;
        }
        keep(&self.center.state_dir, &self.center.base, &self.center.groups);
        if other {
            tracing::info!(services = self.config.services.len(), "services and matrix as the center says");
            self.stand_again();
        }
    }

    /// A file with what the center says; notes what of that cannot be carried out.
    pub(in crate::agent) fn beside_center(&mut self, own: &Config) -> Config {
        let (config, left_out) = self.beside_modules(own).with_center(&self.center.base, &self.center.groups);
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

/// What of a base a host carries out, without groups: it is for this host.
fn carried_out(base: &Base, groups: &[String]) -> Base {
    let mut services = base.services.clone();
    services.retain(|_, service| service.terms.is_for(groups));
    for service in services.values_mut() {
        service.terms.groups.clear();
    }
    let mut matrix = base.matrix.clone();
    for row in matrix.values_mut() {
        row.retain(|service, _| services.contains_key(service));
    }
    Base { services, filters: base.filters.clone(), matrix, ..Base::default() }
}

/// Keeps it. A revision may be enforced and not kept yet when the agent dies, or be damaged on the disk: no service is taken off for that.
fn keep(state: &Path, base: &Base, groups: &[String]) {
    let path = Enrolment::folder(state).join(Enrolment::SERVICES);
    let text = to_toml(&Content::new(carried_out(base, groups), []), false);
    if let Err(error) = keep_secret(&path, text.as_bytes()) {
        tracing::warn!(%error, "the center's services are in force and not kept; a start takes those of its last revision");
        // An older one would be worse than none.
        let _ = std::fs::remove_file(&path);
    }
}

fn kept(state: &Path) -> Option<Base> {
    let text = std::fs::read_to_string(Enrolment::folder(state).join(Enrolment::SERVICES)).ok()?;
    match Document::parse(&[(Enrolment::SERVICES.to_owned(), text)]) {
        Ok(document) => Some(document.base),
        Err(problems) => {
            tracing::error!(%problems, "the center's services that were kept cannot be read");
            None
        }
    }
}
