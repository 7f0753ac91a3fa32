//! The lines of one list, in whichever format it is.
//!
//! In: lines, in their order. Out: what each says; at the end, whether all of the list was there. Never here: bytes, bounds
//! (`whole.rs`, and the command line for what is too long to hold).
//!
//! A format that nobody named is that of the first line that is no comment, and stays.
use std::fmt;

use super::csv::Column;
use super::line::{BYTE_ORDER_MARK, Line, Reject, opens_comment, parse_line, range, word};
use super::{ipset, spamhaus};

/// How a list is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// Rows, the first of which names the column of addresses.
    Csv,
    /// One address, network or range per line, with a head of comments that says how many there are.
    Firehol,
    /// What `ipset save` writes.
    Ipset,
    /// One address, network or range per line, perhaps with other columns behind it.
    Plain,
    /// One JSON object per line, the last of which says how many there are.
    Spamhaus,
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Csv, Self::Firehol, Self::Ipset, Self::Plain, Self::Spamhaus];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Firehol => "firehol",
            Self::Ipset => "ipset",
            Self::Plain => "plain",
            Self::Spamhaus => "spamhaus",
        }
    }

    /// The format of a name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Why a list as a whole is not to be believed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Flaw {
    /// More lines were rejected than read: an error page, or another format.
    #[error(
        "{rejected} of {lines} lines cannot be read, so this is no list, or one of another format: look at it, or name its format"
    )]
    NoList {
        /// Lines that could not be read.
        rejected: u64,
        /// Lines that say anything.
        lines: u64,
    },
    /// A bound is reached.
    #[error("it has more than {limit} {what}: raise the bound, or split the list")]
    TooLarge {
        /// What there is too much of.
        what: &'static str,
        /// The bound.
        limit: u64,
    },
    /// Fewer entries than the list itself says.
    #[error("it says that it has {promised} entries, and {read} were there: it was cut off on its way; fetch it again")]
    Truncated {
        /// What the list says.
        promised: u64,
        /// What was there.
        read: u64,
    },
    /// A Spamhaus list without its last line.
    #[error("the line of metadata at its end is missing: it was cut off on its way; fetch it again")]
    Unended,
}

/// Reads the lines of one list.
#[derive(Clone, Debug)]
pub struct Reader {
    format: Option<Format>,
    column: Option<Column>,
    /// A comment before the first row that may be its header.
    commented: Option<Column>,
    /// How many entries the list says that it has.
    promised: Option<u64>,
    /// The line that ends it was read.
    ended: bool,
    /// Lines that are entries, readable or not.
    entries: u64,
    rejected: u64,
}

impl Reader {
    /// Of a format, or of the one that shows itself.
    pub const fn new(format: Option<Format>) -> Self {
        Self { format, column: None, commented: None, promised: None, ended: false, entries: 0, rejected: 0 }
    }

    /// The format, once it is known.
    pub const fn format(&self) -> Option<Format> {
        self.format
    }

    /// What the next line says.
    pub fn line(&mut self, line: &str) -> Line {
        let said = match self.format {
            Some(Format::Plain) => plain(line),
            format => self.look(line, format),
        };
        match said {
            Line::Empty => {}
            Line::Rejected(_) => {
                self.entries += 1;
                self.rejected += 1;
            }
            Line::Cleared(_) | Line::Except(_) | Line::Range(_) | Line::Subject(_) => self.entries += 1,
        }
        said
    }

    /// A line that could not even be read as text.
    pub const fn unreadable(&mut self) {
        self.entries += 1;
        self.rejected += 1;
    }

    /// Whether the list was complete, after its last line.
    pub fn flaw(&self) -> Option<Flaw> {
        if self.rejected * 2 > self.entries {
            return Some(Flaw::NoList { rejected: self.rejected, lines: self.entries });
        }
        match (self.format, self.promised) {
            (Some(Format::Spamhaus), _) if !self.ended => Some(Flaw::Unended),
            (Some(Format::Firehol | Format::Spamhaus), Some(promised)) if self.entries < promised => {
                Some(Flaw::Truncated { promised, read: self.entries })
            }
            _ => None,
        }
    }

