//! `cargo xtask test`: the checks, the unit tests of every crate, and the namespace suite on the real kernel.
//!
//! In: root on a Linux host. Out: one last line, `N passed, N failed`, in which a step that could not run counts as a
//! failed test. Never here: a test that is left out in silence: those that compile modules need a library of the compiler's,
//! those of the center's API schemathesis, and where that cannot be had they are named as skipped; a second compilation of everything for
//! clippy, which reads what is compiled for the tests.

use std::process::{self, Command, Stdio};

use crate::{
    steps::{self, Steps, cargo},
    task_check, task_setup,
};

/// Which tests.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Run only the tests with this in their name, and no checks
    filter: Option<String>,
}

/// Runs the task.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    task_setup::require_root("to make network namespaces and to load kernel programs")?;
    task_setup::ensure()?;
    let mut run = Run::default();
    let mut read = Vec::new();
    if arguments.filter.is_none() {
        task_check::add_quick_to(&mut run.steps);
        read = task_check::while_compiling();
    }
    // Agent and center, too, which some tests start. One selection of packages, so that nothing is compiled twice.
    run.steps.run("compile", of_all("build").arg("--all-targets").envs(read.clone()));
    run.failed += run.steps.failures();
    let mut tests = of_all("test");
    tests.arg("--no-fail-fast").envs(read).env("ENFORCER_BIN", steps::sibling("enforcer")?);
    run.tests("tests", wanted(&mut tests, arguments));
    run.steps.report();
    println!("{} passed, {} failed", run.passed, run.failed);
    if run.failed > 0 {
        process::exit(1);
    }
    Ok(())
}

#[derive(Default)]
struct Run {
    steps: Steps,
    passed: usize,
    failed: usize,
}

impl Run {
    fn tests(&mut self, name: &str, command: &mut Command) {
        let (mut passed, mut failed, mut names) = (0, 0, Vec::new());
        let done = self.steps.read(name, command.stdout(Stdio::piped()), |line| {
            if let Some((more_passed, more_failed)) = totals(line) {
                passed += more_passed;
                failed += more_failed;
            }
            names.extend(failure(line).map(|test| format!("test {test}")));
        });
        self.steps.note(names);
        self.passed += passed;
        // A suite that did not compile has no totals.
        self.failed += if done { failed } else { failed.max(1) };
    }
}

/// A command of cargo's for the whole workspace.
fn of_all(command: &str) -> Command {
    let mut cargo = cargo();
    cargo.args([command, "--workspace", "--features", "enforcer-common/user"]);
    cargo
}

/// Which of them, and how many at a time.
fn wanted<'a>(command: &'a mut Command, arguments: &Arguments) -> &'a mut Command {
    command.args(&arguments.filter).args(["--", "--test-threads", AT_A_TIME]);
    if !task_setup::has_module_target() {
        println!("== tests that compile modules: SKIPPED: {}", COMPILE_MODULES.join(", "));
        command.args(COMPILE_MODULES.iter().flat_map(|name| ["--skip", name]));
    }
    if !task_setup::has_schemathesis() {
        println!("== tests of the center's API against its document: SKIPPED: {SCHEMATHESIS}*");
        command.args(["--skip", SCHEMATHESIS]);
    }
    command
}

/// How tests begin that need schemathesis.
const SCHEMATHESIS: &str = "schemathesis_";

/// What only runs where modules can be compiled.
const COMPILE_MODULES: [&str; 4] = [
    "a_module_says_what_the_built_in_filter_says",
    "a_module_is_far_below_the_largest",
    "the_module_takes_the_same_parameters",
    "a_new_filter_is_built_tried_signed_and_taken",
];

/// 12 and 1 of `test result: FAILED. 12 passed; 1 failed; 0 ignored; ...`.
fn totals(line: &str) -> Option<(usize, usize)> {
    let (_, counts) = line.strip_prefix("test result: ")?.split_once(". ")?;
    let count = |name: &str| counts.split("; ").find_map(|part| part.strip_suffix(name)?.trim().parse().ok());
    Some((count("passed")?, count("failed")?))
}

/// The name in `test allow::wins ... FAILED`.
fn failure(line: &str) -> Option<&str> {
    line.strip_prefix("test ")?.strip_suffix(" ... FAILED")
}

/// Each test of the suite brings its own nginx, agent and load; more at a time would measure the scheduler.
const AT_A_TIME: &str = "2";

#[cfg(test)]
mod tests {
    use super::{failure, totals};

    #[test]
    fn totals_are_read_from_the_line_that_ends_a_test_program() {
        let line = "test result: FAILED. 12 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.2s";
        assert_eq!(totals(line), Some((12, 1)));
        assert_eq!(totals("test result: ok. 3 passed; 0 failed; 0 ignored"), Some((3, 0)));
        assert_eq!(totals("test harness::nginx_logs ... ok"), None);
        assert_eq!(failure("test harness::nginx_logs ... ok"), None);
        assert_eq!(failure("test harness::nginx_logs ... FAILED"), Some("harness::nginx_logs"));
    }
}
