//! What the rounds mean. In: samples. Out: figures beside floor and target, and what has to be said with them.

use super::{
    meters::Programs,
    rounds::{Rounds, Tally},
    scanner::Scanner,
    servers::Variant,
};
use crate::{
    report::{Bars, Report, Unit},
    samples::{Samples, float},
};

/// Figures of all rounds.
pub(crate) fn rounds(report: &mut Report, rounds: &Rounds) {
    inside(report, rounds);
    let group = "Processor time per request";
    for variant in Variant::ALL {
        let tally = rounds.of(variant);
        let worker = Samples::new(tally.worker.clone());
        report.add_samples(group, &format!("{}: worker", variant.name()), Unit::Nanoseconds, &worker, Bars::None);
    }
    for variant in [Variant::Enforcer, Variant::Map, Variant::Rules] {
        let name = format!("{}: more than plain, worker and sender", variant.name());
        report.add_samples(group, &name, Unit::Nanoseconds, &added(rounds, variant), Bars::None);
    }
    ratios(report, rounds);
    for variant in Variant::ALL {
        let rate = Samples::new(rounds.of(variant).rate.clone());
        report.add_samples("Requests per second", variant.name(), Unit::PerSecond, &rate, Bars::None);
    }
    latency(report, rounds);
}

/// What the agent and its programs take themselves.
fn inside(report: &mut Report, rounds: &Rounds) {
    let (inside, group) = (&rounds.inside, "Added to an inspected request");
    let mut add = |name: &str, unit, values: &[f64], bars| {
        report.add_samples(group, name, unit, &Samples::new(values.to_vec()), bars);
    };
    add("TC program", Unit::Nanoseconds, &inside.segments, Bars::None);
    add("XDP program", Unit::Nanoseconds, &inside.packets, Bars::None);
    add("egress program", Unit::Nanoseconds, &inside.answers, Bars::None);
    add("kernel path: all three", Unit::Nanoseconds, &inside.kernel, Bars::AtMost(Some(1500.0), 700.0));
    add("agent", Unit::Nanoseconds, &inside.agent, Bars::None);
    add("all-in: kernel path and agent", Unit::Nanoseconds, &inside.all, Bars::AtMost(Some(20_000.0), 8000.0));
    add("runs of the programs", Unit::Ratio, &inside.runs, Bars::None);
}

fn ratios(report: &mut Report, rounds: &Rounds) {
    let group = "Added, as a ratio";
    let map = over(&added(rounds, Variant::Map), &rounds.inside.kernel);
    report.add(group, "nginx map (ids only) to kernel path", Unit::Ratio, map, Bars::None);
    let rules = over(&added(rounds, Variant::Rules), &rounds.inside.all);
    report.add(group, "CRS (content of the request) to all-in", Unit::Ratio, rules, Bars::AtLeast(Some(150.0), 400.0));
}

/// Middle over middle: a difference of two noisy numbers makes no good divisor in every single round.
fn over(others: &Samples, own: &[f64]) -> f64 {
    others.median() / Samples::new(own.to_vec()).median()
}

fn latency(report: &mut Report, rounds: &Rounds) {
    let group = "Latency at a fixed pace, from when a request was due";
    for variant in Variant::ALL {
        let tally = rounds.of(variant);
        for (share, values) in [("p50", &tally.p50), ("p99", &tally.p99)] {
            let name = format!("{}, {share}", variant.name());
            report.add_samples(group, &name, Unit::Microseconds, &Samples::new(values.clone()), Bars::None);
        }
    }
    let (plain, own) = (rounds.of(Variant::Plain), rounds.of(Variant::Enforcer));
    let more = pairs(&own.p50, &plain.p50, |own, plain| own - plain);
    report.add_samples(group, "enforcer, p50: more", Unit::Microseconds, &more, Bars::AtMost(Some(10.0), 2.0));
    let times = pairs(&own.p99, &plain.p99, |own, plain| own / plain);
    let bars = if is_calm(plain) { Bars::AtMost(Some(1.10), 1.02) } else { Bars::None };
    report.add_samples(group, "enforcer, p99: times plain", Unit::Ratio, &times, bars);
    if !is_calm(plain) {
        report.note(
            "p99 is not judged: that of plain nginx itself varies by more than a quarter between the slices".to_owned(),
        );
    }
    let (pace, slow) = rounds.pace;
    report.note(format!(
        "fixed pace: {pace:.0} requests/s, half of what plain nginx did before the rounds; nginx with the rules could never \
         keep that and got {slow:.0}/s, half of what it did itself"
    ));
}

