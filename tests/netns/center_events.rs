//! Events of a host, at its center: each once, whatever dies in between.

use std::{collections::BTreeMap, time::Duration};

use enforcer_tests::{Agent, eventually};
use serde_json::Value;

use crate::lab::Lab;

const SOON: Duration = Duration::from_secs(30);

/// Given a host whose people decide again and again. When agent and center are killed at any moment while events flow. Then every act
/// that was answered is at the center exactly once, and once in its audit log; numbers have no hole.
#[test]
fn every_act_is_counted_once_through_crashes_of_both_ends() {
    let mut lab = Lab::start();
    let mut answered = Vec::new();
    for round in 0..6 {
        for number in 0..12 {
            let reason = format!("round {round} act {number}");
            let block = ["block", "device", "--value", "stolen-device", "--action", "deny", "--reason", &reason];
            if lab.agent.cli(&block).code == Some(0) {
                answered.push(reason);
            }
            if round % 2 == 0 && number == 5 {
                lab.agent.kill9();
                lab.agent.restart();
            }
            if round % 3 == 1 && number == 7 {
                lab.center.kill9();
            }
        }
        if round % 3 == 1 {
            lab.center.restart();
        }
    }
    assert!(answered.len() > 60, "{answered:?}");
    let mut told = BTreeMap::new();
    eventually(SOON, "all acts are at the center", || {
        told = lab.reasons();
        answered.iter().all(|reason| told.contains_key(reason))
    });
    assert!(told.values().all(|times| *times == 1), "{told:#?}");
    let audit = lab.center.cli(&["audit", "show"]).to_string();
    for reason in &answered {
        assert_eq!(audit.matches(&format!("{reason} (event")).count(), 1, "{reason}");
    }
    lab.center.cli(&["audit", "verify"]);
    let events = lab.events("");
    assert!(events.iter().all(|event| event["kind"] != "gap"), "{events:#?}");
    let sequences: Vec<u64> = events.iter().filter_map(|event| event["sequence"].as_u64()).collect();
    assert_eq!(sequences, (1..=sequences.len() as u64).collect::<Vec<_>>());
    let shown = lab.fleet(&["--kind", "act", "--limit", "2"]);
    assert_eq!(shown["items"].as_array().map(Vec::len), Some(2), "{shown}");
}

/// Given a blocked device. When it asks a known number of times while the center is away, and the center comes back. Then refusals
/// wait on the host's disk, arrive added up, and their sum is that number; the device's name is nowhere.
#[test]
fn refusals_wait_on_the_disk_and_arrive_added_up() {
    let mut lab = Lab::start();
    let id = lab.agent.block_device("stolen-device-4711", "deny");
    eventually(SOON, "the act is at the center", || lab.reasons().len() == 1);
    lab.center.kill9();
    for _ in 0..40 {
        assert_eq!(lab.net.answer_to("stolen-device-4711"), 403);
    }
    let waiting = |agent: &Agent| agent.metric("enforcer_spool_events", &[]);
    eventually(SOON, "refusals wait on the host", || waiting(&lab.agent) > Some(0.0));
    lab.center.restart();
    let sum = |events: &[Value]| -> u64 { events.iter().filter_map(|event| event["count"].as_u64()).sum() };
    let mut refusals = Vec::new();
    eventually(SOON, "all refusals are at the center", || {
        refusals = lab.events("&kind=refusal");
        sum(&refusals) >= 40
    });
    assert_eq!(sum(&refusals), 40, "{refusals:#?}");
    assert!(refusals.iter().all(|one| one["decision"] == *id && one["service"] == "pay"), "{refusals:#?}");
    assert!(!lab.events("").iter().any(|event| event.to_string().contains("device-4711")));
    eventually(SOON, "nothing waits any more", || waiting(&lab.agent) == Some(0.0));
    assert!(lab.agent.metric("enforcer_spool_delivered_total", &[]) > Some(0.0));
    assert_eq!(lab.agent.metric("enforcer_spool_dropped_total", &[]), Some(0.0));
}
