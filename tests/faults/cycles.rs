//! `--cycles N`: the agent dies, is restarted and upgraded so often, under at least a million probes that must be blocked and a million
//! requests that must be served.
//!
//! In: root, the built agents. Out: what was sent, what the servers have in their logs. Never here: the five sums.
//!
//! Requests are real ones on kept connections, several at a time in one segment, to nginx, whose log is read at the end. Probes that must be
//! blocked are datagrams of a blocked address, counted by the server that hears none, and beside them requests of a blocked device.

use std::{
    fs::File,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{IpAddr, SocketAddr, TcpStream, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use enforcer_tests::{ATTACKER, CLIENT, PAY, Requests, connect};

use crate::{
    agents::ahead,
    ground::{Ground, PATIENCE},
    sums::Fate,
    table::Fault,
    traffic::BAD_DEVICE,
};

/// What is counted while it runs.
#[derive(Default)]
struct Counts {
    stop: AtomicBool,
    probes: AtomicU64,
    delivered: AtomicU64,
    requests: AtomicU64,
    unanswered: AtomicU64,
}

impl Counts {
    fn goes_on(&self) -> bool {
        !self.stop.load(Ordering::Relaxed)
    }

    fn are_enough(&self) -> bool {
        self.probes.load(Ordering::Relaxed) >= ENOUGH && self.requests.load(Ordering::Relaxed) >= ENOUGH
    }
}

/// Runs it, and tells; true when nothing was delivered that must not be, and nothing lost.
pub(crate) fn run(cycles: usize) -> bool {
    let (started, counts) = (Instant::now(), Arc::new(Counts::default()));
    let mut ground = Ground::new(&Fault::new("cycles", "", |_, _, _| Fate::default()));
    let bad = Requests::to(CLIENT.web4()).connections(4).per_second(100).device(|_| Some(BAD_DEVICE.to_owned()));
    let bad = bad.start(&ground.net.client);
    let workers = begin(&ground, &counts);
    let mut done = [0; 4];
    let (mut nth, mut during) = (0, Duration::ZERO);
    // Deaths go on while probes are missing.
    while nth < cycles || !counts.are_enough() {
        let (kind, asked) = (kind(nth), counts.requests.load(Ordering::Relaxed));
        cycle(&mut ground, kind);
        done[kind] += 1;
        enforcer_tests::eventually(PATIENCE, "requests go on", || {
            counts.requests.load(Ordering::Relaxed) > asked + 500
        });
        nth += 1;
        if nth.is_multiple_of(10) {
            eprintln!("{nth} cycles, {} probes, {asked} requests", counts.probes.load(Ordering::Relaxed));
        }
        during = started.elapsed();
    }
    counts.stop.store(true, Ordering::Relaxed);
    for worker in workers {
        worker.join().expect("a sender does not panic");
    }
    let refused = bad.stop();
    let wrong = refused.iter().filter(|one| one.status() != Some(403)).count();
    tell(&ground, &counts, done, during, (refused.len(), wrong))
}

/// Three of four are deaths and starts of the same program; of ten, one brings other sizes of maps, one another layout and back.
fn kind(nth: usize) -> usize {
    match nth % 10 {
        9 => 3,
        4 => 2,
        odd if odd % 2 == 1 => 1,
        _ => 0,
    }
}

fn cycle(ground: &mut Ground, kind: usize) {
    match kind {
        0 => ground.agent.kill9(),
        1 => ground.agent.stop(),
        2 => {
            ground.agent.stop();
            let size = if ground.config.contains("5000") { 9000 } else { 5000 };
            ground.config = format!("[limits]\naddresses_v4 = {size}\n{PAY}");
            ground.agent.configure(&ground.config);
        }
        _ => {
            ground.agent.stop();
            ground.agent.become_program(&ahead());
            ground.agent.restart();
            ground.agent.stop();
            ground.agent.become_program(enforcer_tests::program());
        }
    }
    ground.agent.restart();
}

fn begin(ground: &Ground, counts: &Arc<Counts>) -> Vec<thread::JoinHandle<()>> {
    let target = SocketAddr::new(ATTACKER.host4.into(), PORT);
    let server = ground.net.host.inside(|| UdpSocket::bind(target)).expect("binds");
    let source = ground.net.attacker.inside(|| UdpSocket::bind((IpAddr::from([203, 0, 113, 7]), PORT))).expect("binds");
    let (sending, hearing) = (Arc::clone(counts), Arc::clone(counts));
    let mut workers =
        vec![thread::spawn(move || probe(&source, target, &sending)), thread::spawn(move || hear(&server, &hearing))];
    for sender in 0..SENDERS {
        let stream = ground.net.client.inside(|| connect(None, CLIENT.web4(), PATIENCE)).expect("connects");
        let counts = Arc::clone(counts);
        workers.push(thread::spawn(move || request(stream, sender, &counts)));
    }
    workers
}

fn probe(source: &UdpSocket, target: SocketAddr, counts: &Counts) {
    while counts.goes_on() {
        let sent = (0..BATCH).filter(|_| source.send_to(b"must not arrive", target).is_ok()).count();
        counts.probes.fetch_add(sent as u64, Ordering::Relaxed);
        // The pace of the load, not a wait.
        thread::sleep(Duration::from_micros(500));
    }
}

fn hear(server: &UdpSocket, counts: &Counts) {
    server.set_read_timeout(Some(Duration::from_millis(200))).expect("a timeout above zero is accepted");
    let mut silent = false;
    while counts.goes_on() || !silent {
        silent = server.recv(&mut [0; 64]).is_err();
        counts.delivered.fetch_add(u64::from(!silent), Ordering::Relaxed);
    }
}

/// Each sender has numbers of its own: its place, and then in steps of the number of senders.
fn request(mut stream: TcpStream, sender: u64, counts: &Counts) {
    let (mut number, mut received) = (sender, vec![0; 65_536]);
    while counts.goes_on() {
        let mut text = String::new();
        for _ in 0..BATCH {
            let head =
                format!("GET /health HTTP/1.1\r\nHost: a\r\nX-Request-Number: {number}\r\nX-Device-Id: alice\r\n\r\n");
            text.push_str(&head);
            number += SENDERS;
        }
        let mut answers = 0;
        if stream.write_all(text.as_bytes()).is_ok() {
            let mut rest = Vec::new();
            while answers < BATCH {
                let Ok(length @ 1..) = stream.read(&mut received) else { break };
                rest.extend_from_slice(&received[..length]);
                answers += take_answers(&mut rest);
            }
        }
        counts.requests.fetch_add(BATCH as u64, Ordering::Relaxed);
        counts.unanswered.fetch_add((BATCH - answers) as u64, Ordering::Relaxed);
        if answers < BATCH {
            return;
        }
        // The pace of the load: the agent must have a processor to start on.
        thread::sleep(Duration::from_millis(4));
    }
}

/// Whole answers of 200 at the beginning; they are taken away.
fn take_answers(rest: &mut Vec<u8>) -> usize {
    let mut count = 0;
    while let Ok(Some((answer, length))) = enforcer_tests::Response::parse(rest) {
        rest.drain(..length);
        count += usize::from(answer.status == 200);
    }
    count
}

fn tell(ground: &Ground, counts: &Counts, done: [usize; 4], during: Duration, (asked, wrong): (usize, usize)) -> bool {
    let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
    let (requests, unanswered) = (of(&counts.requests), of(&counts.unanswered));
    let (served, blocked) = served(ground, requests);
    let [killed, restarted, resized, relaid] = done;
    println!(
        "{} cycles: {killed} of kill -9 and start, {restarted} of end and start, {resized} with new sizes of maps, {relaid} to another \
         layout of maps and back; {:.0} s",
        done.iter().sum::<usize>(),
        during.as_secs_f64()
    );
    println!("blocked datagrams sent {}, delivered {}", of(&counts.probes), of(&counts.delivered));
    println!("requests of the blocked device sent {asked}, not answered by 403 {wrong}, in nginx's log {blocked}");
    println!("clean requests sent {requests}, unanswered {unanswered}, different ones in nginx's log {served}");
    of(&counts.delivered) == 0 && wrong == 0 && blocked == 0 && unanswered == 0 && served == requests
}

/// Different clean requests, and requests of the blocked device, in the log of nginx.
fn served(ground: &Ground, requests: u64) -> (u64, u64) {
    let log = File::open(ground.net.folder().join("nginx/access.log")).expect("nginx has a log");
    // One sender may have sent far more than the others.
    let most = usize::try_from(SENDERS * (requests + 1)).unwrap_or(usize::MAX);
    let (mut seen, mut blocked) = (vec![false; most], 0);
    for line in BufReader::new(log).lines().map_while(Result::ok) {
        let mut words = line.split(' ');
        let number: Option<usize> = words.next().and_then(|word| word.parse().ok());
        match (number, words.nth(2)) {
            (_, Some(BAD_DEVICE)) => blocked += 1,
            (Some(number), Some("alice")) if number < most => seen[number] = true,
            _ => {}
        }
    }
    (seen.iter().filter(|seen| **seen).count() as u64, blocked)
}

const ENOUGH: u64 = 1_000_000;
const SENDERS: u64 = 3;
/// Datagrams between two pauses, requests in one segment.
const BATCH: usize = 16;
const PORT: u16 = 5001;
