//! The figures: a table for people, JSON for programs.
//!
//! In: figures, each with its bars. Out: text. Every figure stands beside the floor of a first release and the target, as
//! in `shared/performance.md`, and says which of them it meets.

use std::{fmt::Write as _, fs, thread};

use serde_json::{Value, json};

use crate::{Effort, samples::Samples};

/// What a figure counts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Unit {
    /// Bytes.
    Bytes,
    /// Things.
    Count,
    /// Nanoseconds, of something that takes less than one.
    Fraction,
    /// Bytes, shown in mebibytes.
    Mebibytes,
    /// Microseconds.
    Microseconds,
    /// Nanoseconds.
    Nanoseconds,
    /// Things per second.
    PerSecond,
    /// No unit.
    Ratio,
    /// Seconds.
    Seconds,
}

/// What a figure is measured by.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Bars {
    /// Floor and target; more is better.
    AtLeast(Option<f64>, f64),
    /// Floor and target; less is better.
    AtMost(Option<f64>, f64),
    /// Nothing: for comparison.
    None,
}

/// All figures of a run.
pub(crate) struct Report {
    title: &'static str,
    method: &'static [&'static str],
    effort: Effort,
    rows: Vec<Row>,
    notes: Vec<String>,
}

struct Row {
    group: &'static str,
    name: String,
    unit: Unit,
    value: f64,
    range: Option<(f64, f64)>,
    bars: Bars,
}

impl Report {
    /// Without figures.
    pub(crate) const fn new(title: &'static str, method: &'static [&'static str], effort: Effort) -> Self {
        Self { title, method, effort, rows: Vec::new(), notes: Vec::new() }
    }

    /// Adds a figure.
    pub(crate) fn add(&mut self, group: &'static str, name: &str, unit: Unit, value: f64, bars: Bars) {
        self.rows.push(Row { group, name: name.to_owned(), unit, value, range: None, bars });
    }

    /// Adds the middle of several, with their range.
    pub(crate) fn add_samples(&mut self, group: &'static str, name: &str, unit: Unit, samples: &Samples, bars: Bars) {
        let range = Some((samples.least(), samples.greatest()));
        self.rows.push(Row { group, name: name.to_owned(), unit, value: samples.median(), range, bars });
    }

    /// Adds something that has to be said.
    pub(crate) fn note(&mut self, note: String) {
        eprintln!("   {note}");
        self.notes.push(note);
    }

    /// For people.
    pub(crate) fn text(&self) -> String {
        let mut text = format!("{} on {}\n", self.title, host());
        let width = self.rows.iter().map(|row| row.name.chars().count()).max().unwrap_or(0);
        let mut group = "";
        for row in self.grouped() {
            if row.group != group {
                group = row.group;
                let columns = format!("{:>10}  {:>21}  {:>9}  {:>9}  met", "", "range", "floor", "target");
                let _ = writeln!(text, "\n{group:<width$}   {columns}");
            }
            let range = row
                .range
                .map_or_else(String::new, |(low, high)| format!("{} .. {}", row.unit.show(low), row.unit.show(high)));
            let (floor, target) = row.bars.parts();
            let shown =
                |bar: Option<f64>| bar.map_or_else(String::new, |bar| row.bars.sign().to_owned() + &row.unit.show(bar));
            let line = format!(
                "  {:<width$} {:>10}  {range:>21}  {:>9}  {:>9}  {}",
                row.name,
                row.unit.show(row.value),
                shown(floor),
                shown(target),
                row.met()
            );
            let _ = writeln!(text, "{}", line.trim_end());
        }
        text.push('\n');
        for line in self.notes.iter().map(String::as_str).chain(self.method.iter().copied()) {
            let _ = writeln!(text, "- {line}");
        }
        text
    }

    /// Groups in the order in which they first came up, and their rows in the order they were added.
    fn grouped(&self) -> impl Iterator<Item = &Row> {
        let mut groups: Vec<&str> = Vec::new();
        for row in &self.rows {
            if !groups.contains(&row.group) {
                groups.push(row.group);
            }
        }
        groups.into_iter().flat_map(|group| self.rows.iter().filter(move |row| row.group == group))
    }

    /// For programs.
    pub(crate) fn json(&self) -> String {
        let rows: Vec<Value> = self.rows.iter().map(Row::json).collect();
        let report = json!({
            "host": host(), "load_average": load_average(), "quick": self.effort.quick, "rounds": self.effort.rounds,
            "figures": rows, "notes": self.notes, "method": self.method,
        });
        format!("{report:#}\n")
    }
}

impl Row {
    fn met(&self) -> &'static str {
        let (floor, target) = self.bars.parts();
        let holds = |bar: f64| match self.bars {
            Bars::AtLeast(..) => self.value >= bar,
            Bars::AtMost(..) => self.value <= bar,
            Bars::None => false,
        };
        match (target, floor) {
            (None, _) => "",
            (Some(target), _) if holds(target) => "target",
            (_, Some(floor)) if holds(floor) => "floor",
            (_, Some(_) | None) => "MISSED",
        }
    }

