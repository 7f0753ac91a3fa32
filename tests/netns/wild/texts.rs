//! Random text of connections: a request with a body, the refused device's request, a clean one, with mistakes in it.
//!
//! In: a seed and a number. Out: always the same text and cuts. Never here: sending.

use std::fmt;

/// The refused device.
pub(super) const EVIL: &str = "mallory";

/// What is sent on one connection.
pub(super) struct Wild {
    bytes: Vec<u8>,
    cuts: Vec<usize>,
}

impl Wild {
    pub(super) fn make(seed: usize, play: usize) -> Self {
        let mut dice = Dice::new(seed, play);
        let first = if dice.roll(3) > 0 { dice.first(play) } else { String::new() };
        let evil = dice.evil(play);
        let clean = format!("GET /health?play={play} HTTP/1.1\r\nHost: a\r\nX-Device-Id: wallory\r\n\r\n");
        let last = if dice.roll(2) == 0 { clean } else { String::new() };
        let mut bytes = [first, evil, last].concat().into_bytes();
        for _ in 0..dice.roll(4) {
            dice.mistake(&mut bytes);
        }
        let mut cuts: Vec<usize> = (0..dice.roll(4)).map(|_| dice.roll(bytes.len())).collect();
        cuts.sort_unstable();
        Self { bytes, cuts }
    }

    pub(super) fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        let from = [0].into_iter().chain(self.cuts.iter().copied());
        let to = self.cuts.iter().copied().chain([self.bytes.len()]);
        from.zip(to).map(|(from, to)| &self.bytes[from..to])
    }
}

impl fmt::Display for Wild {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{} cut at {:?}", self.bytes.escape_ascii(), self.cuts)
    }
}

/// Numbers that look random: the same from the same seed.
struct Dice(u64);

impl Dice {
    fn new(seed: usize, play: usize) -> Self {
        let mixed = (seed as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(play as u64 + 1);
        Self(mixed.wrapping_mul(0xbf58_476d_1ce4_e5b9) | 1)
    }

    fn roll(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % below.max(1)
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.roll(from.len())]
    }

    fn headers(&mut self) -> String {
        (0..self.roll(3)).map(|_| self.pick(HEADERS)).collect()
    }

    /// The refused device's request.
    fn evil(&mut self, play: usize) -> String {
        let method = self.pick(&["GET", "GET", "GET", "POST", "HEAD", "OPTIONS", "PUT", "X"]);
        let version = self.pick(VERSIONS);
        let target = self.pick(TARGETS);
        let name = self.pick(&["X-Device-Id", "x-device-id", "X-DEVICE-ID"]);
        let (before, after) = (self.headers(), self.headers());
        format!("{method} {target}?play={play} {version}\r\nHost: a\r\n{before}{name}: {EVIL}\r\n{after}\r\n")
    }

    /// A clean request with a body.
    fn first(&mut self, play: usize) -> String {
        let target = self.pick(&["/health", "/api/accounts/7", "/large/a"]);
        let body = self.pick(BODIES);
        let (line, body) = match self.roll(5) {
            0 => (String::new(), String::new()),
            1 => ("Content-Length: 10\r\n".to_owned(), body.to_owned()),
            2 => (format!("Content-Length: {}10\r\n", self.pick(LENGTHS)), body.to_owned()),
            _ => (format!("Transfer-Encoding: {}\r\n", self.pick(CODINGS)), self.chunks()),
        };
        let more = self.headers();
        format!("POST {target}?first={play} HTTP/1.1\r\nHost: a\r\nX-Device-Id: wallory\r\n{more}{line}\r\n{body}")
    }

    fn chunks(&mut self) -> String {
        let chunks: String = (0..self.roll(3)).map(|_| self.chunk()).collect();
        let last = self.pick(&["0", "0", "0", "00", "0;x", "0000000000000000000000"]);
        let trailer = self.pick(&["", "", "", "A: b\r\n", "X-Device-Id: wallory\r\n", "A: b\n", " a\r\n", "\r"]);
        chunks + last + "\r\n" + trailer + self.pick(ENDS)
    }

    fn chunk(&mut self) -> String {
        let size = self.pick(&["5", "5", "05", "000000000000000000005", "5;a=b", "5 ", "5\t;x", "5;\"\n\""]);
        let text = self.pick(&["hello", "hello", "\x01\x02\x03\x04\x05"]);
        size.to_owned() + self.pick(ENDS) + text + self.pick(ENDS)
    }

