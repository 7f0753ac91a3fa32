//! The embedded store: one SQLite file, one center.
//!
//! In: a folder. Out: its store, for everything in `stores`. Never here: another center.
#![expect(clippy::panic, clippy::unwrap_used, reason = "helpers of tests: what cannot be done fails them")]

#[path = "stores/backup.rs"]
mod backup;
mod stores;

use std::path::Path;

use enforcer_center::store::Store;

fn store_in(folder: &Path) -> Store {
    Store::open(&folder.join("center.db")).unwrap()
}
