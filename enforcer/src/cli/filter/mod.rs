//! `filter`: a filter that is a module, from its first line to its signature, and to the hosts of a center.
//!
//! In: names, files, keys, a center. Out: a crate, findings of a trial, a signed file, a published one. Never here: the agent: it reads the file that its
//! configuration names, or fetches what the center publishes.
mod new;
mod publish;
mod sign;
mod trial;

#[cfg(test)]
mod tests;

use std::path::Path;

use enforcer_module::{Limits, Module, ModuleError};

use super::args::{Globals, ModuleCommand};
use super::failure::Failure;
use super::out::Out;
use crate::wire::Exit;

/// `filter`.
pub(super) fn filter(command: &ModuleCommand, globals: &Globals, out: &mut Out) -> Result<Exit, Failure> {
    match command {
        ModuleCommand::Approve { name, center } => publish::approve(name, center, out),
        ModuleCommand::Key { file } => sign::key(file, out),
        ModuleCommand::New { name } => new::new(name, Path::new("."), out),
        ModuleCommand::Publish(args) => publish::publish(args, out),
        ModuleCommand::Published(center) => publish::published(center, out),
        ModuleCommand::Sign { file, key } => sign::sign(file, key, out),
        ModuleCommand::Test(args) => trial::trial(args, globals, out),
        ModuleCommand::Withdraw { name, center } => publish::withdraw(name, center, out),
    }
}

/// A module, whoever signed it.
fn read(path: &Path) -> Result<(Vec<u8>, Module), Failure> {
    let bytes = crate::modules::read(path).map_err(|source| Failure::file("read", path, source))?;
    let module = Module::read(&bytes, Limits::default()).map_err(|error| wrong(path, error))?;
    Ok((bytes, module))
}

fn wrong(path: &Path, error: ModuleError) -> Failure {
    Failure::file("use", path, std::io::Error::new(std::io::ErrorKind::InvalidData, error))
}
