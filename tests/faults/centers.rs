//! Faults of the center and of the way to it: gone, killed, hung, damaged deliveries, receivers of events that do not read; and of the clock.
//!
//! In: a ground under traffic, whose host belongs to a center. Out: what the sums must know. Never here: a sum.

use std::{fs, net::TcpListener};

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
    Fault::new("center-cut", "the cable to the center is off while decisions are made on both sides", cut).central(),
    Fault::new("center-kill", "the center is killed (kill -9), and started again", kill).central(),
    Fault::new("center-hang", "the center hangs (SIGSTOP), then goes on", hang).central(),
    Fault::new("deliveries-cut", "the kept deliveries lose their end while no agent runs", deliveries_cut).central(),
    Fault::new("deliveries-flip", "one bit of the kept deliveries is flipped while no agent runs", deliveries_flipped)
        .central(),
    Fault::new("siem-stuck", "a receiver of the center's exports never reads, another is not there", stuck).central(),
    Fault::new("center-day", "the center is gone for a day of the agent's wall clock (libfaketime)", day).central(),
    Fault::new("clock-jumps", "the agent's wall clock jumps 6 hours ahead, and back (libfaketime)", clock_jumps),
];

fn cut(ground: &mut Ground, traffic: &Traffic, nth: usize) -> Fate {
    fleet(ground).center.cable(0, false);
    ground.order();
    decide(ground, &format!("meanwhile-{nth}"));
    traffic.goes_on();
    fleet(ground).center.cable(0, true);
    arrives(ground, &format!("meanwhile-{nth}"));
    Fate::default()
}

fn kill(ground: &mut Ground, traffic: &Traffic, nth: usize) -> Fate {
    decide(ground, &format!("before-{nth}"));
    fleet(ground).center.kill9();
    ground.order();
    traffic.goes_on();
    fleet(ground).center.restart();
    decide(ground, &format!("after-{nth}"));
    arrives(ground, &format!("before-{nth}"));
    arrives(ground, &format!("after-{nth}"));
    Fate::default()
}

fn hang(ground: &mut Ground, traffic: &Traffic, nth: usize) -> Fate {
    fleet(ground).center.signal(Signal::SIGSTOP);
    ground.order();
    traffic.goes_on();
    fleet(ground).center.signal(Signal::SIGCONT);
    decide(ground, &format!("after-{nth}"));
    arrives(ground, &format!("after-{nth}"));
    Fate::default()
}

fn deliveries_cut(ground: &mut Ground, traffic: &Traffic, nth: usize) -> Fate {
    damaged(ground, traffic, nth, |bytes| bytes.truncate(bytes.len() - 1 - nth % 40))
}

fn deliveries_flipped(ground: &mut Ground, traffic: &Traffic, nth: usize) -> Fate {
    damaged(ground, traffic, nth, |bytes| {
        let at = nth * 97 % bytes.len();
        bytes[at] ^= 1 << (nth % 8);
    })
}

/// What the center says comes again from there.
fn damaged(ground: &mut Ground, traffic: &Traffic, nth: usize, damage: impl Fn(&mut Vec<u8>)) -> Fate {
    decide(ground, &format!("kept-{nth}"));
    arrives(ground, &format!("kept-{nth}"));
    eventually(PATIENCE, "the host is in sync", || fleet(ground).is_in_sync());
    let fate = ground.kill();
    let path = ground.agent.state().join("center/deliveries");
    let mut bytes = fs::read(&path).expect("deliveries are kept");
    damage(&mut bytes);
    fs::write(&path, bytes).expect("written");
    traffic.goes_on();
    ground.revive();
    arrives(ground, &format!("kept-{nth}"));
    eventually(PATIENCE, "all is listed again", || ground.listed_ids() == ground.book);
    fate
}

