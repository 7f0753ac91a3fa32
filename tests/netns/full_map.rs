//! A full map is an error to the caller, a metric, a line in `status` and a notice; what was in force stays in force.

use std::time::Duration;

use enforcer_tests::{ATTACKER, Agent, Lines, Net, Tap, eventually};

/// Given maps for two entries each. When a third is asked for. Then the command ends with 5 and names the limit, the order
/// is counted and shown, nothing else has changed, and there is room again once one is ended.
#[test]
fn one_too_many_is_refused_and_told() {
    let net = Net::new();
    let agent = Agent::start(&net, LIMITS);
    for (at, (map, key, [one, two, three])) in (1_u32..).zip(ORDERS) {
        agent.done(one);
        agent.done(two);
        let refused = agent.cli(three);
        assert_eq!(refused.code, Some(5), "{map}: {refused:#?}");
        assert!(refused.stderr.contains(&format!("limits.{key}")), "{map}: {refused:#?}");
        assert_eq!(agent.metric("enforcer_orders_refused_total", &[]), Some(f64::from(at)), "{map}");
        assert_eq!(agent.metric("enforcer_map_entries", &[("map", map)]), Some(2.0), "{map}");
        let problems = agent.json(&["status"])["problems"].to_string();
        assert!(problems.contains(&format!("the map {map} is full: 2 entries")), "{problems}");
        // What is there already needs no room.
        agent.done(two);
        agent.done(&undone(one));
        agent.done(three);
    }
    for (_, _, [_, two, _]) in ORDERS {
        agent.done(&undone(two));
    }
    eventually(Duration::from_secs(5), "the problems are over", || {
        agent.json(&["status"])["problems"] == serde_json::json!([])
    });
}

/// Given a full table. When one more is refused. Then those in it are dropped still, the refused one passes, and the list
/// holds what the kernel holds.
#[test]
fn what_is_in_force_stays_in_force() {
    let net = Net::new();
    let agent = Agent::start(&net, LIMITS);
    let tap = Tap::open(&net, &ATTACKER);
    agent.done(&["block", "ip", "203.0.113.1"]);
    agent.done(&["block", "ip", "203.0.113.2"]);
    assert_eq!(agent.cli(&["block", "ip", "203.0.113.3"]).code, Some(5));
    assert_eq!(tap.passing(&["203.0.113.1", "203.0.113.2", "203.0.113.3"]), [false, false, true]);
    assert_eq!(agent.json(&["list"])["total"], 2);
    assert_eq!(agent.json(&["block", "ip", "203.0.113.2", "--for", "1h"])["change"], "unchanged");
}

/// Given room for two. When a list of four is read. Then the third and fourth line are rejected by number, with the limit.
#[test]
fn a_list_that_does_not_fit_is_rejected_by_line() {
    let net = Net::new();
    let agent = Agent::start(&net, LIMITS);
    let list = b"203.0.113.1\n203.0.113.2\n203.0.113.3\n203.0.113.4\n";
    let output = agent.cli_with(&["-o", "json", "block", "ip", "--file", "-"], list);
    assert_eq!(output.code, Some(5), "{output:#?}");
    let report = output.json();
    assert_eq!((&report["added"], &report["rejected_lines"]), (&2.into(), &2.into()), "{report:#}");
    let lines: Vec<_> = report["first_rejected"].as_array().into_iter().flatten().map(|line| &line["line"]).collect();
    assert_eq!(lines, [3, 4]);
    assert!(report["first_rejected"][0]["reason"].to_string().contains("limits.addresses_v4"), "{report:#}");
    assert_eq!(agent.metric("enforcer_orders_refused_total", &[]), Some(2.0));
}

/// Given somebody who follows events. When a map is full. Then they are told once, and so is the log.
#[test]
fn followers_and_the_log_are_told() {
    let net = Net::new();
    let agent = Agent::start(&net, LIMITS);
    let tap = Tap::open(&net, &ATTACKER);
    agent.done(&["block", "ip", "203.0.113.1"]);
    agent.done(&["block", "ip", "203.0.113.2"]);
    let follower = Lines::of(&mut agent.command(&["-o", "json", "events"]));
    eventually(Duration::from_secs(10), "the follower hears of packets", || {
        tap.passes("203.0.113.1");
        follower.next(Duration::from_millis(50)).is_some()
    });
    for refused in ["203.0.113.3", "203.0.113.4"] {
        assert_eq!(agent.cli(&["block", "ip", refused]).code, Some(5));
    }
    let told = std::iter::from_fn(|| follower.next(Duration::from_secs(1)));
    let told: Vec<String> = told.filter(|line| line.contains("\"notice\"")).collect();
    assert_eq!(told.len(), 1, "{told:#?}");
    assert!(told[0].contains("\"map_full\"") && told[0].contains("limits.addresses_v4"), "{told:#?}");
    assert_eq!(agent.log().matches("an order was refused").count(), 1, "{}", agent.log());
}

/// The command that takes an order back.
fn undone(order: Order) -> Vec<&'static str> {
    if order[0] == "allow" { [order, &["--remove"]].concat() } else { [&["unblock"], &order[1..]].concat() }
}

type Order = &'static [&'static str];

/// Map, setting, and three orders that need an entry each.
const ORDERS: [(&str, &str, [Order; 3]); 5] = [
    (
        "sources_v4",
        "addresses_v4",
        [&["block", "ip", "203.0.113.1"], &["block", "ip", "203.0.113.2"], &["block", "ip", "198.51.100.0/24"]],
    ),
    (
        "sources_v6",
        "addresses_v6",
        [&["block", "ip", "2001:db8::1"], &["block", "ip", "2001:db8::2"], &["block", "ip", "2001:db8:1::/64"]],
    ),
    (
        "flows",
        "flows",
        [
            &["block", "flow", "tcp 203.0.113.1:1 > 10.0.0.1:80"],
            &["block", "flow", "tcp 203.0.113.1:2 > 10.0.0.1:80"],
            &["block", "flow", "tcp 203.0.113.1:3 > 10.0.0.1:80"],
        ],
    ),
    (
        "identities",
        "identities",
        [&["block", "device", "one"], &["block", "device", "two"], &["block", "device", "three"]],
    ),
    ("allow", "allow", [&["allow", "10.0.0.1"], &["allow", "10.0.0.2"], &["allow", "10.1.0.0/16"]]),
];

const LIMITS: &str = "[limits]\naddresses_v4 = 2\naddresses_v6 = 2\nspill = 2\nflows = 2\nidentities = 2\nallow = 2\n";