    fn json(&self) -> Value {
        let (floor, target) = self.bars.parts();
        json!({
            "group": self.group, "name": self.name, "unit": self.unit.name(), "value": self.value,
            "low": self.range.map(|range| range.0), "high": self.range.map(|range| range.1),
            "floor": floor, "target": target, "met": self.met(),
        })
    }
}

impl Bars {
    const fn parts(self) -> (Option<f64>, Option<f64>) {
        match self {
            Self::AtLeast(floor, target) | Self::AtMost(floor, target) => (floor, Some(target)),
            Self::None => (None, None),
        }
    }

    const fn sign(self) -> &'static str {
        match self {
            Self::AtLeast(..) => "≥",
            Self::AtMost(..) => "≤",
            Self::None => "",
        }
    }
}

impl Unit {
    const fn name(self) -> &'static str {
        match self {
            Self::Bytes | Self::Mebibytes => "bytes",
            Self::Count => "count",
            Self::Microseconds => "microseconds",
            Self::Fraction | Self::Nanoseconds => "nanoseconds",
            Self::PerSecond => "per second",
            Self::Ratio => "ratio",
            Self::Seconds => "seconds",
        }
    }

    fn show(self, value: f64) -> String {
        match self {
            Self::Bytes => format!("{value:.1} B"),
            Self::Mebibytes => format!("{:.1} MiB", value / 1_048_576.0),
            Self::Count => format!("{value:.0}"),
            Self::Fraction => format!("{value:.2} ns"),
            Self::Microseconds if value.abs() < 100.0 => format!("{value:.1} us"),
            Self::Microseconds if value >= 10_000.0 => format!("{:.1} ms", value / 1000.0),
            Self::Microseconds => format!("{value:.0} us"),
            Self::Nanoseconds if value >= 10_000.0 => format!("{:.1} us", value / 1000.0),
            Self::Nanoseconds => format!("{value:.0} ns"),
            Self::PerSecond => format!("{value:.0}/s"),
            Self::Ratio if value >= 2.0 => format!("{value:.1}"),
            Self::Ratio => format!("{value:.3}"),
            Self::Seconds => format!("{value:.2} s"),
        }
    }
}

fn host() -> String {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let processors = thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let facts = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = facts.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    let model = model.trim_start_matches(['\t', ' ', ':']);
    format!("Linux {}, {processors} x {model}, load average {}", release.trim(), load_average())
}

fn load_average() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or_default().to_owned()
}

/// How the figures of the fast path were measured.
pub(crate) const METHOD: [&str; 6] = [
    "drops: live frames (BPF_PROG_TEST_RUN, batches of 64) over veth in native XDP; cost is the processor time of the receiving NAPI \
     thread per packet, pinned apart from the sender, both at nice -15; each round stands between two runs of bare XDP_DROP and is thrown away \
     when these differ by more than a quarter; the middle of the rounds counts",
    "clean: the agent's loaded program behind a generator that writes a new source for each run and jumps to it \
     (BPF_PROG_TEST_RUN), less the same with a program that reads the source, counts and passes; middle of the rounds",
    "lists: public addresses by a seeded permutation; networks are half /32, three tenths /24, the rest /25 to /31, each in a \
     /24 of its own; IPv6 is half /128, half /64; sources are uniform over the list unless said otherwise",
    "load: `enforcer block ip --file` against the running agent, journal on disk included; order: `enforcer block ip`, in the \
     agent from its arrival to the kernel's acknowledgement, by command from its start to its end",
    "nft: hash (or interval) set at netdev ingress; ipset: hash:ip (or hash:net), hashsize 524288, in raw PREROUTING; both on the \
     other cable, without XDP, with GRO",
    "veth has no wire: only ratios within one run mean something, and no packet rate follows from them",
];
