//! Other kernels: getting them, giving them something to do, and reading what came of it.
//!
//! In: the list of kernels, the built programs. Out: a [`Report`] for each kernel. Never here: what a guest does; that is
//! `enforcer-vm` of the tests crate.

mod archive;
mod guest;
mod kernels;
mod packages;

pub(crate) use archive::Programs;
pub(crate) use guest::{Report, run};
pub(crate) use kernels::{KERNELS, Kernel};
pub(crate) use packages::{Image, get};
