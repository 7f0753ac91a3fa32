//! No gap: whatever becomes of the agent, what is blocked stays blocked and what is clean stays served.

use std::{
    io::ErrorKind,
    net::{IpAddr, SocketAddr, UdpSocket},
    sync::Arc,
    thread::{self, JoinHandle},
    time::Duration,
};

use enforcer_tests::{ATTACKER, Agent, CLIENT, Failure, Load, Net, Nginx, PAY, Requests, Summary, eventually};

/// Given traffic. When the agent is killed and started again, over and over. Then not one blocked request is answered and
/// not one clean request fails; the same maps and links serve all the time.
#[test]
fn a_killed_agent_leaves_no_gap() {
    let net = Net::new();
    let nginx = Nginx::start(&net);
    let mut agent = Agent::start(&net, PAY);
    let traffic = Traffic::start(&net, &agent);
    let before = agent.objects();
    for _ in 0..3 {
        agent.kill9();
        traffic.goes_on(&nginx);
        agent.restart();
        traffic.goes_on(&nginx);
    }
    let after = agent.objects();
    assert_eq!((after.maps, after.links), (before.maps, before.links));
    traffic.had_no_gap(&nginx);
}

/// Given traffic. When the agent is upgraded, so that its programs are loaded anew. Then each link has a new program, the
/// old ones are gone, and there was no gap.
#[test]
fn an_upgrade_leaves_no_gap() {
    let net = Net::new();
    let nginx = Nginx::start(&net);
    let mut agent = Agent::start(&net, PAY);
    let traffic = Traffic::start(&net, &agent);
    for _ in 0..3 {
        let before = agent.objects();
        agent.stop();
        agent.restart();
        traffic.goes_on(&nginx);
        let after = agent.objects();
        assert_eq!((&after.maps, &after.links), (&before.maps, &before.links));
        assert!(after.programs.is_disjoint(&before.programs), "{before:?} became {after:?}");
        eventually(PATIENCE, "the old programs are unloaded", || before.alive().programs.is_empty());
    }
    traffic.had_no_gap(&nginx);
}

/// Given traffic. When the agent is restarted with other limits, so that its maps are made anew. Then none of the old maps
/// is left, what was decided is in the new ones, and there was no gap.
#[test]
fn new_maps_leave_no_gap() {
    let net = Net::new();
    let nginx = Nginx::start(&net);
    let mut agent = Agent::start(&net, PAY);
    let traffic = Traffic::start(&net, &agent);
    for limits in ["addresses_v4 = 5000\nidentities = 500", "addresses_v4 = 300000\nrefused_connections = 1000"] {
        let before = agent.objects();
        agent.stop();
        // It does not run, so this only writes the file.
        agent.reload(&format!("[limits]\n{limits}\n{PAY}"));
        agent.restart();
        traffic.goes_on(&nginx);
        let after = agent.objects();
        assert!(after.maps.is_disjoint(&before.maps), "{before:?} became {after:?}");
        assert_eq!(after.links, before.links);
        eventually(PATIENCE, "the old maps are freed", || before.alive().maps.is_empty());
    }
    traffic.had_no_gap(&nginx);
}

/// About 2,000 requests a second, one in four from a blocked device; and from a blocked address connection attempts and a
/// datagram every half millisecond, so that even a short gap is seen.
struct Traffic {
    mixed: Load,
    blocked: Load,
    witness: UdpSocket,
    /// The drizzle goes on as long as this lives.
    alive: Arc<()>,
    drizzle: JoinHandle<()>,
}

impl Traffic {
    fn start(net: &Net, agent: &Agent) -> Self {
        net.lend(&ATTACKER, "203.0.113.0/24");
        let target = SocketAddr::new(ATTACKER.host4.into(), 5000);
        let witness = net.host.inside(|| UdpSocket::bind(target)).expect("binds");
        let source = net.attacker.inside(|| UdpSocket::bind((IpAddr::from(FROM), 5000))).expect("binds");
        source.send_to(b"before", target).expect("sent");
        witness.set_read_timeout(Some(PATIENCE)).expect("a timeout above zero is accepted");
        witness.recv(&mut [0; 16]).expect("a datagram arrives while its source is not blocked");
        agent.block_device("mallory", "deny");
        agent.block_ip("203.0.113.0/24");

        let device = |number: usize| Some(if is_blocked(number) { "mallory" } else { "alice" }.to_owned());
        let mixed = Requests::to(CLIENT.web4()).connections(16).per_second(2000).device(device);
        let blocked = Requests::to(ATTACKER.web4()).from(IpAddr::from(FROM)).connections(8);
        let blocked = blocked.patience(Duration::from_millis(100)).device(|_| Some("trudy".into()));
        let alive = Arc::new(());
        let watched = Arc::downgrade(&alive);
        let drizzle = thread::spawn(move || {
            while watched.strong_count() > 0 {
                source.send_to(b"drop", target).expect("sent");
                thread::sleep(Duration::from_micros(500));
            }
        });
        Self { mixed: mixed.start(&net.client), blocked: blocked.start(&net.attacker), witness, alive, drizzle }
    }

    /// Waits until another 500 requests are through.
    fn goes_on(&self, nginx: &Nginx) {
        let (answered, served) = (self.mixed.answered(), nginx.served().len());
        eventually(PATIENCE, "the traffic goes on", || {
            self.mixed.answered() >= answered + 500 && nginx.served().len() > served
        });
    }

    fn had_no_gap(self, nginx: &Nginx) {
        drop(self.alive);
        self.drizzle.join().expect("the drizzle doesn't panic");
        let (blocked, clean): (Vec<_>, Vec<_>) =
            self.mixed.stop().into_iter().partition(|outcome| is_blocked(outcome.number));
        assert_eq!(Summary::of(&clean).counts, [("200".to_owned(), clean.len())].into());
        assert_eq!(Summary::of(&blocked).counts, [("403".to_owned(), blocked.len())].into());
        let tried = self.blocked.stop();
        assert!(!tried.is_empty() && tried.iter().all(|outcome| outcome.answer == Err(Failure::TimedOut)), "{tried:?}");
        let served = nginx.served_when(clean.len());
        assert_eq!(served.iter().filter(|served| served.device.as_deref() != Some("alice")).count(), 0);
        assert_eq!(served.len(), clean.len());
        self.witness.set_nonblocking(true).expect("any socket can be told not to wait");
        assert_eq!(self.witness.recv(&mut [0; 16]).map_err(|error| error.kind()), Err(ErrorKind::WouldBlock));
    }
}

fn is_blocked(number: usize) -> bool {
    number.is_multiple_of(4)
}

const FROM: [u8; 4] = [203, 0, 113, 7];
const PATIENCE: Duration = Duration::from_secs(10);
