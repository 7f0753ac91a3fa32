//! Where faults are injected: a host with an nginx and an agent, decisions that the suite keeps its own book of, and the traffic.
//!
//! In: a configuration. Out: rounds: decisions are made, traffic starts, the fault is injected, traffic goes on, the sums are made.
//! Never here: a fault, or what a sum is.

use std::{
    cell::Cell,
    collections::BTreeSet,
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

use enforcer_tests::{ATTACKER, Agent, CLIENT, Client, Lines, Net, Nginx, PAY, Request, eventually, wrapped};
use nix::{
    mount::{MsFlags, mount},
    sys::signal::Signal,
};
use serde_json::Value;

use crate::{
    fleet::Fleet,
    gauge::Gauge,
    sums::{self, Fate, Sum},
    table::Fault,
    traffic::{BAD_DEVICE, BAD_NETWORK, Logs, Traffic},
};

/// The lab of one fault; the agent goes before the network it lives in.
pub(crate) struct Ground {
    pub(crate) agent: Agent,
    pub(crate) nginx: Nginx,
    pub(crate) fleet: Option<Fleet>,
    /// Counters of the round.
    pub(crate) gauge: Gauge,
    /// Who hears events, as long as the agent lives.
    pub(crate) follower: Option<Lines>,
    /// What was acknowledged: the ids of decisions in force.
    pub(crate) book: BTreeSet<String>,
    pub(crate) net: Net,
    pub(crate) config: String,
    /// Lines of events that who follows has heard, and was told to have missed.
    pub(crate) heard: u64,
    pub(crate) missed: u64,
    /// Requests of the blocked device beside the traffic that were refused in this round.
    pub(crate) denied_aside: Cell<u64>,
    /// The `bpf()` calls of a start.
    pub(crate) calls: Vec<String>,
    made: u32,
    /// Decisions that were made here, in their order.
    made_here: Vec<String>,
}

/// How much traffic a round has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// Requests a second.
    pub(crate) per_second: u32,
    /// Requests at least, of which a third comes before the fault.
    pub(crate) requests: usize,
}

impl Default for Pace {
    /// As much as a fault needs.
    fn default() -> Self {
        Self { per_second: 600, requests: 0 }
    }
}

/// What came of a round.
pub(crate) struct Round {
    pub(crate) sums: [Sum; 5],
    pub(crate) probes: Probes,
    /// From the fault to the last blocked thing that was delivered, where a fault takes enforcement itself away.
    pub(crate) open: Duration,
    /// Requests, and how long it took to send them.
    pub(crate) asked: (usize, Duration),
}

/// How much was sent that must not arrive, and that must.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Probes {
    pub(crate) bad: u64,
    pub(crate) good: u64,
}

impl Ground {
    /// Makes it, with this before the service in the agent's configuration.
    pub(crate) fn new(fault: &Fault) -> Self {
        let net = Net::new();
        net.lend(&ATTACKER, BAD_NETWORK);
        net.lend(&ATTACKER, "203.0.114.0/24");
        let nginx = Nginx::start_with_room(&net, 65_536);
        let config = format!("{}{PAY}", fault.config);
        if fault.disk {
            let state = net.folder().join("agent/state");
            fs::create_dir_all(&state).expect("a folder can be made");
            mount(Some("tmpfs"), &state, Some("tmpfs"), MsFlags::empty(), Some("size=4m,mode=700")).expect("mounted");
        }
        let mut agent = Agent::start(&net, &config);
        let fleet = fault.central.then(|| Fleet::start(&net, &mut agent));
        let gauge = Gauge::open(&agent);
        let mut ground = Self {
            agent,
            nginx,
            fleet,
            gauge,
            follower: None,
            book: BTreeSet::new(),
            net,
            config,
            heard: 0,
            missed: 0,
            denied_aside: Cell::new(0),
            calls: Vec::new(),
            made: 0,
            made_here: Vec::new(),
        };
        ground.block(&["device", "--value", BAD_DEVICE, "--service", "pay", "--action", "deny"]);
        ground.block(&["ip", BAD_NETWORK]);
        ground
    }

    /// One round.
    pub(crate) fn round(&mut self, fault: &Fault, nth: usize, pace: Pace) -> Round {
        self.order();
        self.follow();
        let (seen_before, mended_before) = (self.seen(), self.mended());
        let (started, traffic) = (Instant::now(), Traffic::start(&self.net, &self.nginx, pace.per_second));
        traffic.goes_on();
        traffic.reaches(pace.requests / 3);
        let mut fate = (fault.inject)(self, &traffic, nth);
        self.gauge.look(&self.agent);
        traffic.goes_on();
        traffic.reaches(pace.requests);
        let lasted = started.elapsed();
        let logs = traffic.stop(&self.nginx);
        let asked = (logs.asked.len(), lasted);
        if !fate.new_agent {
            (fate.seen_before, fate.mended_before) = (seen_before, mended_before);
        }
        let sums = sums::all(self, &logs, &fate);
        let sums = std::array::from_fn(|at| if fault.sums[at] { sums[at].clone() } else { Sum::Apart });
        self.well_again(&fate);
        Round { probes: probes(&logs), open: sums::open_for(&logs, &fate), asked, sums }
    }

    /// Blocks something for a day, and enters the acknowledgement into the book.
    pub(crate) fn block(&mut self, what: &[&str]) -> String {
        let report = self.agent.json(&[&["block"], what, &["--for", "1d", "--reason", "faults"]].concat());
        let id = report["decision"]["id"].as_str().unwrap_or_else(|| panic!("no id: {report}")).to_owned();
        self.book.insert(id.clone());
        self.made_here.push(id.clone());
        id
    }

