//! Other kernels: getting them, giving them something to do, and reading what came of it.
//!
//! In: the list of kernels, the built programs. Out: a [`Report`] for each kernel. Never here: what a guest does; that is
//! `enforcer-vm` of the tests crate. `life.rs` and `system.rs` are for the package, on a whole Debian.

mod archive;
mod guest;
mod kernels;
mod life;
mod packages;
mod system;

pub(crate) use archive::Programs;
pub(crate) use guest::{BARE, Report, run};
pub(crate) use kernels::{KERNELS, Kernel};
pub(crate) use life::live;
pub(crate) use packages::{Image, get};
