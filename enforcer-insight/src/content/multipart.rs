//! Multipart bodies. In: the content type with its boundary, the first bytes of a body. Out: names, file names and contents of
//! the parts. Never here: other bodies; binary contents.
use bytes::Bytes;

use super::bodies::Format;
use super::collect::Collector;
use super::decode::Coding;
use super::{Place, json};

/// Takes every part, the last one as far as it goes.
pub(super) fn read(kind: &[u8], body: &Bytes, found: &mut Collector) {
    let Some(boundary) = parameter(kind, b"boundary") else {
        found.take(Place::Text, "", body, Coding::Plain);
        return;
    };
    let fence = [b"--", &boundary[..]].concat();
    let mut rest = behind(body, &fence);
    while let Some(part) = rest {
        if found.is_full() || part.starts_with(b"--") {
            return;
        }
        let end = position(&part, &fence).unwrap_or(part.len());
        take(&part.slice(..end), found);
        rest = behind(&part, &fence);
    }
}

/// A part: its head, an empty line, its contents.
fn take(part: &Bytes, found: &mut Collector) {
    let part = part.slice_ref(part.strip_prefix(b"\r\n").or_else(|| part.strip_prefix(b"\n")).unwrap_or(part));
    let (head, contents) = match (position(&part, b"\r\n\r\n"), position(&part, b"\n\n")) {
        (Some(end), _) => (part.slice(..end), part.slice(end + 4..)),
        (None, Some(end)) => (part.slice(..end), part.slice(end + 2..)),
        (None, None) => (part.clone(), Bytes::new()),
    };
    let disposition = line(&head, b"content-disposition").unwrap_or_default();
    let name = parameter(disposition, b"name").unwrap_or_default();
    let name = String::from_utf8_lossy(&name);
    for parameter in [b"filename".as_slice(), b"filename*"].into_iter().filter_map(|key| parameter(disposition, key)) {
        found.take(Place::Multipart, &format!("{name}.filename"), &parameter.into(), Coding::Percent);
    }
    let contents = contents.slice_ref(contents.strip_suffix(b"\r\n").unwrap_or(&contents));
    // Without a type of its own a part is text, whatever it looks like.
    match Format::of(line(&head, b"content-type").unwrap_or(b"text/html"), &contents) {
        Format::Binary => {}
        Format::Json => json::read(Place::Multipart, &contents, found),
        Format::Form | Format::Multipart | Format::Text | Format::Xml => {
            found.take(Place::Multipart, &name, &contents, Coding::Plain);
        }
    }
}

/// The value of a header of a part.
fn line<'h>(head: &'h [u8], name: &[u8]) -> Option<&'h [u8]> {
    head.split(|byte| *byte == b'\n').find_map(|line| {
        let (begin, value) = line.split_at_checked(name.len())?;
        let value = value.strip_prefix(b":").filter(|_| begin.eq_ignore_ascii_case(name))?;
        Some(value.trim_ascii())
    })
}

/// A parameter of a header's value, without quotes.
fn parameter(value: &[u8], name: &[u8]) -> Option<Vec<u8>> {
    let mut rest = value;
    loop {
        let begin = rest.iter().position(|byte| *byte == b';')?;
        rest = rest.get(begin + 1..)?.trim_ascii_start();
        let (key, text) = rest.split_at(rest.iter().position(|byte| *byte == b'=')?);
        let (text, behind) = word(text.get(1..)?);
        if key.trim_ascii().eq_ignore_ascii_case(name) {
            return Some(text);
        }
        rest = behind;
    }
}

/// A word, quoted or not, and what follows it.
fn word(text: &[u8]) -> (Vec<u8>, &[u8]) {
    let Some(quoted) = text.strip_prefix(b"\"") else {
        let (word, rest) = text.split_at(text.iter().position(|byte| *byte == b';').unwrap_or(text.len()));
        return (word.trim_ascii().to_vec(), rest);
    };
    let (mut out, mut bytes) = (Vec::new(), quoted.iter().copied().enumerate());
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'"' => return (out, quoted.get(at + 1..).unwrap_or_default()),
            b'\\' => out.extend(bytes.next().map(|(_, byte)| byte)),
            _ => out.push(byte),
        }
    }
    (out, &[])
}

fn behind(text: &Bytes, fence: &[u8]) -> Option<Bytes> {
    position(text, fence).map(|at| text.slice(at + fence.len()..))
}

fn position(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}
