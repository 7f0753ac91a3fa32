//! The inventory, kept. In: exchanges; what was kept before. Out: the inventory in parts for the socket, counts for metrics, a file
//! in the state folder. Never here: what calls say.
//!
//! What is in the file is at most a minute old: an agent that is killed forgets what it saw since. A file that cannot be read is put
//! aside, and the inventory begins anew; neither stops anything.
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use enforcer_insight::classes::Sensitive;
use enforcer_insight::inventory::{FORM, Inventory};

use super::core::Core;
use super::{SAVED, Shared, clock, until_saved_again};
use crate::exchanges::{Exchange, call_of};
use crate::metrics::ApiCounts;
use crate::sync::{Learned, keep_secret};
use crate::wire::{ApisPart, Exit, Reply, Trouble};

/// What the file begins with. An older form is put aside.
const MARK: &[u8; 8] = FORM;
/// Bytes of one part on the socket.
const PART: usize = 1 << 20;
/// Longest file that is read: several times of what the limits allow.
const LONGEST: u64 = 1 << 30;

/// The inventory of this host.
#[derive(Default)]
pub(super) struct Apis {
    inventory: Inventory,
    /// Calls whose head could not be read.
    unread: u64,
    /// True when there is something that the file does not hold.
    changed: bool,
    /// True when there is something that the center has not got.
    untold: bool,
}

impl Apis {
    /// What is exported as metrics.
    pub(super) fn counts(&self) -> ApiCounts {
        let endpoints = self.inventory.services().map(|(name, service)| (name.to_owned(), service.endpoints() as u64));
        let forgotten = self.inventory.forgotten().each().to_vec();
        ApiCounts { endpoints: endpoints.collect(), forgotten, unread: self.unread }
    }
}

impl Core {
    /// The services that were called, by name.
    pub(super) fn called_services(&self) -> impl Iterator<Item = &str> {
        self.apis.inventory.services().map(|(name, _)| name)
    }

    /// Takes requests with their answers.
    pub(super) fn take_calls(&mut self, exchanges: &[Exchange]) {
        for exchange in exchanges {
            self.take_call(exchange);
        }
    }

    fn take_call(&mut self, exchange: &Exchange) {
        let Some(service) = self.service_name(exchange.asking.service) else { return };
        let time = clock::on_the_wall(exchange.asking.time);
        (self.apis.changed, self.apis.untold) = (true, true);
        // Whoever sends requests must not be able to end the reading of samples.
        let taken = catch_unwind(AssertUnwindSafe(|| {
            let mut call = call_of(exchange, service.into(), time)?;
            call.sensitive = Sensitive::of(&call);
            call.placed = self.apis.inventory.take(&call, self.key);
            Some(call)
        }));
        match taken {
            Ok(Some(call)) => self.show(call),
            Ok(None) => self.apis.unread += 1,
            Err(_panic) => {
                tracing::error!(request = exchange.asking.id, "a call could not be read: this is a bug");
                self.apis.unread += 1;
            }
        }
    }

    /// The inventory of a service, or of all, in the words of the socket.
    pub(super) fn apis_in_parts(&self, service: Option<&str>) -> Result<Vec<Reply>, Trouble> {
        if let Some(name) = service.filter(|name| !self.knows_apis_of(name)) {
            let hint = "enforcer status shows the services";
            return Err(Trouble::new(Exit::Nothing, format!("there is no service {name:?}"), hint));
        }
        let inventory = &self.apis.inventory;
        let bytes = postcard::to_allocvec(&service.map_or_else(|| inventory.clone(), |name| inventory.only(name)));
        let failed = |error: postcard::Error| Trouble::new(Exit::Failed, error.to_string(), "");
        let bytes = bytes.map_err(failed)?;
        let last = bytes.len().div_ceil(PART).max(1) - 1;
        let owners = |at: usize| if at == last { self.owners.of(service) } else { BTreeMap::new() };
        let parts = bytes.chunks(PART).enumerate();
        let part = |(at, part): (usize, &[u8])| ApisPart { bytes: part.to_vec(), last: at == last, owners: owners(at) };
        Ok(parts.map(part).map(Reply::Apis).collect())
    }

