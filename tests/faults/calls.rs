//! Errors of the system calls that a start makes: each call of `bpf()` fails in turn, attaching fails half way.
//!
//! In: a ground under traffic, strace. Out: what the sums must know. Never here: a sum.

use std::fs;

use enforcer_tests::eventually;

use crate::{
    ground::{Ground, PATIENCE},
    sums::Fate,
    table::Fault,
    traffic::Traffic,
};

/// All of them.
pub(crate) const FAULTS: &[Fault] = &[
    Fault::new(
        "bpf-enomem",
        "one bpf() call of a start fails (ENOMEM), each time another; then a start without",
        no_memory,
    ),
    Fault::new("bpf-eperm", "the same with EPERM", not_permitted),
    Fault::new("attach-half", "a start whose programs are replaced in some links and not in the others", half_attached),
];

fn no_memory(ground: &mut Ground, traffic: &Traffic, nth: usize) -> Fate {
    failing(ground, traffic, "ENOMEM", nth)
}

fn not_permitted(ground: &mut Ground, traffic: &Traffic, nth: usize) -> Fate {
    failing(ground, traffic, "EPERM", nth + 7)
}

/// The calls of a start are numbered once; the n-th time another of them fails, spread over all.
fn failing(ground: &mut Ground, traffic: &Traffic, error: &str, nth: usize) -> Fate {
    let calls = calls(ground);
    // A stride without a common divisor meets every call in turn.
    let at = 1 + nth * calls.len() * 618 / 1000 % calls.len();
    start_with(ground, traffic, error, at)
}

/// The links are updated one after the other; the one in the middle fails, each time another.
fn half_attached(ground: &mut Ground, traffic: &Traffic, nth: usize) -> Fate {
    let updates: Vec<usize> = calls(ground)
        .iter()
        .enumerate()
        .filter(|(_, call)| call.contains("LINK_UPDATE"))
        .map(|(at, _)| at + 1)
        .collect();
    assert!(updates.len() >= 6, "{} links were updated", updates.len());
    start_with(ground, traffic, "ENOMEM", updates[1 + nth % (updates.len() - 2)])
}

fn start_with(ground: &mut Ground, traffic: &Traffic, error: &str, at: usize) -> Fate {
    let mut fate = ground.kill();
    let strace = format!("exec strace -D -f -q -o /dev/null -e trace=bpf -e inject=bpf:error={error}:when={at}");
    let program = ground.wrapper("strace-inject", &strace);
    ground.agent.become_program(&program);
    let started = ground.agent.try_restart();
    ground.gauge.look(&ground.agent);
    traffic.goes_on();
    if started.is_ok() {
        ground.agent.kill9();
    }
    ground.agent.become_program(enforcer_tests::program());
    fate.told_at_death = ground.gauge.read().told;
    ground.revive();
    fate
}

/// What a start without faults calls, in order.
fn calls(ground: &mut Ground) -> Vec<String> {
    if ground.calls.is_empty() {
        let list = ground.net.folder().join("calls");
        let strace = format!("exec strace -D -f -q -o {} -e trace=bpf", list.display());
        let program = ground.wrapper("strace-list", &strace);
        ground.agent.kill9();
        ground.agent.become_program(&program);
        ground.agent.restart();
        ground.agent.kill9();
        ground.agent.become_program(enforcer_tests::program());
        ground.revive();
        let read = || fs::read_to_string(&list).unwrap_or_default();
        eventually(PATIENCE, "strace has written all", || read().contains("+++ killed"));
        let text = read();
        ground.calls = text.lines().filter(|line| line.contains("bpf(")).map(str::to_owned).collect();
        ground.follower = None;
    }
    ground.calls.clone()
}
