//! A file of subjects, line by line.
//!
//! In: bytes. Out: items with their line numbers, or why a line was rejected. Memory holds one line at a time, and a line
//! without end is cut and rejected. Never here: the agent, how lists of networks are written (the policy's `lists` room).
use std::io::{self, BufRead, Read as _};

use enforcer_common::SubjectKind;
use enforcer_common::limits::TOKEN;
use enforcer_policy::lists::{Flaw, Format, Line, LongLine, Networks, Reader, Reject};

use crate::wire::{ImportItem, Raw};

/// Longest line that is read whole.
const LINE: usize = 4096;

/// What one line says.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Entry {
    /// Nothing.
    Empty,
    /// A subject.
    Item(ImportItem),
    /// A network whose host bits were cleared.
    Cleared(ImportItem),
    /// Something unusable.
    Rejected(String),
}

/// The lines of a file.
#[derive(Debug)]
pub(super) struct Lines<R> {
    from: R,
    kind: SubjectKind,
    reader: Reader,
    /// What is left of a line that named a range.
    range: Option<Networks>,
    line: Vec<u8>,
    /// Lines read so far.
    pub(super) number: u64,
    /// Bytes read so far.
    pub(super) bytes: u64,
}

impl<R: BufRead> Lines<R> {
    /// Lines of subjects of one kind; networks in a format, or in the one that shows itself.
    pub(super) fn new(from: R, kind: SubjectKind, format: Option<Format>) -> Self {
        let (reader, line) = (Reader::new(format), Vec::with_capacity(LINE));
        Self { from, kind, reader, range: None, line, number: 0, bytes: 0 }
    }

    /// The next line, or the next network of a range; `None` at the end.
    pub(super) fn next(&mut self) -> io::Result<Option<Entry>> {
        if let Some(network) = self.range.as_mut().and_then(Iterator::next) {
            return Ok(Some(Entry::Item(ImportItem::Network(network))));
        }
        self.line.clear();
        let read = self.from.by_ref().take(LINE as u64).read_until(b'\n', &mut self.line)?;
        if read == 0 {
            return Ok(None);
        }
        self.number += 1;
        self.bytes += read as u64;
        if read == LINE && self.line.last() != Some(&b'\n') {
            self.skip_line()?;
            self.reader.unreadable();
            return Ok(Some(Entry::Rejected(LongLine(LINE).to_string())));
        }
        Ok(Some(self.entry()))
    }

    /// Why the list as a whole is not to be believed, after its last line.
    pub(super) fn flaw(&self) -> Option<Flaw> {
        self.reader.flaw().filter(|_| !self.kind.is_token())
    }

    fn entry(&mut self) -> Entry {
        match (std::str::from_utf8(&self.line), self.kind) {
            (Err(_), _) => {
                self.reader.unreadable();
                Entry::Rejected(Reject::NotText.to_string())
            }
            (Ok(line), kind) if kind.is_token() => token(line, self.number == 1),
            (Ok(line), _) => {
                let said = self.reader.line(line);
                let Line::Range(range) = said else { return network(&said) };
                let mut networks = range.into_iter();
                let first = networks.next();
                self.range = Some(networks);
                first.map_or(Entry::Empty, |network| Entry::Item(ImportItem::Network(network)))
            }
        }
    }

    /// Reads on to the end of an overlong line, holding none of it.
    fn skip_line(&mut self) -> io::Result<()> {
        loop {
            let held = self.from.fill_buf()?;
            let end = held.iter().position(|byte| *byte == b'\n');
            let used = end.map_or(held.len(), |at| at + 1);
            self.from.consume(used);
            self.bytes += used as u64;
            if end.is_some() || used == 0 {
                return Ok(());
            }
        }
    }
}

fn network(said: &Line) -> Entry {
    match said {
        Line::Cleared(prefix) => Entry::Cleared(ImportItem::Network(*prefix)),
        Line::Empty | Line::Range(_) => Entry::Empty,
        Line::Except(prefix) => Entry::Rejected(format!(
            "{prefix} is an exception (nomatch), and what it is excepted from is blocked: enforcer allow {prefix}, or leave the wider network out"
        )),
        Line::Rejected(why) => Entry::Rejected(why.to_string()),
        Line::Subject(prefix) => Entry::Item(ImportItem::Network(*prefix)),
    }
}

fn token(line: &str, first: bool) -> Entry {
    let line = if first { line.strip_prefix('\u{feff}').unwrap_or(line) } else { line };
    let value = line.trim_ascii();
    if value.is_empty() || value.starts_with('#') {
        Entry::Empty
    } else if value.len() > TOKEN {
        Entry::Rejected(format!("longer than {TOKEN} bytes: the kernel does not compare such values"))
    } else {
        Entry::Item(ImportItem::Token(Raw::new(value)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &[u8], kind: SubjectKind) -> Vec<Entry> {
        let mut lines = Lines::new(text, kind, None);
        let entries = std::iter::from_fn(|| lines.next().unwrap()).collect();
        assert_eq!(lines.bytes, text.len() as u64);
        entries
    }

    #[test]
    fn tokens_are_values_and_comments() {
        let token = |value: &str| Entry::Item(ImportItem::Token(Raw::new(value)));
        for kind in [SubjectKind::Device, SubjectKind::Session, SubjectKind::User, SubjectKind::ApiKey] {
            let entries = all("\u{feff}ABC\r\n\n# no\n a,b #c \nend".as_bytes(), kind);
            assert_eq!(entries, [token("ABC"), Entry::Empty, Entry::Empty, token("a,b #c"), token("end")]);
        }
        let long = "x".repeat(TOKEN + 1);
        assert!(matches!(all(long.as_bytes(), SubjectKind::Device).as_slice(), [Entry::Rejected(_)]));
    }

    #[test]
    fn a_range_is_several_items_of_one_line() {
        let mut lines = Lines::new(&b"20.0.0.1-20.0.0.3\n20.0.0.9\n"[..], SubjectKind::Ip, None);
        let mut found = Vec::new();
        while let Some(entry) = lines.next().unwrap() {
            found.push((lines.number, entry));
        }
        let item = |text| Entry::Item(ImportItem::Network(enforcer_policy::parse_prefix(text).unwrap()));
        assert_eq!(found, [(1, item("20.0.0.1")), (1, item("20.0.0.2/31")), (2, item("20.0.0.9"))]);
    }

    #[test]
    fn a_line_without_end_is_one_rejected_line() {
        let mut text = vec![b'1'; LINE * 3];
        text.extend(b"\n192.0.2.1\n\xff\xfe\n192.0.2.9/24");
        let entries = all(&text, SubjectKind::Ip);
        let kinds: Vec<bool> = entries.iter().map(|entry| matches!(entry, Entry::Rejected(_))).collect();
        assert_eq!(kinds, [true, false, true, false]);
        assert!(matches!(entries.last(), Some(Entry::Cleared(_))));
    }
}
