//! A body by its type. In: headers, the first bytes of a body. Out: its values. What is packed or binary is not read. Never
//! here: how a format is read.
use bytes::Bytes;

use super::collect::Collector;
use super::decode::Coding;
use super::{Place, json, multipart, pairs, xml};
use crate::http::Header;

/// Takes the values of a body.
pub(super) fn read(headers: &[Header], body: &Bytes, found: &mut Collector) {
    let packed = value(headers, b"content-encoding").is_some_and(|coding| !coding.eq_ignore_ascii_case(b"identity"));
    if body.is_empty() || packed {
        return;
    }
    let kind = value(headers, b"content-type").unwrap_or_default();
    match Format::of(&kind, body) {
        Format::Binary => {}
        Format::Form => pairs::read(Place::Form, body, found),
        Format::Json => json::read(Place::Json, body, found),
        Format::Multipart => multipart::read(&kind, body, found),
        Format::Text => found.take(Place::Text, "", body, Coding::Plain),
        Format::Xml => xml::read(body, found),
    }
}

/// How a body is read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Format {
    Binary,
    Form,
    Json,
    Multipart,
    Text,
    Xml,
}

impl Format {
    /// By its content type; where that says little, by how the body begins.
    pub(super) fn of(kind: &[u8], body: &[u8]) -> Self {
        let kind = kind.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii().to_ascii_lowercase();
        let has = |part: &[u8]| kind.windows(part.len()).any(|window| window == part);
        let begins = |text: &[u8]| body.trim_ascii_start().starts_with(text);
        match () {
            () if has(b"json") || has(b"graphql+") => Self::Json,
            () if has(b"x-www-form-urlencoded") => Self::Form,
            () if kind.starts_with(b"multipart/") => Self::Multipart,
            () if has(b"html") => Self::Text,
            () if has(b"xml") => Self::Xml,
            () if BINARY.iter().any(|begin| kind.starts_with(begin)) || is_binary(body) => Self::Binary,
            () if is_json(body) => Self::Json,
            () if begins(b"<?xml") || begins(b"<!DOCTYPE") => Self::Xml,
            () => Self::Text,
        }
    }
}

/// More than a few bytes that no text has.
fn is_binary(body: &[u8]) -> bool {
    let begin = body.get(..body.len().min(SNIFFED)).unwrap_or_default();
    let odd = begin.iter().filter(|byte| **byte < b' ' && !byte.is_ascii_whitespace()).count();
    odd >= LEAST_ODD && odd * 10 > begin.len()
}

/// A bracket, and what can only follow it in JSON.
fn is_json(body: &[u8]) -> bool {
    let mut signs = body.iter().copied().filter(|byte| !byte.is_ascii_whitespace());
    match (signs.next(), signs.next()) {
        (Some(b'{'), Some(next)) => matches!(next, b'"' | b'}'),
        (Some(b'['), Some(next)) => {
            matches!(next, b'"' | b'{' | b']' | b'[' | b'-' | b't' | b'f' | b'n') || next.is_ascii_digit()
        }
        _ => false,
    }
}

fn value(headers: &[Header], name: &[u8]) -> Option<Bytes> {
    headers.iter().find(|header| header.name.eq_ignore_ascii_case(name)).map(|header| header.value.clone())
}

const BINARY: [&[u8]; 9] = [
    b"image/",
    b"video/",
    b"audio/",
    b"font/",
    b"application/octet-stream",
    b"application/zip",
    b"application/pdf",
    b"application/grpc",
    b"application/x-protobuf",
];
/// Bytes whose look tells what a body is.
const SNIFFED: usize = 512;
const LEAST_ODD: usize = 4;
