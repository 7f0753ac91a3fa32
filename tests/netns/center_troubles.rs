//! A center in trouble: hosts go on, and what it knows when it is well again has no hole.

use std::{net::IpAddr, thread, time::Duration};

use aya::maps::{HashMap, MapData};
use enforcer_common::{Action, FlowKey, IdentityKey, Rule, UNTIL_NEVER};
use enforcer_tests::eventually;
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::lab::Lab;

const SOON: Duration = Duration::from_secs(40);

/// Given decisions of the center, one of which ends soon. When its cable is off, and then when it hangs. Then the host enforces, the end
/// comes when it was due, acts by hand count; and when the center is back, it has every event, and the host what was decided meanwhile.
#[test]
fn a_center_that_is_cut_off_or_hangs_changes_nothing_on_the_host() {
    let mut lab = Lab::start();
    for (round, is_cut) in [true, false].into_iter().enumerate() {
        let name = |what: &str| format!("{what}-device-{round}");
        lab.decide(&name("stolen"), 3600);
        lab.decide(&name("short"), 8);
        lab.answers(&name("stolen"), 403);
        lab.answers(&name("short"), 403);
        if is_cut {
            lab.center.cable(0, false);
        } else {
            lab.center.signal(Signal::SIGSTOP);
        }
        lab.answers(&name("short"), 200);
        assert_eq!(lab.net.answer_to(&name("stolen")), 403);
        lab.agent.block_device(&name("by-hand"), "deny");
        assert_eq!(lab.net.answer_to(&name("by-hand")), 403);
        if is_cut {
            lab.decide(&name("meanwhile"), 3600);
            assert_eq!(lab.net.answer_to(&name("meanwhile")), 200);
            lab.center.cable(0, true);
        } else {
            lab.center.signal(Signal::SIGCONT);
            lab.decide(&name("meanwhile"), 3600);
        }
        lab.answers(&name("meanwhile"), 403);
        lab.is_in_sync();
    }
    eventually(SOON, "both acts are at the center", || lab.reasons().values().sum::<u64>() == 2);
    lab.has_no_hole();
}

/// Given a center whose disk is full. When a policy is applied, decisions are made and the host has events. Then each is refused as a whole,
/// nothing is published, and the host goes on; with room again everything works, and no event is missing.
#[test]
fn a_center_with_a_full_disk_publishes_nothing_and_loses_nothing() {
    let lab = Lab::start_on(Some(24), "");
    lab.decide("stolen-device", 3600);
    lab.answers("stolen-device", 403);
    lab.is_in_sync();
    let revision = lab.revision();
    lab.center.fill(true);
    let asked = json!({"kind": "device", "value": "too-late", "action": "deny", "seconds": 3600});
    let mut refused = 0;
    eventually(SOON, "decisions are refused", || {
        // What is left of the pages that SQLite already has may take a few.
        refused += u32::from(lab.center.ask(&lab.token, "POST", "/decisions", &asked).0 == 500);
        refused > 3
    });
    let stuck = lab.revision();
    assert!(stuck < revision + 20, "{stuck}");
    let pairs = pair(["pair-1", "pair-2"]);
    assert_eq!(lab.center.ask(&lab.token, "POST", "/decisions/many", &pairs).0, 500);
    for number in 0..5 {
        lab.agent.block_device(&format!("by-hand-{number}"), "deny");
    }
    assert_eq!((lab.net.answer_to("stolen-device"), lab.net.answer_to("by-hand-1")), (403, 403));
    assert_eq!((lab.net.answer_to("pair-1"), lab.net.answer_to("pair-2"), lab.revision()), (200, 200, stuck));
    lab.center.fill(false);
    eventually(SOON, "there is room again", || lab.center.ask(&lab.token, "POST", "/decisions/many", &pairs).0 == 201);
    lab.answers("pair-1", 403);
    lab.answers("pair-2", 403);
    eventually(SOON, "all acts are at the center", || lab.reasons().values().sum::<u64>() == 5);
    lab.is_in_sync();
    lab.has_no_hole();
    lab.center.cli(&["audit", "verify"]);
}

