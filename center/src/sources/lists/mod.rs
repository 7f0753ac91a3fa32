//! Lists as sources: what strangers publish, on every host, and only as long as it is published.
//!
//! ```text
//! lists.toml -> settings -> a task for each list (runner): place (file, HTTP) -> bytes -> policy's lists room -> Center::take_source
//! ```
//! In: settings; files, or answers of web servers. Out: what each list wants, to the desk; how each list is. Never here: how lists are written and
//! cleaned (`enforcer_policy::lists`), what may stand in the way of a wish (`desk/sources.rs`).
//!
//! A list that cannot be read, is incomplete, has become unbelievably small or large, or is old, changes nothing: what it said last stays until
//! its own end, `lasts` after it was last read well.
mod fetch;
mod place;
mod runner;
mod settings;
mod shown;

use tokio::task::JoinSet;

use crate::api::Center;
pub use settings::{ListSettings, read};
pub use shown::ListShown;

/// Follows all lists until dropped; idle where none is configured.
pub(crate) async fn run(lists: Vec<ListSettings>, center: Center) {
    let mut tasks = JoinSet::new();
    for list in lists {
        tasks.spawn(runner::run(list, center.clone()));
    }
    while tasks.join_next().await.is_some() {}
    // None of them ends by itself, so this is a center without lists.
    std::future::pending::<()>().await;
}
