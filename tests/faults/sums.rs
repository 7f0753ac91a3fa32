//! The five sums that are made after each fault: packets, enforcement, events, state, journal.
//!
//! In: what was sent, the servers' own logs, the kernel's counters and maps, the agent's word, its journal. Out: each sum exact, or what is
//! wrong with it. Never here: a tolerance, but for what a fault itself excuses ([`Fate`]): a cable that is off loses datagrams, where no
//! program hangs nothing is refused; both for that time only.

use std::{
    collections::BTreeSet,
    fs,
    time::{Duration, Instant},
};

use aya::maps::{Array, HashMap, MapData};
use enforcer::store::Journal;
use enforcer_common::{Bucket4, FlowKey, IdentityKey, Reason, Rule};
use enforcer_tests::{ATTACKER, CLIENT, Link, Outcome, classifiers, xdp_programs};
use serde_json::Value;

use crate::{
    ground::{Ground, PATIENCE},
    traffic::{BAD_DEVICE, Datagram, Logs, is_bad},
};

/// One of the five.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Sum {
    /// It does not apply to this fault.
    Apart,
    /// It comes out.
    Exact,
    /// It does not.
    Wrong(String),
}

/// From, until.
pub(crate) type Window = (Instant, Instant);

/// What a fault has done, as far as the sums must know.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fate {
    /// The attacker's cable carried nothing.
    pub(crate) cut: Option<Window>,
    /// No program of ours hung.
    pub(crate) open: Vec<Window>,
    /// Another agent reads the events since then, when the kernel had told so many, and it had read so many at first.
    pub(crate) new_agent: bool,
    pub(crate) told_at_death: u64,
    pub(crate) seen_before: u64,
    /// The agent had something to mend; what it had mended before.
    pub(crate) mends: bool,
    pub(crate) mended_before: u64,
    /// What `status` must complain of, and nothing else.
    pub(crate) told: Vec<String>,
    /// Events may have found no room: that they are counted is what is looked at.
    pub(crate) may_lose: bool,
}

/// All of them, in the order of the table.
pub(crate) fn all(ground: &mut Ground, logs: &Logs, fate: &Fate) -> [Sum; 5] {
    [
        settled(|| packets(ground, logs, fate)),
        sum(enforcement(logs, fate)),
        events(ground, fate),
        state(ground, fate),
        sum(journal(ground)),
    ]
}

/// Counters of the last packets and programs that the kernel is still taking off need a moment.
fn settled(mut made: impl FnMut() -> Result<(), String>) -> Sum {
    let started = Instant::now();
    loop {
        match made() {
            Ok(()) => return Sum::Exact,
            Err(why) if started.elapsed() > SETTLED => return Sum::Wrong(why),
            Err(_) => std::thread::sleep(Duration::from_millis(20)),
        }
    }
}

fn sum(made: Result<(), String>) -> Sum {
    made.map_or_else(Sum::Wrong, |()| Sum::Exact)
}

fn is_in<'a>(windows: impl IntoIterator<Item = &'a Window>, at: Instant) -> bool {
    windows.into_iter().any(|(from, until)| (*from..=*until).contains(&at))
}

fn equal(what: &str, left: u64, right: u64) -> Result<(), String> {
    if left == right { Ok(()) } else { Err(format!("{what}: {left} and {right}")) }
}

/// 1. What was sent is what servers have in their logs and what the kernel refused, by reason.
fn packets(ground: &Ground, logs: &Logs, fate: &Fate) -> Result<(), String> {
    let counted = ground.gauge.read();
    let (sent, heard) = (logs.sent.len() as u64, logs.heard.len() as u64);
    let (dropped, excused) = (counted.of(Reason::BlockedSource), within(&logs.sent, fate.cut));
    let missing = i128::from(sent) - i128::from(heard) - i128::from(dropped);
    if !(0..=i128::from(excused)).contains(&missing) {
        return Err(format!(
            "{sent} datagrams sent, {heard} heard, {dropped} dropped, {excused} on a cable that was off"
        ));
    }
    let answered = |status| logs.asked.iter().filter(|one| one.status() == Some(status)).count() as u64;
    let (served, denied) = (logs.served.len() as u64, counted.of(Reason::BlockedDevice) - ground.denied_aside.get());
    equal("requests answered and served", answered(200), served)?;
    // Requests that were sent again by TCP are judged again.
    let again = ground.repeated();
    let broken =
        logs.asked.iter().filter(|one| is_bad(one.number) && one.status().is_none() && is_meanwhile(fate, one));
    let broken = broken.count() as u64;
    if !(answered(403)..=answered(403) + again + broken).contains(&denied) {
        return Err(format!("{} answers of 403, {denied} denials counted, {again} segments sent again", answered(403)));
    }
    equal("requests sent, and answered by 200 or 403", logs.asked.len() as u64, answered(200) + answered(403) + broken)
}

