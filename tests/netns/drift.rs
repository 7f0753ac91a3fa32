//! The kernel is compared with what was decided: whatever someone else changed there is found, mended and counted.

use std::{fs, process::Command, time::Duration};

use aya::maps::{Array, HashMap, LpmTrie, MapData, lpm_trie::Key};
use enforcer_common::{Action, AllowRule, Bucket4, FlowKey, IdentityKey, Rule, ServiceKey, ServiceRule, UNTIL_NEVER};
use enforcer_tests::{ATTACKER, Agent, CLIENT, Net, Tap, classifiers, eventually, lacks_tcx, xdp_programs};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

/// Given decisions of every kind. When all entries are taken out of the kernel's maps behind the agent's back. Then all are
/// put back and counted, and the numbers installed are right again.
#[test]
fn what_was_taken_out_is_put_back() {
    let net = Net::new();
    let agent = Agent::start(&net, SERVICE);
    let tap = Tap::open(&net, &ATTACKER);
    agent.done(&["block", "ip", "203.0.113.7"]);
    agent.done(&["block", "device", "mallory"]);
    agent.done(&["block", "flow", "udp 198.51.100.7:40001 > 10.77.2.1:8080"]);
    agent.done(&["allow", "203.0.113.9"]);
    assert_eq!(tap.passing(&["203.0.113.7", "198.51.100.7"]), [false, false]);

    // Stopped, so that it does not mend what is looked at.
    let id = Pid::from_raw(i32::try_from(agent.id()).expect("a process id"));
    kill(id, Signal::SIGSTOP).expect("stopped");
    empty_sources(&agent);
    empty::<FlowKey, Rule>(&agent, "FLOWS");
    empty::<IdentityKey, Rule>(&agent, "IDENTITIES");
    empty::<ServiceKey, ServiceRule>(&agent, "SERVICES");
    let mut allow: LpmTrie<MapData, [u8; 16], AllowRule> = agent.pinned("ALLOW").try_into().expect("a trie");
    let keys: Vec<Key<[u8; 16]>> = allow.keys().collect::<Result<_, _>>().expect("keys");
    for key in keys {
        allow.remove(&key).expect("removed");
    }
    assert_eq!(tap.passing(&["203.0.113.7", "198.51.100.7"]), [true, true], "nothing was taken out");
    kill(id, Signal::SIGCONT).expect("goes on");

    // One address, one device, one flow, one allowed network, and the service's port on two interfaces.
    eventually(PATIENCE, "status tells of differences", || agent.cli(&["status"]).code == Some(3));
    eventually(PATIENCE, "the next comparison finds nothing", || agent.cli(&["status"]).code == Some(0));
    assert_eq!(agent.repaired(), 6);
    assert_eq!(tap.passing(&["203.0.113.7", "198.51.100.7"]), [false, false]);
    for kind in ["ip", "device", "flow"] {
        assert_eq!(agent.metric("enforcer_decisions_installed", &[("kind", kind)]), Some(1.0), "{kind}");
    }
    assert_eq!(allow.keys().count(), 1);
    assert!(agent.log().contains("mended"), "{}", agent.log());
}

/// Given an agent without decisions. When someone else writes entries into its maps. Then what nobody decided is taken out.
#[test]
fn what_nobody_decided_is_taken_out() {
    let net = Net::new();
    let agent = Agent::start(&net, "[limits]\naddresses_v4 = 1000\n");
    let tap = Tap::open(&net, &ATTACKER);
    agent.done(&["block", "ip", "203.0.113.7"]);
    let flow = FlowKey::new(ip("198.51.100.7"), 40_001, ip("10.77.2.1"), 8080, 17);
    let mut flows: HashMap<MapData, FlowKey, Rule> = agent.pinned("FLOWS").try_into().expect("a hash map");
    flows.insert(flow, Rule::new(Action::Drop, UNTIL_NEVER, 1), 0).expect("written");
    let mut sources: Array<MapData, Bucket4> = agent.pinned("SOURCES4").try_into().expect("an array");
    let (place, mut bucket) = bucket_in_use(&sources);
    let slot = bucket.slots.iter().position(|slot| *slot == 0).expect("room");
    bucket.slots[slot] = 0x1234_5678 << 32 | bucket.slots[0] & 0xffff_ffff;
    sources.set(place, bucket, 0).expect("written");
    eventually(PATIENCE, "both are taken out", || agent.repaired() == 2);
    assert!(flows.get(&flow, 0).is_err());
    assert_eq!(sources.get(&place, 0).expect("a bucket").slots[slot] & 0xffff_ffff, 0);
    assert_eq!(agent.metric("enforcer_decisions_installed", &[]), Some(1.0));
    assert!(!tap.passes("203.0.113.7"));
}

