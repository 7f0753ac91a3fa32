//! The test network: an API host with a client on one cable and an attacker on another.
//!
//! In: root. Out: three namespaces that exist as long as the guard, with addresses of both families, permanent
//! neighbours (a program that drops everything drops ARP too, and then "nothing arrived" proves nothing) and no
//! duplicate address detection. Never here: anything outside these namespaces and one temporary folder.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process,
    sync::{
        Once,
        atomic::{AtomicU32, Ordering},
    },
};

use nix::unistd::geteuid;

use crate::{
    http::{Client, Request},
    links::{ATTACKER, CLIENT, Link, PEER_INTERFACE},
    namespace::{Namespace, ip},
    sweep,
};

/// The network; dropping it kills what runs in it and removes it.
#[derive(Debug)]
pub struct Net {
    /// The honest client.
    pub client: Namespace,
    /// The attacker.
    pub attacker: Namespace,
    /// The API host, with one interface to each.
    pub host: Namespace,
    folder: PathBuf,
}

impl Net {
    /// Makes it. Many can exist at a time.
    #[expect(clippy::new_without_default, reason = "making namespaces is not a default of anything")]
    pub fn new() -> Self {
        assert!(geteuid().is_root(), "the namespace suite needs root: run `cargo xtask test` as root");
        SWEPT.call_once(sweep::stale);
        let world = format!("{}{}-{}", sweep::PREFIX, process::id(), MADE.fetch_add(1, Ordering::Relaxed));
        let space = |role: &str| Namespace::new(&format!("{world}-{role}"));
        let net = Self {
            client: space("client"),
            attacker: space("attacker"),
            host: space("host"),
            folder: env::temp_dir().join(&world),
        };
        net.build();
        net
    }

    /// A folder of its own for files, removed with it.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Gives a neighbour all addresses of a network: it can use any of them as its own, and the host answers them.
    pub fn lend(&self, link: &Link, network: &str) {
        let six = network.contains(':');
        let family = if six { "-6" } else { "-4" };
        let gateway = if six { link.peer6.to_string() } else { link.peer4.to_string() };
        self.peer(link).exec(&format!("ip {family} route add local {network} dev lo"));
        self.host.exec(&format!("ip {family} route add {network} via {gateway} dev {}", link.interface));
    }

    /// The status with which the API answers this device, on a connection of its own.
    pub fn answer_to(&self, device: &str) -> u16 {
        let mut client = Client::connect(&self.client, CLIENT.web4()).expect("connects");
        client.request(&Request::get("/health").device(device)).expect("an answer").status
    }

    /// The neighbour at the other end of a cable.
    pub fn peer(&self, link: &Link) -> &Namespace {
        if link.interface == ATTACKER.interface { &self.attacker } else { &self.client }
    }

    fn spaces(&self) -> [&Namespace; 3] {
        [&self.client, &self.attacker, &self.host]
    }

    fn build(&self) {
        fs::create_dir_all(&self.folder).expect("a temporary folder can be made");
        let lines: Vec<String> = self.spaces().iter().map(|space| format!("netns add {}", space.name())).collect();
        ip(&[], &lines.join("\n"));
        for space in self.spaces() {
            space.settings(&SETTINGS);
            space.ip("link set lo up");
        }
        for link in [&CLIENT, &ATTACKER] {
            self.plug(link);
        }
    }

    /// Takes a cable away: both of its interfaces are gone.
    pub fn unplug(&self, link: &Link) {
        self.host.ip(&format!("link delete {}", link.interface));
    }

    /// Puts a cable on.
    pub fn plug(&self, link: &Link) {
        let (host, peer) = (&self.host, self.peer(link));
        host.ip(&format!(
            "link add {} address {} type veth peer name {PEER_INTERFACE} address {} netns {}",
            link.interface,
            colons(link.host_mac),
            colons(link.peer_mac),
            peer.name()
        ));
        let (host4, host6, peer4, peer6) = (link.host4, link.host6, link.peer4, link.peer6);
        host.ip(&end(link.interface, &[&host4, &host6], &[&peer4, &peer6], link.peer_mac));
        peer.ip(&end(PEER_INTERFACE, &[&peer4, &peer6], &[&host4, &host6], link.host_mac));
        peer.ip(&format!("route add default via {host4}\nroute add ::/0 via {host6}"));
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        sweep::remove(self.spaces().map(Namespace::name), &self.folder);
    }
}

/// The commands for one end of a cable.
fn end(name: &str, own: &[&dyn ToString; 2], other: &[&dyn ToString; 2], other_mac: [u8; 6]) -> String {
    let [own4, own6] = own.map(ToString::to_string);
    let [other4, other6] = other.map(ToString::to_string);
    let mac = colons(other_mac);
    // No link-local address: its multicast chatter would be in every counter.
    format!(
        "link set {name} addrgenmode none\n\
         link set {name} up\n\
         addr add {own4}/24 dev {name}\n\
         addr add {own6}/64 dev {name} nodad\n\
         neigh replace {other4} lladdr {mac} dev {name} nud permanent\n\
         neigh replace {other6} lladdr {mac} dev {name} nud permanent"
    )
}

fn colons(mac: [u8; 6]) -> String {
    mac.map(|byte| format!("{byte:02x}")).join(":")
}

/// Crafted sources must reach the host, and borrowed addresses must be usable without being configured one by one. Without
/// early retransmission a busy machine does not make clients send a request twice, so that counts are exact.
const SETTINGS: [(&str, &str); 8] = [
    ("ipv4/conf/all/rp_filter", "0"),
    ("ipv4/conf/default/rp_filter", "0"),
    ("ipv4/ip_nonlocal_bind", "1"),
    ("ipv4/tcp_early_retrans", "0"),
    ("ipv6/conf/all/accept_dad", "0"),
    ("ipv6/conf/default/accept_dad", "0"),
    ("ipv6/conf/default/router_solicitations", "0"),
    ("ipv6/ip_nonlocal_bind", "1"),
];

static MADE: AtomicU32 = AtomicU32::new(0);
static SWEPT: Once = Once::new();