fn within(sent: &[Datagram], window: Option<Window>) -> u64 {
    sent.iter().filter(|one| is_in(&window, one.at)).count() as u64
}

/// 2. Nothing that must be blocked is in a server's log; everything that must pass is there, once.
fn enforcement(logs: &Logs, fate: &Fate) -> Result<(), String> {
    let sent_at = |number: u32| logs.sent.iter().find(|one| one.number == number).map(|one| one.at);
    let leaked = logs.heard.iter().filter(|one| one.is_bad());
    let leaked = leaked.filter(|one| !sent_at(one.number).is_some_and(|at| is_in(&fate.open, at))).count();
    let heard: BTreeSet<u32> = logs.heard.iter().map(|one| one.number).collect();
    let lost = logs.sent.iter().filter(|one| !one.is_bad() && !is_in(&fate.cut, one.at));
    let lost = lost.filter(|one| !heard.contains(&one.number)).count();
    equal("blocked datagrams delivered (none)", leaked as u64, 0)?;
    equal("clean datagrams lost (none)", lost as u64, 0)?;
    equal("datagrams heard, and different ones", logs.heard.len() as u64, heard.len() as u64)?;
    let served: BTreeSet<usize> = logs.served.iter().filter_map(|one| one.number).collect();
    equal("requests served, and different ones", logs.served.len() as u64, served.len() as u64)?;
    for one in &logs.asked {
        let excused = is_meanwhile(fate, one);
        match (is_bad(one.number), served.contains(&one.number), one.status()) {
            (true, false, Some(403)) | (false, true, Some(200)) => {}
            // The program was taken off between the 403 and the end of its connection: nothing was served.
            (true, true, Some(200)) | (true, false, None) if excused => {}
            (bad, served, _) => {
                let (what, answer) = (if bad { "blocked" } else { "clean" }, &one.answer);
                let answer = answer.as_ref().map(|answer| answer.status);
                return Err(format!("request {} is {what}, was served: {served}, answer: {answer:?}", one.number));
            }
        }
    }
    let strange = logs.served.iter().filter(|one| one.device.as_deref() == Some(BAD_DEVICE) && fate.open.is_empty());
    equal("requests of the blocked device in the server's log", strange.count() as u64, 0)
}

/// Sent or answered while no program hung.
fn is_meanwhile(fate: &Fate, one: &Outcome) -> bool {
    is_in(&fate.open, one.sent) || is_in(&fate.open, one.sent + one.latency)
}

/// How long after the fault blocked things were still delivered.
pub(crate) fn open_for(logs: &Logs, fate: &Fate) -> Duration {
    let datagrams = logs.heard.iter().filter(|one| one.is_bad()).map(|one| one.at);
    let requests = logs.asked.iter().filter(|one| is_bad(one.number) && one.status() == Some(200));
    let delivered: Vec<Instant> = datagrams.chain(requests.map(|one| one.sent + one.latency)).collect();
    let last = |window: &Window| {
        let last = delivered.iter().filter(|at| is_in([window], **at)).max();
        last.map_or(Duration::ZERO, |last| last.saturating_duration_since(window.0))
    };
    fate.open.iter().map(last).max().unwrap_or_default()
}

/// 3. Each refusal is an event that was told, left out by sampling, or counted as lost; the agent has read all that were told, and so
///    has who follows.
fn events(ground: &mut Ground, fate: &Fate) -> Sum {
    let read = settled(|| read(ground, fate));
    if read != Sum::Exact {
        return read;
    }
    sum(if fate.new_agent { ground.hears_again() } else { ground.has_heard(ground.gauge.read().told) })
}

