//! What speaks for an attack. In: rules that fired, with weight and place. Out: a confidence, an excerpt. Never here: rules.
use super::{Class, Hit};
use crate::content::Value;

/// Characters of an excerpt, at most.
pub const LONGEST_EXCERPT: usize = 60;

/// A rule, what it weighs where it stands, and what it weighs by itself.
#[derive(Clone, Copy, Debug)]
struct Fired {
    rule: &'static str,
    here: u8,
    full: u8,
}

/// Rules that fired on one reading.
#[derive(Clone, Debug, Default)]
pub(super) struct Evidence {
    fired: Vec<Fired>,
    at: Option<usize>,
    text: Vec<u8>,
}

impl Evidence {
    /// A rule of this weight fired on `text` at this byte.
    pub(super) fn add(&mut self, rule: &'static str, weight: u8, text: &[u8], at: usize) {
        self.add_here(rule, weight, weight, text, at);
    }

    /// The same, where it weighs less than by itself.
    pub(super) fn add_here(&mut self, rule: &'static str, full: u8, here: u8, text: &[u8], at: usize) {
        if here == 0 || self.fired.iter().any(|known| known.rule == rule) {
            return;
        }
        if self.at.is_none_or(|known| at < known) {
            self.at = Some(at);
            let begin = at.saturating_sub(BEFORE).min(text.len());
            self.text = text.get(begin..text.len().min(begin + LONGEST_EXCERPT)).unwrap_or_default().to_vec();
        }
        self.fired.push(Fired { rule, here, full });
    }

    /// The same, shown on another text.
    pub(super) fn on(mut self, text: &[u8], at: usize) -> Self {
        let fired = std::mem::take(&mut self.fired);
        let mut shown = Self::default();
        for Fired { rule, here, full } in fired {
            shown.add_here(rule, full, here, text, at);
        }
        shown
    }

    /// True when this rule alone fired.
    pub(super) fn is_only(&self, rule: &str) -> bool {
        self.fired.len() == 1 && self.fired.iter().all(|fired| fired.rule == rule)
    }

    /// What its rules say where they stand.
    pub(super) fn confidence(&self) -> u8 {
        together(self.fired.iter().map(|fired| fired.here))
    }

    /// What they would say anywhere.
    pub(super) fn weight(&self) -> u8 {
        together(self.fired.iter().map(|fired| fired.full))
    }

    pub(super) fn rules(&self) -> impl Iterator<Item = &'static str> {
        self.fired.iter().map(|fired| fired.rule)
    }

    pub(super) fn count(&self) -> usize {
        self.fired.len()
    }

    /// Where the first sign stands.
    pub(super) fn begin(&self) -> usize {
        self.at.unwrap_or_default()
    }

    pub(super) fn hit(self, value: &Value, class: Class, confidence: u8) -> Hit {
        let mut rules: Vec<&'static str> = self.rules().collect();
        rules.sort_unstable();
        Hit { place: value.place, name: value.label(), class, confidence, rules, excerpt: masked(&self.text) }
    }
}

/// What is left of a doubt when every weight takes its part of it, from 100.
fn together(weights: impl Iterator<Item = u8>) -> u8 {
    let doubt = weights.fold(100_u32, |doubt, weight| doubt * (100 - u32::from(weight).min(99)) / 100);
    u8::try_from(100 - doubt).unwrap_or(100)
}

/// With words that no language knows as one dot for each letter, and digits as zeros.
fn masked(text: &[u8]) -> Box<str> {
    let text = String::from_utf8_lossy(text);
    let (mut out, mut rest) = (String::new(), &*text);
    while let Some(first) = rest.chars().next() {
        let length = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        let (word, behind) = rest.split_at(length.max(first.len_utf8()));
        match first {
            _ if length > 0 => mask_word(word, &mut out),
            _ if first.is_control() => out.push('\u{fffd}'),
            _ => out.push(first),
        }
        rest = behind;
    }
    out.into()
}

fn mask_word(word: &str, out: &mut String) {
    let lower = word.to_ascii_lowercase();
    if KNOWN.binary_search(&&*lower).is_ok() {
        out.push_str(word);
    } else {
        out.extend(word.chars().map(|c| if c.is_numeric() { '0' } else { '.' }));
    }
}

/// Bytes shown before the place.
const BEFORE: usize = 12;

/// Words of the languages, in order: they say what an attack is, and nothing about anybody.
const KNOWN: [&str; 96] = [
    "alert",
    "and",
    "as",
    "bash",
    "bin",
    "by",
    "case",
    "cat",
    "char",
    "class",
    "cmd",
    "concat",
    "config",
    "confirm",
    "constructor",
    "cookie",
    "curl",
    "declare",
    "delay",
    "delete",
    "div",
    "doctype",
    "document",
    "drop",
    "echo",
    "else",
    "end",
    "entity",
    "etc",
    "eval",
    "exec",
    "fetch",
    "file",
    "from",
    "getclass",
    "gopher",
    "group",
    "having",
    "hosts",
    "href",
    "http",
    "id",
    "if",
    "iframe",
    "img",
    "in",
    "ini",
    "insert",
    "into",
    "is",
    "javascript",
    "jndi",
    "ldap",
    "like",
    "limit",
    "ls",
    "ne",
    "not",
    "null",
    "object",
    "onclick",
    "onerror",
    "onload",
    "onmouseover",
    "or",
    "order",
    "passwd",
    "ping",
    "proc",
    "prompt",
    "regex",
    "script",
    "select",
    "self",
    "set",
    "sh",
    "shadow",
    "sleep",
    "src",
    "svg",
    "system",
    "table",
    "then",
    "union",
    "update",
    "users",
    "values",
    "waitfor",
    "wget",
    "when",
    "where",
    "whoami",
    "win",
    "windows",
    "xor",
    "xp_cmdshell",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn excerpts_show_what_is_known() {
        assert!(KNOWN.is_sorted());
        assert_eq!(&*masked(b"ann' OR 12=12 union\0SELECT pin"), "...' OR 00=00 union\u{fffd}SELECT ...");
    }

    #[test]
    fn doubt_shrinks_with_every_rule() {
        let mut evidence = Evidence::default();
        evidence.add("a", 50, b"x", 0);
        evidence.add("a", 50, b"x", 0);
        assert_eq!(evidence.confidence(), 50, "a rule counts once");
        evidence.add("b", 50, b"x", 0);
        assert_eq!(evidence.confidence(), 75);
    }
}
