//! Load: many keep-alive connections that say what became of every single request.
//!
//! In: how many connections, how many requests or how fast, and which device each is from. Out: one [`Outcome`] per
//! request, those of one connection in their order. Never here: a retry. A connection that ended is made anew for the
//! *next* request; the one it failed has failed.

use std::{
    collections::BTreeMap,
    fmt,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use crate::{
    http::{Client, Failure, Request, Response},
    namespace::Namespace,
    wait::patient,
};

/// A load to generate.
#[derive(Clone)]
pub struct Requests {
    to: SocketAddr,
    from: Option<IpAddr>,
    connections: usize,
    total: usize,
    pause: Duration,
    patience: Duration,
    path: String,
    device: Device,
}

type Device = Arc<dyn Fn(usize) -> Option<String> + Send + Sync>;

/// What became of one request.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The number of the request, also in its `X-Request-Number` header.
    pub number: usize,
    /// Which of the load's connections sent it.
    pub connection: usize,
    /// The device it was from.
    pub device: Option<String>,
    /// When it was sent.
    pub sent: Instant,
    /// From sending to the whole response (including the connection, if a new one was needed).
    pub latency: Duration,
    /// What came back.
    pub answer: Result<Response, Failure>,
}

impl Requests {
    /// One connection, one request, no device.
    pub fn to(to: SocketAddr) -> Self {
        Self {
            to,
            from: None,
            connections: 1,
            total: 1,
            pause: Duration::ZERO,
            patience: patient(Duration::from_secs(5)),
            path: "/api/accounts/7".to_owned(),
            device: Arc::new(|_| None),
        }
    }

    /// From one of the addresses lent to the namespace.
    #[must_use]
    pub fn from(mut self, from: IpAddr) -> Self {
        self.from = Some(from);
        self
    }

    /// Over so many connections at a time.
    #[must_use]
    pub fn connections(mut self, connections: usize) -> Self {
        self.connections = connections;
        self
    }

    /// So many requests altogether.
    #[must_use]
    pub fn total(mut self, total: usize) -> Self {
        self.total = total;
        self
    }

    /// At most so many each second; without this, as fast as answers come.
    #[must_use]
    pub fn per_second(mut self, rate: u32) -> Self {
        self.pause = Duration::from_secs(1) / rate;
        self
    }

    /// How long a connection or an answer may take.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Which path to ask for.
    #[must_use]
    pub fn path(mut self, path: &str) -> Self {
        path.clone_into(&mut self.path);
        self
    }

    /// Which device the n-th request is from.
    #[must_use]
    pub fn device(mut self, device: impl Fn(usize) -> Option<String> + Send + Sync + 'static) -> Self {
        self.device = Arc::new(device);
        self
    }

    /// Sends all of it, and returns what became of each, by number.
    pub fn run(self, space: &Namespace) -> Vec<Outcome> {
        let total = self.total;
        self.launch(space, total).collect()
    }

    /// Sends without an end, until [`Load::stop`].
    pub fn start(self, space: &Namespace) -> Load {
        self.launch(space, usize::MAX)
    }

    fn launch(self, space: &Namespace, total: usize) -> Load {
        let shared = Arc::new(Shared {
            plan: self,
            total,
            started: Instant::now(),
            next: AtomicUsize::new(0),
            answered: AtomicUsize::new(0),
            stop: AtomicBool::new(false),
        });
        let workers = (0..shared.plan.connections).map(|connection| {
            let (shared, space) = (Arc::clone(&shared), space.clone());
            thread::spawn(move || {
                space.enter();
                shared.drive(connection)
            })
        });
        Load { workers: workers.collect(), shared }
    }

    fn request(&self, number: usize, device: Option<&str>) -> Request {
        let request = Request::get(&self.path).header("X-Request-Number", &number.to_string());
        match device {
            Some(device) => request.device(device),
            None => request,
        }
    }
}

/// A load that is being generated; it stops when dropped.
pub struct Load {
    workers: Vec<JoinHandle<Vec<Outcome>>>,
    shared: Arc<Shared>,
}

