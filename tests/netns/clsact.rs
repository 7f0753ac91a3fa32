//! A kernel without tcx: classifiers hang on clsact, where anybody with `tc` can take them off, and are missed there.

use std::{fs, time::Duration};

use enforcer_tests::{ATTACKER, Agent, CLIENT, Net, Nginx, Requests, eventually, without_links};

/// Given an agent whose kernel has no tcx. When its classifiers are taken off, its qdisc is removed, or another program is put in the place
/// of its own. Then its own are there again, it is counted, and a refused device gets no answer but the refusal.
#[test]
fn a_classifier_that_is_taken_off_is_hung_again() {
    let net = Net::new();
    let nginx = Nginx::start(&net);
    let mut agent = Agent::start(&net, SERVICE);
    agent.done(&["block", "device", "mallory"]);
    lose_tcx(&net, &mut agent);
    assert!(is_refused(&net));
    // A filter that lets everything pass.
    let other = net.folder().join("other");
    fs::write(&other, "1,6 0 0 4294967295\n").expect("a file can be written");
    let replaced = format!("tc filter replace dev {{}} ingress pref 50 handle 1 bpf bytecode-file {}", other.display());
    let mut repaired = 0;
    for (damage, hooks) in [
        ("tc filter del dev {} ingress pref 50", 1),
        ("tc filter del dev {} egress pref 50", 1),
        (&replaced, 1),
        ("tc qdisc del dev {} clsact", 2),
    ] {
        net.host.exec(&damage.replace("{}", CLIENT.interface));
        repaired += hooks;
        eventually(PATIENCE, damage, || agent.repaired() == repaired);
        assert!(is_refused(&net), "{damage}");
        assert_eq!(ours(&net), 4, "{damage}");
    }
    assert_eq!(agent.json(&["status"])["problems"], serde_json::json!([]));
    assert!(nginx.served().is_empty());
}

/// Given such an agent. When an interface is deleted. Then nothing of it is left: the note of a classifier would hold its program and all maps.
#[test]
fn an_interface_that_goes_leaves_nothing() {
    let net = Net::new();
    let mut agent = Agent::start(&net, SERVICE);
    lose_tcx(&net, &mut agent);
    assert_eq!(agent.pinned_links().len(), 6);
    net.host.exec(&format!("ip link delete {}", ATTACKER.interface));
    eventually(PATIENCE, "its pins are gone", || agent.pinned_links().len() == 3);
    assert_eq!(agent.repaired(), 0);
}

/// The agent goes on without links for its classifiers.
fn lose_tcx(net: &Net, agent: &mut Agent) {
    agent.kill9();
    for pin in agent.pinned_links().into_iter().filter(|pin| !pin.starts_with("xdp-")) {
        fs::remove_file(agent.pins().join("links").join(pin)).expect("a pin can be removed");
    }
    agent.become_program(&without_links(net.folder()));
    agent.restart();
    assert_eq!(agent.json(&["status"])["attachments"].to_string().matches("clsact").count(), 4);
}

fn is_refused(net: &Net) -> bool {
    let outcomes = Requests::to(CLIENT.web4()).total(1).device(|_| Some("mallory".into())).run(&net.client);
    outcomes.iter().all(|outcome| outcome.status() == Some(403))
}

/// Classifiers of ours on clsact.
fn ours(net: &Net) -> usize {
    let shown = |interface, way| net.host.exec(&format!("tc filter show dev {interface} {way}"));
    let all = [&CLIENT, &ATTACKER].map(|link| [shown(link.interface, "ingress"), shown(link.interface, "egress")]);
    all.as_flattened().iter().map(|text| text.matches("handle 0x1 enforcer_").count()).sum()
}

const PATIENCE: Duration = Duration::from_secs(20);
const SERVICE: &str = "[[service]]\nname = \"pay\"\nports = [8080]\ndevice = [{ header = \"X-Device-Id\" }]\n";