/// Whether the middle half of the slices agrees on plain nginx's own p99, as the baselines of `fastpath` have to.
fn is_calm(plain: &Tally) -> bool {
    let p99 = Samples::new(plain.p99.clone());
    p99.at(75) < p99.at(25) * TOLERANCE
}

/// Nanoseconds of worker and sender over plain nginx, round by round.
fn added(rounds: &Rounds, variant: Variant) -> Samples {
    let ends = |tally: &Tally| tally.ends.clone();
    pairs(&ends(rounds.of(variant)), &ends(rounds.of(Variant::Plain)), |own, plain| own - plain)
}

fn pairs(own: &[f64], other: &[f64], of: impl Fn(f64, f64) -> f64) -> Samples {
    Samples::new(own.iter().zip(other).map(|(own, other)| of(*own, *other)).collect())
}

/// What a refusal costs the agent.
pub(crate) fn refused(report: &mut Report, costs: &Samples) {
    let group = "Added to an inspected request";
    report.add_samples(group, "agent, for each refused request", Unit::Nanoseconds, costs, Bars::None);
}

/// The TC program alone.
pub(crate) fn scanner(report: &mut Report, scanner: &Scanner, programs: &Programs) -> anyhow::Result<()> {
    let group = "The TC program alone (BPF_PROG_TEST_RUN)";
    report.add_samples(group, "a segment without payload", Unit::Nanoseconds, &scanner.empty, Bars::None);
    report.add_samples(group, "a head of 700 bytes", Unit::Nanoseconds, &scanner.ordinary, Bars::None);
    report.add_samples(group, "each byte of a head", Unit::Fraction, &scanner.byte, Bars::None);
    for (name, program) in [("TC", programs.segments()?), ("egress", programs.answers()?), ("XDP", programs.packets()?)]
    {
        let count = program.verified_instruction_count().unwrap_or(0);
        let name = format!("{name}: instructions verified");
        report.add("Programs", &name, Unit::Count, float(count.into()), Bars::None);
    }
    Ok(())
}

const TOLERANCE: f64 = 1.25;
/// How all of that was measured.
pub(crate) const METHOD: [&str; 7] = [
    "request: GET with 10 headers, 700 bytes, a device id of 32 bytes in the last one, another unblocked id each time; 100,000 other ids \
     blocked by `enforcer block device --file`; answer: a file of 104 bytes; 16 kept-alive connections over veth",
    "nginx: one worker each, pinned to the last processor, the sender to the first, both SCHED_FIFO; the agent runs where it likes. \
     Its programs hang on one cable, the variants without it are reached over another that is bare; all take turns, and the \
     order turns around each round; the middle of the rounds, with their range",
    "kernel path: run time of the TC, egress and XDP programs as the kernel counts it (BPF_ENABLE_STATS) divided by requests answered, \
     acknowledgements included, nothing subtracted, not even the 25 to 50 ns that timing adds to each run",
    "agent: processor time of its process during the same load, divided by the same requests, whatever it does meanwhile. It is told \
     of every request and shows those that it has time to read to inventory and filters; here the server leaves it little, \
     and what it cannot read is counted as lost. So all-in is the depth \
     of an identity check, while CRS (3.3, paranoia level 1, blocking) reads path, arguments, headers and body against its rules",
    "worker and sender: their processor time together holds all of the receiving path, which over veth runs in the sender's send call; \
     what is more than plain nginx there is a difference of large numbers, and on a shared machine mostly noise; the ratios divide such a difference by \
     the run times above",
    "latency: each round in six slices that alternate between the variants; p50 and p99 of each slice, the middle of all slices \
     counts, enforcer against the plain slice of the same turn (of nginx with the rules a slice holds few requests: its p99 is their \
     greatest); requests leave at fixed times whether or not earlier ones were answered, and count from when they were due (no \
     coordinated omission); the sender sleeps until the next one is due or an answer comes (ppoll); without BPF_ENABLE_STATS",
    "TC program alone: a segment without a socket, read again each run and kept for comparison, which served requests do not \
     pay; each byte: a head of 1,400 bytes less one of 250, by the difference",
];
