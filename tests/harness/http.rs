//! An HTTP/1.1 client that hides nothing: one connection, one request at a time, and a name for everything that goes wrong.
//!
//! In: requests. Out: the whole response, or a [`Failure`]. Never here: a retry, a redirect, or a second connection; what
//! the wire did is what a test wants to know.

use std::{
    io::{self, Read as _, Write as _},
    net::{IpAddr, SocketAddr, TcpStream},
    time::Duration,
};

use crate::{namespace::Namespace, tcp, wait::patient};

/// What can go wrong with a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Failure {
    /// The connection was closed before the first byte of a response.
    Closed,
    /// The connection could not be made.
    Connect(io::ErrorKind),
    /// The connection was closed in the middle of a response.
    Cut,
    /// The answer was not HTTP.
    Malformed,
    /// Another error of the system.
    Other(io::ErrorKind),
    /// The connection was reset.
    Reset,
    /// Nothing came in time.
    TimedOut,
}

/// A request.
#[derive(Clone, Debug)]
pub struct Request {
    head: String,
    body: Vec<u8>,
}

impl Request {
    /// GET of a path.
    pub fn get(path: &str) -> Self {
        Self { head: format!("GET {path} HTTP/1.1\r\nHost: api.test\r\n"), body: Vec::new() }
    }

    /// POST of a body to a path.
    pub fn post(path: &str, body: &str) -> Self {
        let (head, body) = (format!("POST {path} HTTP/1.1\r\nHost: api.test\r\n"), body.as_bytes().to_vec());
        let length = body.len().to_string();
        Self { head, body }.header("Content-Length", &length)
    }

    /// DELETE of a path.
    pub fn delete(path: &str) -> Self {
        Self { head: format!("DELETE {path} HTTP/1.1\r\nHost: api.test\r\n"), body: Vec::new() }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.head += &[name, ": ", value, "\r\n"].concat();
        self
    }

    /// Adds the header that carries the device id in these tests.
    #[must_use]
    pub fn device(self, id: &str) -> Self {
        self.header("X-Device-Id", id)
    }

    /// What goes over the wire.
    pub fn bytes(&self) -> Vec<u8> {
        [self.head.as_bytes(), b"\r\n", &self.body].concat()
    }
}

/// A whole response.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Names in lower case, and values.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Response {
    /// Reads one from bytes received; `None` while it is incomplete. Returns how many bytes it took.
    pub fn parse(received: &[u8]) -> Result<Option<(Self, usize)>, Failure> {
        let Some(end) = received.windows(4).position(|window| window == b"\r\n\r\n") else {
            return Ok(None);
        };
        let head = str::from_utf8(&received[..end]).map_err(|_invalid| Failure::Malformed)?;
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(status_of).ok_or(Failure::Malformed)?;
        let header =
            |line: &str| line.split_once(':').map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()));
        let headers: Option<Vec<_>> = lines.map(header).collect();
        let mut response = Self { status, headers: headers.ok_or(Failure::Malformed)?, body: Vec::new() };
        let length: usize =
            response.header("content-length").unwrap_or("0").parse().map_err(|_bad| Failure::Malformed)?;
        let body = &received[end + 4..];
        if body.len() < length {
            return Ok(None);
        }
        response.body = body[..length].to_vec();
        Ok(Some((response, end + 4 + length)))
    }

    /// The value of a header, asked for in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Whether the server says that it closes the connection.
    pub fn closes(&self) -> bool {
        self.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"))
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// One keep-alive connection.
#[derive(Debug)]
pub struct Client {
    stream: TcpStream,
    received: Vec<u8>,
}

impl Client {
    /// Connects from a namespace.
    pub fn connect(space: &Namespace, to: SocketAddr) -> Result<Self, Failure> {
        space.inside(|| Self::connect_here(None, to, patient(PATIENCE)))
    }

    /// Connects from a namespace, with one of the addresses lent to it.
    pub fn connect_from(space: &Namespace, from: IpAddr, to: SocketAddr, patience: Duration) -> Result<Self, Failure> {
        space.inside(|| Self::connect_here(Some(from), to, patience))
    }

    /// Connects from the namespace of the calling thread.
    pub(crate) fn connect_here(from: Option<IpAddr>, to: SocketAddr, patience: Duration) -> Result<Self, Failure> {
        let stream = tcp::connect(from, to, patience).map_err(|error| {
            if failure(&error) == Failure::TimedOut { Failure::TimedOut } else { Failure::Connect(error.kind()) }
        })?;
        Ok(Self { stream, received: Vec::new() })
    }

    /// Sends a request and reads its response.
    pub fn request(&mut self, request: &Request) -> Result<Response, Failure> {
        self.stream.write_all(&request.bytes()).map_err(|error| failure(&error))?;
        let mut piece = [0; 16_384];
        loop {
            if let Some((response, length)) = Response::parse(&self.received)? {
                self.received.drain(..length);
                return Ok(response);
            }
            match self.stream.read(&mut piece).map_err(|error| failure(&error))? {
                0 if self.received.is_empty() => return Err(Failure::Closed),
                0 => return Err(Failure::Cut),
                length => self.received.extend_from_slice(&piece[..length]),
            }
        }
    }
}

fn status_of(line: &str) -> Option<u16> {
    line.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()
}

fn failure(error: &io::Error) -> Failure {
    #[expect(clippy::wildcard_enum_match_arm, reason = "the system has many more errors than names matter here")]
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Failure::TimedOut,
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset => Failure::Reset,
        other => Failure::Other(other),
    }
}

const PATIENCE: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_is_complete_only_with_its_whole_body() {
        let whole = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 3\r\nConnection: close\r\n\r\nno!rest";
        for end in 0..whole.len() - 4 {
            assert_eq!(Response::parse(&whole[..end]), Ok(None), "{end} bytes");
        }
        let (response, length) = Response::parse(whole).expect("HTTP").expect("complete");
        assert_eq!((response.status, response.text().as_str(), length), (403, "no!", whole.len() - 4));
        assert!(response.closes());
        assert_eq!(Response::parse(b"SSH-2.0\r\n\r\n"), Err(Failure::Malformed));
    }
}