impl Load {
    /// How many requests have been answered or have failed so far.
    pub fn answered(&self) -> usize {
        self.shared.answered.load(Ordering::Relaxed)
    }

    /// Lets every connection finish its request, and returns what became of each, by number.
    pub fn stop(self) -> Vec<Outcome> {
        self.shared.stop.store(true, Ordering::Relaxed);
        self.collect()
    }

    fn collect(mut self) -> Vec<Outcome> {
        let ended = self.workers.drain(..).map(JoinHandle::join);
        let mut outcomes: Vec<Outcome> =
            ended.flat_map(|outcomes| outcomes.expect("a connection doesn't panic")).collect();
        outcomes.sort_by_key(|outcome| outcome.number);
        outcomes
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        for worker in self.workers.drain(..) {
            // Its panic has been printed by the thread itself.
            let _ended = worker.join();
        }
    }
}

struct Shared {
    plan: Requests,
    total: usize,
    started: Instant,
    next: AtomicUsize,
    answered: AtomicUsize,
    stop: AtomicBool,
}

impl Shared {
    fn drive(&self, connection: usize) -> Vec<Outcome> {
        let (mut outcomes, mut client) = (Vec::new(), None);
        while !self.stop.load(Ordering::Relaxed) {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            if number >= self.total {
                break;
            }
            self.pace(number);
            outcomes.push(self.send(number, connection, &mut client));
            self.answered.fetch_add(1, Ordering::Relaxed);
        }
        outcomes
    }

    /// The rate is kept by the clock, not by waiting after each answer: a slow answer must not lower the load.
    fn pace(&self, number: usize) {
        let due = self.plan.pause * u32::try_from(number).unwrap_or(u32::MAX);
        thread::sleep(due.saturating_sub(self.started.elapsed()));
    }

    fn send(&self, number: usize, connection: usize, client: &mut Option<Client>) -> Outcome {
        let plan = &self.plan;
        let device = (plan.device)(number);
        let request = plan.request(number, device.as_deref());
        let sent = Instant::now();
        let connected = client.take().map_or_else(|| Client::connect_here(plan.from, plan.to, plan.patience), Ok);
        let answer = connected.and_then(|mut open| {
            let response = open.request(&request)?;
            *client = (!response.closes()).then_some(open);
            Ok(response)
        });
        Outcome { number, connection, device, sent, latency: sent.elapsed(), answer }
    }
}

impl Outcome {
    /// The status code, if there was an answer.
    pub fn status(&self) -> Option<u16> {
        self.answer.as_ref().ok().map(|response| response.status)
    }
}

/// Outcomes counted, for messages: `200: 8000, 403: 2000, TimedOut: 1; median 0.2 ms, 99% 1.1 ms`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Summary {
    /// How many of each status code or failure.
    pub counts: BTreeMap<String, usize>,
    /// Half of the requests took at most this.
    pub median: Duration,
    /// 99 of 100 requests took at most this.
    pub p99: Duration,
}

impl Summary {
    /// Counts them.
    pub fn of<'a>(outcomes: impl IntoIterator<Item = &'a Outcome>) -> Self {
        let (mut counts, mut latencies) = (BTreeMap::new(), Vec::new());
        for outcome in outcomes {
            let name =
                outcome.answer.as_ref().map_or_else(|error| format!("{error:?}"), |answer| answer.status.to_string());
            *counts.entry(name).or_default() += 1;
            latencies.push(outcome.latency);
        }
        latencies.sort_unstable();
        let at =
            |percent: usize| latencies.get((latencies.len() * percent / 100).min(latencies.len().saturating_sub(1)));
        let quantile = |percent| at(percent).copied().unwrap_or_default();
        Self { counts, median: quantile(50), p99: quantile(99) }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts: Vec<String> = self.counts.iter().map(|(name, count)| format!("{name}: {count}")).collect();
        write!(formatter, "{}; median {:.2?}, 99% {:.2?}", counts.join(", "), self.median, self.p99)
    }
}