    fn knows_apis_of(&self, name: &str) -> bool {
        let seen = self.apis.inventory.services().any(|(known, _)| known == name);
        seen || self.config.services.iter().any(|service| service.name == name)
    }

    /// Reads what was kept.
    pub(super) fn open_apis(&mut self) {
        let path = path(&self.config.agent.state_dir);
        match read(&path) {
            Ok(inventory) => {
                self.apis.untold = inventory.services().next().is_some();
                self.apis.inventory = inventory;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                super::put_aside(&path, &error, "the inventory of APIs begins anew");
            }
        }
    }

    /// Writes it, at the end.
    pub(super) fn save_apis(&mut self) {
        if let Some((path, bytes)) = self.apis_to_keep() {
            self.apis_kept(keep(&path, &bytes));
        }
    }

    /// The file and what belongs into it; nothing when it holds that already.
    fn apis_to_keep(&mut self) -> Option<(PathBuf, Vec<u8>)> {
        if !std::mem::take(&mut self.apis.changed) {
            return None;
        }
        let bytes = postcard::to_allocvec(&self.apis.inventory).ok()?;
        Some((path(&self.config.agent.state_dir), bytes))
    }

    fn apis_kept(&mut self, kept: Result<(), crate::sync::SyncError>) {
        match kept {
            Ok(()) => drop(self.problems.remove("inventory")),
            Err(error) => {
                self.apis.changed = true;
                self.problems.insert("inventory", format!("a restart would forget the inventory of APIs: {error}"));
            }
        }
    }
}

impl Learned for Shared {
    fn untold(&self) -> Option<Inventory> {
        let apis = &mut self.lock().apis;
        std::mem::take(&mut apis.untold).then(|| apis.inventory.clone())
    }

    fn not_told(&self) {
        self.lock().apis.untold = true;
    }
}

/// Writes it now and then, until dropped.
pub(super) async fn keep_apis(core: Shared) {
    let mut pause = SAVED;
    loop {
        tokio::time::sleep(std::mem::replace(&mut pause, SAVED)).await;
        let Some((path, bytes)) = core.lock().apis_to_keep() else { continue };
        // A disk may take its time; requests are answered meanwhile.
        let kept = tokio::task::spawn_blocking(move || keep(&path, &bytes)).await;
        if let Ok(kept) = kept {
            pause = until_saved_again(&kept);
            core.lock().apis_kept(kept);
        }
    }
}

fn path(state: &Path) -> PathBuf {
    state.join("apis")
}

fn keep(path: &Path, inventory: &[u8]) -> Result<(), crate::sync::SyncError> {
    let sum = crc32fast::hash(inventory).to_le_bytes();
    keep_secret(path, &[MARK.as_slice(), &sum, inventory].concat())
}

fn read(path: &Path) -> io::Result<Inventory> {
    let wrong = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
    if fs::metadata(path)?.len() > LONGEST {
        return Err(wrong("the file is too long"));
    }
    let file = fs::read(path)?;
    let rest = file.strip_prefix(MARK).ok_or_else(|| wrong("the file has another form"))?;
    let (sum, bytes) = rest.split_first_chunk().ok_or_else(|| wrong("the file is cut off"))?;
    if crc32fast::hash(bytes) != u32::from_le_bytes(*sum) {
        return Err(wrong("the file is damaged"));
    }
    postcard::from_bytes(bytes).map_err(|error| wrong(&error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_kept_is_read_and_what_was_damaged_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = path(dir.path());
        assert_eq!(read(&path).unwrap_err().kind(), io::ErrorKind::NotFound);
        let bytes = postcard::to_allocvec(&Inventory::default()).unwrap();
        keep(&path, &bytes).unwrap();
        assert_eq!(read(&path).unwrap(), Inventory::default());
        let whole = fs::read(&path).unwrap();
        for cut in 0..whole.len() {
            fs::write(&path, &whole[..cut]).unwrap();
            assert_eq!(read(&path).unwrap_err().kind(), io::ErrorKind::InvalidData, "{cut}");
        }
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 1;
            fs::write(&path, &damaged).unwrap();
            assert!(read(&path).is_err(), "{at}");
        }
    }
}
