//! Drills on this host: what they show, and that nothing stays, however they end.

use std::{
    fs,
    process::{Child, Command, Stdio},
    time::Duration,
};

use enforcer_tests::{eventually, program};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;

/// Given a drill that plays. When it is stopped, or killed. Then it takes everything with it, or the next one does; which finds,
/// decides and refuses, and refuses no customer.
#[test]
fn a_drill_leaves_nothing_however_it_ends() {
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGKILL] {
        let (mut drill, mine) = start();
        eventually(SOON, "its namespaces are there", || left_by(mine) == 2);
        let pid = i32::try_from(drill.id()).expect("processes have small numbers");
        kill(Pid::from_raw(pid), signal).expect("it runs");
        assert!(!drill.wait().expect("it ends").success());
        let agents = || agents_of(mine);
        eventually(SOON, "its agent has ended", || agents() == 0);
        assert_eq!(left_by(mine) == 0, signal != Signal::SIGKILL, "{signal}");
    }
    let (drill, _) = start();
    let output = drill.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let outcomes: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let outcome = &outcomes[0];
    assert!(outcome["refused_after"].is_u64() && outcome["decided_after"].is_u64(), "{outcome}");
    assert!(outcome["customers"].as_u64() >= Some(400) && outcome["customers_refused"] == 0, "{outcome}");
    assert_eq!(left(), Vec::<String>::new());
}

/// A drill, and the number that its namespaces bear.
fn start() -> (Child, u32) {
    let mut command = Command::new(program());
    command.args(["drill", "object-walk", "-o", "json"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().expect("the program starts");
    let number = child.id();
    (child, number)
}

fn left_by(number: u32) -> usize {
    left().iter().filter(|name| name.starts_with(&format!("enforcer-drill-{number}-"))).count()
}

/// Namespaces of drills.
fn left() -> Vec<String> {
    let names = fs::read_dir("/run/netns").expect("namespaces").flatten();
    let names = names.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter(|name| name.starts_with("enforcer-drill-")).collect()
}

/// Agents that run with the configuration of this drill.
fn agents_of(number: u32) -> usize {
    let folder = format!("/enforcer-drill-{number}-");
    let processes = fs::read_dir("/proc").expect("processes").flatten();
    let of_it = |line: &[u8]| String::from_utf8_lossy(line).contains(&folder);
    processes.filter_map(|entry| fs::read(entry.path().join("cmdline")).ok()).filter(|line| of_it(line)).count()
}

const SOON: Duration = Duration::from_secs(20);
