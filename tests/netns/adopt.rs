//! A new agent takes over what the last one left in the kernel: nothing is lost, doubled, or interrupted.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use aya::maps::{Array, MapData, PerCpuArray};
use enforcer_common::Settings;
use enforcer_tests::{ATTACKER, Agent, CLIENT, Frame, Net, Tap, classifiers, eventually, xdp_programs};

/// Given decisions of every kind and counted packets. When the agent is killed and started again, several times. Then
/// decisions, counters, maps and links are those from before, and each hook has exactly one program: the new one.
#[test]
fn a_new_agent_adopts_everything() {
    let net = Net::new();
    let mut agent = Agent::start(&net, SERVICE);
    let tap = Tap::open(&net, &ATTACKER);
    agent.done(&["block", "ip", "203.0.113.0/24"]);
    agent.done(&["block", "device", "mallory"]);
    agent.done(&["block", "flow", "udp 198.51.100.7:5 > 10.77.2.1:53"]);
    agent.done(&["allow", "203.0.113.7"]);
    for round in 1..=3 {
        assert_eq!(tap.passing(&["203.0.113.7", "203.0.113.8"]), [true, false]);
        let before = agent.objects();
        let list = agent.json(&["list"]);
        agent.kill9();
        assert_eq!(tap.passing(&["203.0.113.7", "203.0.113.8"]), [true, false]);
        agent.restart();
        let after = agent.objects();
        assert_eq!((&after.maps, &after.links), (&before.maps, &before.links), "round {round}");
        assert!(after.programs.is_disjoint(&before.programs), "the programs were not replaced: {after:?}");
        eventually(SOON, "the old programs are gone", || before.alive().programs.is_empty());
        assert_eq!(agent.json(&["list"]), list);
        assert_eq!(agent.json(&["status"])["problems"], serde_json::json!([]));
        assert_eq!(agent.json(&["status"])["drift"]["repaired"], 0);
        for link in [&CLIENT, &ATTACKER] {
            assert_eq!(xdp_programs(&net.host, link.interface).len(), 1, "{}", link.interface);
            assert_eq!(classifiers(&net.host, link.interface).len(), 2, "{}", link.interface);
        }
        let dropped = agent.metric("enforcer_packets_total", &[("reason", "blocked_source")]);
        assert_eq!(dropped, Some(f64::from(round * 2)), "counters began anew");
    }
}

/// Given a flood from a blocked network. When the agent is killed and started with other limits, so that all maps are made
/// anew. Then not one packet of the flood gets through, everyone else's do, and status says what was done.
#[test]
fn changed_limits_migrate_without_a_gap() {
    let net = Net::new();
    let mut agent = Agent::start(&net, "");
    let tap = Tap::open(&net, &ATTACKER);
    agent.done(&["block", "ip", "203.0.113.0/24"]);
    let before = agent.objects();
    let flooding = AtomicBool::new(true);
    let (sent, leaked, lost) = thread::scope(|scope| {
        let flood = scope.spawn(|| flood(&tap, &flooding));
        agent.kill9();
        agent.reload("[limits]\naddresses_v4 = 5_000\nflows = 100\n");
        agent.restart();
        flooding.store(false, Ordering::Relaxed);
        flood.join().expect("the flood ends")
    });
    assert!(sent > 100, "only {sent} frames were sent");
    assert_eq!((leaked, lost), (0, 0), "of {sent} frames of either kind");
    let status = agent.json(&["status"]);
    assert!(status["problems"].to_string().contains("pinned maps were replaced"), "{status:#}");
    let maps = status["maps"].as_array().expect("maps");
    let flows = maps.iter().find(|map| map["map"] == "flows").expect("flows");
    assert_eq!(flows["capacity"], 100);
    let after = agent.objects();
    assert!(after.maps.is_disjoint(&before.maps) && after.links == before.links, "{before:?} {after:?}");
    eventually(SOON, "the old maps and programs are gone", || {
        let left = before.alive();
        left.maps.is_empty() && left.programs.is_empty()
    });
}

/// Given packets that were refused while no agent ran. When one is started with other limits, so that the ring they were told into is
/// replaced. Then it has read every event all the same.
#[test]
fn events_of_replaced_maps_are_read() {
    let net = Net::new();
    let mut agent = Agent::start(&net, "[limits]\nevents_per_second = 1_000_000\n");
    let tap = Tap::open(&net, &ATTACKER);
    agent.done(&["block", "ip", "203.0.113.0/24"]);
    agent.kill9();
    // The kernel tells of no more than one in a tick of its clock.
    eventually(SOON, "some are told", || !tap.passes("203.0.113.7") && told(&agent) >= 5);
    let told = told(&agent);
    agent.reload("[limits]\nflows = 100\n");
    agent.restart();
    eventually(SOON, "all are read", || agent.json(&["status"])["events"]["seen"] == told);
    assert_eq!(agent.json(&["status"])["events"]["lost"], 0);
}

