//! Lists: bad lines are rejected by number and nothing else, and a million lines are in force when the command returns.

use std::{fs, net::Ipv4Addr};

use enforcer_tests::{ATTACKER, Agent, Net, Tap};

/// Given a list of 100,000 lines: addresses and networks of both families, comments, duplicates, and nine bad lines. When it
/// is read. Then exactly those nine are rejected by number, and the rest is in force; read again it changes nothing; and the
/// same file takes all of it off again.
#[test]
fn bad_lines_are_rejected_by_number() {
    let net = Net::new();
    let agent = Agent::start(&net, "");
    let tap = Tap::open(&net, &ATTACKER);
    let (text, good) = list();
    let path = net.folder().join("list.txt");
    fs::write(&path, text).expect("written");
    let (file, rejects) = (path.display().to_string(), net.folder().join("rejects").display().to_string());
    let run = |command: &str| {
        let output = agent.cli(&["-o", "json", command, "ip", "--file", &file, "--rejects", &rejects]);
        assert_eq!(output.code, Some(5), "{output:#?}");
        output.json()
    };

    let report = run("block");
    assert_eq!((&report["lines"], &report["added"]), (&100_000.into(), &good.into()), "{report:#}");
    assert_eq!((&report["rejected_lines"], &report["unchanged"]), (&BAD.len().into(), &2.into()), "{report:#}");
    let rejected = fs::read_to_string(&rejects).expect("a file of rejected lines");
    let mut numbers: Vec<usize> =
        rejected.lines().map(|line| line.split('\t').next().unwrap().parse().unwrap()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, BAD.map(|(number, _)| number), "{rejected}");
    let samples = ["20.0.0.0", "20.1.134.159", "9.9.0.77", "2001:db8:77::5"];
    assert_eq!(tap.passing(&samples), [false; 4]);
    assert_eq!(agent.metric("enforcer_decisions_installed", &[("kind", "ip")]), Some(f64::from(good)));

    let again = run("block");
    assert_eq!((&again["added"], &again["unchanged"]), (&0.into(), &(good + 2).into()), "{again:#}");
    let off = run("unblock");
    assert_eq!(off["removed"], good, "{off:#}");
    assert_eq!(tap.passing(&samples), [true; 4]);
    assert_eq!(agent.json(&["list"])["total"], 0);
}

/// Given a `.netset` with everything that such lists have, and a proxy on the allowlist. When it is checked, then read as a stranger's, and as
/// one's own. Then attackers are refused, and neither the proxy's network nor private networks; an address inside only from one's own list.
#[test]
fn a_list_of_others_hits_attackers_only() {
    let net = Net::new();
    let agent = Agent::start(&net, "");
    let tap = Tap::open(&net, &ATTACKER);
    agent.done(&["allow", "20.7.0.5", "--as", "proxy"]);
    let file = net.folder().join("level1.netset").display().to_string();
    let head = "#\n# level1\n# ipv4 hash:net ipset\n# Entries         : 7 subnets, 1 unique IPs\n#\n";
    let body = "10.0.0.0/8\n192.168.4.4\n20.7.0.0/24\n20.8.0.0/24\n20.9.0.1-20.9.0.2\n127.0.0.1\n0.0.0.0/0\n";
    fs::write(&file, format!("{head}{body}")).expect("written");
    let check = agent.cli(&["-o", "json", "lists", "check", &file]);
    assert_eq!(check.code, Some(3), "{check:#?}");
    let checked = &check.json()[0];
    assert_eq!((&checked["format"], &checked["taken"], &checked["removed"]), (&"firehol".into(), &4.into(), &4.into()));

    let output = agent.cli(&["-o", "json", "block", "ip", "--file", &file, "--feed"]);
    let report = output.json();
    assert_eq!(
        (output.code, &report["added"], &report["removed_lines"]),
        (Some(5), &3.into(), &5.into()),
        "{report:#}"
    );
    assert_eq!(report["flaw"], serde_json::Value::Null, "{report:#}");
    let reasons = report["first_rejected"].to_string();
    assert!(reasons.contains("20.7.0.0/24 holds 20.7.0.5: allowlist, as proxy"), "{reasons}");
    let sources = ["20.8.0.9", "20.9.0.2", "20.7.0.9", "10.1.1.1", "192.168.4.4"];
    assert_eq!(tap.passing(&sources), [false, false, true, true, true]);
    let own = agent.cli(&["-o", "json", "block", "ip", "--file", &file]).json();
    assert_eq!((&own["added"], &own["removed_lines"]), (&1.into(), &4.into()), "{own:#}");
    assert_eq!(tap.passing(&sources), [false, false, true, true, false]);

    fs::write(&file, format!("{head}20.8.0.0/24\n")).expect("written");
    let cut = agent.cli(&["lists", "check", &file]);
    assert_eq!(cut.code, Some(5), "{cut:#?}");
    assert!(cut.stdout.contains("refused as a whole: it says that it has 7 entries, and 1 were there"), "{cut:#?}");
}

