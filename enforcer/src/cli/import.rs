//! `block` and `unblock` of whole files: up to millions of lines, in chunks, with progress and a report of what was rejected.
//!
//! In: a file or standard input. Out: chunks to the agent, a report. While the agent works on a chunk the next one is read;
//! never more than these two are in memory. Never here: how a line is read (`lines.rs`).
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use enforcer_policy::lists::{self, Lint, Rules, Special};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::{Deserialize, Serialize};

use super::args::{Format, Globals};
use super::client::Client;
use super::failure::Failure;
use super::lines::{Entry, Lines};
use super::out::Out;
use super::own;
use super::table::{clean, grouped, span};
use crate::wire::{
    Exit, IMPORT_BYTES, IMPORT_ITEMS, ImportItem, ImportProgress, ImportReport, ImportStart, Raw, Request,
};

/// Rejected lines that are shown one by one.
const SHOWN: usize = 20;

/// What is to be imported.
#[derive(Debug)]
pub(super) struct Import {
    /// The order that holds for every line.
    pub(super) start: ImportStart,
    /// The file; `-` is standard input.
    pub(super) file: PathBuf,
    /// Where all rejected lines go.
    pub(super) rejects: Option<PathBuf>,
    /// How networks are written; none is told by the file itself.
    pub(super) format: Option<lists::Format>,
    /// A stranger's list: nothing private or reserved is taken from it.
    pub(super) feed: bool,
}

/// What became of a file.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(super) struct Summary {
    /// Lines read.
    lines: u64,
    /// Lines that say nothing.
    empty: u64,
    /// Networks whose host bits were cleared.
    host_bits_cleared: u64,
    /// What the agent did.
    #[serde(flatten)]
    report: ImportReport,
    /// Lines rejected here or by the agent.
    rejected_lines: u64,
    /// Those of them that name whom a list may not hit.
    removed_lines: u64,
    /// Why the list as a whole is not to be believed.
    flaw: Option<String>,
    /// The first of them.
    first_rejected: Vec<RejectedLine>,
    /// From the first byte read to the last decision in force.
    seconds: f64,
}

/// One rejected line.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct RejectedLine {
    line: u64,
    reason: String,
}

/// Reads the file, sends it, reports.
pub(super) fn import(import: &Import, globals: &Globals, out: &mut Out) -> Result<Exit, Failure> {
    let (from, length) = open(&import.file)?;
    let rejects = import.rejects.as_deref().map(Rejects::create).transpose()?;
    let mut client = Client::open(globals)?;
    let lint = lint(import, globals, &mut client)?;
    let bar = bar(out, length);
    let lines = Lines::new(from, import.start.kind, import.format);
    let mut work = Work { client, lines, lint, bar, rejects, summary: Summary::default(), began: Instant::now() };
    work.run(import)?;
    let (summary, removing) = (work.summary, import.start.remove);
    out.report(&summary, |summary| text(summary, removing, import.rejects.as_deref()))?;
    Ok(if summary.rejected_lines > 0 || summary.flaw.is_some() { Exit::Refused } else { Exit::Done })
}

/// Whom the list may not hit: nothing is looked at where decisions end, or subjects are tokens.
fn lint(import: &Import, globals: &Globals, client: &mut Client) -> Result<Option<Lint>, Failure> {
    if import.start.remove || import.start.kind.is_token() {
        return Ok(None);
    }
    let special = if import.feed { Special::All } else { Special::Wide };
    // How wide a network may be is the agent's to say.
    let mut rules = Rules { special, widest_v4: 0, widest_v6: 0, ..Rules::default() };
    own::guard(&mut rules, &super::local::load(globals).unwrap_or_default());
    own::guard_allowed(&mut rules, client)?;
    Ok(Some(Lint::new(rules)))
}

/// An import under way.
struct Work<R> {
    client: Client,
    lines: Lines<R>,
    lint: Option<Lint>,
    bar: ProgressBar,
    rejects: Option<Rejects>,
    summary: Summary,
    began: Instant,
}

/// Items and the lines they came from.
#[derive(Default)]
struct Chunk {
    items: Vec<ImportItem>,
    numbers: Vec<u64>,
    bytes: usize,
}