fn stuck(ground: &mut Ground, traffic: &Traffic, _nth: usize) -> Fate {
    let fleet = fleet(ground);
    let listener = fleet.center.space().inside(|| TcpListener::bind("127.0.0.1:0")).expect("a port is free");
    let port = listener.local_addr().expect("an address").port();
    let folder = ground.net.folder().display().to_string();
    let exports = format!(
        "[export.file]\nto = \"file\"\npath = \"{folder}/archive.jsonl\"\n\
         [export.stuck]\nto = \"syslog\"\naddress = \"127.0.0.1:{port}\"\nformat = \"cef\"\n\
         [export.absent]\nto = \"syslog\"\naddress = \"127.0.0.1:9\"\nformat = \"ocsf\"\n"
    );
    self::fleet(ground).center.export(&exports);
    ground.order();
    traffic.goes_on();
    let lines = || fs::read_to_string(format!("{folder}/archive.jsonl")).unwrap_or_default().lines().count();
    let before = lines();
    ground.order();
    eventually(PATIENCE, "the file goes on without the others", || lines() > before);
    drop(listener);
    // The export was named to a center that was started again, and the host finds it by and by.
    eventually(PATIENCE, "the host has found the center again", || {
        ground.status()["problems"] == serde_json::json!([])
    });
    Fate::default()
}

/// 23 hours: what holds for a day holds still; and two hours more: it ends when it was due, center or not.
fn day(ground: &mut Ground, traffic: &Traffic, nth: usize) -> Fate {
    let mut fate = ground.kill();
    let clock = Clock::new(ground);
    ground.revive();
    decide(ground, &format!("day-{nth}"));
    arrives(ground, &format!("day-{nth}"));
    fleet(ground).center.cable(0, false);
    clock.set("+23h");
    traffic.goes_on();
    ground.ticks();
    assert_eq!(ground.ask(&format!("day-{nth}")), Some(403), "it ended early");
    clock.set("+0");
    ground.ticks();
    ground.agent.kill9();
    ground.agent.become_program(enforcer_tests::program());
    fate.told_at_death = ground.gauge.read().told;
    fleet(ground).center.cable(0, true);
    ground.revive();
    eventually(PATIENCE, "all is listed again", || ground.listed_ids() == ground.book);
    fate
}

fn clock_jumps(ground: &mut Ground, traffic: &Traffic, _nth: usize) -> Fate {
    let mut fate = ground.kill();
    let clock = Clock::new(ground);
    ground.revive();
    for jump in ["+6h", "-6h", "+0"] {
        clock.set(jump);
        ground.ticks();
        traffic.goes_on();
    }
    ground.agent.kill9();
    ground.agent.become_program(enforcer_tests::program());
    fate.told_at_death = ground.gauge.read().told;
    ground.revive();
    fate
}

/// The wall clock of an agent that is started through it, alone.
struct Clock(std::path::PathBuf);

impl Clock {
    fn new(ground: &mut Ground) -> Self {
        let clock = Self(ground.net.folder().join("clock"));
        clock.set("+0");
        let library =
            ["x86_64", "aarch64"].map(|machine| format!("/usr/lib/{machine}-linux-gnu/faketime/libfaketime.so.1"));
        let library = library.iter().find(|path| fs::exists(path).unwrap_or(false)).expect("libfaketime is installed");
        let before = format!(
            "exec env LD_PRELOAD={library} FAKETIME_DONT_FAKE_MONOTONIC=1 DONT_FAKE_MONOTONIC=1 FAKETIME_NO_CACHE=1 FAKETIME_TIMESTAMP_FILE={}",
            clock.0.display()
        );
        let program = ground.wrapper("other-clock", &before);
        ground.agent.become_program(&program);
        clock
    }

    fn set(&self, offset: &str) {
        let new = self.0.with_extension("new");
        fs::write(&new, format!("{offset}\n")).and_then(|()| fs::rename(new, &self.0)).expect("a file can be written");
    }
}

fn fleet(ground: &mut Ground) -> &mut crate::fleet::Fleet {
    ground.fleet.as_mut().expect("the ground has a center")
}

/// The center blocks a device.
fn decide(ground: &mut Ground, device: &str) {
    let id = fleet(ground).block(device);
    ground.book.insert(id);
}

fn arrives(ground: &Ground, device: &str) {
    eventually(PATIENCE, "the center's decision is enforced", || ground.ask(device) == Some(403));
}
