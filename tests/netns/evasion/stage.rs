//! Plays a table of forms against nginx, and holds what came of each against what had to.
//!
//! In: forms, and the configuration to guard the server with, or none. Out: nothing; a panic that lists every form that
//! failed, how often, and what its first failure looked like.

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    fmt::Write as _,
    net::SocketAddr,
    thread,
    time::{Duration, Instant},
};

use enforcer_tests::{Agent, CLIENT, Finish, Net, Nginx, PAY, Play, Played, Player};

use super::form::{EVIL, Expect, Form, NUMBERS, Twin};

/// Plays all of it behind the usual service.
pub(super) fn guarded(forms: &[Form]) {
    guarded_by(&service(""), forms);
}

/// The usual service with more lines.
pub(super) fn service(more: &str) -> String {
    format!("{PAY}{more}interfaces = [\"client0\"]\n")
}

/// Plays all of it behind this service.
pub(super) fn guarded_by(service: &str, forms: &[Form]) {
    guarded_from(service, forms, |player| player, Order::Kept);
}

/// Plays all of it behind the usual service, from two processors at the same time.
pub(super) fn guarded_from_both_hands(forms: &[Form]) {
    guarded_from(&service(""), forms, Player::with_both_hands, Order::Lost);
}

/// Whether segments arrive in the order in which they are sent.
#[derive(Clone, Copy, PartialEq)]
enum Order {
    Kept,
    /// The client's last words may overtake what they end, and leave the server waiting; a refusal may overtake an answer.
    Lost,
}

fn guarded_from(service: &str, forms: &[Form], who: impl Fn(Player) -> Player, order: Order) {
    let net = Net::new();
    let nginx = Nginx::start(&net);
    let agent = Agent::start(&net, service);
    agent.block_device(EVIL, "deny");
    let told = || agent.top()["reasons"].to_string();
    let player = who(Player::open(&net, &CLIENT));
    judge(&player, &nginx, &parts(forms, repeats()), |part: &Part<'_>| part.expect(), told, order);
}

/// Plays all of it without enforcer: whatever is refused otherwise must be served now.
pub(super) fn unguarded(forms: &[Form]) {
    let net = Net::new();
    let nginx = Nginx::start(&net);
    let expect = |part: &Part<'_>| part.form.unguarded.clone();
    judge(&Player::open(&net, &CLIENT), &nginx, &parts(forms, 3), expect, String::new, Order::Kept);
}

/// One twin of a form over one family.
struct Part<'a> {
    form: &'a Form,
    is_evil: bool,
    is_six: bool,
    turns: usize,
}

impl Part<'_> {
    fn expect(&self) -> Expect {
        let honest = self.form.honest.clone().filter(|_| !self.is_evil);
        honest.unwrap_or_else(|| self.form.evil.clone())
    }

    fn play(&self, twin: Twin) -> Play {
        let play = (self.form.make)(&twin);
        if self.is_six { play.over_ipv6() } else { play }
    }

    fn name(&self) -> String {
        let who = if self.is_evil { "evil" } else { "honest" };
        format!("{} ({who}, IPv{})", self.form.name, if self.is_six { 6 } else { 4 })
    }
}

/// How often each twin of each form is played over each family.
pub(super) fn repeats() -> usize {
    env::var("ENFORCER_REPEATS").map_or(200, |text| text.parse().expect("ENFORCER_REPEATS is a number"))
}

fn parts(forms: &[Form], turns: usize) -> Vec<Part<'_>> {
    let twins = forms.iter().flat_map(|form| [(form, true), (form, false)]);
    let twins = twins.filter(|(form, is_evil)| *is_evil || form.honest.is_some());
    twins.flat_map(|(form, is_evil)| [false, true].map(|is_six| Part { form, is_evil, is_six, turns })).collect()
}

