//! Recognises an HTTP/1 request head and finds the identities in it. In: a segment's first bytes. Out: tokens, or a reason.
//!
//! Pure: no maps, no helpers but the loop; the same code runs on the host, where it is tested on every prefix. Newlines are
//! searched eight bytes at a time, and a line is looked at only when its first letter begins a watched name.
mod digest;
mod lines;
mod patterns;
mod scan;
mod work;

pub use digest::digest_token;
use enforcer_common::Reason;
pub use scan::scan;
pub use work::{Token, Work};

/// What a segment that is no request looks like, by its first bytes; `None` when it may be one.
#[inline(always)]
pub fn not_a_request(first: u8, second: u8) -> Option<Reason> {
    match (first, second) {
        (0x16, 3) => Some(Reason::Tls),
        (b'A'..=b'Z' | b'\r' | b'\n', _) => None,
        _ => Some(Reason::NotHttp),
    }
}

#[cfg(test)]
mod tests;
