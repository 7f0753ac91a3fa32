//! Device ids and the request that carries them. In: a number. Out: bytes, the same in each run.

use std::fmt::Write as _;

/// How many devices are blocked.
pub(crate) const BLOCKED: u64 = 100_000;
/// Bytes of an ordinary request's head.
pub(crate) const ORDINARY: usize = 700;
/// Bytes of an id.
pub(crate) const ID: usize = 32;

/// Ids in an order that jumps about in every table.
#[derive(Clone, Debug)]
pub(crate) struct Ids {
    next: u64,
}

impl Ids {
    /// Ids that are not blocked, each new.
    pub(crate) const fn clean() -> Self {
        Self { next: BLOCKED }
    }

    /// All that are.
    pub(crate) fn blocked() -> impl Iterator<Item = String> {
        (0..BLOCKED).map(id)
    }

    /// The next one.
    pub(crate) fn next(&mut self) -> String {
        self.next += 1;
        id(self.next)
    }
}

/// The head of a request with room for an id.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    bytes: Vec<u8>,
    at: usize,
}

impl Head {
    /// A head of `length` bytes, at least 200. Headers of an ordinary length fill it up, the id stands in the last one.
    pub(crate) fn new(length: usize) -> Self {
        let end = format!("X-Device-Id: {}\r\n\r\n", id(BLOCKED));
        let mut text =
            String::from("GET /api/accounts/4711?fields=balance,owner HTTP/1.1\r\nHost: api.bank.example\r\n");
        for header in HEADERS {
            let room = length.saturating_sub(text.len() + end.len());
            if room < header.len() + LEAST {
                break;
            }
            text += header;
        }
        let room = length.saturating_sub(text.len() + end.len() + "X-Trace: \r\n".len());
        let _ = write!(text, "X-Trace: {}\r\n", "5".repeat(room));
        let at = text.len() + "X-Device-Id: ".len();
        Self { bytes: (text + &end).into_bytes(), at }
    }

    /// The head with this id.
    pub(crate) fn with(&mut self, id: &str) -> &[u8] {
        self.bytes[self.at..self.at + ID].copy_from_slice(id.as_bytes());
        &self.bytes
    }
}

/// The n-th id: a permutation's two halves, so that neighbours share nothing.
pub(crate) fn id(number: u64) -> String {
    let mixed = (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    format!("{:016x}{:016x}", mixed ^ (mixed >> 31), mixed.wrapping_mul(0xbf58_476d_1ce4_e5b9))
}

/// Room that the header which fills up always has.
const LEAST: usize = 11;
/// What apps and gateways send; the first eight fit into an ordinary head.
const HEADERS: [&str; 12] = [
    "User-Agent: BankApp/7.4.1 (Android 15; Pixel 9; build 20261104) okhttp/5.1.0\r\n",
    "Accept: application/json, text/plain;q=0.9\r\n",
    "Accept-Language: en-GB,en;q=0.8,de;q=0.6\r\n",
    "Cache-Control: no-cache\r\n",
    "X-Request-Id: 6f1c2a9e-55d7-4be0-9a41-0d7be21f8c33\r\n",
    "X-App-Version: 7.4.1+20261104.release\r\n",
    "Cookie: theme=dark; region=eu-central; consent=2026-10-01; visitor=8d1f0c55e7ab43c9\r\n",
    "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n",
    "X-Client-Features: biometrics, push, offline-cards, instant-payments, dark-mode\r\n",
    "X-Screen: accounts/overview/details; previous=login/second-factor; depth=4\r\n",
    "X-Session-Hint: 4f0b6d29a1c84c2e9f0d5f6ab2e7c18d4f0b6d29a1c84c2e9f0d5f6ab2e7c18d\r\n",
    "X-Experiment: list-layout=B, search-ranking=control, onboarding=short, cards=grid\r\n",
];
