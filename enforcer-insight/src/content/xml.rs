//! XML, roughly. In: the first bytes of a body. Out: texts and attributes under the path of their elements, and what the
//! document declares about itself (`!doctype`). Never here: entities resolved, validity.
use bytes::Bytes;

use super::Place;
use super::collect::{Collector, DEEPEST, LONGEST_NAME};
use super::decode::{Coding, push};

/// Takes every text, attribute and declaration.
pub(super) fn read(body: &Bytes, found: &mut Collector) {
    let mut open: Vec<usize> = Vec::new();
    let (mut path, mut rest) = (String::new(), body.clone());
    while !rest.is_empty() && !found.is_full() {
        let text = rest.slice(..rest.iter().position(|byte| *byte == b'<').unwrap_or(rest.len()));
        rest = rest.slice(text.len()..);
        take(&path, &text, found);
        rest = if rest.starts_with(b"<!") || rest.starts_with(b"<?") {
            declaration(&rest, &path, found)
        } else {
            tag(&rest, &mut path, &mut open, found)
        };
    }
}

/// Takes a text, without the blanks around it and with its references resolved.
fn take(path: &str, text: &Bytes, found: &mut Collector) {
    let text = text.slice_ref(text.trim_ascii());
    if !text.is_empty() {
        found.take(Place::Xml, path, &resolved(&text), Coding::Plain);
    }
}

/// Reads a comment, character data or a declaration; what follows it.
fn declaration(rest: &Bytes, path: &str, found: &mut Collector) -> Bytes {
    let (name, begin, end): (_, _, &[u8]) = match () {
        () if rest.starts_with(b"<!--") => (None, 4, b"-->"),
        () if rest.starts_with(b"<![CDATA[") => (Some(path), 9, b"]]>"),
        () if rest.starts_with(b"<?") => (Some("?"), 0, b"?>"),
        () => return doctype(rest, found),
    };
    let length = position(rest, end).unwrap_or(rest.len());
    if let Some(name) = name.filter(|_| length > begin) {
        let end = if name == "?" { (length + 2).min(rest.len()) } else { length };
        found.take(Place::Xml, name, &rest.slice(begin..end), Coding::Plain);
    }
    rest.slice((length + end.len()).min(rest.len())..)
}

/// A document type with all that stands between its brackets.
fn doctype(rest: &Bytes, found: &mut Collector) -> Bytes {
    let first = |byte: u8| rest.iter().position(|one| *one == byte).unwrap_or(rest.len());
    let end =
        if first(b'[') < first(b'>') { position(rest, b"]>").map_or(rest.len(), |at| at + 1) } else { first(b'>') };
    let end = end.min(rest.len());
    found.take(Place::Xml, DOCTYPE, &rest.slice(..end), Coding::Plain);
    rest.slice((end + 1).min(rest.len())..)
}

/// Reads a tag with its attributes; what follows it.
fn tag(rest: &Bytes, path: &mut String, open: &mut Vec<usize>, found: &mut Collector) -> Bytes {
    let end = rest.iter().position(|byte| *byte == b'>').unwrap_or(rest.len());
    let inside = rest.slice(1.min(end)..end);
    let behind = rest.slice((end + 1).min(rest.len())..);
    if inside.starts_with(b"/") {
        path.truncate(open.pop().unwrap_or(0));
        return behind;
    }
    let length = inside.iter().position(|byte| byte.is_ascii_whitespace() || *byte == b'/').unwrap_or(inside.len());
    let before = path.len();
    enter(path, inside.get(..length).unwrap_or_default());
    attributes(&inside.slice(length..), path, found);
    if inside.ends_with(b"/") || open.len() >= DEEPEST {
        path.truncate(before);
    } else if !inside.is_empty() {
        open.push(before);
    }
    behind
}

fn enter(path: &mut String, name: &[u8]) {
    if path.len() < LONGEST_NAME {
        if !path.is_empty() {
            path.push('.');
        }
        path.push_str(&String::from_utf8_lossy(name));
    }
}

/// Takes `name="value"` pairs.
fn attributes(text: &Bytes, path: &str, found: &mut Collector) {
    let mut rest = text.clone();
    while let Some(equals) = rest.iter().position(|byte| *byte == b'=') {
        let name = rest.slice_ref(rest.get(..equals).unwrap_or_default().trim_ascii());
        let behind = rest.slice_ref(rest.get(equals + 1..).unwrap_or_default().trim_ascii_start());
        let Some(quote) = behind.first().copied().filter(|byte| matches!(byte, b'"' | b'\'')) else { return };
        let value = behind.slice(1..);
        let length = value.iter().position(|byte| *byte == quote).unwrap_or(value.len());
        let name = format!("{path}.@{}", String::from_utf8_lossy(&name));
        found.take(Place::Xml, &name, &resolved(&value.slice(..length)), Coding::Plain);
        rest = value.slice((length + 1).min(value.len())..);
    }
}

/// With the five named references and the numbered ones replaced.
fn resolved(text: &Bytes) -> Bytes {
    if !text.contains(&b'&') {
        return text.clone();
    }
    let (mut out, mut rest) = (Vec::with_capacity(text.len()), &text[..]);
    while let Some((first, behind)) = rest.split_first() {
        let reference = if *first == b'&' { reference(behind) } else { None };
        match reference {
            Some((code, _)) => push(code, &mut out),
            None => out.push(*first),
        }
        rest = behind.get(reference.map_or(0, |(_, length)| length)..).unwrap_or_default();
    }
    out.into()
}

fn reference(behind: &[u8]) -> Option<(u32, usize)> {
    let end = behind.iter().take(LONGEST_REFERENCE).position(|byte| *byte == b';')?;
    let name = std::str::from_utf8(behind.get(..end)?).ok()?;
    let code = match name {
        "amp" => u32::from(b'&'),
        "apos" => u32::from(b'\''),
        "gt" => u32::from(b'>'),
        "lt" => u32::from(b'<'),
        "quot" => u32::from(b'"'),
        _ => match name.strip_prefix('#')?.strip_prefix(['x', 'X']) {
            Some(digits) => u32::from_str_radix(digits, 16).ok()?,
            None => name.get(1..)?.parse().ok()?,
        },
    };
    Some((code, end + 1))
}

fn position(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}

/// The name that a document type stands under.
const DOCTYPE: &str = "!doctype";
const LONGEST_REFERENCE: usize = 10;
