//! How the account looks.
//!
//! In: words and figures. Out: lines on the terminal. Never here: what happens.

use std::time::Duration;

use enforcer_tests::{Agent, CLIENT, Net};

/// A heading.
pub(crate) fn act(title: &str) {
    println!("\n{title}");
    println!("{}", "-".repeat(title.chars().count()));
}

/// A figure and what it is of.
pub(crate) fn figure(what: &str, value: impl std::fmt::Display) {
    println!("  {what:<54} {value}");
}

/// A command and what it printed.
pub(crate) fn command(line: &str, printed: &str) {
    println!("  $ {line}");
    for line in printed.lines() {
        println!("    {line}");
    }
}

/// A short time, in the unit that people compare in.
pub(crate) fn time(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1000.0)
}

/// What to type while it runs.
pub(crate) fn how_to_look(net: &Net, agent: &Agent) {
    let socket = agent.socket();
    let program = enforcer_tests::program().display();
    let inside = |namespace: &str| format!("nsenter --net=/run/netns/{namespace}");
    act("It is left running; in another terminal:");
    println!("  {program} --socket {} top", socket.display());
    println!("  {} curl http://127.0.0.1:9920/metrics", inside(net.host.name()));
    println!("  {} curl -i http://{}/api/accounts/7 -H 'X-Device-Id: alice'", inside(net.client.name()), CLIENT.web4());
    println!("Ctrl-C removes everything.");
}
