//! Values of a head. In: a target, headers. Out: segments of the path, query parameters, cookies, headers that applications
//! read. Never here: bodies, identities.
use bytes::Bytes;

use super::collect::Collector;
use super::decode::Coding;
use super::{Place, WHOLE_PATH, pairs};
use crate::http::Header;

/// The path and the query of a target.
pub(super) fn target(target: &Bytes, found: &mut Collector) {
    let without = until(target, b'#');
    let path = until(&without, b'?');
    let query = without.slice((path.len() + 1).min(without.len())..);
    found.take(Place::Path, WHOLE_PATH, &path, Coding::Percent);
    let segments = path.split(|byte| *byte == b'/').filter(|segment| !segment.is_empty());
    for (number, segment) in segments.enumerate() {
        if found.is_full() {
            found.forget();
            break;
        }
        found.take(Place::Path, &number.to_string(), &path.slice_ref(segment), Coding::Percent);
    }
    pairs::read(Place::Query, &query, found);
    let fragment = target.slice((without.len() + 1).min(target.len())..);
    if !fragment.is_empty() {
        found.take(Place::Query, "#", &fragment, Coding::Percent);
    }
}

/// The headers and cookies of a request.
pub(super) fn headers(headers: &[Header], found: &mut Collector) {
    for header in headers {
        let name = lower(&header.name);
        if name == "cookie" {
            cookies(&header.value, found);
        } else if is_read(&name, &header.value) {
            found.take(Place::Header, &name, &header.value, Coding::Plain);
        }
        if name == "referer" {
            let query = until(&header.value, b'?').len();
            pairs::read(Place::Header, &header.value.slice((query + 1).min(header.value.len())..), found);
        }
    }
}

/// The headers of an answer that applications set.
pub(super) fn answered(headers: &[Header], found: &mut Collector) {
    for header in headers {
        let name = lower(&header.name);
        match &*name {
            "set-cookie" => cookies(&until(&header.value, b';'), found),
            "location" | "link" | "refresh" => found.take(Place::Header, &name, &header.value, Coding::Plain),
            _ if name.starts_with("x-") => found.take(Place::Header, &name, &header.value, Coding::Plain),
            _ => {}
        }
    }
}

fn cookies(value: &Bytes, found: &mut Collector) {
    for pair in value.split(|byte| *byte == b';') {
        let pair = value.slice_ref(pair.trim_ascii());
        let name = until(&pair, b'=');
        let text = pair.slice((name.len() + 1).min(pair.len())..);
        if !pair.is_empty() {
            found.take(Place::Cookie, &String::from_utf8_lossy(&name), &text, Coding::Percent);
        }
    }
}

/// Headers with a syntax of their own count only when they hold what that syntax never has.
fn is_read(name: &str, value: &[u8]) -> bool {
    let structured = STRUCTURED.binary_search(&name).is_ok() || name.starts_with("if-") || name.starts_with("sec-");
    !structured || value.iter().any(|byte| b"<>{}$".contains(byte))
}

fn lower(name: &[u8]) -> String {
    String::from_utf8_lossy(name).to_ascii_lowercase()
}

/// What stands before the first such byte.
pub(super) fn until(bytes: &Bytes, end: u8) -> Bytes {
    bytes.slice(..bytes.iter().position(|byte| *byte == end).unwrap_or(bytes.len()))
}

/// In order.
const STRUCTURED: [&str; 25] = [
    "accept",
    "accept-charset",
    "accept-encoding",
    "authorization",
    "cache-control",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "date",
    "dnt",
    "expect",
    "host",
    "keep-alive",
    "pragma",
    "priority",
    "proxy-authorization",
    "range",
    "te",
    "traceparent",
    "tracestate",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
];
