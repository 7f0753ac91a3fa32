//! A thread for the filters, and another in its place when a filter does not come back. In: calls, ticks, orders for the runner.
//! Out: signs and notices, to a listener. Never here: clocks of the wall, waiting for filters.
//!
//! A thread cannot be stopped from outside. One whose filter loops is abandoned: it is not waited for, what it would still say is
//! not heard, and a new thread takes its queue and all cells but that one. The old thread goes on burning a processor until its
//! filter ends or the agent does; so this is done [`MOST`] times at most, and then the filters rest until the agent starts again.
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::Builder;

use enforcer_insight::Call;
use enforcer_insight::filters::{Notice, Pulse, Raised, Rescue, Runner};
use enforcer_policy::Moment;

use super::meter::WorkMeter;

/// Who hears what filters say. Called on the filters' thread: quick, and never waiting.
pub trait Listener: Send + Sync {
    /// Filters raised signs about a call or tick of this time.
    fn raised(&self, signs: Vec<Raised>, now: Moment);

    /// Something happened to filters. After one was given up, the matrix is to be applied again: it may have been given up while
    /// the matrix was applied.
    fn noticed(&self, notices: Vec<Notice>);
}

/// What did not reach filters.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Lost {
    /// Calls and ticks that found the queue full.
    pub full: u64,
    /// Threads that were abandoned.
    pub abandoned: u32,
    /// True when too many were: no filter runs.
    pub resting: bool,
}

/// Keeps a thread for the filters.
pub struct Supervisor {
    queue: SyncSender<Work>,
    works: Arc<Mutex<Receiver<Work>>>,
    listener: Arc<dyn Listener>,
    pulse: Arc<Pulse>,
    rescue: Rescue,
    thread: Thread,
    stuck: Stuck,
    full: AtomicU64,
    lost: Lost,
}

/// A turn that was seen at work before.
#[derive(Clone, Copy, Default)]
struct Stuck {
    turn: u64,
    looks: u32,
    /// Nanoseconds that the thread had taken of a processor at the first look.
    from: u64,
}

/// Where the system tells of the filters' thread, once it has begun.
type Thread = Arc<OnceLock<PathBuf>>;

/// Something for the filters' thread.
enum Work {
    Call(Box<Call>),
    Order(Box<dyn FnOnce(&mut Runner) + Send>),
    Tick(Moment),
}

impl Supervisor {
    /// Starts the thread.
    ///
    /// # Errors
    /// What the system says when there is no thread to be had.
    pub fn start(runner: Runner, listener: Arc<dyn Listener>) -> io::Result<Self> {
        let (queue, works) = sync_channel(QUEUE);
        let works = Arc::new(Mutex::new(works));
        let (pulse, rescue) = (runner.pulse(), runner.rescue());
        let thread = spawn(runner, Arc::clone(&works), Arc::clone(&listener))?;
        let (stuck, full, lost) = (Stuck::default(), AtomicU64::new(0), Lost::default());
        Ok(Self { queue, works, listener, pulse, rescue, thread, stuck, full, lost })
    }

    /// Shows a call to the filters; one for which there is no room is counted and not shown.
    pub fn show(&self, call: Call) {
        self.offer(Work::Call(Box::new(call)));
    }

    /// Tells the filters the time, about once a second.
    pub fn tick(&self, now: Moment) {
        self.offer(Work::Tick(now));
    }

    /// Does something with the runner on its thread: apply a matrix, start a filter again, ask how they do. False when the queue is
    /// full, and it is not done.
    pub fn order(&self, order: impl FnOnce(&mut Runner) + Send + 'static) -> bool {
        self.offer(Work::Order(Box::new(order)))
    }

