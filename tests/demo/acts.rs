//! The acts of the demo, in the order of `main`.
//!
//! In: the network, nginx, the agent. Out: what happened, told. Never here: an assumption in place of a count; what nginx
//! has served is read from its own log.

use std::time::{Duration, Instant};

use enforcer_tests::{ATTACKER, Agent, CLIENT, Net, Nginx, Outcome, Requests, Summary, eventually};

use crate::{
    figures::{Speed, median},
    tell::{act, command, figure, time},
};

/// nginx alone.
pub(crate) fn show_the_api(net: &Net) {
    act("An API: nginx with a JSON service behind it, one client, one attacker");
    let curl = format!("curl --silent http://{}/api/accounts/7 -H X-Device-Id:alice", CLIENT.web4());
    command(&curl, &net.client.exec(&curl));
}

/// Clean traffic with and without the agent, in turns; the last agent stays.
pub(crate) fn start_agent(net: &Net) -> Agent {
    act("Enforcer is started on the host's interfaces; nginx is not touched");
    println!("  Clean traffic is measured {ROUNDS} times without and with enforcer, in turns; about 25 s ...");
    let (mut without, mut with, mut agent) = (Vec::new(), Vec::new(), None);
    for _ in 0..ROUNDS {
        drop(agent.take());
        without.push(Speed::measure(&net.client, CLIENT.web4()));
        agent = Some(Agent::start(net, CONFIGURATION));
        with.push(Speed::measure(&net.client, CLIENT.web4()));
    }
    tell_speed("without enforcer", &without);
    tell_speed("with enforcer", &with);
    agent.unwrap_or_else(|| Agent::start(net, CONFIGURATION))
}

/// One device among many on the same connections.
pub(crate) fn block_a_device(net: &Net, nginx: &Nginx, agent: &Agent) {
    act("A stolen device is blocked, while it is sending requests");
    let load = Requests::to(CLIENT.web4()).connections(4).per_second(2000).device(|_| Some(STOLEN.into()));
    let load = load.start(&net.client);
    eventually(PATIENCE, "the device is served", || load.answered() >= 200);
    let asked = Instant::now();
    command(&shown(&BLOCK), &agent.done(&BLOCK));
    let returned = asked.elapsed();
    let answered = load.answered();
    eventually(PATIENCE, "requests after the block", || load.answered() >= answered + 200);
    let outcomes = load.stop();
    figure("the command took", time(returned));
    figure("from the command to the first refusal", since(asked, &outcomes, 403));

    let curl = format!("curl --silent --include http://{}/api/accounts/7 -H X-Device-Id:{STOLEN}", CLIENT.web4());
    command(&curl, &net.client.exec(&curl));
    count_requests(net, nginx);
}

/// 10,000 requests, one in five from the stolen device, counted at both ends.
fn count_requests(net: &Net, nginx: &Nginx) {
    let before = nginx.served().len();
    let device =
        |number: usize| Some(if number.is_multiple_of(5) { STOLEN.into() } else { format!("device-{number}") });
    let outcomes = Requests::to(CLIENT.web4()).connections(20).total(10_000).device(device).run(&net.client);
    let with = |status| outcomes.iter().filter(|outcome| outcome.status() == Some(status)).count();
    let clean = with(200);
    let served = &nginx.served_when(before + clean)[before..];
    let leaked = served.iter().filter(|served| served.device.as_deref() == Some(STOLEN)).count();
    figure("requests sent over 20 kept-alive connections", outcomes.len());
    figure("  answered by the API (200)", clean);
    figure("  refused in the kernel (403)", with(403));
    figure("  anything else", outcomes.len() - clean - with(403));
    figure("requests nginx has in its log", served.len());
    figure("  of them from the stolen device", leaked);
}

/// A network, dropped before the stack sees it.
pub(crate) fn block_a_network(net: &Net, agent: &Agent) {
    act("The attacker's network is blocked");
    net.lend(&ATTACKER, "203.0.113.0/24");
    tell_attacker(net, "before");
    command(&shown(&BLOCK_NETWORK), &agent.done(&BLOCK_NETWORK));
    tell_attacker(net, "after");
}

