//! The built-in filter `resources`, and the same as a module: the same calls in, the same signs out.
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use enforcer_common::SubjectKind;
use enforcer_insight::Call;
use enforcer_insight::filters::{Catalogue, Parameter};
use enforcer_module::{LARGEST, Limits, Module, samples};
use enforcer_policy::Moment;

use super::stage::{runner, show};

/// The module, built from `modules/resources` as its owner would build it.
fn built() -> Vec<u8> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let target = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("module");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(root).args(["build", "--quiet", "--release", "--locked", "--offline", "-p", "resources-module"]);
    cargo.args(["--target", "wasm32-unknown-unknown", "--target-dir"]).arg(&target);
    cargo.env("CARGO_PROFILE_RELEASE_STRIP", "true").env("CARGO_PROFILE_RELEASE_DEBUG", "false");
    // What instruments the tests does not fit the module.
    cargo.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS").env_remove("RUSTC_WORKSPACE_WRAPPER");
    assert!(cargo.status().unwrap().success(), "cargo xtask setup installs what a module is built with");
    std::fs::read(target.join("wasm32-unknown-unknown/release/resources_module.wasm")).unwrap()
}

/// The samples again and again, by forty callers: some slow, some with huge pages, deep and long bodies, over an hour.
fn traffic() -> Vec<Call> {
    let (mut calls, mut random) = (Vec::new(), 1_u64);
    let mut next = |below: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % below
    };
    let samples = samples();
    for number in 0..6_000_u64 {
        let mut call = samples[usize::try_from(next(samples.len() as u64)).unwrap()].clone();
        let caller = next(40);
        call.id = number + 1;
        call.time = Moment(1_795_420_800_000 + number * 600);
        call.digests[SubjectKind::Device as usize] = if caller < 35 { 1 + caller } else { 0 };
        call.digests[SubjectKind::User as usize] = 0;
        call.client = [192, 0, 2, u8::try_from(caller).unwrap()].into();
        if let Some(answer) = &mut call.answer {
            let slow = caller == 7 && next(3) > 0;
            answer.first_byte = Duration::from_micros(if slow { 4_000_000 + next(9_000_000) } else { next(200_000) });
        }
        calls.push(call);
    }
    calls
}

#[test]
fn a_module_says_what_the_built_in_filter_says() {
    let module = Module::read(&built(), Limits::default()).unwrap_or_else(|error| panic!("{error}"));
    let (mut runner, gauges) = runner(vec![module]);
    let calls = traffic();
    let begin = Instant::now();
    let raised = show(&mut runner, &calls);
    let took = begin.elapsed();
    let by = |name: &str| raised.iter().filter(|raised| raised.filter == name).map(|raised| &raised.sign).collect();
    let (built_in, module): (Vec<_>, Vec<_>) = (by("resources"), by("resources-module"));
    assert_eq!(module, built_in);
    for kind in ["slow_calls", "huge_page", "deep_query", "large_batch"] {
        assert!(built_in.iter().any(|sign| sign.kind == kind), "{kind} was not tried");
    }
    assert!(built_in.iter().any(|sign| sign.suggestion.is_none()), "nor an address");
    let used = gauges[0].read();
    assert!(used.halted.is_none() && used.worst < Limits::default().call / 2, "{used:?}");
    println!(
        "{} calls in {took:?}, {} signs; {} steps each, {} at most; {} KiB",
        calls.len(),
        module.len(),
        used.steps / used.calls,
        used.worst,
        used.memory >> 10
    );
}

/// What the template of a new filter makes fits, too: it is small enough with what Rust brings.
#[test]
fn a_module_is_far_below_the_largest() {
    let bytes = built().len();
    assert!(bytes < LARGEST / 4, "{bytes}");
}

/// Parameters are those of the built-in filter, but for how much may be remembered.
#[test]
fn the_module_takes_the_same_parameters() {
    let module = Module::read(&built(), Limits::default()).unwrap_or_else(|error| panic!("{error}"));
    let catalogue = Catalogue::built_in();
    let schema = |one: &[Parameter]| {
        one.iter()
            .map(|one| (one.name.clone(), one.kind.clone(), one.default.clone(), one.doc.clone()))
            .collect::<Vec<_>>()
    };
    let (mut own, mut other) =
        (schema(&module.manifest().schema), schema(&catalogue.find("resources").unwrap().schema));
    assert_eq!(
        (own.pop().map(|one| one.0), other.pop().map(|one| one.0)),
        (Some("entries".into()), Some("entries".into()))
    );
    assert_eq!(own, other);
}