impl<R: BufRead> Work<R> {
    fn run(&mut self, import: &Import) -> Result<(), Failure> {
        let result = self.transfer(import);
        self.bar.finish_and_clear();
        result?;
        self.summary.lines = self.lines.number;
        self.summary.flaw = self.lines.flaw().map(|flaw| flaw.to_string());
        self.summary.seconds = self.began.elapsed().as_secs_f64();
        self.rejects.take().map_or(Ok(()), Rejects::finish)
    }

    fn transfer(&mut self, import: &Import) -> Result<(), Failure> {
        self.client.send(&Request::Import(import.start.clone()))?;
        let mut under_way: Option<Vec<u64>> = None;
        loop {
            let chunk = self.read_chunk(&import.file)?;
            if let Some(numbers) = under_way.take() {
                self.answer(&numbers)?;
            }
            if chunk.items.is_empty() {
                break;
            }
            self.client.send(&Request::ImportChunk(chunk.items))?;
            under_way = Some(chunk.numbers);
            self.bar.set_position(self.lines.bytes);
            self.bar.set_message(grouped(self.lines.number));
        }
        self.summary.report = self.client.call(&Request::ImportEnd)?;
        Ok(())
    }

    /// The next full chunk; an empty one at the end of the file.
    fn read_chunk(&mut self, file: &Path) -> Result<Chunk, Failure> {
        let mut chunk = Chunk::default();
        while chunk.items.len() < IMPORT_ITEMS && chunk.bytes < IMPORT_BYTES {
            match self.lines.next().map_err(|source| Failure::file("read", file, source))? {
                None => break,
                Some(Entry::Empty) => self.summary.empty += 1,
                Some(Entry::Item(item)) => self.take(item, &mut chunk)?,
                Some(Entry::Cleared(item)) => {
                    self.summary.host_bits_cleared += 1;
                    self.take(item, &mut chunk)?;
                }
                Some(Entry::Rejected(reason)) => self.reject(self.lines.number, reason)?,
            }
        }
        Ok(chunk)
    }

    /// Adds an item, unless no list may hit it.
    fn take(&mut self, item: ImportItem, chunk: &mut Chunk) -> Result<(), Failure> {
        let why = match (&self.lint, &item) {
            (Some(lint), ImportItem::Network(network)) => lint.removes(*network).map(|why| format!("{network} {why}")),
            (None, _) | (Some(_), ImportItem::Token(_)) => None,
        };
        let Some(why) = why else {
            chunk.push(item, self.lines.number);
            return Ok(());
        };
        self.summary.removed_lines += 1;
        self.reject(self.lines.number, why)
    }

    /// Takes the answer to the chunk whose items came from these lines.
    fn answer(&mut self, numbers: &[u64]) -> Result<(), Failure> {
        let progress: ImportProgress = self.client.receive()?;
        for (at, reason) in progress.rejected.sorted() {
            let line = usize::try_from(at).ok().and_then(|at| numbers.get(at)).copied().unwrap_or(0);
            self.reject(line, reason.to_owned())?;
        }
        Ok(())
    }

    fn reject(&mut self, line: u64, reason: String) -> Result<(), Failure> {
        self.summary.rejected_lines += 1;
        if let Some(rejects) = &mut self.rejects {
            rejects.write(line, &reason)?;
        }
        let shown = &mut self.summary.first_rejected;
        // The agent answers for lines that were read before those rejected here.
        let at = shown.partition_point(|known| known.line <= line);
        shown.insert(at, RejectedLine { line, reason });
        shown.truncate(SHOWN);
        Ok(())
    }
}

impl Chunk {
    fn push(&mut self, item: ImportItem, number: u64) {
        self.bytes += match &item {
            ImportItem::Network(_) => 0,
            ImportItem::Token(raw) => Raw::reveal(raw).len(),
        };
        self.items.push(item);
        self.numbers.push(number);
    }
}

/// The file of rejected lines.
struct Rejects {
    path: PathBuf,
    to: BufWriter<File>,
}

impl Rejects {
    fn create(path: &Path) -> Result<Self, Failure> {
        let file = File::create(path).map_err(|source| Failure::file("create", path, source))?;
        Ok(Self { path: path.to_owned(), to: BufWriter::new(file) })
    }

    fn write(&mut self, line: u64, reason: &str) -> Result<(), Failure> {
        writeln!(self.to, "{line}\t{}", clean(reason)).map_err(|source| Failure::file("write", &self.path, source))
    }

