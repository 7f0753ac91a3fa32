//! `filter test`: a module over sample calls or a capture. In: the module, parameters, maybe a capture. Out: what it finds and uses, or
//! why it was stopped. Never here: the other filters; the agent.
use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::sync::Arc;

use enforcer_common::SipKey;
use enforcer_insight::filters::{Budget, Catalogue, Parameters, Runner, Seed, Tools, Wanted, WantedCell};
use enforcer_insight::findings::{FactValue, Finding, Findings};
use enforcer_module::{Gauge, Limits, Manifest, Reading, samples};
use enforcer_policy::Moment;
use enforcer_policy::document::Mode;
use serde::Serialize;

use super::super::args::{Globals, TrialArgs};
use super::super::local::load;
use super::super::table::{Grid, clean, grouped, number, word};
use super::{Failure, Out, read};
use crate::replay::replay;
use crate::wire::Exit;

/// What came of it.
#[derive(Serialize, Debug)]
struct Trial {
    name: String,
    version: String,
    title: String,
    findings: Vec<Finding>,
    calls: u64,
    steps_each: u64,
    steps_most: u64,
    steps_bound: u64,
    memory_bytes: u64,
    memory_bound: u64,
    /// Why it was stopped, if it was.
    stopped: Option<String>,
}

/// `filter test`.
pub(super) fn trial(args: &TrialArgs, globals: &Globals, out: &mut Out) -> Result<Exit, Failure> {
    let (_, module) = read(&args.file)?;
    let manifest = Arc::clone(module.manifest());
    let cell = WantedCell { mode: Mode::Enforce, parameters: args.parameters.iter().cloned().collect() };
    fitting(&manifest, &cell.parameters)?;
    let gauge = Arc::new(Gauge::default());
    let catalogue = Catalogue::default().with(module.entry(&gauge));
    // Starting it is no call.
    let findings = match &args.capture {
        Some(capture) => of_capture(capture, &manifest, cell, &catalogue, globals)?,
        None => of_samples(&manifest, &cell, catalogue),
    };
    let trial = Trial::new(&manifest, findings, gauge.read());
    let colour = out.colour;
    out.report(&trial, |trial| text(trial, colour))?;
    Ok(if trial.stopped.is_some() { Exit::Nothing } else { Exit::Done })
}

fn fitting(manifest: &Manifest, parameters: &BTreeMap<String, String>) -> Result<(), Failure> {
    let problems = Parameters::read(&manifest.schema, "--set", parameters).err().unwrap_or_default();
    let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
    let hint = "the manifest of the module names its parameters";
    if told.is_empty() { Ok(()) } else { Err(Failure::Usage { message: told.join("\n"), hint }) }
}

fn of_samples(manifest: &Manifest, cell: &WantedCell, catalogue: Catalogue) -> Vec<Finding> {
    let mut runner = Runner::new(catalogue, Tools { seed: Seed::new(OWN.0) }, Budget::default());
    let (mut wanted, mut findings) = (Wanted::default(), Findings::new(FINDINGS));
    let calls = samples();
    for call in &calls {
        wanted.set(&call.service, &manifest.name, cell.clone());
    }
    runner.apply(&wanted);
    for call in calls {
        let mut raised = runner.on_call(&call, &mut || 0);
        raised.extend(runner.on_tick(Moment(call.time.0 + 1), &mut || 0));
        for one in raised {
            findings.note(&one.filter, &one.service, one.sign, call.time);
        }
    }
    findings.iter().cloned().collect()
}

/// The capture is for the services of the configuration; no other filter sees it.
fn of_capture(
    capture: &Path,
    manifest: &Manifest,
    cell: WantedCell,
    catalogue: &Catalogue,
    globals: &Globals,
) -> Result<Vec<Finding>, Failure> {
    let mut config = load(globals)?;
    config.filters = BTreeMap::from([(manifest.name.to_string(), cell)]);
    config.services.iter_mut().for_each(|service| service.filters.clear());
    if config.services.is_empty() {
        let message = "the configuration names no service, so no packet of the capture is for one".to_owned();
        return Err(Failure::Usage { message, hint: "name a file with [[service]] tables by --config" });
    }
    let file = File::open(capture).map_err(|source| Failure::file("read", capture, source))?;
    let replayed = replay(BufReader::new(file), &config, catalogue, OWN, None)
        .map_err(|error| Failure::file("read", capture, std::io::Error::new(std::io::ErrorKind::InvalidData, error)))?;
    Ok(replayed.findings.into_iter().map(|judged| judged.finding).collect())
}

impl Trial {
    fn new(manifest: &Manifest, findings: Vec<Finding>, used: Reading) -> Self {
        let limits = Limits::default();
        Self {
            name: manifest.name.to_string(),
            version: manifest.version.to_string(),
            title: manifest.title.to_string(),
            findings,
            calls: used.calls,
            steps_each: used.steps / used.calls.max(1),
            steps_most: used.worst,
            steps_bound: limits.call,
            memory_bytes: used.memory,
            memory_bound: limits.memory as u64,
            stopped: used.halted,
        }
    }
}

fn text(trial: &Trial, colour: bool) -> String {
    let mut text = format!("{} {}: {}\n\n", trial.name, trial.version, clean(&trial.title));
    if trial.findings.is_empty() {
        text.push_str("no findings\n");
    } else {
        let mut grid = Grid::new(&["SEVERITY", "SURE", "WHAT", "WHERE", "WHO", "TIMES", "EVIDENCE"], colour);
        for finding in &trial.findings {
            grid.row([
                word(finding.severity.name()),
                number(finding.confidence.into()),
                word(clean(&finding.kind)),
                word(clean(&super::super::findings::place(finding))),
                word(clean(&super::super::findings::who(finding))),
                number(finding.count),
                word(clean(&evidence(finding))),
            ]);
        }
        text.push_str(&grid.text());
    }
    text.push('\n');
    text.push_str(&costs(trial));
    text
}

fn evidence(finding: &Finding) -> String {
    let fact = |fact: &enforcer_insight::findings::Fact| match &fact.value {
        FactValue::Count(count) => format!("{} {}", fact.name, grouped(*count)),
        FactValue::Word(word) => format!("{} {word}", fact.name),
    };
    finding.facts.iter().map(fact).collect::<Vec<_>>().join(", ")
}

fn costs(trial: &Trial) -> String {
    let steps = format!(
        "{} entries, {} steps each, {} at most (of {} for a call)",
        grouped(trial.calls),
        grouped(trial.steps_each),
        grouped(trial.steps_most),
        grouped(trial.steps_bound)
    );
    let memory =
        format!("{} KiB of memory (of {})", grouped(trial.memory_bytes >> 10), grouped(trial.memory_bound >> 10));
    let stopped = trial.stopped.as_ref().map(|why| format!("\nit was stopped: {}", clean(why))).unwrap_or_default();
    format!("{steps}; {memory}{stopped}\n")
}

/// Findings that are shown.
const FINDINGS: usize = 1_000;
/// Of trials, whose digests need not be those of a fleet.
const OWN: SipKey = SipKey([0x7472_6961_6c73_2d6f, 0x662d_6d6f_6475_6c65]);
