//! The clock of a drill. In: a drill, a folder, and how to ask the agent what it found. Out: an [`Outcome`]. Never here: what is
//! attacked, and how.
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use enforcer_policy::Moment;

use super::lab::{API, FIRST, Lab};
use super::people::customer;
use super::{Drill, Outcome, api};
use crate::wire::FindingReport;

/// Customers at work.
const CUSTOMERS: u8 = 40;
/// Requests of theirs before the attack begins: filters must know what is usual.
const WARM: u64 = 400;
/// Between two requests of one customer.
const PAUSE: Duration = Duration::from_millis(250);
/// Between two looks at the findings.
const LOOK: Duration = Duration::from_millis(5);
const PATIENCE: Duration = Duration::from_secs(30);

/// Requests of customers, and how many were refused.
#[derive(Default)]
struct Counts {
    asked: AtomicU64,
    refused: AtomicU64,
    over: AtomicBool,
}

/// The attacker's part, as it is told.
struct Attack {
    served: u64,
    refused: Option<Duration>,
}

/// What a drill asks of the world outside of it.
pub trait Outside {
    /// The findings that the agent at a socket has; none while it does not answer.
    fn findings(&self, socket: &Path) -> Option<Vec<FindingReport>>;
    /// The wall clock, which is the agent's, too.
    fn now(&self) -> Moment;
    /// Somebody wants it to end.
    fn is_stopped(&self) -> bool;
}

/// Plays it in an empty folder.
pub fn play(drill: &Drill, folder: &Path, outside: &impl Outside) -> io::Result<Outcome> {
    let mut lab = Lab::build(folder)?;
    open_api(&lab)?;
    lab.start_agent()?;
    await_agent(&mut lab, outside)?;
    let counts = Arc::new(Counts::default());
    for person in 0..CUSTOMERS {
        let counts = Arc::clone(&counts);
        lab.among_people(move || be_customer(person, &counts))?;
    }
    until(outside, "customers are served", || counts.asked.load(Ordering::Relaxed) >= WARM)?;
    let outcome = attack(drill, &lab, &counts, outside);
    counts.over.store(true, Ordering::Relaxed);
    outcome
}

fn open_api(lab: &Lab) -> io::Result<()> {
    let bound = lab.beside_api(|| TcpListener::bind(SocketAddr::from(API)))?.join().ok().flatten();
    let listener = bound.unwrap_or_else(|| Err(io::Error::other("the API has no port")))?;
    std::thread::Builder::new().spawn(move || api::serve(&listener))?;
    Ok(())
}

fn await_agent(lab: &mut Lab, outside: &impl Outside) -> io::Result<()> {
    let begun = Instant::now();
    while outside.findings(&lab.socket()).is_none() {
        if let Some(words) = lab.has_ended() {
            return Err(io::Error::other(format!("the agent of the drill ended: {words}")));
        }
        rest(outside, begun, "the agent of the drill answers")?;
    }
    Ok(())
}

fn be_customer(person: u8, counts: &Counts) {
    for number in 0.. {
        if counts.over.load(Ordering::Relaxed) {
            return;
        }
        let status = customer(person, number).ask(FIRST + person, &format!("customer-{person}"));
        counts.asked.fetch_add(1, Ordering::Relaxed);
        counts.refused.fetch_add(u64::from(!matches!(status, Ok(200))), Ordering::Relaxed);
        std::thread::sleep(PAUSE);
    }
}

fn attack(drill: &Drill, lab: &Lab, counts: &Counts, outside: &impl Outside) -> io::Result<Outcome> {
    let (request, begun, started) = (drill.request, Instant::now(), outside.now());
    let attacker = lab.among_people(move || be_attacker(request, begun))?;
    let (mut kind, mut found, mut decided) = (None, None, None);
    while !(attacker.is_finished() && (decided.is_some() || begun.elapsed() >= PATIENCE)) {
        let findings = outside.findings(&lab.socket()).unwrap_or_default();
        let mut ours = findings.iter().filter(|one| *one.finding.filter == *drill.filter);
        if let Some(first) = ours.clone().min_by_key(|one| one.finding.first) {
            found.get_or_insert_with(|| started.until(first.finding.first));
            kind.get_or_insert_with(|| first.finding.kind.to_string());
        }
        if ours.any(|one| one.decision.is_some()) {
            decided.get_or_insert_with(|| begun.elapsed());
        }
        stop_if_asked(outside)?;
        std::thread::sleep(LOOK);
    }

    let attack = attacker.join().ok().flatten().ok_or_else(|| io::Error::other("the attacker fell over"))?;
    let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    Ok(Outcome {
        name: drill.name.to_owned(),
        kind,
        found_after: found.map(millis),
        decided_after: decided.map(millis),
        refused_after: attack.refused.map(millis),
        served: attack.served,
        customers: counts.asked.load(Ordering::Relaxed),
        customers_refused: counts.refused.load(Ordering::Relaxed),
    })
}

/// Until a request is refused, or patience ends.
fn be_attacker(request: fn(u64) -> super::people::Request, begun: Instant) -> Attack {
    let mut served = 0;
    for number in 0.. {
        match request(number).ask(FIRST - 1, "attacker") {
            Ok(403 | 429) | Err(_) => return Attack { served, refused: Some(begun.elapsed()) },
            Ok(_) => served += 1,
        }
        if begun.elapsed() >= PATIENCE {
            break;
        }
    }
    Attack { served, refused: None }
}

fn until(outside: &impl Outside, what: &str, holds: impl Fn() -> bool) -> io::Result<()> {
    let begun = Instant::now();
    while !holds() {
        rest(outside, begun, what)?;
    }
    Ok(())
}

/// A short rest, or an error when it is too late for one.
fn rest(outside: &impl Outside, begun: Instant, what: &str) -> io::Result<()> {
    stop_if_asked(outside)?;
    if begun.elapsed() >= PATIENCE {
        return Err(io::Error::other(format!("not within {} s: {what}", PATIENCE.as_secs())));
    }
    std::thread::sleep(LOOK);
    Ok(())
}

fn stop_if_asked(outside: &impl Outside) -> io::Result<()> {
    if outside.is_stopped() { Err(io::Error::new(io::ErrorKind::Interrupted, "it was stopped")) } else { Ok(()) }
}