/// Given a million addresses. When they are read from a file. Then all of them are in force: the kernel holds as many as were
/// decided, packets from samples of them are dropped, and `why` knows each; after a crash they still are.
#[test]
fn a_million_lines_are_in_force() {
    let net = Net::new();
    let mut agent = Agent::start(&net, "");
    let tap = Tap::open(&net, &ATTACKER);
    // An odd factor makes each number another address; outside of 16.0.0.0/4 nothing is listed.
    let address = |at: u32| Ipv4Addr::from(0x1000_0000 | at.wrapping_mul(2_654_435_761) >> 4);
    let mut all: Vec<Ipv4Addr> = (0..1_100_000).map(address).collect();
    all.sort_unstable();
    all.dedup();
    all.truncate(1_000_000);
    assert_eq!(all.len(), 1_000_000);
    let text: Vec<String> = all.iter().map(ToString::to_string).collect();
    let output = agent.cli_with(&["-o", "json", "block", "ip", "--file", "-"], text.join("\n").as_bytes());
    assert_eq!((output.code, &output.json()["added"]), (Some(0), &1_000_000.into()), "{output:#?}");
    let samples: Vec<&str> = text.iter().step_by(9_973).map(String::as_str).collect();
    for crashed in [false, true] {
        if crashed {
            agent.kill9();
            assert!(!tap.passing(&samples).contains(&true));
            agent.restart();
        }
        assert_eq!(agent.metric("enforcer_decisions_installed", &[("kind", "ip")]), Some(1e6));
        assert!(!tap.passing(&samples).contains(&true));
        assert_eq!(tap.passing(&["32.0.0.1", "15.255.255.255"]), [true, true]);
        for sample in samples.iter().step_by(20) {
            let why = agent.json(&["why", "ip", sample]);
            assert_eq!((&why["verdict"], &why["kernel"][0]["held"]), (&"drop".into(), &"present".into()), "{why:#}");
        }
        assert_eq!(agent.json(&["why", "ip", "32.0.0.1"])["verdict"], "pass");
    }
}

/// The text, and how many different subjects are in it.
fn list() -> (String, u32) {
    let mut lines: Vec<String> = (0..100_000_u32).map(|at| Ipv4Addr::from(0x1400_0000 + at).to_string()).collect();
    let special = [
        (10, "# a comment"),
        (11, ""),
        (12, "9.9.0.0/16,spam"),
        (13, "2001:db8:77::/48 ; v6"),
        (14, "20.0.0.0"),
        (15, "20.0.0.1/32"),
    ];
    for (number, text) in special.into_iter().chain(BAD) {
        text.clone_into(&mut lines[number - 1]);
    }
    // The comment and the empty line are no subjects, and two others are there twice.
    (lines.join("\r\n"), 100_000 - 9 - 2 - 2)
}

const BAD: [(usize, &str); 9] = [
    (2000, "hello"),
    (20_000, "1.2.3"),
    (30_000, "1.2.3.4.5"),
    (40_000, "300.1.1.1"),
    (50_000, "1.2.3.4/33"),
    (60_000, "2001:db8::/129"),
    (70_000, "0.0.0.0/0"),
    (80_000, "4.0.0.0/7"),
    (99_999, "1.2.3.4 and more"),
];