/// Given an agent, fresh or one that adopted its links. When the pins of its links are removed, so that the programs come
/// off. Then they hang again soon, once each, and it is counted.
#[test]
fn a_program_taken_off_is_hung_again() {
    let net = Net::new();
    if lacks_tcx(&net.host) {
        return;
    }
    let mut agent = Agent::start(&net, SERVICE);
    let tap = Tap::open(&net, &ATTACKER);
    agent.done(&["block", "ip", "203.0.113.7"]);
    for adopted in [false, true] {
        if adopted {
            agent.kill9();
            agent.restart();
        }
        let before = agent.objects();
        for name in agent.pinned_links() {
            fs::remove_file(agent.pins().join("links").join(name)).expect("a pin can be removed");
        }
        eventually(PATIENCE, "the links are gone and made anew", || {
            let now = agent.objects();
            now.links.len() == 6 && now.links.is_disjoint(&before.links) && !tap.passes("203.0.113.7")
        });
        eventually(PATIENCE, "the old links are gone", || before.alive().links.is_empty());
        for link in [&CLIENT, &ATTACKER] {
            assert_eq!(xdp_programs(&net.host, link.interface).len(), 1, "adopted: {adopted}");
            assert_eq!(classifiers(&net.host, link.interface).len(), 2, "adopted: {adopted}");
        }
        assert_eq!(agent.repaired(), 6, "adopted: {adopted}");
        assert_eq!(agent.json(&["status"])["problems"], serde_json::json!([]));
    }
}

/// Given a running agent. When its links are detached by hand, so that their pins stay; when the folder of links is removed; when those of
/// the maps are; when all is. Then everything hangs and is pinned again, and the next agent adopts it.
#[test]
fn what_was_detached_or_unpinned_is_there_again() {
    let net = Net::new();
    if lacks_tcx(&net.host) {
        return;
    }
    let mut agent = Agent::start(&net, SERVICE);
    let tap = Tap::open(&net, &ATTACKER);
    agent.done(&["block", "ip", "203.0.113.7"]);
    let before = agent.objects();
    for id in &before.links {
        let done = Command::new("bpftool").args(["link", "detach", "id", &id.to_string()]).status();
        assert!(done.is_ok_and(|status| status.success()), "link {id} cannot be detached");
    }
    eventually(PATIENCE, "each is missed", || agent.repaired() >= 6);
    let whole = || {
        let now = agent.objects();
        (now.links.len(), now.programs.len()) == (6, 3) && now.maps == before.maps && !tap.passes("203.0.113.7")
    };
    eventually(PATIENCE, "all hangs again", whole);
    for folder in ["links", "maps", ""] {
        fs::remove_dir_all(agent.pins().join(folder)).expect("pins can be removed");
        eventually(PATIENCE, "all is pinned again", whole);
    }
    agent.kill9();
    agent.restart();
    assert_eq!(agent.objects().maps, before.maps);
    assert_eq!(agent.json(&["status"])["problems"], serde_json::json!([]));
}

/// Given a running agent. When its BPF file system is unmounted, and later mounted again. Then everything hangs again, held by the agent,
/// which is told; and is pinned again in the end.
#[test]
fn without_a_bpf_file_system_the_agent_holds_the_links() {
    let net = Net::new();
    let agent = Agent::start(&net, SERVICE);
    let tap = Tap::open(&net, &ATTACKER);
    agent.done(&["block", "ip", "203.0.113.7"]);
    agent.unmount_bpf();
    let problems = || agent.json(&["status"])["problems"].to_string();
    eventually(PATIENCE, "it is told", || problems().contains("no BPF file system any more"));
    eventually(PATIENCE, "it is refused again", || !tap.passes("203.0.113.7"));
    agent.mount_bpf();
    eventually(PATIENCE, "it is told no more", || problems() == "[]");
    assert_eq!(agent.pinned_links().len(), 6);
    assert!(!tap.passes("203.0.113.7"));
}

/// Takes every entry out of a hash map.
fn empty<K: aya::Pod, V: aya::Pod>(agent: &Agent, name: &str) {
    let mut map: HashMap<MapData, K, V> = agent.pinned(name).try_into().expect("a hash map");
    let keys: Vec<K> = map.keys().collect::<Result<_, _>>().expect("keys");
    assert!(!keys.is_empty(), "{name} is empty already");
    for key in keys {
        map.remove(&key).expect("removed");
    }
}

fn empty_sources(agent: &Agent) {
    let mut sources: Array<MapData, Bucket4> = agent.pinned("SOURCES4").try_into().expect("an array");
    let (place, _) = bucket_in_use(&sources);
    sources.set(place, Bucket4 { slots: [0; 8] }, 0).expect("written");
}

fn bucket_in_use(sources: &Array<MapData, Bucket4>) -> (u32, Bucket4) {
    let buckets = (0..sources.len()).map(|at| (at, sources.get(&at, 0).expect("a bucket")));
    buckets.into_iter().find(|(_, bucket)| bucket.slots[0] != 0).expect("a bucket in use")
}

fn ip(text: &str) -> enforcer_common::Address {
    text.parse::<std::net::IpAddr>().expect("an address").into()
}

const PATIENCE: Duration = Duration::from_secs(20);
const SERVICE: &str = "[limits]\naddresses_v4 = 1000\n[[service]]\nname = \"pay\"\nports = [8080]\ndevice = [{ header = \"X-Device-Id\" }]\n";