/// Given a center that is killed at any moment while pairs of decisions are made. When it is back. Then the host has both of a pair, or
/// none, and what was answered is there.
#[test]
fn no_half_of_a_change_outlives_a_crash() {
    let mut lab = Lab::start();
    let mut answered = Vec::new();
    for round in 0..8 {
        let asked = pair([&format!("pair-{round}-a"), &format!("pair-{round}-b")]);
        let Lab { center, token, .. } = &lab;
        let id = nix::unistd::Pid::from_raw(i32::try_from(center.id()).expect("a process id"));
        let status = thread::scope(|scope| {
            let asking = scope.spawn(|| center.try_ask(token, "POST", "/decisions/many", &asked));
            thread::sleep(Duration::from_millis(round * 12));
            nix::sys::signal::kill(id, Signal::SIGKILL).expect("killed");
            asking.join().expect("it does not panic")
        });
        lab.center.kill9();
        lab.center.restart();
        answered.extend((status == Some(201)).then_some(round));
    }
    lab.is_in_sync();
    for round in 0..8 {
        let (one, other) =
            (lab.net.answer_to(&format!("pair-{round}-a")), lab.net.answer_to(&format!("pair-{round}-b")));
        assert_eq!(one, other, "half of pair {round}");
        assert!(one == 403 || !answered.contains(&round), "pair {round} was answered, and is gone");
    }
    lab.center.cli(&["audit", "verify"]);
}

/// Given a host of a center. When somebody changes, adds and removes entries of its maps by hand. Then that is mended, counted, and an
/// event and an audit entry at the center, each once.
#[test]
fn what_was_done_to_the_maps_by_hand_stands_in_the_audit_log() {
    let lab = Lab::start();
    lab.decide("stolen-device", 3600);
    lab.answers("stolen-device", 403);
    let mut identities: HashMap<MapData, IdentityKey, Rule> = lab.agent.pinned("IDENTITIES").try_into().expect("a map");
    let key = identities.keys().next().expect("an entry").expect("a key");
    let mended = |before: f64, what: &str| {
        eventually(SOON, what, || {
            lab.agent.metric("enforcer_drift_repaired_total", &[]) > Some(before)
                && lab.net.answer_to("stolen-device") == 403
        });
        lab.agent.metric("enforcer_drift_repaired_total", &[]).expect("a number")
    };
    identities.insert(key, Rule::new(Action::Observe, UNTIL_NEVER, 7), 0).expect("changed");
    let first = mended(0.0, "a changed entry is mended");
    identities.remove(&key).expect("removed");
    let second = mended(first, "a removed entry is put back");
    let flow =
        FlowKey::new(IpAddr::from([198, 51, 100, 7]).into(), 40_001, IpAddr::from([10, 77, 2, 1]).into(), 8080, 17);
    let mut flows: HashMap<MapData, FlowKey, Rule> = lab.agent.pinned("FLOWS").try_into().expect("a map");
    flows.insert(flow, Rule::new(Action::Drop, UNTIL_NEVER, 1), 0).expect("added");
    mended(second, "an added entry is taken out");
    assert!(flows.get(&flow, 0).is_err());
    let drifts = || lab.events("&kind=act").iter().filter(|act| act["what"] == "drift").count();
    eventually(SOON, "all three are events", || drifts() == 3);
    let audit = lab.center.cli(&["audit", "show"]).to_string();
    assert_eq!(audit.matches("somebody: drift").count(), 3, "{audit}");
}

/// A request for two decisions at once.
fn pair(devices: [&str; 2]) -> Value {
    let decisions = devices.map(|device| json!({"kind": "device", "value": device, "action": "deny"}));
    json!({ "decisions": decisions })
}

impl Lab {
    fn decide(&self, device: &str, seconds: u64) {
        let asked = json!({"kind": "device", "value": device, "action": "deny", "seconds": seconds});
        let (status, answer) = self.center.ask(&self.token, "POST", "/decisions", &asked);
        assert_eq!(status, 201, "{answer}");
    }

    #[track_caller]
    fn answers(&self, device: &str, status: u16) {
        eventually(SOON, &format!("{device} gets {status}"), || self.net.answer_to(device) == status);
    }

    fn revision(&self) -> u64 {
        let (status, health) = self.center.ask(&self.token, "GET", "/health", &Value::Null);
        assert_eq!(status, 200, "{health}");
        health["revision"].as_u64().expect("a number")
    }

    #[track_caller]
    fn is_in_sync(&self) {
        let wanted = ("in sync".to_owned(), self.revision());
        eventually(SOON, "the host is in sync", || self.center.states(&self.token) == [wanted.clone()]);
    }

    /// Numbers of events follow each other, and nothing was given up.
    #[track_caller]
    fn has_no_hole(&self) {
        let events = self.events("");
        assert!(events.iter().all(|event| event["kind"] != "gap"), "{events:#?}");
        let sequences: Vec<u64> = events.iter().filter_map(|event| event["sequence"].as_u64()).collect();
        assert_eq!(sequences, (1..=sequences.len() as u64).collect::<Vec<_>>());
    }
}
