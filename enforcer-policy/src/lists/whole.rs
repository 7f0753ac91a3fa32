//! A whole list at once.
//!
//! In: its bytes, and bounds. Out: entries with their lines, what was rejected, and why it is not to be believed as a whole, if so.
//! Never here: what a list may hit (`lint.rs`).
use enforcer_common::Prefix;

use super::line::{Line, Reject};
use super::reader::{Flaw, Format, Reader};

/// Bounds of a list. What is past them is not read.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of the whole list.
    pub bytes: usize,
    /// Entries.
    pub entries: usize,
    /// Bytes of one line.
    pub line: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes: 64 << 20, entries: 1_000_000, line: 4096 }
    }
}

/// A line past its bound.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("longer than {0} bytes")]
pub struct LongLine(pub usize);

/// A network, and the line that names it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Entry {
    /// The line, from 1.
    pub line: u64,
    /// The network.
    pub network: Prefix,
}

/// What a list says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct List {
    /// How it is written.
    pub format: Format,
    /// Its lines.
    pub lines: u64,
    /// Networks that it names.
    pub entries: Vec<Entry>,
    /// Networks that it excepts from wider ones.
    pub excepted: Vec<Entry>,
    /// Networks whose host bits were cleared.
    pub cleared: u64,
    /// Lines that could not be read.
    pub rejected: u64,
    /// The first of them, and why.
    pub first_rejected: Vec<(u64, Reject)>,
    /// Why the list as a whole is not to be believed.
    pub flaw: Option<Flaw>,
}

/// Lines that are reported one by one.
pub const REPORTED: usize = 100;

/// Reads a list of a format, or of the one that shows itself.
pub fn read(bytes: &[u8], format: Option<Format>, limits: &Limits) -> List {
    let mut list = List {
        format: format.unwrap_or(Format::Plain),
        lines: 0,
        entries: Vec::new(),
        excepted: Vec::new(),
        cleared: 0,
        rejected: 0,
        first_rejected: Vec::new(),
        flaw: None,
    };
    if bytes.len() > limits.bytes {
        list.flaw = Some(Flaw::TooLarge { what: "bytes", limit: limits.bytes as u64 });
        return list;
    }
    let mut reader = Reader::new(format);
    // What follows the last end of line is a line only if there is something.
    for line in bytes.strip_suffix(b"\n").unwrap_or(bytes).split(|byte| *byte == b'\n') {
        list.lines += 1;
        let said = said(&mut reader, line, limits.line);
        list.take(said);
        if list.entries.len() > limits.entries {
            list.entries.truncate(limits.entries);
            list.flaw = Some(Flaw::TooLarge { what: "entries", limit: limits.entries as u64 });
            break;
        }
    }
    list.format = reader.format().unwrap_or(list.format);
    list.flaw = list.flaw.or_else(|| reader.flaw());
    list
}

fn said(reader: &mut Reader, line: &[u8], limit: usize) -> Line {
    let reject = if line.len() > limit { Reject::Long(LongLine(limit)) } else { Reject::NotText };
    match std::str::from_utf8(line) {
        Ok(text) if line.len() <= limit => reader.line(text),
        Ok(_) | Err(_) => {
            reader.unreadable();
            Line::Rejected(reject)
        }
    }
}

impl List {
    fn take(&mut self, said: Line) {
        let line = self.lines;
        match said {
            Line::Cleared(network) => {
                self.cleared += 1;
                self.entries.push(Entry { line, network });
            }
            Line::Empty => {}
            Line::Except(network) => self.excepted.push(Entry { line, network }),
            Line::Range(range) => self.entries.extend(range.into_iter().map(|network| Entry { line, network })),
            Line::Rejected(reject) => {
                self.rejected += 1;
                if self.first_rejected.len() < REPORTED {
                    self.first_rejected.push((line, reject));
                }
            }
            Line::Subject(network) => self.entries.push(Entry { line, network }),
        }
    }
}
