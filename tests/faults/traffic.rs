//! The traffic of a round: numbered requests over kept connections, and numbered datagrams, of which each must pass or must not.
//!
//! In: a network with an nginx. Out: what was sent, and what the servers themselves have in their logs. Never here: a judgement;
//! see `sums`.

use std::{
    net::{IpAddr, SocketAddr, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use enforcer_tests::{ATTACKER, CLIENT, Load, Net, Nginx, Outcome, Requests, Served, eventually};
use nix::sys::socket::{setsockopt, sockopt::RcvBufForce};

/// The device of every request that must be refused.
pub(crate) const BAD_DEVICE: &str = "mallory";
/// The network of every datagram that must be dropped.
pub(crate) const BAD_NETWORK: &str = "203.0.113.0/24";

/// Traffic that goes on until it is stopped.
pub(crate) struct Traffic {
    load: Load,
    drizzle: Drizzle,
    served_before: usize,
}

/// One datagram.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Datagram {
    pub(crate) number: u32,
    pub(crate) at: Instant,
}

impl Datagram {
    /// Odd ones are from the blocked network.
    pub(crate) fn is_bad(self) -> bool {
        self.number % 2 == 1
    }
}

/// What was sent, and what arrived.
pub(crate) struct Logs {
    /// Requests with what came back.
    pub(crate) asked: Vec<Outcome>,
    /// The part of nginx's own log.
    pub(crate) served: Vec<Served>,
    /// Datagrams that were sent.
    pub(crate) sent: Vec<Datagram>,
    /// Datagrams in the log of the server that got them.
    pub(crate) heard: Vec<Datagram>,
}

impl Traffic {
    /// Starts it: so many requests a second, one in four of the blocked device, and about 1,500 datagrams, half of them blocked.
    pub(crate) fn start(net: &Net, nginx: &Nginx, per_second: u32) -> Self {
        let served_before = nginx.served().len();
        let device = |number: usize| Some(if is_bad(number) { BAD_DEVICE } else { "alice" }.to_owned());
        let load = Requests::to(CLIENT.web4()).connections(8).per_second(per_second).device(device);
        Self { load: load.start(&net.client), drizzle: Drizzle::start(net), served_before }
    }

    /// Waits until some hundred more requests and datagrams are through.
    #[track_caller]
    pub(crate) fn goes_on(&self) {
        let (asked, sent) = (self.load.answered(), self.drizzle.sent.load(Ordering::Relaxed));
        eventually(PATIENCE, "the traffic goes on", || {
            self.load.answered() >= asked + 120 && self.drizzle.sent.load(Ordering::Relaxed) >= sent + 300
        });
    }

    /// Waits until so many requests are answered since it started.
    #[track_caller]
    pub(crate) fn reaches(&self, requests: usize) {
        eventually(LONGEST, "so many requests are answered", || self.load.answered() >= requests);
    }

    /// Datagrams that have arrived so far.
    pub(crate) fn heard(&self) -> u32 {
        self.drizzle.heard.load(Ordering::Relaxed)
    }

    /// Ends it, once the servers have logged what they got.
    pub(crate) fn stop(self, nginx: &Nginx) -> Logs {
        let asked = self.load.stop();
        let (sent, heard) = self.drizzle.stop();
        let answered = asked.iter().filter(|one| one.status() == Some(200)).count();
        let mut served = Vec::new();
        eventually(PATIENCE, "nginx has logged what it answered", || {
            served = nginx.served().split_off(self.served_before);
            // Requests without a number are none of the traffic.
            served.retain(|one| one.number.is_some());
            served.len() >= answered
        });
        Logs { asked, served, sent, heard }
    }
}

/// Whether the request of this number is of the blocked device.
pub(crate) fn is_bad(number: usize) -> bool {
    number.is_multiple_of(4)
}

/// Datagrams from a blocked and a clean address, in turns, and the server that logs them.
struct Drizzle {
    stop: Arc<AtomicBool>,
    sent: Arc<AtomicU32>,
    heard: Arc<AtomicU32>,
    sender: JoinHandle<Vec<Datagram>>,
    server: JoinHandle<Vec<Datagram>>,
    silence: Arc<AtomicBool>,
}

impl Drizzle {
    fn start(net: &Net) -> Self {
        let target = SocketAddr::new(ATTACKER.host4.into(), PORT);
        let server = net.host.inside(|| UdpSocket::bind(SocketAddr::new([0, 0, 0, 0].into(), PORT))).expect("binds");
        // A busy machine may leave it waiting: what it does not hear must not have been thrown away here.
        setsockopt(&server, RcvBufForce, &(64 << 20)).expect("root may ask for a large buffer");
        let socket = |from: [u8; 4]| {
            net.attacker.inside(|| UdpSocket::bind(SocketAddr::new(IpAddr::from(from), PORT))).expect("binds")
        };
        let sources = [socket([203, 0, 114, 7]), socket([203, 0, 113, 7])];
        let (stop, silence) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let (sent, heard) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
        let (until, count) = (Arc::clone(&stop), Arc::clone(&sent));
        let (until_silence, arrived) = (Arc::clone(&silence), Arc::clone(&heard));
        Self {
            sender: thread::spawn(move || send(&sources, target, &until, &count)),
            server: thread::spawn(move || hear(&server, &until_silence, &arrived)),
            stop,
            sent,
            heard,
            silence,
        }
    }

    fn stop(self) -> (Vec<Datagram>, Vec<Datagram>) {
        self.stop.store(true, Ordering::Relaxed);
        let sent = self.sender.join().expect("the sender does not panic");
        self.silence.store(true, Ordering::Relaxed);
        (sent, self.server.join().expect("the server does not panic"))
    }
}

/// Sends until told to stop. What the system refuses to send is not counted as sent.
fn send(sources: &[UdpSocket; 2], to: SocketAddr, stop: &AtomicBool, count: &AtomicU32) -> Vec<Datagram> {
    let mut sent = Vec::new();
    for number in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let at = Instant::now();
        if sources[number as usize % 2].send_to(&u32::to_be_bytes(number), to).is_ok() {
            sent.push(Datagram { number, at });
        }
        count.fetch_add(1, Ordering::Relaxed);
        // The pace of the load, not a wait.
        thread::sleep(Duration::from_micros(600));
    }
    sent
}

/// Logs what comes until there is silence after the end.
fn hear(server: &UdpSocket, silence: &AtomicBool, count: &AtomicU32) -> Vec<Datagram> {
    let (mut heard, mut bytes) = (Vec::new(), [0; 16]);
    server.set_read_timeout(Some(Duration::from_millis(100))).expect("a timeout above zero is accepted");
    loop {
        let ended = silence.load(Ordering::Relaxed);
        match server.recv(&mut bytes) {
            Ok(4) => {
                let number = u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
                heard.push(Datagram { number, at: Instant::now() });
                count.fetch_add(1, Ordering::Relaxed);
            }
            Err(_) if ended => return heard,
            Ok(_) | Err(_) => {}
        }
    }
}

const PORT: u16 = 5000;
const PATIENCE: Duration = Duration::from_secs(20);
/// The most that all requests of a round may take.
const LONGEST: Duration = Duration::from_mins(10);
