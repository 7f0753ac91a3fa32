//! The namespace suite on another kernel: all of its tests but those that are loads, or need servers that no guest has.
//!
//! In: a kernel, the built programs, a part of tests' names. Out: a report with a line for each test. Never here: how a test is played; that is
//! `enforcer-vm` of the tests crate (`tests/vm/suite.rs`).
//!
//! Programs lie in the guest where they lie here: tests look for some of them by paths that were compiled in.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, ensure};
use serde_json::Value;

use super::{
    archive::{Archive, stripped},
    guest::{Report, SUITE, run},
    packages::Image,
    system::{self, TESTS},
};
use crate::{
    steps::{cargo, sibling},
    task_build,
};

/// What is played.
pub(crate) struct Suite {
    program: PathBuf,
    /// Where agent and center are: compiled for speed, which an emulated processor needs.
    release: PathBuf,
    tests: Vec<String>,
    /// How many are left out, by why.
    pub(crate) left_out: BTreeMap<&'static str, usize>,
}

impl Suite {
    /// All tests with one of these in their names, or all of them.
    pub(crate) fn of(wanted: &[String]) -> anyhow::Result<Self> {
        let (program, release) = (built()?, task_build::programs(false)?);
        let listed = Command::new(&program).arg("--list").output().context("the suite does not start")?;
        let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
        let names = listed.lines().filter_map(|line| line.strip_suffix(": test"));
        let mut suite = Self { program, release, tests: Vec::new(), left_out: BTreeMap::new() };
        for name in names.filter(|name| wanted.is_empty() || wanted.iter().any(|part| name.contains(part.as_str()))) {
            match LEFT_OUT.iter().find(|(start, _)| name.starts_with(start)) {
                Some((_, why)) => *suite.left_out.entry(why).or_default() += 1,
                None => suite.tests.push(name.to_owned()),
            }
        }
        ensure!(!suite.tests.is_empty(), "no test of the suite has {wanted:?} in its name");
        Ok(suite)
    }

    /// How many tests a kernel is given.
    pub(crate) fn len(&self) -> usize {
        self.tests.len()
    }

    /// Plays it on a kernel.
    pub(crate) fn play(&self, image: &Image, folder: &Path, log: &Path) -> anyhow::Result<Report> {
        fs::create_dir_all(folder)?;
        let mut archive = Archive::default();
        archive.tree(&system::get(&TESTS)?)?;
        archive.file("init", &stripped(&sibling("enforcer-vm")?, &folder.join("stripped"))?);
        let (agent, center) = (self.release.join("enforcer"), self.release.join("enforcer-center"));
        for program in [&self.program, &agent, &center, &sibling("enforcer-bank")?] {
            let inside = program.strip_prefix("/").context("programs have whole paths")?.display().to_string();
            archive.file(&inside, &stripped(program, &folder.join("stripped"))?);
        }
        for entry in fs::read_dir(image.modules())?.flatten() {
            archive.file(&format!("modules/{}", entry.file_name().display()), &fs::read(entry.path())?);
        }
        let mut order = vec![self.program.display().to_string(), agent.display().to_string()];
        order.extend_from_slice(&self.tests);
        archive.file("suite/order", order.join("\n").as_bytes());
        let whole = log.with_extension("initramfs");
        fs::write(&whole, archive.end())?;
        let report = run(&SUITE, image, &whole, log);
        fs::remove_file(&whole)?;
        report
    }
}

/// The suite's own program, built with all else that a guest gets besides agent and center; cargo alone knows its name.
fn built() -> anyhow::Result<PathBuf> {
    let mut build = cargo();
    build.args(["build", "--workspace", "--bins", "--tests", "--features", "enforcer-common/user"]);
    let output = build.args(["--message-format", "json-render-diagnostics"]).stderr(Stdio::inherit()).output();
    let output = output.context("failed to start cargo")?;
    ensure!(output.status.success(), "the suite can't be built");
    let messages = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut messages = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let suite = messages.find(|message| message["target"]["name"] == "netns" && message["executable"].is_string());
    let program = suite.and_then(|message| message["executable"].as_str().map(PathBuf::from));
    program.context("cargo built no program called netns")
}

/// How the names of tests begin that no guest plays, and why.
const LEFT_OUT: [(&str, &str); 14] = [
    ("attacks::", LOAD),
    ("center_crowdsec::", SERVERS),
    ("clean_load::", LOAD),
    ("crowdsec::", SERVERS),
    ("evasion::", LOAD),
    ("expiry::unblocking_takes_effect_within", TIMES),
    ("half_open::", LOAD),
    ("harness::a_steady_load", LOAD),
    ("import::a_million", LOAD),
    ("interface_comes::an_interface_that_comes_is_protected_at_once", TIMES),
    ("no_gap::new_maps", LOAD),
    ("responses::every_answer", LOAD),
    ("watching::", SERVERS),
    ("wild::", LOAD),
];
const TIMES: &str = "measures times";
const LOAD: &str = "a load";
const SERVERS: &str = "needs CrowdSec or Prometheus";
