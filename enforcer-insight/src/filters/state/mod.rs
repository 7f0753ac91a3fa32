//! What filters remember, and how little of it. In: keyed digests, counts, times. Out: bounded tables, counts of distinct things,
//! windows, distributions. Never here: raw values, clocks, an order that a hash table chose.
//!
//! Everything has a limit from the start, says how many bytes it holds, and counts what it forgot.
mod book;
mod distinct;
mod peers;
mod robust;
mod seed;
mod window;

pub use book::Book;
pub use distinct::Distinct;
pub use peers::Peers;
pub use robust::Recent;
pub use seed::Seed;
pub use window::{Steps, Window};