fn read(ground: &Ground, fate: &Fate) -> Result<(), String> {
    let counted = ground.gauge.read();
    equal(
        "refusals, and events by what became of them",
        counted.refused(),
        counted.told + counted.lost + counted.unsampled,
    )?;
    if !fate.may_lose {
        equal("events lost (none)", counted.lost, 0)?;
    }
    let seen = ground.seen() - fate.seen_before;
    if fate.new_agent {
        // What the dead agent had read it took with it; nothing after that may be missing.
        let (least, most) = (counted.told - fate.told_at_death, counted.told);
        let seen = seen + if fate.may_lose { ground.status()["events"]["lost"].as_u64().unwrap_or(0) } else { 0 };
        if !(least..=most).contains(&seen) {
            return Err(format!(
                "the new agent has read {seen} events, at least {least} were told since the last one died"
            ));
        }
        return Ok(());
    }
    equal("events told, and read by the agent", counted.told, seen)
}

/// 4. The kernel holds what was decided, no more and no less, and each program hangs once.
fn state(ground: &Ground, fate: &Fate) -> Sum {
    // What is compared once is mended, so that is looked at only once.
    let status = ground.status();
    let held = settled(|| holds(ground));
    if held == Sum::Exact { sum(unmended(&status, fate).and_then(|()| compared(ground, fate))) } else { held }
}

/// Nothing was mended, where the fault did not change the kernel behind the agent's back.
fn unmended(status: &Value, fate: &Fate) -> Result<(), String> {
    let mended = status["drift"]["repaired"].as_u64().unwrap_or(u64::MAX) - fate.mended_before;
    if fate.mends != (mended > 0) {
        return Err(format!("{mended} differences were mended"));
    }
    Ok(())
}

fn holds(ground: &Ground) -> Result<(), String> {
    hooks(ground)?;
    let held = ground.held();
    let listed = ground.listed();
    let of = |kind: &str| listed.iter().filter(|one| one["kind"] == kind).count() as u64;
    for (kind, held) in ["ip", "device", "flow"].into_iter().zip(held) {
        equal(&format!("decisions on a {kind}, and entries of its map"), of(kind), held)?;
    }
    same("decisions acknowledged, and listed", &ground.book, &ground.listed_ids())
}

/// A reload compares everything; it must find nothing.
fn compared(ground: &Ground, fate: &Fate) -> Result<(), String> {
    ground.agent.configure(&ground.config);
    let done = ground.agent.cli(&["reload"]);
    if done.code != Some(0) {
        return Err(format!("reload: {done:?}"));
    }
    let status = ground.status();
    equal("differences", status["drift"]["differences"].as_u64().unwrap_or(u64::MAX), 0)?;
    if status["decisions"]["intended"] != status["decisions"]["installed"] {
        return Err(format!("{}", status["decisions"]));
    }
    complaints(&status["problems"], &fate.told)
}

/// Exactly what the fault must have led to is complained of.
fn complaints(problems: &Value, expected: &[String]) -> Result<(), String> {
    let problems: Vec<&str> = problems.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let unknown = problems.iter().find(|problem| !expected.iter().any(|words| problem.contains(words.as_str())));
    let missing = expected.iter().find(|words| !problems.iter().any(|problem| problem.contains(words.as_str())));
    match (unknown, missing) {
        (None, None) => Ok(()),
        (unknown, missing) => Err(format!("status complains of {unknown:?}, and not of {missing:?}")),
    }
}

/// Each interface has our XDP program and both classifiers once, and they are the pinned ones.
pub(crate) fn hooks(ground: &Ground) -> Result<(), String> {
    let ours = ground.agent.objects().programs;
    for link in [&CLIENT, &ATTACKER] {
        let hanging = ground.hanging(link);
        let known = hanging.iter().filter(|id| ours.contains(id)).count() as u64;
        equal(&format!("programs of ours on {}", link.interface), known, 3)?;
    }
    Ok(())
}

/// XDP programs on both cables, whoever they belong to.
pub(crate) fn packet_programs(ground: &Ground) -> Vec<u32> {
    [&CLIENT, &ATTACKER].iter().flat_map(|link| xdp_programs(&ground.net.host, link.interface)).collect()
}

