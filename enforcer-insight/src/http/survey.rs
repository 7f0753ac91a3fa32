//! A first walk over the lines of a head. In: bytes. Out: where the head ends, and what a strict reader refuses in its lines.
//! Never here: what the lines mean. The strict reader behind drops such lines, so they must be noted before.
use super::ambiguity::{Ambiguities, Ambiguity};
use super::framing::frames;

/// What the walk saw.
#[derive(Debug, Default)]
pub(super) struct Survey {
    /// Where the head ends; `None` while it is open.
    pub(super) end: Option<usize>,
    /// Lines that are not blank, the request line among them.
    pub(super) lines: usize,
    /// What was odd.
    pub(super) ambiguities: Ambiguities,
    /// A header that frames the body has blanks before its colon.
    pub(super) spaced_framing: bool,
}

/// Walks over the lines of `bytes`, to the end of the head or of the bytes.
pub(super) fn survey(bytes: &[u8]) -> Survey {
    let (mut survey, mut at) = (Survey::default(), 0);
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        at += line.len();
        // The last one is still open.
        let Some(line) = line.strip_suffix(b"\n") else { break };
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.iter().any(|byte| *byte < b' ' && *byte != b'\t') {
            survey.ambiguities.note(Ambiguity::Control);
        }
        // Blank lines before a request are to be ignored (RFC 9112, 2.2), whatever their carriage returns.
        if survey.lines == 0 && line.iter().all(|byte| *byte == b'\r') {
            continue;
        }
        if line.is_empty() {
            survey.end = Some(at);
            break;
        }
        survey.look(line);
    }
    survey
}

impl Survey {
    fn look(&mut self, line: &[u8]) {
        self.lines += 1;
        if self.lines == 1 {
            return;
        }
        if line.first().copied().is_some_and(is_blank) {
            self.ambiguities.note(Ambiguity::Folded);
        } else if let Some(name) = line.split(|byte| *byte == b':').next().filter(|name| name.len() < line.len())
            && name.last().copied().is_some_and(is_blank)
        {
            self.ambiguities.note(Ambiguity::Spaced);
            self.spaced_framing |= frames(name.trim_ascii_end());
        }
    }
}

/// A blank inside a line.
pub(super) const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}