fn judge(
    player: &Player,
    nginx: &Nginx,
    parts: &[Part<'_>],
    expect: impl Fn(&Part<'_>) -> Expect,
    counted: impl Fn() -> String,
    order: Order,
) {
    let every_turn = parts.iter().enumerate().flat_map(|(at, part)| (0..part.turns).map(move |turn| (at, turn)));
    let rounds: Vec<(usize, usize)> = every_turn.collect();
    let make = |number: usize| {
        let (at, turn) = rounds[number];
        parts[at].play(Twin { is_evil: parts[at].is_evil, base: number * NUMBERS, turn })
    };
    let outcomes = player.perform(rounds.len(), TOGETHER, make);

    let mut failures: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    let left = left_behind(nginx);
    let served = served_evil(nginx);
    for (number, (outcome, (at, _))) in outcomes.iter().zip(&rounds).enumerate() {
        let wanted = expect(&parts[*at]);
        // Without a guard the evil ones are served, and shall be.
        let line = served.get(&number).filter(|_| wanted == parts[*at].expect());
        // Some evil ones are not evil any more when they arrive.
        let line = line.filter(|line| !matches!(wanted, Expect::Either(_)) || line.contains(&format!("{EVIL:?}")));
        let hidden = order == Order::Lost && parts[*at].is_evil && outcome.ending != Finish::Answered;
        let mut fail = |why: String| failures.entry(*at).or_default().push(why);
        if !wanted.is_met(&outcome.statuses, outcome.ending) && !hidden {
            fail(format!("wanted {wanted:?}, got {}", told(outcome)));
        } else if let Some(line) = line {
            fail(format!("the server served it: {line}"));
        } else if order == Order::Lost {
            // All else depends on who comes first.
        } else if matches!(wanted, Expect::Refused(_)) && !outcome.rest.is_empty() && outcome.ending == Finish::Closed {
            fail(format!("a garbled end: {}", told(outcome)));
        } else if left.contains(&outcome.own) && wanted != Expect::Rejected {
            // A client that gives up while its last segment is held back leaves with a reset which the server asks about
            // again; a kernel answers that, ours is silent.
            fail(format!("the server keeps its socket after {}", told(outcome)));
        }
    }
    report(parts, &failures, counted);
}

/// Clients whose sockets the server keeps, though they have gone. There must be none, so that is waited for.
pub(super) fn left_behind(nginx: &Nginx) -> BTreeSet<SocketAddr> {
    let started = Instant::now();
    while nginx.open_connections() > 0 && started.elapsed() < DEADLINE {
        thread::sleep(PAUSE);
    }
    nginx.peers().into_iter().collect()
}

/// What nginx logged of requests that must not be served, by play. It logs before it lets go of a connection.
fn served_evil(nginx: &Nginx) -> BTreeMap<usize, String> {
    let is_evil = |number: usize| number % 2 == 1;
    let log = nginx.served();
    assert!(
        log.iter().all(|line| line.number.is_some() || line.status >= 400),
        "a request without a number was served"
    );
    let evil = log.into_iter().filter(|line| line.number.is_some_and(is_evil) && line.status != 400);
    evil.map(|line| (line.number.unwrap_or_default() / NUMBERS, format!("{line:?}"))).collect()
}

fn told(outcome: &Played) -> String {
    let Played { statuses, ending, rest, acknowledged, repeated, took, .. } = outcome;
    let rest = String::from_utf8_lossy(rest).chars().take(200).collect::<String>();
    format!(
        "{statuses:?} {ending:?} after {took:.1?}, {acknowledged} bytes taken, {repeated} times sent again, {rest:?}"
    )
}

#[track_caller]
fn report(parts: &[Part<'_>], failures: &BTreeMap<usize, Vec<String>>, counted: impl Fn() -> String) {
    if failures.is_empty() {
        return;
    }
    let mut text = String::new();
    for (at, of_part) in failures {
        let part = &parts[*at];
        let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
        let kind = |failure: &'_ str| failure.split(" after").next().map_or(0, str::len);
        for failure in of_part {
            *kinds.entry(&failure[..kind(failure)]).or_default() += 1;
        }
        let _infallible = writeln!(text, "{}: {} of {}: {kinds:?}", part.name(), of_part.len(), part.turns);
        let _infallible = writeln!(text, "    first: {}", of_part[0]);
    }
    panic!("{} of {} twins of forms failed:\n{text}the kernel counted {}", failures.len(), parts.len(), counted());
}

/// Enough to hide all waiting, few enough for a busy machine to answer in time.
const TOGETHER: usize = 64;
const DEADLINE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(10);