/// 5. The journal on disk, read by itself, has the decisions that were acknowledged; at a center, its audit log verifies and no event is
///    missing.
fn journal(ground: &Ground) -> Result<(), String> {
    let copy = ground.net.folder().join("journal-copy");
    let _gone = fs::remove_dir_all(&copy);
    fs::create_dir(&copy).map_err(|error| error.to_string())?;
    fs::copy(ground.agent.state().join("journal"), copy.join("journal")).map_err(|error| error.to_string())?;
    let (_journal, kept) = Journal::open(&copy).map_err(|error| error.to_string())?;
    if let Some(torn) = kept.torn {
        return Err(format!("the journal is torn: {torn:?}"));
    }
    let ids: BTreeSet<String> = kept.decisions.iter().map(|decision| decision.id.to_string()).collect();
    same("decisions acknowledged, and in the journal", &ground.book, &ids)?;
    ground.fleet.as_ref().map_or(Ok(()), crate::fleet::Fleet::audit)
}

fn same(what: &str, left: &BTreeSet<String>, right: &BTreeSet<String>) -> Result<(), String> {
    let (only_left, only_right): (Vec<_>, Vec<_>) =
        (left.difference(right).collect(), right.difference(left).collect());
    if only_left.is_empty() && only_right.is_empty() {
        return Ok(());
    }
    Err(format!(
        "{what}: {} and {}; only the first: {only_left:?}, only the second: {only_right:?}",
        left.len(),
        right.len()
    ))
}

impl Ground {
    fn repeated(&self) -> u64 {
        self.net.client.repeated_segments() + self.net.host.repeated_segments()
    }

    /// Who follows has so many lines, or was told of those that it was too slow for.
    fn has_heard(&mut self, count: u64) -> Result<(), String> {
        let Some(follower) = &self.follower else { return Err("nobody followed".to_owned()) };
        let (mut heard, mut missed) = (self.heard, self.missed);
        while heard + missed < count
            && let Some(line) = follower.next(Duration::from_millis(500))
        {
            let line: Value = serde_json::from_str(&line).map_err(|error| error.to_string())?;
            match line["notice"].as_str() {
                None => heard += 1,
                // `17 events were missed: ...`.
                Some("missed") => missed += first_number(&line["message"]),
                Some(_) => {}
            }
        }
        (self.heard, self.missed) = (heard, missed);
        equal("events read by the agent, and heard or told missed by who follows it", count, heard + missed)
    }

    /// A new agent tells who follows: as many lines as there are refusals.
    fn hears_again(&mut self) -> Result<(), String> {
        self.follow();
        let before = self.seen();
        for _ in 0..AGAIN {
            if self.ask(BAD_DEVICE) != Some(403) {
                return Err("a blocked request was not refused".to_owned());
            }
        }
        let started = Instant::now();
        while self.seen() < before + AGAIN && started.elapsed() < PATIENCE {}
        let told = self.gauge.read().told;
        equal("events told, and read by the new agent", told, self.seen() - before)?;
        self.has_heard(told)
    }

    /// The ids of the decisions in force, by the agent's word.
    pub(crate) fn listed_ids(&self) -> BTreeSet<String> {
        self.listed().iter().filter_map(|one| one["id"].as_str()).map(str::to_owned).collect()
    }

    fn listed(&self) -> Vec<Value> {
        let listed = self.agent.json(&["list", "--limit", "0"]);
        listed["decisions"].as_array().cloned().unwrap_or_default()
    }

    /// Entries of the maps for addresses, devices and flows.
    fn held(&self) -> [u64; 3] {
        let sources: Array<MapData, Bucket4> = self.agent.pinned("SOURCES4").try_into().expect("an array");
        let used = |bucket: Bucket4| bucket.slots.iter().filter(|slot| **slot & 0xffff_ffff != 0).count() as u64;
        let addresses = (0..sources.len()).map(|at| used(sources.get(&at, 0).expect("a bucket"))).sum();
        let devices: HashMap<MapData, IdentityKey, Rule> = self.agent.pinned("IDENTITIES").try_into().expect("a map");
        let flows: HashMap<MapData, FlowKey, Rule> = self.agent.pinned("FLOWS").try_into().expect("a map");
        [addresses, devices.keys().count() as u64, flows.keys().count() as u64]
    }

    fn hanging(&self, link: &Link) -> Vec<u32> {
        [xdp_programs(&self.net.host, link.interface), classifiers(&self.net.host, link.interface)].concat()
    }
}

fn first_number(message: &Value) -> u64 {
    let word = message.as_str().and_then(|message| message.split(' ').next());
    word.and_then(|word| word.parse().ok()).unwrap_or(0)
}

/// Refusals after a new agent has started.
const AGAIN: u64 = 20;
/// The most that the last counts and programs may take.
const SETTLED: Duration = Duration::from_secs(8);
