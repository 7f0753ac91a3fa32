//! The API against its own document: schemathesis asks a real center whatever the document allows, and what it does not.
//!
//! In: the center's program on loopback, with TLS; schemathesis as `cargo xtask setup` installs it. Out: a failed test with its report, in
//! which each failure has a command that repeats it. Never here: what single requests mean (`src/api/tests.rs`), another host.
//!
//! `ENFORCER_SCHEMATHESIS_SECONDS` gives each run more time than it has in CI, `ENFORCER_SEED` another seed.
#![expect(
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "helpers of tests: what cannot be done fails them, and says why"
)]

mod office;
mod run;

use office::Office;

/// Everything that people can ask, by somebody who may change policy alone; but for modules, which have a run of their own.
#[test]
fn schemathesis_as_an_operator() {
    let office = Office::open("");
    let tool = office.tool().token(&office.token("ada", "operator")).without(MODULES);
    tool.phases(&[SINGLY, "stateful"]).holds();
    assert!(office.revisions_of("ada") > 10, "hardly anything was changed");
}

/// Modules, of which one is published.
#[test]
fn schemathesis_of_modules() {
    let office = Office::open("");
    office.publish();
    office.tool().token(&office.token("ada", "operator")).only(MODULES).phases(&[SINGLY]).holds();
}

/// Everything where every change of theirs waits for somebody else.
#[test]
fn schemathesis_where_two_decide() {
    let office = Office::open(TWO);
    office.tool().token(&office.token("ada", "operator")).phases(&["examples,fuzzing", "stateful"]).holds();
    assert_eq!(office.revisions_of("ada"), 0, "one person alone has changed something");
}

/// By that somebody else, with proposals to decide on.
#[test]
fn schemathesis_as_an_approver() {
    let office = Office::open(TWO);
    office.decide(60);
    office.tool().token(&office.token("bea", "approver")).only("/proposals").phases(&[SINGLY]).holds();
}

/// By somebody who may only read: nothing of it changes anything.
#[test]
fn schemathesis_as_a_viewer() {
    let office = Office::open("");
    office.decide(3);
    office.tool().token(&office.token("eve", "viewer")).phases(&[SINGLY]).holds();
    assert_eq!(office.revisions_of("eve"), 0, "a viewer has changed something");
}

/// What hosts ask, with the certificate of one.
#[test]
fn schemathesis_as_a_host() {
    let office = Office::open("");
    // One that knows no revision need not wait for news.
    office.decide(1);
    office.publish();
    office.tool().host(&office.enrol("edge-1")).only("/agent/|/enrol").phases(&[SINGLY]).holds();
}

/// Request by request.
const SINGLY: &str = "examples,coverage,fuzzing";
const MODULES: &str = "^/v1/modules";
/// Whatever anybody changes waits for a second person.
const TWO: &str = "second_person = [\"everything\"]\n";
