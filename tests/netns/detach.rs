//! `detach` leaves nothing in the kernel, with and without an agent, and the decisions on the disk.

use std::{fs, time::Duration};

use enforcer_tests::{ATTACKER, Agent, CLIENT, Net, Objects, Tap, classifiers, eventually, xdp_programs};

/// Given an agent with decisions, fresh or one that adopted what it found. When it is told to detach. Then the agent ends,
/// no program, map, link or pin is left, everything passes; and the next agent has the same decisions.
#[test]
fn nothing_is_left_in_the_kernel() {
    let net = Net::new();
    let mut agent = Agent::start(&net, SERVICE);
    let tap = Tap::open(&net, &ATTACKER);
    agent.done(&["block", "ip", "203.0.113.7"]);
    for adopted in [false, true] {
        if adopted {
            agent.kill9();
            agent.restart();
        }
        assert!(!tap.passes("203.0.113.7"));
        let objects = agent.objects();
        assert_eq!((agent.pinned_links().len(), objects.alive()), (6, objects.clone()));
        agent.done(&["detach"]);
        eventually(SOON, "it passes", || tap.passes("203.0.113.7"));
        eventually(SOON, "the agent ends", || !agent.is_running());
        is_clean(&net, &agent, &objects);
        agent.restart();
        assert!(!tap.passes("203.0.113.7"));
    }
}

/// Given what a killed agent left. When `detach --offline` is run. Then nothing of it is left.
#[test]
fn what_a_dead_agent_left_can_be_taken_off() {
    let net = Net::new();
    let mut agent = Agent::start(&net, SERVICE);
    let tap = Tap::open(&net, &ATTACKER);
    agent.done(&["block", "ip", "203.0.113.7"]);
    let objects = agent.objects();
    agent.kill9();
    assert!(!tap.passes("203.0.113.7"));
    assert_eq!(agent.cli(&["detach"]).code, Some(4));
    let config = agent.state().with_file_name("enforcer.toml");
    agent.done(&["detach", "--offline", "--config", &config.display().to_string()]);
    eventually(SOON, "it passes", || tap.passes("203.0.113.7"));
    is_clean(&net, &agent, &objects);
}

fn is_clean(net: &Net, agent: &Agent, objects: &Objects) {
    eventually(SOON, "programs, maps and links are gone", || objects.alive() == Objects::default());
    for link in [&CLIENT, &ATTACKER] {
        assert!(xdp_programs(&net.host, link.interface).is_empty());
        assert!(classifiers(&net.host, link.interface).is_empty());
    }
    let folders = [agent.pins().join("maps"), agent.pins().join("links"), agent.pins().join("maps-new")];
    let pins = folders.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten().count();
    assert_eq!(pins, 0);
}

/// The kernel lets go of what is no longer pinned a moment later.
const SOON: Duration = Duration::from_secs(5);
const SERVICE: &str = "[[service]]\nname = \"pay\"\nports = [8080]\ndevice = [{ header = \"X-Device-Id\" }]\n";