    fn offer(&self, work: Work) -> bool {
        match self.queue.try_send(work) {
            Ok(()) => true,
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                self.full.fetch_add(1, Ordering::Relaxed);
                false
            }
        }
    }

    /// Looks whether the filter at work is still the same: called ten times a second. It is given up when it was so at [`PATIENCE`]
    /// looks and its thread has worked all that time, or at [`SLEEPS`] looks whatever it did. A thread that only waits for a processor
    /// on a busy host is not at fault.
    ///
    /// # Errors
    /// What the system says when there is no thread to be had: it is tried again at the next look.
    pub fn check(&mut self) -> io::Result<()> {
        let turn = self.pulse.at_work().unwrap_or_default();
        if turn == 0 || turn != self.stuck.turn {
            self.stuck = Stuck { turn, looks: 0, from: if turn == 0 { 0 } else { self.worked().unwrap_or_default() } };
            return Ok(());
        }
        self.stuck.looks += 1;
        let patient = self.stuck.looks < PATIENCE || (self.stuck.looks < SLEEPS && !self.has_worked());
        if patient || self.lost.resting { Ok(()) } else { self.replace() }
    }

    /// True when the thread took the processor for long since the first look, or nobody can say.
    fn has_worked(&self) -> bool {
        self.worked().is_none_or(|nanos| nanos.saturating_sub(self.stuck.from) >= WORKED)
    }

    /// Nanoseconds of a processor that the thread has taken so far.
    fn worked(&self) -> Option<u64> {
        let text = std::fs::read_to_string(self.thread.get()?).ok()?;
        text.split_ascii_whitespace().next()?.parse().ok()
    }

    fn replace(&mut self) -> io::Result<()> {
        self.pulse.abandon();
        let runner = self.rescue.runner();
        if self.lost.abandoned >= MOST {
            self.lost.resting = true;
        }
        let (pulse, rescue) = (runner.pulse(), runner.rescue());
        if !self.lost.resting {
            self.thread = spawn(runner, Arc::clone(&self.works), Arc::clone(&self.listener))?;
        }
        self.lost.abandoned += 1;
        (self.pulse, self.rescue, self.stuck) = (pulse, rescue, Stuck::default());
        Ok(())
    }

    /// What did not reach filters.
    pub fn lost(&self) -> Lost {
        Lost { full: self.full.load(Ordering::Relaxed), ..self.lost }
    }
}

fn spawn(mut runner: Runner, works: Arc<Mutex<Receiver<Work>>>, listener: Arc<dyn Listener>) -> io::Result<Thread> {
    let pulse = runner.pulse();
    let thread = Thread::default();
    let told = Arc::clone(&thread);
    let work = move || {
        if let Ok(own) = std::fs::read_link("/proc/thread-self") {
            // Only this thread tells.
            let _ = told.set(PathBuf::from("/proc").join(own).join("schedstat"));
        }
        let mut meter = WorkMeter::new();
        tell(&mut runner, Vec::new(), Moment(0), &*listener);
        while let Some(work) = next(&works, &pulse) {
            let (raised, now) = match work {
                Work::Call(call) => (runner.on_call(&call, &mut meter), call.time),
                Work::Order(order) => {
                    order(&mut runner);
                    (Vec::new(), Moment(0))
                }
                Work::Tick(now) => (runner.on_tick(now, &mut meter), now),
            };
            if pulse.is_abandoned() {
                return;
            }
            tell(&mut runner, raised, now, &*listener);
        }
    };
    Builder::new().name("filters".to_owned()).spawn(work)?;
    Ok(thread)
}

/// The next work; `None` when this thread is not waited for any more, or the supervisor is gone.
fn next(works: &Mutex<Receiver<Work>>, pulse: &Pulse) -> Option<Work> {
    if pulse.is_abandoned() {
        return None;
    }
    works.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
}

fn tell(runner: &mut Runner, raised: Vec<Raised>, now: Moment, listener: &dyn Listener) {
    if !raised.is_empty() {
        listener.raised(raised, now);
    }
    let notices = runner.take_notices();
    if !notices.is_empty() {
        listener.noticed(notices);
    }
}

