//! The command line as scripts see it: exit codes, JSON, and who may use it.

use std::fs;

use enforcer_tests::{ATTACKER, Agent, Lines, Net, Tap, program};

/// Given a running agent. When commands succeed and fail in every documented way. Then the exit code says which, and what
/// failed is explained on standard error only.
#[test]
fn exit_codes_say_what_happened() {
    let net = Net::new();
    let mut agent = Agent::start(&net, "[limits]\nidentities = 1\n");
    let check = |code: i32, arguments: &[&str]| {
        let output = agent.cli(arguments);
        assert_eq!(output.code, Some(code), "{arguments:?}: {output:#?}");
        assert_eq!(output.stderr.is_empty(), code == 0 || arguments[0] == "unblock", "{arguments:?}: {output:#?}");
    };
    for arguments in [
        &["block", "ip", "203.0.113.7"][..],
        &["block", "device", "--value", "-one"],
        &["unblock", "device", "--value", "-one"],
        &["block", "ip", "20.0.0.0/6", "--wide"],
        &["allow", "10.0.0.0/8"],
        &["bypass", "off"],
        &["reload"],
        &["man"],
        &["completions", "bash"],
        &["config", "example"],
    ] {
        check(0, arguments);
    }
    let nowhere = net.folder().join("nowhere").display().to_string();
    check(1, &["block", "ip", "--file", &nowhere]);
    check(2, &["block", "ip", "203.0.113"]);
    check(2, &["block", "ip", "203.0.113.7", "--for", "soon"]);
    check(2, &["blok"]);
    check(3, &["unblock", "ip", "203.0.113.99"]);
    check(3, &["allow", "10.9.0.0/16", "--remove"]);
    check(3, &["why", "decision", "0000000000000001"]);
    check(4, &["status", "--socket", &nowhere]);
    check(5, &["block", "ip", "20.0.0.0/7"]);
    check(5, &["block", "ip", "0.0.0.0/0", "--wide"]);
    check(5, &["block", "ip", "203.0.113.7", "--action", "deny"]);
    check(5, &["block", "device", "x", "--service", "nothing"]);
    agent.done(&["block", "device", "one"]);
    check(5, &["block", "device", "two"]);
    agent.kill9();
    let gone = agent.cli(&["status"]);
    assert_eq!(gone.code, Some(4), "{gone:#?}");
    assert!(gone.stderr.contains("next:"), "{gone:#?}");
}

/// Given decisions and traffic. When every command that reads is asked for JSON. Then it prints JSON with what was asked for,
/// and so do failures, on standard error.
#[test]
fn everything_that_reads_speaks_json() {
    let net = Net::new();
    let agent =
        Agent::start(&net, "[[service]]\nname = \"pay\"\nports = [8080]\ndevice = [{ header = \"X-Device-Id\" }]\n");
    let tap = Tap::open(&net, &ATTACKER);
    let id = agent.json(&["block", "ip", "203.0.113.7"])["decision"]["id"].as_str().expect("an id").to_owned();
    agent.json(&["allow", "10.0.0.0/8", "--reason", "ours"]);
    assert_eq!(agent.json(&["status"])["decisions"]["intended"][0]["count"], 1);
    assert_eq!(agent.json(&["list"])["decisions"][0]["id"], id.as_str());
    assert_eq!(agent.json(&["list", "device"])["decisions"], serde_json::json!([]));
    assert_eq!(agent.json(&["allow", "--list"])[0]["network"], "10.0.0.0/8");
    assert_eq!(agent.json(&["why", "ip", "203.0.113.7"])["verdict"], "drop");
    assert_eq!(agent.json(&["why", "device", "someone"])["verdict"], "pass");
    assert_eq!(agent.json(&["why", "decision", &id])["subject"], "203.0.113.7");
    assert!(agent.json(&["top", "--once"])["reasons"].as_array().is_some_and(|reasons| reasons.len() > 20));
    let config = agent.state().with_file_name("enforcer.toml").display().to_string();
    let doctor = agent.cli(&["-o", "json", "--config", &config, "doctor"]);
    assert!(doctor.json()["checks"].as_array().is_some_and(|checks| checks.len() > 5), "{doctor:#?}");
    agent.json(&["config", "check", &config]);

    let events = Lines::of(&mut agent.command(&["-o", "json", "events", "--count", "2"]));
    let mut told = Vec::new();
    enforcer_tests::eventually(std::time::Duration::from_secs(10), "two events", || {
        tap.passes("203.0.113.7");
        told.extend(events.next(std::time::Duration::from_millis(50)));
        told.len() == 2
    });
    let event: serde_json::Value = serde_json::from_str(&told[0]).expect("JSON");
    assert_eq!((&event["reason"], &event["source"]), (&"blocked_source".into(), &"203.0.113.7".into()), "{event:#}");
    assert_eq!(event["decision"], id.as_str());

    let failed = agent.cli(&["-o", "json", "block", "ip", "0.0.0.0/0"]);
    let trouble: serde_json::Value = serde_json::from_str(&failed.stderr).expect("JSON");
    assert_eq!((failed.code, &trouble["exit"]), (Some(5), &5.into()), "{failed:#?}");
}

/// Given the agent's socket. When a user without rights uses it. Then the command ends with 5, says what would help, and
/// nothing has happened.
#[test]
fn an_unprivileged_user_is_refused() {
    let net = Net::new();
    let agent = Agent::start(&net, "");
    let copy = net.folder().join("enforcer");
    fs::copy(program(), &copy).expect("copied");
    for arguments in [&["status"][..], &["block", "ip", "203.0.113.7"], &["detach"], &["bypass", "on"]] {
        let mut command = net.host.command("setpriv");
        command.args(["--reuid", "64917", "--regid", "64917", "--clear-groups", "--inh-caps=-all"]).arg(&copy);
        let output = command.arg("--socket").arg(agent.socket()).args(arguments).output().expect("it starts");
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(5), "{arguments:?}: {complaint}");
        assert!(complaint.contains("you may not use") && complaint.contains("socket_group"), "{complaint}");
    }
    assert_eq!(agent.json(&["list"])["total"], 0);
    assert_eq!(agent.json(&["status"])["bypass"], false);
}
