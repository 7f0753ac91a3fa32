//! What a center does on a store of either kind: included by `embedded.rs` and by `jetstream/`, each with its own `store_in`.
//!
//! In: a store of a folder. Out: the same behaviour. Never here: which kind it is.
pub(crate) mod desk;
mod proposals;
mod rollout;
pub(crate) mod sources;
