//! Faults of interfaces: down, gone, renamed, in another namespace. They strike the attacker's cable, where the datagrams arrive; the
//! requests on the client's must not notice.
//!
//! In: a ground under traffic. Out: when the cable carried nothing, and when no program hung on it. Never here: a sum.

use std::time::Instant;

use enforcer_tests::{ATTACKER, eventually};

use crate::{
    ground::{Ground, PATIENCE},
    sums::{Fate, Window},
    table::Fault,
    traffic::Traffic,
};

/// All of them.
pub(crate) const FAULTS: &[Fault] = &[
    Fault::new("link-down", "the interface goes down, and up again", down),
    Fault::new("link-gone", "the interface is deleted, and made again", gone),
    Fault::new("link-renamed", "the interface is renamed, and back", renamed),
    Fault::new("link-moved", "the interface is moved to another namespace, and back", moved),
];

fn down(ground: &mut Ground, traffic: &Traffic, _nth: usize) -> Fate {
    let from = Instant::now();
    ground.net.host.exec(&format!("ip link set {} down", ATTACKER.interface));
    traffic.goes_on();
    ground.net.host.exec(&format!("ip link set {} up", ATTACKER.interface));
    Fate { cut: Some(until_heard(traffic, from)), ..Fate::default() }
}

fn gone(ground: &mut Ground, traffic: &Traffic, _nth: usize) -> Fate {
    let from = Instant::now();
    ground.net.unplug(&ATTACKER);
    traffic.goes_on();
    let plugged = Instant::now();
    ground.net.plug(&ATTACKER);
    let cut = until_heard(traffic, from);
    Fate { cut: Some(cut), open: vec![ground.until_enforced(plugged)], ..Fate::default() }
}

/// The agent was told of a name; what hangs on the interface goes on, whatever it is called meanwhile.
fn renamed(ground: &mut Ground, traffic: &Traffic, _nth: usize) -> Fate {
    let name = ATTACKER.interface;
    ground.net.host.exec(&format!("ip link set {name} name elsewhere0"));
    eventually(PATIENCE, "status tells of it", || ground.status()["problems"].to_string().contains(name));
    traffic.goes_on();
    traffic.goes_on();
    ground.net.host.exec(&format!("ip link set elsewhere0 name {name}"));
    eventually(PATIENCE, "all is well again", || ground.status()["problems"] == serde_json::json!([]));
    Fate::default()
}

fn moved(ground: &mut Ground, traffic: &Traffic, _nth: usize) -> Fate {
    let (name, from) = (ATTACKER.interface, Instant::now());
    let (host, other) = (&ground.net.host, &ground.net.client);
    host.exec(&format!("ip link set {name} netns {}", other.name()));
    traffic.goes_on();
    let back = Instant::now();
    other.exec(&format!("ip link set {name} netns {}", host.name()));
    host.exec(&format!("ip addr add {}/24 dev {name}", ATTACKER.host4));
    host.exec(&format!("ip link set {name} up"));
    let cut = until_heard(traffic, from);
    Fate { cut: Some(cut), open: vec![ground.until_enforced(back)], ..Fate::default() }
}

fn until_heard(traffic: &Traffic, from: Instant) -> Window {
    let heard = traffic.heard();
    eventually(PATIENCE, "datagrams arrive again", || traffic.heard() > heard);
    (from, Instant::now())
}
