//! Faults of too much: events without a reader, maps without room, memory without an end, half requests, a reader that sleeps.
//!
//! In: a ground under traffic. Out: what the sums must know. Never here: a sum.

use std::{fs, path::PathBuf, thread};

use enforcer_tests::{CLIENT, Play, Player, eventually};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::{
    ground::{Ground, PATIENCE},
    sums::Fate,
    table::Fault,
    traffic::Traffic,
};

/// All of them.
pub(crate) const FAULTS: &[Fault] = &[
    Fault::new("ring-overflow", "a ring of 4 KiB overflows while the agent is stopped", ring)
        .with("[limits]\nring_bytes = 4096\nevents_per_second = 1_000_000\n"),
    Fault::new("map-full", "orders beyond the room of a map", map_full)
        .with("[limits]\naddresses_v4 = 40\nidentities = 60\n"),
    Fault::new(
        "out-of-memory",
        "the agent is killed for want of memory (cgroup) while it reads a long list",
        out_of_memory,
    ),
    // What is left open fills the server's room for connections for a minute.
    Fault::new("half-requests", "50,000 connections with half a request each", half_requests).afresh(),
    Fault::new("slow-follower", "who follows events does not read for a while", slow_follower)
        .with("[limits]\nevents_per_second = 1_000_000\n"),
];

fn ring(ground: &mut Ground, traffic: &Traffic, _nth: usize) -> Fate {
    ground.agent.signal(Signal::SIGSTOP);
    eventually(PATIENCE, "events are lost", || ground.gauge.read().lost > 100);
    traffic.goes_on();
    ground.agent.signal(Signal::SIGCONT);
    Fate { may_lose: true, ..Fate::default() }
}

/// What is refused is told, with the limit's name; what is in force stays.
fn map_full(ground: &mut Ground, traffic: &Traffic, _nth: usize) -> Fate {
    let mut made = Vec::new();
    for number in 0..60 {
        let address = format!("192.0.2.{number}");
        let output = ground.agent.cli(&["-o", "json", "block", "ip", &address, "--for", "1d"]);
        match output.code {
            Some(0) => made.push(address),
            Some(5)
                if output.stderr.contains("limits.addresses_v4") || output.stdout.contains("limits.addresses_v4") =>
            {
                break;
            }
            _ => panic!("{output:?}"),
        }
    }
    assert!(made.len() < 60, "there was room for all");
    traffic.goes_on();
    for address in made {
        ground.agent.done(&["unblock", "ip", &address]);
    }
    ground.order();
    eventually(PATIENCE, "the complaint ends", || ground.status()["problems"] == serde_json::json!([]));
    Fate::default()
}

/// The rounds of one ground use one group; it goes with the last of its processes.
fn out_of_memory(ground: &mut Ground, traffic: &Traffic, nth: usize) -> Fate {
    let group = Group::new(ground, nth);
    let program = ground.wrapper("in-group", &format!("echo $$ > {}/cgroup.procs; exec", group.0.display()));
    let _first = ground.stop();
    ground.agent.become_program(&program);
    ground.revive();
    group.limit();
    let lines: Vec<String> =
        (0..2_000_000_u32).map(|at| format!("100.{}.{}.{}\n", 64 + at / 65_536, at / 256 % 256, at % 256)).collect();
    let list = lines.concat();
    let file = ground.net.folder().join("list");
    fs::write(&file, list).expect("a list can be written");
    let done = ground.agent.cli(&["block", "ip", "--file", &file.display().to_string(), "--reason", "a list"]);
    assert_ne!(done.code, Some(0), "there was memory enough");
    ground.agent.wait_for_end();
    let fate = ground.lost_agent();
    traffic.goes_on();
    ground.agent.become_program(enforcer_tests::program());
    ground.revive();
    // Parts of a list that were acknowledged stay.
    ground.take_back_list();
    fate
}

/// A group of processes with a limit of memory, of the first or the second version of cgroups.
struct Group(PathBuf);

impl Group {
    fn new(ground: &Ground, nth: usize) -> Self {
        let name = format!("enf-{}-{nth}", std::process::id());
        let first = PathBuf::from("/sys/fs/cgroup/memory");
        let root = if first.is_dir() { first } else { PathBuf::from("/sys/fs/cgroup") };
        let path = root.join(name);
        let _there = fs::create_dir(&path);
        assert!(path.join("cgroup.procs").exists(), "no group for {}", ground.net.folder().display());
        Self(path)
    }

    /// A little more than what is in use.
    fn limit(&self) {
        let read =
            |name: &str| fs::read_to_string(self.0.join(name)).ok().and_then(|text| text.trim().parse::<u64>().ok());
        let used = read("memory.usage_in_bytes").or_else(|| read("memory.current")).expect("memory is counted");
        let limit = (used + (8 << 20)).to_string();
        let written = fs::write(self.0.join("memory.limit_in_bytes"), &limit);
        written.or_else(|_absent| fs::write(self.0.join("memory.max"), &limit)).expect("a limit can be set");
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // It can be removed once the kernel has forgotten its last process.
        let started = std::time::Instant::now();
        while fs::remove_dir(&self.0).is_err() && started.elapsed() < PATIENCE {
            thread::yield_now();
        }
    }
}

fn half_requests(ground: &mut Ground, traffic: &Traffic, _nth: usize) -> Fate {
    let half = b"GET /health HTTP/1.1\r\nHost: a\r\nX-Device-Id: mal";
    let play = |number| {
        let play = Play::new().send(half).acknowledged().answers(0);
        if number < LEFT_OPEN { play.leaves() } else { play }
    };
    let played = Player::open(&ground.net, &CLIENT).perform(HALVES, 64, play);
    let taken = played.iter().filter(|one| one.acknowledged == half.len()).count();
    assert_eq!(taken, HALVES, "not all halves were taken");
    traffic.goes_on();
    Fate::default()
}

fn slow_follower(ground: &mut Ground, traffic: &Traffic, _nth: usize) -> Fate {
    let id =
        Pid::from_raw(i32::try_from(ground.follower.as_ref().expect("somebody follows").id()).expect("a process id"));
    let before = ground.agent.log().matches("a follower is too slow").count();
    kill(id, Signal::SIGSTOP).expect("stopped");
    let told = ground.gauge.read().told;
    eventually(PATIENCE, "far more events than wait for anybody", || ground.gauge.read().told > told + 6_000);
    kill(id, Signal::SIGCONT).expect("goes on");
    traffic.goes_on();
    eventually(PATIENCE, "it was too slow", || ground.agent.log().matches("a follower is too slow").count() > before);
    Fate::default()
}

const HALVES: usize = 50_000;
/// The others hang up, which does not show in what is held.
const LEFT_OPEN: usize = 20_000;
