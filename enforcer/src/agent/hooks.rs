//! Where the programs should hang, and do. In: the configuration and the interfaces of the host. Out: attached programs, and
//! a problem for each that could not be. Looked at when the kernel announces that an interface has come or changed, and every second for
//! all else.
use std::collections::BTreeSet;
use std::time::Duration;

use super::Shared;
use super::core::Core;
use crate::apply::apply_one;
use crate::kernel::{Hook, HookKind, LinkWatch, interfaces};

/// Looks as soon as an interface has come or changed.
pub(super) async fn watch_interfaces(core: Shared) {
    let watch = match LinkWatch::open() {
        Ok(watch) => watch,
        Err(error) => {
            tracing::warn!(%error, "interfaces are looked at every second only");
            return;
        }
    };
    while let Err(error) = look_when_announced(&core, &watch).await {
        tracing::warn!(%error, "announcements of interfaces could not be read");
        tokio::time::sleep(PAUSE).await;
    }
}

async fn look_when_announced(core: &Shared, watch: &LinkWatch) -> std::io::Result<()> {
    loop {
        watch.changed().await?;
        core.lock().look_at_hooks();
        // An interface that flaps does not keep the agent from its other work.
        tokio::time::sleep(PAUSE).await;
    }
}

const PAUSE: Duration = Duration::from_millis(20);

impl Core {
    /// Between the seconds.
    fn look_at_hooks(&mut self) {
        if !self.detached {
            self.tend_hooks();
        }
    }

    /// Hangs what should hang, takes off what should not.
    pub(super) fn tend_hooks(&mut self) {
        self.look_at_interfaces();
        self.look_at_pins();
        let mut lost_hooks = self.kernel.lost_hooks();
        if !lost_hooks.is_empty() {
            // What hung on an interface that has just gone was taken off by nobody.
            self.look_at_interfaces();
            lost_hooks.retain(|hook| self.interfaces.values().any(|index| *index == hook.ifindex));
        }
        let wanted = self.wanted_hooks();
        for lost in lost_hooks {
            tracing::warn!(
                interface = lost.interface,
                hook = lost.kind.name(),
                "a program was taken off by someone else"
            );
            self.kernel.forget(&lost);
            self.drift.repaired += 1;
        }
        let surplus: Vec<Hook> =
            self.kernel.attachments().map(|(hook, _)| hook.clone()).filter(|h| !wanted.contains(h)).collect();
        for hook in surplus {
            if let Err(error) = self.kernel.detach(&hook) {
                tracing::warn!(%error, "a program could not be taken off");
            }
        }
        let failures: Vec<String> = wanted.iter().filter_map(|hook| self.hang(hook)).collect();
        if failures.is_empty() {
            for stray in self.kernel.sweep_strays(&self.interfaces) {
                tracing::warn!(
                    interface = stray.interface,
                    ifindex = stray.ifindex,
                    "a program that is not wanted any more was taken off"
                );
            }
        }
        self.look_at_modes();
        let absent = self.absent_interfaces();
        let absent = absent.iter().map(|name| format!("the interface {name} does not exist (yet)"));
        let renamed = self.renamed.iter().map(|(name, now)| {
            format!("the interface {name} is called {now} now: what hangs on it stays until the agent ends; name it {now} in the configuration")
        });
        let text: Vec<String> = failures.into_iter().chain(absent).chain(renamed).collect();
        if text.is_empty() {
            self.problems.remove("hooks");
        } else {
            self.problems.insert("hooks", text.join("; "));
        }
    }

    /// A program in a link is replaced, its mode is not: two modes cannot hang at once, and taking one off lets packets pass.
    /// So the operator says when.
    fn look_at_modes(&mut self) {
        let other = self.kernel.in_other_mode(self.config.fastpath.mode);
        let other: Vec<String> = other.map(|(hook, held)| format!("{} ({held})", hook.interface)).collect();
        if other.is_empty() {
            self.problems.remove("mode");
        } else {
            let text = format!(
                "the configured mode is not the one that runs on {}: to change it, enforcer detach, then start the agent \
                 (packets pass in between)",
                other.join(", ")
            );
            self.problems.insert("mode", text);
        }
    }

    /// Services know their interfaces by number: one that came must be told before a program hangs there.
    fn look_at_interfaces(&mut self) {
        if !self.see_interfaces() {
            return;
        }
        let placed = self.service_moves().and_then(|ops| ops.iter().try_for_each(|op| apply_one(&mut self.kernel, op)));
        if let Err(error) = placed {
            tracing::warn!(%error, "services could not be put on an interface that came; tried again at the next comparison");
        }
    }

    /// Looks which interfaces there are; true when they are others than before. One that was renamed keeps its configured name beside
    /// the new one: a name that changes must not take protection off.
    pub(super) fn see_interfaces(&mut self) -> bool {
        let mut found = interfaces();
        self.renamed.clear();
        for (name, index) in &self.interfaces {
            let other = found.iter().find(|(_, other)| *other == index).map(|(now, _)| now.clone());
            if let Some(now) = other.filter(|now| now != name && !self.is_configured(now) && self.is_configured(name))
                && !found.contains_key(name)
            {
                self.renamed.insert(name.clone(), now);
            }
        }
        let kept = self.renamed.keys().filter_map(|name| Some((name.clone(), *self.interfaces.get(name)?)));
        found.extend(kept.collect::<Vec<_>>());
        let changed = found != self.interfaces;
        self.interfaces = found;
        changed
    }

    fn is_configured(&self, name: &str) -> bool {
        let services = self.config.services.iter().flat_map(|service| &service.interfaces);
        self.config.fastpath.interfaces.iter().chain(services).any(|one| one == name)
    }

    /// Pins that somebody removed are made again; where there is no bpffs any more, that is told.
    fn look_at_pins(&mut self) {
        match self.kernel.keep_pins() {
            Ok(0) => drop(self.problems.remove("pins")),
            Ok(made) => {
                tracing::warn!(made, "maps were unpinned by someone else");
                self.drift.repaired += made;
            }
            Err(error) => drop(self.problems.insert("pins", error.to_string())),
        }
        if self.kernel.loose_links() > 0 {
            let text = format!(
                "{} is no BPF file system any more: what hangs ends with this agent; mount one there",
                self.first.0.bpffs.display()
            );
            self.problems.insert("pins", text);
        }
    }

    fn hang(&mut self, hook: &Hook) -> Option<String> {
        let error = self.kernel.attach(hook, self.config.fastpath.mode).err()?;
        Some(error.to_string())
    }

    fn wanted_hooks(&self) -> BTreeSet<Hook> {
        let hook = |interface: &String, kind| {
            let ifindex = *self.interfaces.get(interface)?;
            Some(Hook { interface: interface.clone(), ifindex, kind })
        };
        let packets = self.config.fastpath.interfaces.iter().filter_map(|name| hook(name, HookKind::Xdp));
        let services = self.config.services.iter().flat_map(|service| &service.interfaces);
        // What leaves is looked at where requests arrive.
        let classifiers = services
            .flat_map(|name| [HookKind::Egress, HookKind::Tc].into_iter().filter_map(move |kind| hook(name, kind)));
        packets.chain(classifiers).collect()
    }

    fn absent_interfaces(&self) -> BTreeSet<&String> {
        let services = self.config.services.iter().flat_map(|service| &service.interfaces);
        let all = self.config.fastpath.interfaces.iter().chain(services);
        all.filter(|name| !self.interfaces.contains_key(*name)).collect()
    }
}
