//! Other kernels: getting them, giving them something to do, and reading what came of it.
//!
//! In: the list of kernels, the built programs. Out: a [`Report`] for each kernel. Never here: what a guest does; that is
//! `enforcer-vm` of the tests crate. `life.rs` is for the package and `suite.rs` for the namespace suite, both on a Debian of `system.rs`.

mod archive;
mod guest;
mod kernels;
mod life;
mod packages;
mod suite;
mod system;

pub(crate) use archive::Programs;
pub(crate) use guest::{BARE, Report, run};
pub(crate) use kernels::{KERNELS, Kernel};
pub(crate) use life::live;
pub(crate) use packages::{Image, get};
pub(crate) use suite::Suite;
