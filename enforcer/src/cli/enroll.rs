//! `enroll`: makes this host one of a center's.
//!
//! In: the center's address and a one-time token from a file, so that it stands in no process list. Out: the enrolment in the
//! state folder, and the fleet's identity key. Never here: the running agent; it opens the line at its next start.
use std::fs;
use std::io::Read as _;
use std::path::Path;

use serde::Serialize;

use super::args::{EnrollArgs, Globals};
use super::failure::Failure;
use super::local::{config_path, parse};
use super::out::Out;
use crate::config::{Agent, Config};
use crate::sync::{Invitation, SyncError, enrol};
use crate::wire::Exit;

#[derive(Serialize)]
struct Report {
    host: String,
    groups: Vec<String>,
    center: String,
    identity_key_replaced: bool,
}

/// `enroll`.
pub(super) fn enroll(args: &EnrollArgs, globals: &Globals, out: &mut Out) -> Result<Exit, Failure> {
    let agent = agent(globals)?;
    let invitation = Invitation::parse(&secret(&args.token_file)?)?;
    let runtime = runtime()?;
    let known = fs::read_to_string(&agent.identity_key).ok();
    if known.is_some() && !args.replace_identity_key {
        return Err(Failure::Usage {
            message: format!(
                "{} exists; decisions on tokens that were made with it would no longer match",
                agent.identity_key.display()
            ),
            hint: "add --replace-identity-key: decisions on devices, sessions, users and keys then come from the center",
        });
    }
    let (enrolment, key) = runtime.block_on(enrol(&args.center, &invitation, super::now()))?;
    enrolment.save(&agent.state_dir)?;
    write_key(&agent.identity_key, &key)?;
    let report = Report {
        host: enrolment.name,
        groups: enrolment.groups,
        center: enrolment.url,
        identity_key_replaced: known.is_some(),
    };
    out.report(&report, |report| {
        format!("{} belongs to {} now\n  next: systemctl restart enforcer", report.host, report.center)
    })?;
    Ok(Exit::Done)
}

/// A runtime for one conversation.
pub(super) fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| Failure::Agent(error.into()))
}

/// A secret from a file, or `-` for standard input.
pub(super) fn secret(path: &Path) -> Result<String, Failure> {
    let failed = |source| Failure::file("read", path, source);
    if path != Path::new("-") {
        return fs::read_to_string(path).map_err(failed);
    }
    let mut text = String::new();
    std::io::stdin().take(4096).read_to_string(&mut text).map_err(failed)?;
    Ok(text)
}

fn agent(globals: &Globals) -> Result<Agent, Failure> {
    let path = config_path(globals);
    match fs::read_to_string(&path) {
        Ok(text) => parse(&path, &text).map(|config| config.agent),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && globals.config.is_none() => {
            Ok(Config::default().agent)
        }
        Err(error) => Err(Failure::file("read", &path, error)),
    }
}

fn write_key(path: &Path, digits: &str) -> Result<(), Failure> {
    crate::sync::keep_secret(path, format!("{digits}\n").as_bytes()).map_err(Failure::from)
}

impl From<SyncError> for Failure {
    fn from(error: SyncError) -> Self {
        Self::Center(error)
    }
}
