//! Commands that are the agent, or work in its absence.
//!
//! In: the global options. Out: whatever the agent's own entry points do. Never here: what they do.
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::args::{DetachArgs, Globals};
use super::client::Client;
use super::failure::Failure;
use super::out::Out;
use crate::config::{Config, DEFAULT_PATH};
use crate::modules::Modules;
use crate::wire::{Exit, Request};

/// `run`.
pub(super) fn run(globals: &Globals) -> Result<ExitCode, Failure> {
    crate::agent::run(&config_path(globals)).map_err(Failure::Agent)
}

/// `detach`.
pub(super) fn detach(args: DetachArgs, globals: &Globals, out: &mut Out) -> Result<Exit, Failure> {
    if args.offline {
        crate::agent::detach_offline(&load(globals)?).map_err(Failure::Agent)?;
    } else {
        Client::open(globals)?.call::<()>(&Request::Detach)?;
    }
    out.done("detached: nothing is refused any more; enforcer run attaches again, with the same decisions")?;
    Ok(Exit::Done)
}

/// The configuration file that the options name.
pub(super) fn config_path(globals: &Globals) -> PathBuf {
    globals.config.clone().unwrap_or_else(|| PathBuf::from(DEFAULT_PATH))
}

/// The configuration; where no file was named and none is there, the defaults.
pub(super) fn load(globals: &Globals) -> Result<Config, Failure> {
    let path = config_path(globals);
    match std::fs::read_to_string(&path) {
        Ok(text) => parse(&path, &text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && globals.config.is_none() => Ok(Config::default()),
        Err(source) => Err(Failure::file("read", &path, source)),
    }
}

/// The modules that a configuration names.
pub(super) fn modules(config: &Config, globals: &Globals) -> Result<Modules, Failure> {
    let (modules, problems) = Modules::default().load(config);
    if problems.0.is_empty() { Ok(modules) } else { Err(Failure::Config { path: config_path(globals), problems }) }
}

/// The configuration in `text`, which came from `path`.
pub(super) fn parse(path: &Path, text: &str) -> Result<Config, Failure> {
    Config::parse(text).map_err(|problems| Failure::Config { path: path.to_owned(), problems })
}
