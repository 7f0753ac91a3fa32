//! A new configuration while traffic runs. In: the file. Out: services, hooks, allowlist and lease as it says; or, when it has
//! problems, everything as it was.
use std::path::Path;

use enforcer_policy::{MapOp, put_allow, remove_allow};

use super::core::{Core, trouble};
use crate::apply::apply;
use crate::config::{Agent, Config};
use crate::kernel::KernelError;
use crate::wire::{Exit, Trouble};

/// Reads and checks a file.
pub(super) fn read(path: &Path) -> Result<Config, Trouble> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        let hint = "enforcer config example prints one to start from";
        Trouble::new(Exit::Failed, format!("{} cannot be read: {error}", path.display()), hint)
    })?;
    Config::parse(&text).map_err(|problems| {
        Trouble::new(Exit::Failed, format!("{} has problems:\n{problems}", path.display()), "enforcer config check")
    })
}

impl Core {
    /// Takes the file over; a bad one keeps the old configuration.
    pub(super) fn reload(&mut self) -> Result<(), Trouble> {
        let outcome = read(&self.path).and_then(|config| self.take_over(config));
        match &outcome {
            Ok(()) => {
                tracing::info!(path = %self.path.display(), "configuration reloaded");
                self.problems.remove("reload");
            }
            Err(trouble) => {
                tracing::error!(message = trouble.message, "the configuration was not reloaded; the old one stays");
                self.problems.insert(
                    "reload",
                    format!("the last reload failed, the old configuration stays: {}", trouble.message),
                );
            }
        }
        outcome
    }

    fn take_over(&mut self, own: Config) -> Result<(), Trouble> {
        let modules = self.load_modules(&own)?;
        self.note_what_needs_a_restart(&own);
        let modules = self.with_published(&modules, &own);
        let before = self.swap_modules(modules);
        let config = self.beside_center(&own);
        if let Err(trouble) = self.turn_to(config) {
            self.swap_modules(before);
            return Err(trouble);
        }
        self.problems.remove("modules");
        self.own = own;
        self.note_published();
        self.stand_again();
        Ok(())
    }

    /// Makes a configuration the one in force; when that fails, the one before stays.
    pub(super) fn turn_to(&mut self, config: Config) -> Result<(), Trouble> {
        self.see_interfaces();
        let before = std::mem::replace(&mut self.config, config);
        let endpoints = self.decided_endpoints();
        let compiled = self.compiled(self.side ^ 1, &endpoints);
        let mut ops = self.turning(&compiled);
        ops.push(self.lease());
        ops.extend(self.config.allow.iter().map(|entry| put_allow(&allowed(*entry, self.started))));
        let gone = before.allow.iter().filter(|old| self.config.allow.iter().all(|new| new.prefix != old.prefix));
        let gone = gone.filter(|old| self.ledger.allowlist().all(|one| one.prefix != old.prefix));
        ops.extend(gone.map(|old| remove_allow(old.prefix)));
        if let Err(error) = apply(&mut self.kernel, &ops) {
            self.config = before;
            self.note_if_full(&error.source);
            return Err(trouble(&error));
        }
        self.turned(endpoints, &compiled);
        self.tend_hooks();
        self.compare();
        self.apply_filters();
        Ok(())
    }

    /// What puts the services onto the interfaces there are now, on the side in use.
    pub(super) fn service_moves(&self) -> Result<Vec<MapOp>, KernelError> {
        let wanted = self.compiled(self.side, &self.placed).services;
        let held = self.kernel.observed()?.services;
        let gone = held.keys().filter(|key| !wanted.contains_key(key)).map(|key| MapOp::RemoveService { key: *key });
        let new = wanted.iter().filter(|(key, rule)| held.get(key) != Some(rule));
        Ok(gone.chain(new.map(|(key, rule)| MapOp::PutService { key: *key, rule: *rule })).collect())
    }

    fn note_what_needs_a_restart(&mut self, config: &Config) {
        let (agent, limits) = &self.first;
        let lost_agent = config.agent.lost_agent;
        if config.limits == *limits && config.agent == (Agent { lost_agent, ..agent.clone() }) {
            self.problems.remove("restart");
        } else {
            self.problems.insert(
                "restart",
                "changed [limits] or [agent] settings take effect when the agent is restarted".to_owned(),
            );
        }
    }
}

/// A configured allowlist entry in the form of the ledger.
pub(super) fn allowed(entry: crate::config::AllowEntry, created: enforcer_policy::Moment) -> enforcer_policy::Allowed {
    let note = enforcer_policy::Note {
        reason: "configuration".to_owned(),
        origin: enforcer_policy::Origin::File,
        approved_by: "configuration".to_owned(),
        created,
    };
    enforcer_policy::Allowed { prefix: entry.prefix, kind: entry.kind, until: None, note: std::sync::Arc::new(note) }
}