/// The kernel goes on by itself.
pub(crate) fn kill_the_agent(net: &Net, agent: &mut Agent) {
    act("The agent is killed (kill -9) and started again, under load");
    let device = |number: usize| Some(if number.is_multiple_of(5) { STOLEN } else { "alice" }.to_owned());
    let load = Requests::to(CLIENT.web4()).connections(8).per_second(2000).device(device).start(&net.client);
    eventually(PATIENCE, "the load is up", || load.answered() >= 500);
    agent.kill9();
    let answered = load.answered();
    eventually(PATIENCE, "requests without an agent", || load.answered() >= answered + 1000);
    agent.restart();
    let answered = load.answered();
    eventually(PATIENCE, "requests with the new agent", || load.answered() >= answered + 1000);
    let (stolen, clean): (Vec<_>, Vec<_>) =
        load.stop().into_iter().partition(|outcome| outcome.device.as_deref() == Some(STOLEN));
    figure("stolen device, throughout", Summary::of(&stolen));
    figure("everyone else, throughout", Summary::of(&clean));
}

/// And back.
pub(crate) fn unblock(net: &Net, agent: &Agent) {
    act("The device is given back, and unblocked");
    let load = Requests::to(CLIENT.web4()).connections(4).per_second(2000).device(|_| Some(STOLEN.into()));
    let load = load.start(&net.client);
    eventually(PATIENCE, "the device is refused", || load.answered() >= 200);
    let asked = Instant::now();
    command(&shown(&UNBLOCK), &agent.done(&UNBLOCK));
    let answered = load.answered();
    eventually(PATIENCE, "requests after the block is lifted", || load.answered() >= answered + 200);
    figure("from the command to the first answer", since(asked, &load.stop(), 200));
}

/// What the agent says of it all.
pub(crate) fn look(agent: &Agent) {
    act("What the agent has to say");
    for arguments in [&["status"], &["list"]] {
        command(&shown(arguments), &agent.done(arguments));
    }
}

fn tell_speed(which: &str, rounds: &[Speed]) {
    let all: Vec<String> = rounds.iter().map(|round| format!("{:.0}", round.per_second)).collect();
    let middle = median(rounds, |round| round.per_second);
    figure(&format!("requests per second, {which}"), format!("{middle:.0} (rounds: {})", all.join(", ")));
    let (half, p99) = (median(rounds, |round| round.median), median(rounds, |round| round.p99));
    figure(&format!("latency at 2,000/s, {which}"), format!("{} median, {} 99%", time(half), time(p99)));
}

fn tell_attacker(net: &Net, when: &str) {
    let from = [203, 0, 113, 66].into();
    let patience = Duration::from_millis(500);
    let outcomes = Requests::to(ATTACKER.web4()).from(from).total(3).patience(patience).run(&net.attacker);
    figure(&format!("three requests from {from}, {when}"), Summary::of(&outcomes));
}

/// From `start` until the first answer of this kind came in.
fn since(start: Instant, outcomes: &[Outcome], status: u16) -> String {
    let answers = outcomes.iter().filter(|outcome| outcome.status() == Some(status));
    let first = answers.map(|outcome| outcome.sent + outcome.latency).filter(|came| *came >= start).min();
    first.map_or_else(|| "never".to_owned(), |came| time(came - start))
}

fn shown(arguments: &[&str]) -> String {
    let quoted = |word: &&str| if word.contains(' ') { format!("'{word}'") } else { (*word).to_owned() };
    let words: Vec<String> = arguments.iter().map(quoted).collect();
    format!("enforcer {}", words.join(" "))
}

const ROUNDS: usize = 3;
const STOLEN: &str = "stolen-phone-4711";
const BLOCK: [&str; 12] = [
    "block",
    "device",
    "--value",
    STOLEN,
    "--service",
    "pay",
    "--action",
    "deny",
    "--for",
    "2h",
    "--reason",
    "reported stolen",
];
const BLOCK_NETWORK: [&str; 5] = ["block", "ip", "203.0.113.0/24", "--reason", "credential stuffing"];
const UNBLOCK: [&str; 6] = ["unblock", "device", "--value", STOLEN, "--service", "pay"];
const PATIENCE: Duration = Duration::from_secs(10);
const CONFIGURATION: &str = r#"
[[service]]
name = "pay"
ports = [8080]
mode = "enforce"
interfaces = ["client0", "attacker0"]
device = [{ header = "X-Device-Id" }]
notice = { type = "text", body = "This device is blocked. Call the bank and name decision {decision}.\n" }
"#;