/// Events that the kernel has told into the pinned ring.
fn told(agent: &Agent) -> u64 {
    let counts = PerCpuArray::<_, u64>::try_from(agent.pinned("EVENT_COUNTS")).expect("it counts for each processor");
    counts.get(&0, 0).expect("a first one").iter().sum()
}

/// Given more decisions than new limits have room for. When an agent is started with these limits. Then it refuses, naming
/// the limit, and what the old agent left goes on enforcing all of them.
#[test]
fn limits_below_what_is_decided_are_refused() {
    let net = Net::new();
    let mut agent = Agent::start(&net, "");
    let tap = Tap::open(&net, &ATTACKER);
    agent.done(&["block", "ip", "203.0.113.7"]);
    agent.done(&["block", "ip", "203.0.113.8"]);
    agent.kill9();
    agent.reload("[limits]\naddresses_v4 = 1\n");
    let config = agent.state().with_file_name("enforcer.toml").display().to_string();
    let refused = agent.cli(&["run", "--config", &config]);
    assert_eq!(refused.code, Some(1), "{refused:#?}");
    assert!(refused.stderr.contains("limits.addresses_v4"), "{refused:#?}");
    assert_eq!(tap.passing(&["203.0.113.7", "203.0.113.8"]), [false, false]);
    agent.reload("[limits]\naddresses_v4 = 2\n");
    agent.restart();
    assert_eq!(tap.passing(&["203.0.113.7", "203.0.113.8"]), [false, false]);
}

/// Given pinned maps of another layout, or a set with one missing. When the agent starts. Then it says why it replaced them,
/// and every decision is in force.
#[test]
fn foreign_maps_are_reported_and_replaced() {
    let net = Net::new();
    let mut agent = Agent::start(&net, "");
    let tap = Tap::open(&net, &ATTACKER);
    agent.done(&["block", "ip", "203.0.113.0/24"]);
    agent.kill9();
    let mut settings: Array<MapData, Settings> = agent.pinned("SETTINGS").try_into().expect("an array");
    let mut foreign = settings.get(&0, 0).expect("the settings");
    foreign.abi = 999;
    settings.set(0, foreign, 0).expect("written");
    agent.restart();
    assert!(!tap.passes("203.0.113.7"));
    assert!(problems(&agent).contains("map layout 999, this agent has"), "{}", problems(&agent));

    agent.kill9();
    std::fs::remove_file(agent.pins().join("maps/COUNTERS")).expect("a pin can be removed");
    agent.restart();
    assert!(!tap.passes("203.0.113.7"));
    assert!(problems(&agent).contains("the pinned map COUNTERS is missing"), "{}", problems(&agent));

    agent.kill9();
    agent.restart();
    assert_eq!(problems(&agent), "[]");
}

fn problems(agent: &Agent) -> String {
    agent.json(&["status"])["problems"].to_string()
}

/// Sends pairs of frames, blocked and clean: how many pairs, how many blocked ones got through, how many clean ones did not.
fn flood(tap: &Tap, going: &AtomicBool) -> (usize, usize, usize) {
    let (mut sent, mut leaked, mut lost) = (0, 0, 0);
    let frame = |from: &str| Frame::on(&ATTACKER).udp(from.parse().expect("an address"), ATTACKER.web4(), b"flood");
    while going.load(Ordering::Relaxed) {
        let frames: Vec<Frame> =
            (0..20).map(|at| frame(if at % 2 == 0 { "203.0.113.7:1" } else { "198.51.100.7:1" })).collect();
        for (at, passed) in tap.deliver(&frames).into_iter().enumerate() {
            leaked += usize::from(at % 2 == 0 && passed);
            lost += usize::from(at % 2 == 1 && !passed);
        }
        sent += frames.len() / 2;
    }
    (sent, leaked, lost)
}

/// The kernel frees what is no longer used a moment later.
const SOON: Duration = Duration::from_secs(5);
const SERVICE: &str = "[[service]]\nname = \"pay\"\nports = [8080]\ndevice = [{ header = \"X-Device-Id\" }]\n";
