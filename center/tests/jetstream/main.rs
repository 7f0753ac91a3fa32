//! The store that centers share: three real servers of NATS on loopback, from Debian's package.
//!
//! In: a folder, or several centers. Out: the same behaviour as on the embedded store; one order of changes, whatever is killed. Never here:
//! a fixed sleep, servers that outlive the tests.
#![expect(
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "helpers of tests: what cannot be done fails them, and says why; what was measured is told"
)]

mod center;
mod cluster;
mod desks;
mod outage;
mod replicas;
#[path = "../stores/mod.rs"]
mod stores;

use std::path::Path;

use enforcer_center::log::{Log, Settings};
use enforcer_center::store::Store;

use cluster::Cluster;

/// Of servers that all tests of `stores` share; each folder has a log of its own.
fn store_in(folder: &Path) -> Store {
    let name: String = folder.display().to_string().chars().filter(char::is_ascii_alphanumeric).collect();
    Store::open_shared(&folder.join("center.db"), Cluster::shared().log(&name)).unwrap()
}

impl Cluster {
    /// The log of this name, with the keys of nobody.
    fn log(&self, name: &str) -> std::sync::Arc<Log> {
        let settings = Settings::parse(&self.url(name), None, None).unwrap();
        Log::connect(&settings, &[b"keys of a test"]).unwrap()
    }
}
