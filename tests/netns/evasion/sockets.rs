//! Forms that need a real socket: heads and bodies in super-packets, with every setting of the offloads on either side.

use std::{collections::BTreeMap, net::SocketAddr, thread, time::Duration};

use enforcer_tests::{Agent, CLIENT, Ending, Finish, Namespace, Net, Nginx, RawTcp, Response};

use super::{
    bodies::POST,
    form::{EVIL, Expect, HEAD, NUMBERS, Twin},
    stage::{left_behind, repeats, service},
};

/// Given any setting of the offloads, with and without a packet program. When a blocked device sends what a kernel cuts into
/// super-packets. Then it is refused; anyone else's is served.
#[test]
fn super_packets_are_followed() {
    for (number, settings) in SETTINGS.into_iter().enumerate() {
        let net = Net::new();
        // Super-packets reach the host only where no packet program is.
        let fastpath = if number % 2 == 0 { "[]" } else { "[\"client0\"]" };
        let nginx = Nginx::start(&net);
        let agent = Agent::start(&net, &format!("{}\n[fastpath]\ninterfaces = {fastpath}\n", service("")));
        agent.block_device(EVIL, "deny");
        set(&net, settings);
        for web in [CLIENT.web4(), CLIENT.web6()] {
            let base = if web.is_ipv4() { 0 } else { repeats() * 2 * WRITES.len() };
            every_form(&net, web, base, settings, &nginx);
        }
        let wrong = [&net.client, &net.host].map(Namespace::wrong_checksums);
        assert_eq!(wrong, [0, 0], "{settings:?}");
        let evil = nginx.served().into_iter().filter(|line| line.number.is_none_or(|number| number % 2 == 1));
        let evil: Vec<_> = evil.filter(|line| line.status != 400).collect();
        assert!(evil.is_empty(), "{settings:?}: served: {evil:?}");
    }
}

fn every_form(net: &Net, web: SocketAddr, base: usize, settings: (&str, &str), nginx: &Nginx) {
    // What is held back comes again after a fifth of a second, so many clients share the waiting.
    let turns: Vec<usize> = (0..repeats()).collect();
    let clients: BTreeMap<_, _> = thread::scope(|scope| {
        let share = turns.len().div_ceil(THREADS).max(1);
        let shares = turns.chunks(share).map(|turns| scope.spawn(move || some_turns(net, web, base, settings, turns)));
        let shares: Vec<_> = shares.collect();
        shares.into_iter().flat_map(|share| share.join().expect("every form did as expected")).collect()
    });
    let left = left_behind(nginx);
    let left: Vec<_> = left.iter().filter_map(|client| clients.get(client)).collect();
    assert!(left.is_empty(), "the server keeps {} sockets, as of {:?} with {settings:?}", left.len(), left[0]);
}

const THREADS: usize = 25;

/// Plays every form so often; gives each client's address with what came of it.
fn some_turns(
    net: &Net,
    web: SocketAddr,
    base: usize,
    settings: (&str, &str),
    turns: &[usize],
) -> Vec<(SocketAddr, String)> {
    let mut clients = Vec::new();
    for &turn in turns {
        for (at, (name, write)) in WRITES.iter().enumerate() {
            for is_evil in [true, false] {
                let number = base + (turn * WRITES.len() + at) * 2 + usize::from(is_evil);
                let twin = Twin { is_evil, base: number * NUMBERS, turn };
                let (own, statuses, finish) = ask(net, web, &write(&twin));
                clients.push((own, format!("{name} ({twin:?}): {statuses:?} {finish:?}")));
                let expect = if is_evil { Expect::Refused(0) } else { Expect::Served(answers(&write(&twin))) };
                let is_met = expect.is_met(&statuses, finish);
                assert!(is_met, "{name} ({twin:?}) with {settings:?}: wanted {expect:?}, got {statuses:?} {finish:?}");
            }
        }
    }
    clients
}

type Write = fn(&Twin) -> Vec<Vec<u8>>;

/// What is written at a time.
const WRITES: [(&str, Write); 6] = [
    ("a head of 8 kB, the device at its end", |twin| vec![long(twin, 7900)]),
    ("a head of 8 kB in two", |twin| {
        let head = long(twin, 7900);
        vec![head[..5000].to_vec(), head[5000..].to_vec()]
    }),
    ("behind another in one write", |twin| vec![[twin.clean(0), long(twin, 3000)].concat()]),
    ("behind 100 kB in one write", |twin| {
        let post = twin.text(&POST.replace("49", "100000"));
        vec![[post, vec![b'.'; 100_000], twin.head()].concat()]
    }),
    ("behind forty in one write", |twin| {
        let many: Vec<u8> = (0..40).flat_map(|k| twin.clean(k % 10)).collect();
        vec![[many, twin.head()].concat()]
    }),
    ("in single bytes", |twin| twin.head().chunks(1).map(<[u8]>::to_vec).collect()),
];

/// How many answers it gets when nothing is refused: each of these requests has a host.
fn answers(writes: &[Vec<u8>]) -> usize {
    let all = writes.concat();
    all.windows(7).filter(|window| *window == b"Host: a").count()
}

fn ask(net: &Net, web: SocketAddr, writes: &[Vec<u8>]) -> (SocketAddr, Vec<u16>, Finish) {
    let mut raw = RawTcp::connect(&net.client, web);
    let own = raw.own();
    for write in writes {
        // A refusal may come before all is written; what came back says so.
        if raw.send(&[write]).is_err() {
            break;
        }
    }
    let expected = answers(writes);
    let enough = |received: &[u8]| statuses(received).len() >= expected || statuses(received).contains(&403);
    let (received, ending) = raw.read_until(PATIENCE, enough);
    let finish = match ending {
        Ending::Closed => Finish::Closed,
        Ending::Open if enough(&received) => Finish::Answered,
        Ending::Open => Finish::TimedOut,
        Ending::Reset => Finish::Reset,
    };
    (own, statuses(&received), finish)
}

fn statuses(mut received: &[u8]) -> Vec<u16> {
    let mut statuses = Vec::new();
    while let Ok(Some((response, length))) = Response::parse(received) {
        statuses.push(response.status);
        received = &received[length..];
    }
    statuses
}

fn long(twin: &Twin, length: usize) -> Vec<u8> {
    twin.text(&HEAD.replace("Host: a", &format!("Host: a\r\nX-Filler: {}", "f".repeat(length))))
}

fn set(net: &Net, (client, host): (&str, &str)) {
    for (space, interface, settings) in [(&net.client, "eth0", client), (&net.host, "client0", host)] {
        if !settings.is_empty() {
            space.exec(&format!("ethtool -K {interface} {settings}"));
        }
    }
}

/// Of the client's end, and of the host's.
const SETTINGS: [(&str, &str); 4] =
    [("", ""), ("", "gro on"), ("tx off tso off gso off", "gro on"), ("tx off rx off sg off", "tx off rx off gro off")];
const PATIENCE: Duration = Duration::from_secs(5);
