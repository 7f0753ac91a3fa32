//! `config check` and `config example`.
//!
//! In: a file. Out: every problem in it with line and mend, or the example. Never here: the rules (the config room has them).
use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::args::{ConfigCommand, Globals};
use super::failure::Failure;
use super::local::{config_path, parse};
use super::out::Out;
use crate::config::{Config, EXAMPLE, Problem};
use crate::modules::Modules;
use crate::wire::Exit;

/// What was found, for JSON.
#[derive(Serialize, Debug)]
struct CheckReport {
    path: PathBuf,
    valid: bool,
    problems: Vec<ProblemReport>,
}

/// One problem, for JSON.
#[derive(Serialize, Debug)]
struct ProblemReport {
    line: usize,
    place: String,
    what: String,
    mend: String,
}

/// `config`.
pub(super) fn config(command: ConfigCommand, globals: &Globals, out: &mut Out) -> Result<Exit, Failure> {
    match command {
        ConfigCommand::Check { file } => check(&file.unwrap_or_else(|| config_path(globals)), out),
        ConfigCommand::Example { interface: Some(interface), port: Some(port), service, bpffs, observe } => {
            let place = Place { interface: &interface, port, service: &service, observe };
            out.text(&short(&place, bpffs.as_deref())).map(|()| Exit::Done)
        }
        ConfigCommand::Example { bpffs, .. } => out.text(&long(bpffs.as_deref())).map(|()| Exit::Done),
    }
}

/// Every key, and the place of the BPF file system where it is another.
fn long(bpffs: Option<&str>) -> String {
    let usual = format!("bpffs = \"{}\"", Config::default().agent.bpffs.display());
    bpffs.map_or_else(|| EXAMPLE.to_owned(), |folder| EXAMPLE.replace(&usual, &format!("bpffs = {folder:?}")))
}

/// Which service an example is for.
struct Place<'a> {
    interface: &'a str,
    port: u16,
    service: &'a str,
    /// In shadow mode.
    observe: bool,
}

/// The least that protects one service. Debug form quotes as TOML does.
fn short(place: &Place<'_>, bpffs: Option<&str>) -> String {
    let Place { interface, port, service, observe } = *place;
    let mode = if observe { "# Shadow mode; \"enforce\" refuses\nmode = \"observe\"\n" } else { "" };
    let agent = bpffs.map_or_else(String::new, |folder| format!("[agent]\nbpffs = {folder:?}\n\n"));
    format!(
        "# Every other key: enforcer config example\n\
         {agent}[fastpath]\ninterfaces = [{interface:?}]\n\n\
         [[service]]\nname = {service:?}\n{mode}ports = [{port}]\ninterfaces = [{interface:?}]\n\
         device = [{{header = \"X-Device-Id\"}}, {{header = \"User-Agent\", pattern = \"DeviceId/\"}}]\n\
         notice = {{type = \"json\", body = '{{\"error\": \"refused\", \"reference\": \"{{decision}}\"}}'}}\n"
    )
}

fn check(path: &Path, out: &mut Out) -> Result<Exit, Failure> {
    let text = read(path).map_err(|source| Failure::file("read", path, source))?;
    let parsed = parse(path, &text).and_then(|config| with_modules(config, path));
    match parsed {
        Ok(config) => {
            let report = CheckReport { path: path.to_owned(), valid: true, problems: Vec::new() };
            out.report(&report, |report| format!("{}: valid, {}", report.path.display(), summary(&config)))?;
            Ok(Exit::Done)
        }
        Err(Failure::Config { path, problems }) => {
            let listed = problems.0.iter().map(ProblemReport::from).collect();
            let report = CheckReport { path, valid: false, problems: listed };
            out.report(&report, |report| format!("{}: {problems}", report.path.display()))?;
            Ok(Exit::Usage)
        }
        Err(other) => Err(other),
    }
}

/// The configuration, if the modules that it names can be used, too.
fn with_modules(config: Config, path: &Path) -> Result<Config, Failure> {
    let (_, problems) = Modules::default().load(&config);
    if problems.0.is_empty() { Ok(config) } else { Err(Failure::Config { path: path.to_owned(), problems }) }
}

fn read(path: &Path) -> std::io::Result<String> {
    if path != Path::new("-") {
        return std::fs::read_to_string(path);
    }
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).map(|_| text)
}

fn summary(config: &Config) -> String {
    let count = |count: usize, one: &str, many: &str| format!("{count} {}", if count == 1 { one } else { many });
    format!(
        "{}, {}, {}",
        count(config.services.len(), "service", "services"),
        count(config.fastpath.interfaces.len(), "interface", "interfaces"),
        count(config.allow.len(), "allowlist entry", "allowlist entries"),
    )
}

impl From<&Problem> for ProblemReport {
    fn from(problem: &Problem) -> Self {
        let Problem { line, place, what, mend } = problem.clone();
        Self { line, place, what, mend }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Place<'_> = Place { interface: "eth0", port: 8080, service: "api", observe: false };

    #[test]
    fn an_example_in_shadow_mode_refuses_nothing() {
        let enforces = |observe| {
            let example = short(&Place { observe, ..PLACE }, None);
            parse(Path::new("example"), &example).expect("an example is valid").services[0].enforce
        };
        assert_eq!((enforces(false), enforces(true)), (true, false));
    }

    #[test]
    fn examples_name_the_bpf_file_system_that_is_asked_for() {
        let elsewhere = "/run/bpf/enforcer";
        for (example, folder) in [
            (long(None), "/sys/fs/bpf/enforcer"),
            (long(Some(elsewhere)), elsewhere),
            (short(&PLACE, None), "/sys/fs/bpf/enforcer"),
            (short(&PLACE, Some(elsewhere)), elsewhere),
        ] {
            let config = parse(Path::new("example"), &example).expect("an example is valid");
            assert_eq!(config.agent.bpffs, Path::new(folder), "{example}");
        }
    }
}
