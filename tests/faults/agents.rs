//! Faults of the agent itself: it dies, hangs, is replaced, finds maps of another layout, gets a bad configuration.
//!
//! In: a ground under traffic. Out: what the sums must know of the fault. Never here: a sum.

use std::{env, fs, path::PathBuf, time::Duration};

use enforcer_tests::eventually;
use nix::sys::signal::Signal;

use crate::{
    ground::{Ground, PATIENCE},
    sums::Fate,
    table::Fault,
    traffic::Traffic,
};

/// All of them.
pub(crate) const FAULTS: &[Fault] = &[
    Fault::new("agent-kill", "the agent is killed (kill -9), and started again", kill),
    Fault::new("agent-kill-starting", "killed at some moment of its start, then started again", kill_while_starting),
    Fault::new("agent-stop", "it is stopped (SIGSTOP) while refusals go on, then goes on", hang),
    Fault::new("agent-upgrade", "it ends, and another start of the program takes over", upgrade),
    Fault::new("map-sizes", "a new start with other limits: all maps are made anew", other_sizes),
    Fault::new("map-layout", "an upgrade to a build with another layout of maps, and the downgrade back", other_layout),
    Fault::new("map-missing", "a start that finds one pinned map missing", missing_map),
    Fault::new("bad-config", "reloads (SIGHUP, command) of a configuration with mistakes", bad_configuration),
];

fn kill(ground: &mut Ground, traffic: &Traffic, _nth: usize) -> Fate {
    let fate = ground.kill();
    traffic.goes_on();
    ground.revive();
    fate
}

/// The moment moves through the start with every time.
fn kill_while_starting(ground: &mut Ground, traffic: &Traffic, nth: usize) -> Fate {
    let mut fate = ground.kill();
    ground.agent.launch_and_kill(Duration::from_millis(20 + 37 * (nth as u64 % 20)));
    fate.told_at_death = ground.gauge.read().told;
    traffic.goes_on();
    ground.revive();
    fate
}

fn hang(ground: &mut Ground, traffic: &Traffic, _nth: usize) -> Fate {
    ground.agent.signal(Signal::SIGSTOP);
    traffic.goes_on();
    traffic.goes_on();
    ground.agent.signal(Signal::SIGCONT);
    Fate::default()
}

fn upgrade(ground: &mut Ground, traffic: &Traffic, _nth: usize) -> Fate {
    let before = ground.agent.objects();
    let fate = ground.stop();
    traffic.goes_on();
    ground.revive();
    eventually(PATIENCE, "the old programs are unloaded", || before.alive().programs.is_empty());
    fate
}

fn other_sizes(ground: &mut Ground, traffic: &Traffic, nth: usize) -> Fate {
    let fate = ground.stop();
    let limits =
        ["[limits]\naddresses_v4 = 5000\nidentities = 5000\n", "[limits]\naddresses_v4 = 9000\nflows = 4000\n"];
    ground.config = format!("{}{}", limits[nth % 2], enforcer_tests::PAY);
    ground.agent.configure(&ground.config);
    traffic.goes_on();
    ground.revive();
    Fate { told: vec!["pinned maps were replaced".to_owned()], ..fate }
}

/// There and back: the kernel programs of one layout hang until those of the other do.
fn other_layout(ground: &mut Ground, traffic: &Traffic, _nth: usize) -> Fate {
    let (own, ahead) = (enforcer_tests::program(), ahead());
    let mut fate = ground.stop();
    ground.agent.become_program(&ahead);
    ground.revive();
    traffic.goes_on();
    let problems = ground.status()["problems"].to_string();
    assert!(problems.contains("map layout"), "{problems}");
    ground.agent.kill9();
    ground.agent.become_program(own);
    traffic.goes_on();
    fate.told_at_death = ground.gauge.read().told;
    ground.revive();
    Fate { told: vec!["map layout".to_owned()], may_lose: true, ..fate }
}

/// The agent whose maps have a later layout: `$ENFORCER_AHEAD_BIN`, or the one that `cargo xtask faults` has built last.
pub(crate) fn ahead() -> PathBuf {
    let given = env::var_os("ENFORCER_AHEAD_BIN").map(PathBuf::from);
    given.unwrap_or_else(|| enforcer_tests::program().with_file_name("../ahead/debug/enforcer"))
}

fn missing_map(ground: &mut Ground, traffic: &Traffic, nth: usize) -> Fate {
    let fate = ground.kill();
    let name = ["COUNTERS", "IDENTITIES", "SETTINGS", "STREAMS", "SOURCES4"][nth % 5];
    fs::remove_file(ground.agent.pins().join("maps").join(name)).expect("a pin can be removed");
    traffic.goes_on();
    ground.revive();
    // Without settings nobody knows whose layout the events have: they count as lost.
    let may_lose = name == "SETTINGS";
    Fate { told: vec![format!("the pinned map {name} is missing")], may_lose, ..fate }
}

fn bad_configuration(ground: &mut Ground, traffic: &Traffic, nth: usize) -> Fate {
    let mistakes = ["[[service]]\nname = \"pay\"\nports = [99999]\n", "[limits]\nflow = 3\n", "not = [toml", ""];
    let text = mistakes[nth % 3];
    ground.agent.reload(text);
    eventually(PATIENCE, "the mistakes are told", || {
        ground.status()["problems"].to_string().contains("the last reload failed")
    });
    traffic.goes_on();
    assert_eq!(ground.agent.cli(&["reload"]).code, Some(1), "a bad file was taken");
    ground.agent.reload(&ground.config.clone());
    eventually(PATIENCE, "a good file ends the complaint", || ground.status()["problems"] == serde_json::json!([]));
    Fate::default()
}