    /// A line of any format but the plain one, whose lines need no memory of those before.
    fn look(&mut self, line: &str, format: Option<Format>) -> Line {
        let line = line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line).trim_ascii();
        if line.is_empty() {
            return Line::Empty;
        }
        if opens_comment(line) {
            self.comment(line);
            return Line::Empty;
        }
        match format {
            None => {
                let settled = self.settled(line);
                self.format = Some(settled);
                self.look(line, Some(settled))
            }
            Some(Format::Csv) => self.row(line),
            Some(Format::Firehol | Format::Plain) => plain(line),
            Some(Format::Ipset) => set(line),
            Some(Format::Spamhaus) => self.record(line),
        }
    }

    /// The format of a list whose first line this is.
    fn settled(&self, line: &str) -> Format {
        let is_row = |column: Column| column.of(line).is_ok_and(|field| is_address(&word(&field)));
        if line.starts_with('{') {
            Format::Spamhaus
        } else if ipset::is_one(line) {
            Format::Ipset
        } else if is_address(&plain(line)) {
            if self.promised.is_some() { Format::Firehol } else { Format::Plain }
        } else if Column::of_header(line).is_some() || self.commented.is_some_and(is_row) {
            Format::Csv
        } else {
            Format::Plain
        }
    }

    /// Before the first entry, comments may say what follows.
    fn comment(&mut self, line: &str) {
        if self.entries > 0 {
            return;
        }
        let text = line.trim_start_matches(['#', ';', '/']).trim_ascii();
        self.promised = promised(text).or(self.promised);
        self.commented = Column::of_header(text).filter(|_| text.contains([',', '\t'])).or(self.commented);
    }

    fn row(&mut self, line: &str) -> Line {
        if self.column.is_none() && self.entries == 0 {
            if let Some(column) = Column::of_header(line) {
                self.column = Some(column);
                return Line::Empty;
            }
            self.column = self.commented;
        }
        match self.column.map(|column| column.of(line)) {
            None => plain(line),
            Some(Ok(field)) => word(&field),
            Some(Err(reject)) => Line::Rejected(reject),
        }
    }

    fn record(&mut self, line: &str) -> Line {
        match spamhaus::said(line) {
            Ok(spamhaus::Said::Network(text)) => word(text.trim_ascii()),
            Ok(spamhaus::Said::End(records)) => {
                (self.ended, self.promised) = (true, records);
                Line::Empty
            }
            Err(reject) => Line::Rejected(reject),
        }
    }
}

/// A line of a plain list. Ranges are looked for last: lists of millions of lines have none.
fn plain(line: &str) -> Line {
    let said = parse_line(line);
    let Line::Rejected(Reject::Prefix(_) | Reject::Trailing) = said else { return said };
    range(line).map_or(said, Line::Range)
}

fn set(line: &str) -> Line {
    match ipset::said(line) {
        Ok(ipset::Said::Member(text)) => word(text),
        Ok(ipset::Said::Except(text)) => match word(text) {
            Line::Subject(prefix) | Line::Cleared(prefix) => Line::Except(prefix),
            other @ (Line::Empty | Line::Except(_) | Line::Range(_) | Line::Rejected(_)) => other,
        },
        Ok(ipset::Said::Nothing) => Line::Empty,
        Err(reject) => Line::Rejected(reject),
    }
}

const fn is_address(line: &Line) -> bool {
    matches!(line, Line::Cleared(_) | Line::Range(_) | Line::Subject(_))
}

/// `Entries : 6273 subnets, 680864624 unique IPs`, or `Entries : 812 unique IPs`: the first number is that of the lines.
fn promised(comment: &str) -> Option<u64> {
    let (key, value) = comment.split_once(':')?;
    let mut words = value.split_ascii_whitespace();
    let number = words.next()?.parse().ok()?;
    let known = key.trim_ascii().eq_ignore_ascii_case("entries") && matches!(words.next(), Some("subnets," | "unique"));
    known.then_some(number)
}
