//! JSON as far as it goes. In: bytes that may end anywhere, or hold mistakes. Out: each plain value under its path of fields
//! (`user.mails[].text`). Never here: whether the whole is valid.
//!
//! One pass without recursion; what is deeper than [`DEEPEST`] ends it.
use bytes::Bytes;

use super::Place;
use super::collect::{Collector, DEEPEST, LONGEST_NAME};
use super::decode::{Coding, push};

/// Takes every plain value: strings unescaped, numbers and words as they stand, empty containers as nothing.
pub(super) fn read(place: Place, text: &Bytes, found: &mut Collector) {
    let mut reader = Reader { place, text, at: 0, open: Vec::new(), path: String::new() };
    while !found.is_full() && reader.step(found).is_some() {}
    if reader.at < text.len() {
        found.forget();
    }
}

struct Reader<'a> {
    place: Place,
    text: &'a Bytes,
    at: usize,
    open: Vec<Container>,
    path: String,
}

/// A container that is open.
struct Container {
    is_object: bool,
    is_empty: bool,
    /// The length of the path that its elements stand under.
    path: usize,
}

impl Reader<'_> {
    /// Reads one sign or value; `None` at the end.
    fn step(&mut self, found: &mut Collector) -> Option<()> {
        let byte = self.peek()?;
        match byte {
            b'{' | b'[' => self.enter(byte == b'{')?,
            b'}' | b']' => self.leave(found),
            b',' | b':' => self.at += 1,
            b'"' => self.string(found),
            _ => self.word(found),
        }
        Some(())
    }

    /// The next byte that is no blank.
    fn peek(&mut self) -> Option<u8> {
        let rest = self.text.get(self.at..)?;
        let blanks = rest.iter().position(|byte| !byte.is_ascii_whitespace())?;
        self.at += blanks;
        rest.get(blanks).copied()
    }

    fn enter(&mut self, is_object: bool) -> Option<()> {
        if self.open.len() >= DEEPEST {
            return None;
        }
        self.fill();
        if !is_object && self.path.len() < LONGEST_NAME {
            self.path.push_str("[]");
        }
        self.open.push(Container { is_object, is_empty: true, path: self.path.len() });
        self.at += 1;
        Some(())
    }

    fn leave(&mut self, found: &mut Collector) {
        self.at += 1;
        let Some(closed) = self.open.pop() else { return };
        if closed.is_empty {
            found.take(self.place, &self.path, &Bytes::new(), Coding::Plain);
        }
        let outer = self.open.last().map_or(0, |container| container.path);
        self.path.truncate(outer);
    }

    /// The container that is open has something in it.
    fn fill(&mut self) {
        if let Some(container) = self.open.last_mut() {
            container.is_empty = false;
        }
    }

    fn string(&mut self, found: &mut Collector) {
        let rest = self.text.slice(self.at + 1..);
        let end = closing(&rest);
        let text = unescape(&rest.slice(..end));
        self.at = (self.at + end + 2).min(self.text.len());
        self.fill();
        let in_object = self.open.last().is_some_and(|container| container.is_object);
        if in_object && self.peek() == Some(b':') {
            self.name(&text);
        } else {
            self.emit(&text, found);
        }
    }

    /// The path of what follows.
    fn name(&mut self, key: &[u8]) {
        self.path.truncate(self.open.last().map_or(0, |container| container.path));
        if self.path.len() < LONGEST_NAME {
            if !self.path.is_empty() {
                self.path.push('.');
            }
            self.path.push_str(&String::from_utf8_lossy(key));
        }
    }

    fn emit(&self, text: &Bytes, found: &mut Collector) {
        found.take(self.place, &self.path, text, Coding::Plain);
    }

    /// A number, or one of the three words, or a mistake.
    fn word(&mut self, found: &mut Collector) {
        let rest = self.text.slice(self.at..);
        let ends = |byte: &u8| byte.is_ascii_whitespace() || b",]}:{[\"".contains(byte);
        let length = rest.iter().position(ends).unwrap_or(rest.len()).max(1);
        self.at += length;
        self.fill();
        self.emit(&rest.slice(..length), found);
    }
}

/// Where a string ends; at the end of the text, when it was cut off.
fn closing(text: &[u8]) -> usize {
    let mut escaped = false;
    let ends = |byte: &u8| {
        let end = *byte == b'"' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        end
    };
    text.iter().position(ends).unwrap_or(text.len())
}

fn unescape(text: &Bytes) -> Bytes {
    if !text.contains(&b'\\') {
        return text.clone();
    }
    let (mut out, mut rest) = (Vec::with_capacity(text.len()), &text[..]);
    while let Some((first, behind)) = rest.split_first() {
        let length = if *first == b'\\' { escape(behind, &mut out) } else { 0 };
        if length == 0 {
            out.push(*first);
        }
        rest = behind.get(length..).unwrap_or_default();
    }
    out.into()
}

/// Pushes what an escape stands for; how many bytes behind the backslash it took, 0 when it is none.
fn escape(behind: &[u8], out: &mut Vec<u8>) -> usize {
    let plain = match behind.first() {
        Some(b'b') => 8,
        Some(b'f') => 12,
        Some(b'n') => b'\n',
        Some(b'r') => b'\r',
        Some(b't') => b'\t',
        Some(byte @ (b'"' | b'\\' | b'/')) => *byte,
        Some(b'u') => return unicode(behind, out),
        _ => return 0,
    };
    out.push(plain);
    1
}

/// Four digits, or two times four for what lies beyond the first plane.
fn unicode(behind: &[u8], out: &mut Vec<u8>) -> usize {
    let unit = |at: usize| {
        let digits = behind.get(at..at + 4)?;
        digits.iter().try_fold(0_u32, |sum, byte| Some(sum << 4 | char::from(*byte).to_digit(16)?))
    };
    let Some(high) = unit(1) else { return 0 };
    let low = if behind.get(5..7) == Some(b"\\u") { unit(7) } else { None };
    if let (0xd800..=0xdbff, Some(low @ 0xdc00..=0xdfff)) = (high, low) {
        push(0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00), out);
        return 11;
    }
    push(high, out);
    5
}
