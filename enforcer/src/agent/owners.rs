//! Who answers for the services, looked up now and then. In: the services that were called, their ports. Out: their owners for the socket. Never
//! here: how owners are found.
//!
//! Soon after a service was first called, then each minute. No call waits for it: a thread of its own looks, and the state is not held meanwhile.
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::Shared;
use super::core::Core;
use crate::owners::owners;
use crate::wire::ApiOwner;

/// Between two questions whether to look.
const PAUSE: Duration = Duration::from_secs(1);
/// So many of them pass before known services are looked at again.
const AGAIN: u32 = 60;

/// What is known.
#[derive(Default)]
pub(super) struct Owners {
    of: BTreeMap<String, Vec<ApiOwner>>,
    /// Pauses since the last look.
    age: u32,
}

impl Owners {
    /// Those of a service, or of all.
    pub(super) fn of(&self, service: Option<&str>) -> BTreeMap<String, Vec<ApiOwner>> {
        let wanted = |(name, _): &(&String, &Vec<ApiOwner>)| service.is_none_or(|service| service == *name);
        self.of.iter().filter(wanted).map(|(name, owners)| (name.clone(), owners.clone())).collect()
    }
}

impl Core {
    /// The services to look for with their ports, when it is time.
    fn services_to_look_for(&mut self) -> Vec<(String, Vec<u16>)> {
        let called: BTreeSet<&str> = self.called_services().collect();
        let configured = self.config.services.iter().filter(|service| called.contains(&*service.name));
        let found: Vec<(String, Vec<u16>)> =
            configured.map(|service| (service.name.clone(), service.ports.clone())).collect();
        let known = found.iter().all(|(name, _)| self.owners.of.contains_key(name));
        self.owners.age = self.owners.age.saturating_add(1);
        if known && self.owners.age < AGAIN { Vec::new() } else { found }
    }

    fn take_owners(&mut self, names: Vec<String>, found: Vec<Vec<ApiOwner>>) {
        self.owners = Owners { of: names.into_iter().zip(found).collect(), age: 0 };
    }
}

/// Looks, until dropped.
pub(super) async fn look_for_owners(core: Shared) {
    loop {
        tokio::time::sleep(PAUSE).await;
        let services = core.lock().services_to_look_for();
        if services.is_empty() {
            continue;
        }
        let (names, ports): (Vec<String>, Vec<Vec<u16>>) = services.into_iter().unzip();
        let found = tokio::task::spawn_blocking(move || owners(&ports)).await;
        match found {
            Ok(Ok(found)) => core.lock().take_owners(names, found),
            Ok(Err(error)) => {
                tracing::warn!(%error, "who answers for the services could not be asked of the kernel; it is asked again in a minute");
                // Until then nobody is known.
                let nobody = vec![Vec::new(); names.len()];
                core.lock().take_owners(names, nobody);
            }
            Err(_ended) => return,
        }
    }
}