/// Calls that wait: at ten thousand a second, half a second.
const QUEUE: usize = 4_096;
/// Looks at the same turn before its filter is given up: at ten looks a second, less than a second in all.
const PATIENCE: u32 = 8;
/// Looks after which a filter that does not even work is given up.
const SLEEPS: u32 = 100;
/// Nanoseconds of a processor in one turn that no filter needs.
const WORKED: u64 = 400_000_000;
/// Threads that are abandoned before the filters rest.
const MOST: u32 = 2;

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;
    use std::time::{Duration, Instant};

    use enforcer_insight::filters::{
        Budget, Catalogue, Change, Entry, Filter, Out, Parameters, Seed, Seen, Stopped, Tools, Wanted, WantedCell,
    };
    use enforcer_insight::findings::{Risk, Severity, Sign};
    use enforcer_insight::http::Head;
    use enforcer_policy::document::Mode;

    use super::*;

    /// Lets those that loop go, so that the test's process ends.
    static RELEASED: AtomicBool = AtomicBool::new(false);

    struct Loops;
    impl Filter for Loops {
        fn on_request(&mut self, _: &Seen<'_>, _: &mut Out) {
            while !RELEASED.load(Ordering::Relaxed) {
                std::hint::spin_loop();
            }
        }
        fn retune(&mut self, _: &Parameters) {}
        fn held_bytes(&self) -> usize {
            0
        }
    }

    #[derive(Default)]
    struct Counts(u32);
    impl Filter for Counts {
        fn on_request(&mut self, _: &Seen<'_>, out: &mut Out) {
            self.0 += 1;
            out.raise(Sign::new("counted", Risk::Inventory, Severity::Low, 1, "none").count("calls", self.0));
        }
        fn retune(&mut self, _: &Parameters) {}
        fn held_bytes(&self) -> usize {
            0
        }
    }

    #[derive(Default)]
    struct Heard(Mutex<(Vec<Raised>, Vec<Notice>)>);
    impl Listener for Heard {
        fn raised(&self, signs: Vec<Raised>, _: Moment) {
            self.0.lock().unwrap().0.extend(signs);
        }
        fn noticed(&self, notices: Vec<Notice>) {
            self.0.lock().unwrap().1.extend(notices);
        }
    }

    fn call() -> Call {
        let head = Head::read(&bytes::Bytes::from_static(b"GET / HTTP/1.1\r\n\r\n")).unwrap().unwrap();
        Call {
            id: 1,
            time: Moment(5),
            service: "pay".into(),
            source: [10, 0, 0, 1].into(),
            source_port: 1,
            client: [10, 0, 0, 1].into(),
            digests: [0; enforcer_common::KINDS],
            reason: enforcer_common::Reason::RequestClean,
            verdict: enforcer_common::Verdict::Pass,
            decision: None,
            placed: None,
            sensitive: enforcer_insight::classes::Sensitive::default(),
            head,
            body: bytes::Bytes::new(),
            answer: None,
        }
    }

    /// Given a filter that counts and one that loops, when calls come, then the one that loops is given up and the other counts on.
    #[test]
    fn a_filter_that_loops_does_not_hold_up_the_others() {
        let counts = Entry::built_in("counts", "", Risk::Inventory, &[], |_, _| Counts::default());
        let loops = Entry::built_in("loops", "", Risk::Inventory, &[], |_, _| Loops);
        let catalogue = Catalogue::default().with(counts).with(loops);
        let tools = Tools { seed: Seed::new([1, 2]) };
        let runner = Runner::new(catalogue, tools, Budget::default());
        let heard = Arc::new(Heard::default());
        let listener: Arc<dyn Listener> = heard.clone();
        let mut supervisor = Supervisor::start(runner, listener).unwrap();
        let mut wanted = Wanted::default();
        for filter in ["counts", "loops"] {
            wanted.set("pay", filter, WantedCell { mode: Mode::Observe, ..WantedCell::default() });
        }
        assert!(supervisor.order(move |runner| runner.apply(&wanted)));
        (0..3).for_each(|_| supervisor.show(call()));
        let begin = Instant::now();
        let last = |heard: &Heard| heard.0.lock().unwrap().0.last().map(|raised| raised.sign.facts[0].clone());
        while last(&heard).is_none_or(|fact| fact.value != enforcer_insight::findings::FactValue::Count(3)) {
            supervisor.check().unwrap();
            std::thread::sleep(Duration::from_millis(20));
            assert!(begin.elapsed() < Duration::from_secs(30), "the others do not go on");
        }
        assert_eq!(supervisor.lost(), Lost { full: 0, abandoned: 1, resting: false });
        let notices = std::mem::take(&mut heard.0.lock().unwrap().1);
        let given_up = notices.iter().filter(|notice| notice.change == Change::Stopped(Stopped::Looped));
        assert_eq!(given_up.map(|notice| notice.filter.clone()).collect::<Vec<_>>(), ["loops"]);
        RELEASED.store(true, Ordering::Relaxed);
    }
}
