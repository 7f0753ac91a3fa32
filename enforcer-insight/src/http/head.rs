//! A request head, and its parts as views of the bytes it came in. In: bytes. Out: [`Head`], or that it is still open, or why
//! it is none. `httparse` splits it; lines that it refuses are dropped and stand in the ambiguities.
use bytes::Bytes;
use enforcer_common::limits::{HEAD_LINES, HEAD_WINDOW};

use super::ambiguity::Ambiguity;
use super::framing::{Framing, framing};
use super::survey::{Survey, survey};

/// A whole head.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Head {
    /// As it was sent.
    pub method: Bytes,
    /// As it was sent: a path with its query, or a whole URL.
    pub target: Bytes,
    /// The version.
    pub version: Version,
    /// Headers that every server reads alike, in their order.
    pub headers: Vec<Header>,
    /// How its body is framed.
    pub framing: Framing,
    /// Where the head ends and its body begins.
    pub end: usize,
    odd: super::ambiguity::Ambiguities,
}

/// One header.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Header {
    /// As it was sent.
    pub name: Bytes,
    /// Without the blanks around it.
    pub value: Bytes,
}

/// The versions whose heads look like this.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Version {
    /// HTTP/1.0.
    Http10,
    /// HTTP/1.1.
    Http11,
}

/// Why bytes are no head.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum HeadError {
    /// Something that a strict reader does not take for a request.
    #[error("this is no request of HTTP/1")]
    NotHttp(#[source] httparse::Error),
    /// More than the kernel looks at.
    #[error("the head has more than {HEAD_WINDOW} bytes or {HEAD_LINES} lines")]
    TooLong,
}

impl Head {
    /// Reads the head that `bytes` begin with; `None` when more bytes could make it one.
    pub fn read(bytes: &Bytes) -> Result<Option<Self>, HeadError> {
        let window = bytes.get(..HEAD_WINDOW).unwrap_or(bytes);
        let seen = survey(window);
        let long = seen.lines >= HEAD_LINES || (seen.end.is_none() && bytes.len() >= HEAD_WINDOW);
        let mut headers = [httparse::EMPTY_HEADER; HEAD_LINES];
        let mut request = httparse::Request::new(&mut headers);
        let status =
            strict().parse_request(&mut request, window.get(..seen.end.unwrap_or(window.len())).unwrap_or(window));
        match status.map_err(HeadError::NotHttp) {
            Ok(_) | Err(_) if long => Err(HeadError::TooLong),
            Ok(httparse::Status::Complete(end)) => Ok(Self::of(bytes, &request, end, seen)),
            Ok(httparse::Status::Partial) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn of(bytes: &Bytes, request: &httparse::Request<'_, '_>, end: usize, seen: Survey) -> Option<Self> {
        let view = |part: &[u8]| bytes.slice_ref(part);
        let version = if request.version? == 0 { Version::Http10 } else { Version::Http11 };
        let header =
            |header: &httparse::Header<'_>| Header { name: view(header.name.as_bytes()), value: view(header.value) };
        let headers: Vec<Header> = request.headers.iter().map(header).collect();
        let mut odd = seen.ambiguities;
        let framing = framing(version, &headers, seen.spaced_framing, &mut odd);
        let (method, target) = (view(request.method?.as_bytes()), view(request.path?.as_bytes()));
        Some(Self { method, target, version, headers, framing, end, odd })
    }

    /// What servers read differently.
    pub fn ambiguities(&self) -> &[Ambiguity] {
        self.odd.as_slice()
    }

    /// The values of a header, its name in any case.
    pub fn values<'h>(&'h self, name: &'h str) -> impl Iterator<Item = &'h Bytes> {
        let named = move |header: &&Header| header.name.eq_ignore_ascii_case(name.as_bytes());
        self.headers.iter().filter(named).map(|header| &header.value)
    }
}

/// One bad line must not hide the others.
fn strict() -> httparse::ParserConfig {
    let mut config = httparse::ParserConfig::default();
    config.ignore_invalid_headers_in_requests(true);
    config
}
