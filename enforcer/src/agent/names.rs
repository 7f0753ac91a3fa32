//! Numbers of the kernel and their names.
use enforcer_policy::service_id;

use super::core::Core;
use crate::config::Service;

impl Core {
    /// The service with this id; `None` for 0 and for one that is not configured any more.
    pub(super) fn service_name(&self, id: u32) -> Option<String> {
        self.service_with(id).map(|service| service.name.clone())
    }

    /// The service with this id.
    pub(super) fn service_with(&self, id: u32) -> Option<&Service> {
        self.config.services.iter().find(|service| service_id(&service.name) == id)
    }

    /// The interface with this index.
    pub(super) fn interface_name(&self, index: u32) -> String {
        let name = self.interfaces.iter().find(|(_, held)| **held == index).map(|(name, _)| name.clone());
        name.unwrap_or_else(|| format!("#{index}"))
    }
}