    fn finish(mut self) -> Result<(), Failure> {
        self.to.flush().map_err(|source| Failure::file("write", &self.path, source))
    }
}

/// The file and, where it is known, its length.
fn open(path: &Path) -> Result<(Box<dyn BufRead>, Option<u64>), Failure> {
    const BUFFER: usize = 1 << 20;
    if path == Path::new("-") {
        return Ok((Box::new(BufReader::with_capacity(BUFFER, io::stdin())), None));
    }
    let file = File::open(path).map_err(|source| Failure::file("open", path, source))?;
    let length = file.metadata().ok().filter(std::fs::Metadata::is_file).map(|metadata| metadata.len());
    Ok((Box::new(BufReader::with_capacity(BUFFER, file)), length))
}

fn bar(out: &Out, length: Option<u64>) -> ProgressBar {
    if !out.notes_terminal || out.format == Format::Json {
        return ProgressBar::hidden();
    }
    let (bar, template) = match length {
        Some(length) => (ProgressBar::new(length), "{bar:40} {percent:>3}%  {msg} lines  {elapsed}, {eta} left"),
        None => (ProgressBar::new_spinner(), "{spinner} {msg} lines  {elapsed}"),
    };
    bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(10));
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}

fn text(summary: &Summary, removing: bool, rejects: Option<&Path>) -> String {
    let report = &summary.report;
    let rate = Duration::try_from_secs_f64(summary.seconds).map(span).unwrap_or_default();
    let done = if removing {
        format!("{} ended, {} had no decision", grouped(report.removed), grouped(report.unchanged))
    } else {
        format!(
            "{} added, {} extended, {} changed, {} unchanged",
            grouped(report.added),
            grouped(report.extended),
            grouped(report.changed),
            grouped(report.unchanged)
        )
    };
    let mut lines = vec![format!(
        "{} lines in {rate}: {done}, {} rejected",
        grouped(summary.lines),
        grouped(summary.rejected_lines)
    )];
    if let Some(time) = report.enforced_in {
        lines.push(format!("  in force {} after the last line was sent", span(time)));
    }
    if summary.empty > 0 {
        lines.push(format!("  {} empty lines and comments", grouped(summary.empty)));
    }
    if summary.host_bits_cleared > 0 {
        lines.push(format!(
            "  {} networks had host bits set; the network was taken",
            grouped(summary.host_bits_cleared)
        ));
    }
    if summary.removed_lines > 0 {
        lines.push(format!(
            "  {} of the rejected lines name whom no list may hit (enforcer lists check says who that is)",
            grouped(summary.removed_lines)
        ));
    }
    lines.extend(summary.flaw.iter().map(|flaw| format!("  beware: {flaw}")));
    lines.extend(summary.first_rejected.iter().map(|line| format!("  line {}: {}", line.line, clean(&line.reason))));
    lines.extend(unshown(summary, rejects));
    lines.join("\n")
}

/// Where the rejected lines are that were not shown.
fn unshown(summary: &Summary, rejects: Option<&Path>) -> Option<String> {
    let more = summary.rejected_lines.saturating_sub(SHOWN as u64);
    match rejects {
        Some(path) if summary.rejected_lines > 0 => Some(format!("  all rejected lines: {}", path.display())),
        None if more > 0 => Some(format!("  and {} more; --rejects FILE lists them all", grouped(more))),
        Some(_) | None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::golden::golden;

    #[test]
    fn the_report_names_lines() {
        let first_rejected = [(3, "not an address"), (17, "0.0.0.0/0 is everything")]
            .map(|(line, reason)| RejectedLine { line, reason: reason.to_owned() });
        let summary = Summary {
            lines: 1_000_000,
            empty: 12,
            host_bits_cleared: 3,
            report: ImportReport {
                added: 999_000,
                extended: 900,
                enforced_in: Some(Duration::from_millis(12)),
                ..ImportReport::default()
            },
            rejected_lines: 88,
            removed_lines: 1,
            flaw: None,
            first_rejected: first_rejected.to_vec(),
            seconds: 0.48,
        };
        golden("cli/import.txt", &text(&summary, false, None));
        golden("cli/import-json.txt", &serde_json::to_string_pretty(&summary).unwrap());
    }
}
