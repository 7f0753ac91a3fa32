//! Interfaces come and go while the agent runs: one that comes is protected soon, one that goes leaves nothing behind.

use std::{
    net::UdpSocket,
    time::{Duration, Instant},
};

use enforcer_tests::{Agent, Client, Net, Nginx, Request, classifiers, eventually, xdp_programs};

/// Given an agent that is to protect an interface which does not exist. When the interface is created, taken away and created
/// again. Then each time packets and requests that arrive on it are refused within seconds; until then status says what is
/// missing, and nothing of it counts as drift.
#[test]
fn an_interface_that_comes_is_protected() {
    let net = Net::new();
    let _nginx = Nginx::start(&net);
    let agent = Agent::start(&net, CONFIGURATION);
    agent.done(&["block", "ip", "10.79.0.66"]);
    agent.done(&["block", "device", "mallory"]);
    for _ in 0..2 {
        eventually(SOON, "status misses it", || problems(&agent).contains("the interface late0 does not exist"));
        plug(&net);
        eventually(Duration::from_secs(3), "requests are refused", || status(&net) == Some(403));
        assert_eq!(problems(&agent), "[]");
        let programs = (xdp_programs(&net.host, "late0").len(), classifiers(&net.host, "late0").len());
        assert_eq!(programs, (1, 2));
        assert_eq!(heard(&net), "10.79.0.2");
        net.host.exec("ip link delete late0");
        eventually(SOON, "its links are gone", || agent.pinned_links().is_empty());
    }
    assert_eq!(agent.json(&["status"])["drift"]["repaired"], 0);
}

/// Given such an agent. When the interface comes and goes, or is renamed, again and again. Then programs hang there within moments, not
/// with the next second.
#[test]
fn an_interface_that_comes_is_protected_at_once() {
    let net = Net::new();
    let _agent = Agent::start(&net, CONFIGURATION);
    let mut times: Vec<Duration> = (0..40).map(|turn| time_to_protection(&net, turn % 2 == 1)).collect();
    times.sort();
    // A busy machine may delay some; those that wait for the second would be half of it in the middle.
    assert!(times[20] < Duration::from_millis(250), "half of them took longer: {times:?}");
}

fn time_to_protection(net: &Net, renamed: bool) -> Duration {
    let name = if renamed { "early0" } else { "late0" };
    net.host.exec(&format!("ip link add {name} type veth peer name late netns {}", net.attacker.name()));
    if renamed {
        net.host.exec("ip link set early0 name late0");
    }
    let come = Instant::now();
    let protected = || (xdp_programs(&net.host, "late0").len(), classifiers(&net.host, "late0").len()) == (1, 2);
    eventually(SOON, "programs hang there", protected);
    let took = come.elapsed();
    net.host.exec("ip link delete late0");
    took
}

/// Given an interface that is protected. When it is renamed while the agent runs. Then what hangs on it goes on refusing, status says what to
/// do, and it is well again under the old name.
#[test]
fn an_interface_that_is_renamed_stays_protected() {
    let net = Net::new();
    let _nginx = Nginx::start(&net);
    plug(&net);
    let agent = Agent::start(&net, CONFIGURATION);
    agent.done(&["block", "ip", "10.79.0.66"]);
    agent.done(&["block", "device", "mallory"]);
    let before = agent.objects();
    rename(&net, "late0", "other0");
    eventually(SOON, "status tells of it", || problems(&agent).contains("late0 is called other0 now"));
    agent.done(&["reload"]);
    assert_eq!((status(&net), heard(&net).as_str()), (Some(403), "10.79.0.2"));
    assert_eq!(agent.objects(), before);
    rename(&net, "other0", "late0");
    eventually(SOON, "all is well", || problems(&agent) == "[]");
    assert_eq!((status(&net), agent.objects()), (Some(403), before));
}

/// Before 6.2 an interface can be renamed only while it is down.
fn rename(net: &Net, from: &str, to: &str) {
    let rename = ["link", "set", from, "name", to];
    let live = net.host.command("ip").args(rename).status();
    if !live.is_ok_and(|status| status.success()) {
        net.host.exec(&format!("ip link set {from} down"));
        net.host.exec(&format!("ip {}", rename.join(" ")));
        net.host.exec(&format!("ip link set {to} up"));
    }
}

/// A third cable, from the attacker, who has a blocked address, too.
fn plug(net: &Net) {
    net.host.exec(&format!("ip link add late0 type veth peer name late netns {}", net.attacker.name()));
    for (space, name, addresses) in
        [(&net.host, "late0", &["10.79.0.1"][..]), (&net.attacker, "late", &["10.79.0.2", "10.79.0.66"])]
    {
        for address in addresses {
            space.exec(&format!("ip address add {address}/24 dev {name}"));
        }
        space.exec(&format!("ip link set {name} up"));
    }
}

/// Who is heard when the blocked address speaks first.
fn heard(net: &Net) -> String {
    let server = net.host.inside(|| UdpSocket::bind("10.79.0.1:5000")).expect("binds");
    for from in ["10.79.0.66:1", "10.79.0.2:1"] {
        let client = net.attacker.inside(|| UdpSocket::bind(from)).expect("binds");
        client.send_to(b"hello", "10.79.0.1:5000").expect("sent");
    }
    server.recv_from(&mut [0; 64]).expect("a datagram").1.ip().to_string()
}

fn status(net: &Net) -> Option<u16> {
    let client = Client::connect(&net.attacker, "10.79.0.1:8080".parse().expect("an address"));
    client
        .and_then(|mut client| client.request(&Request::get("/health").device("mallory")))
        .ok()
        .map(|answer| answer.status)
}

fn problems(agent: &Agent) -> String {
    agent.json(&["status"])["problems"].to_string()
}

const SOON: Duration = Duration::from_secs(10);
const CONFIGURATION: &str = "[fastpath]\ninterfaces = [\"late0\"]\n\
    [[service]]\nname = \"pay\"\nports = [8080]\ndevice = [{ header = \"X-Device-Id\" }]\n";