    fn mistake(&mut self, bytes: &mut Vec<u8>) {
        let at = self.place(bytes);
        let end = (at + self.roll(20)).min(bytes.len());
        let special = SPECIAL[self.roll(SPECIAL.len())];
        match self.roll(6) {
            0 => drop(bytes.remove(at)),
            1 => bytes[at] = special,
            2 => insert(bytes, at, &vec![special; 1 + self.roll(3) * self.roll(30)]),
            3 => insert(bytes, at, self.pick(HEADERS).as_bytes()),
            4 => insert(bytes, at, self.pick(TEXTS).as_bytes()),
            _ => {
                let again = bytes[at..end].to_vec();
                insert(bytes, at, &again);
            }
        }
    }

    /// Any byte, or one where a line or a value begins or ends: there most is decided.
    fn place(&mut self, bytes: &[u8]) -> usize {
        let at = self.roll(bytes.len());
        if self.roll(2) == 0 {
            return at;
        }
        let is_border = |byte: &u8| matches!(byte, b'\r' | b'\n' | b':' | b' ' | b';');
        let further = bytes[at..].iter().position(is_border).unwrap_or_default();
        (at + further + self.roll(2)).min(bytes.len() - 1)
    }
}

fn insert(bytes: &mut Vec<u8>, at: usize, more: &[u8]) {
    bytes.splice(at..at, more.iter().copied());
}

const BODIES: &[&str] =
    &["abcdefghij", "abcdefghij", "\x01\x02\x03\x04\x05\x06\x07\x08\x0e\x0f", "\r\n\r\n\r\n\r\n\r\n", "GET / HTTP"];

/// What stands before the digits of a length.
const LENGTHS: &[&str] = &["0", "000000000000000000000", "+", " ", "\t", "1", "0x"];

const CODINGS: &[&str] =
    &["chunked", "chunked", "Chunked", "identity", "chunked ", "chunked, chunked", "gzip, chunked"];

const ENDS: &[&str] = &["\r\n", "\r\n", "\r\n", "\r\n", "\n", "\r", ""];

const VERSIONS: &[&str] = &[
    "HTTP/1.1", "HTTP/1.1", "HTTP/1.1", "HTTP/1.1", "HTTP/1.1", "HTTP/1.0", "HTTP/1.0", "HTTP/2.0", "HTTP/0.9",
    "HTTP/1.2", "http/1.1", "HTTP/11", "HTTP", "",
];

const TARGETS: &[&str] = &["/health", "/health", "http://a/health", "/api/accounts/7", "/%68ealth", "//health", "*"];

const SPECIAL: &[u8] = b"\r\n\r\n\r\n  \t\t::;;,,\0\x01\x0b\x0c\x7f\x80\xa0\xff\"'/\\?#%&=+-0aZ_.(){}";

const TEXTS: &[&str] = &[
    "\r\n",
    "\n",
    "\r\n\r\n",
    "\n\n",
    "\r\r\n",
    "\r\n ",
    "\r\n\t",
    "\n ",
    "GET / HTTP/1.1\r\n",
    " HTTP/1.1",
    " HTTP/1.0",
    " HTTP/0.9",
    " HTTP/2.0",
    "chunked",
    "mallory",
    "X-Device-Id:",
    "X-Device-Id: wallory\r\n",
    "0\r\n\r\n",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
];

const HEADERS: &[&str] = &[
    "Connection: close\r\n",
    "Connection: keep-alive\r\n",
    "Connection: Upgrade\r\nUpgrade: websocket\r\n",
    "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n",
    "Expect: 100-continue\r\n",
    "Content-Length: 0\r\n",
    "Content-Length: 3\r\n",
    "Content-Length: 300\r\n",
    "Content-Length: -1\r\n",
    "Content-Length: 99999999999999999999\r\n",
    "Content-Length : 30\r\n",
    "Content_Length: 30\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Transfer-Encoding: identity\r\n",
    "Transfer-Encoding : chunked\r\n",
    "Transfer_Encoding: chunked\r\n",
    "Transfer-Encoding:\r\n chunked\r\n",
    "X-Device-Id: wallory\r\n",
    "X_Device_Id: mallory\r\n",
    "X-Device-Id:\r\n",
    "A: b\r\n",
    "A: b\n",
    ": b\r\n",
    "A\r\n",
    " folded\r\n",
    "Cookie: a=b\r\n",
    "User-Agent: curl\r\n",
    "Host: b\r\n",
];