    /// Takes back what was decided here since the first `count` decisions, so that a long run does not hold more and more.
    pub(crate) fn keep_first(&mut self, count: usize) {
        for id in self.made_here.split_off(count) {
            if self.book.remove(&id) {
                self.agent.done(&["unblock", &id]);
            }
        }
    }

    /// Makes a few decisions and takes some back, so that every round has its own.
    pub(crate) fn order(&mut self) {
        self.made += 1;
        let number = self.made;
        let (device, address) = (format!("device-{number}"), format!("198.51.{}.{}", number / 250, number % 250));
        self.block(&["device", "--value", &device, "--service", "pay", "--action", "deny"]);
        self.block(&["flow", &format!("tcp 192.0.2.1:{number} > 10.77.2.1:80")]);
        let address = self.block(&["ip", &address]);
        if number.is_multiple_of(2) {
            self.agent.done(&["unblock", &address]);
            self.book.remove(&address);
        }
    }

    /// Events that the agent has read since it started.
    pub(crate) fn seen(&self) -> u64 {
        self.status()["events"]["seen"].as_u64().expect("a number")
    }

    fn mended(&self) -> u64 {
        self.status()["drift"]["repaired"].as_u64().expect("a number")
    }

    /// What the agent says of itself.
    pub(crate) fn status(&self) -> Value {
        // It ends with 3 while the last comparison found something.
        self.agent.cli(&["-o", "json", "status"]).json()
    }

    /// Begins to follow events; nothing is refused meanwhile but by this.
    pub(crate) fn follow(&mut self) {
        let follower = Lines::of(&mut self.agent.command(&["-o", "json", "events"]));
        eventually(PATIENCE, "the follower hears", || {
            let _refused = self.ask(BAD_DEVICE);
            follower.next(Duration::from_millis(50)).is_some()
        });
        // What else is under way to it belongs to no round.
        let settled = || (self.gauge.read(), self.seen());
        let mut last = settled();
        eventually(PATIENCE, "the follower has all", || {
            let silent = follower.next(Duration::from_millis(20)).is_none();
            let now = settled();
            let quiet = silent && now == last;
            last = now;
            quiet
        });
        self.gauge = Gauge::open(&self.agent);
        (self.heard, self.missed) = (0, 0);
        self.denied_aside.set(0);
        self.follower = Some(follower);
    }

    /// One request on a new connection.
    pub(crate) fn ask(&self, device: &str) -> Option<u16> {
        let mut client = Client::connect(&self.net.client, CLIENT.web4()).ok()?;
        let status = client.request(&Request::get("/health").device(device)).ok().map(|answer| answer.status);
        self.denied_aside.set(self.denied_aside.get() + u64::from(status == Some(403)));
        status
    }

    /// Kills the agent like a crash would.
    pub(crate) fn kill(&mut self) -> Fate {
        self.agent.kill9();
        self.lost_agent()
    }

    /// What follows for the sums when the agent is gone: a new one reads the events from here on.
    pub(crate) fn lost_agent(&mut self) -> Fate {
        self.follower = None;
        Fate { new_agent: true, told_at_death: self.gauge.read().told, ..Fate::default() }
    }

    /// Starts the agent again, with maps that the gauge takes up.
    pub(crate) fn revive(&mut self) {
        self.agent.restart();
        self.gauge.look(&self.agent);
    }

    /// Ends the agent as a service manager does.
    pub(crate) fn stop(&mut self) -> Fate {
        self.agent.stop();
        self.lost_agent()
    }

    /// The program that a shell script stands before.
    pub(crate) fn wrapper(&self, name: &str, before: &str) -> PathBuf {
        wrapped(self.net.folder(), name, before)
    }

    /// Another agent on the same host, with a state of its own and no decisions.
    pub(crate) fn stranger(&self, config: &str) -> Agent {
        Agent::start_beside(&self.net, "stranger", config)
    }

    /// Waits until the agent has compared everything once more: what it makes of a changed clock shows then.
    pub(crate) fn ticks(&self) {
        let last = || self.status()["drift"]["last_check"].clone();
        let before = last();
        eventually(PATIENCE, "the agent compares", || last() != before);
    }

    /// Enters what is in force besides what single orders made, and takes it back.
    pub(crate) fn take_back_list(&mut self) {
        let surplus = self.listed_ids().difference(&self.book).cloned().collect::<Vec<_>>();
        for id in &surplus {
            self.agent.done(&["unblock", id]);
        }
    }

    /// Waits until packets and requests are refused again.
    pub(crate) fn until_enforced(&self, from: Instant) -> (Instant, Instant) {
        eventually(PATIENCE, "requests are refused again", || self.ask(BAD_DEVICE) == Some(403));
        eventually(PATIENCE, "all programs hang again", || sums::hooks(self).is_ok());
        (from, Instant::now())
    }

    /// Whatever a fault has left, the next round begins with an agent that complains of nothing.
    fn well_again(&mut self, fate: &Fate) {
        self.follower = None;
        if !fate.told.is_empty() {
            self.agent.stop();
            self.agent.restart();
        }
        self.agent.signal(Signal::SIGCONT);
    }
}

fn probes(logs: &Logs) -> Probes {
    let bad = logs.sent.iter().filter(|one| one.is_bad()).count()
        + logs.asked.iter().filter(|one| crate::traffic::is_bad(one.number)).count();
    let all = logs.sent.len() + logs.asked.len();
    Probes { bad: bad as u64, good: (all - bad) as u64 }
}

/// The longest that anything takes here.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
