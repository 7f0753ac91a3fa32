//! Recognises an HTTP/1 request head and what matters in it. In: the bytes from a request boundary on. Out: where the head
//! ends, its tokens, how long its body is; or that it is still open; or that it is none.
//!
//! Pure: no maps, no helpers but the loop; the same code runs on the host, where it is tested on every prefix. It keeps
//! nothing between calls: a head that comes in pieces is scanned again from its beginning. The end of a line is searched
//! for eight bytes at a time, and a line is looked at only when its first letters are those of a watched name.
mod addresses;
mod answer;
mod chunks;
mod digest;
mod framing;
mod lines;
mod patterns;
mod place;
mod proxy_header;
mod request_line;
mod scan;
mod target;
mod work;

pub use addresses::{ADDRESSES, read_addresses};
pub use answer::scan_answer;
pub use chunks::read_chunk_text;
pub use digest::digest_token;
pub use place::{is_in, read_host};
pub use proxy_header::{ProxyHeader, read_proxy_header};
pub use request_line::method_flags;
pub use scan::scan;
pub use target::read_target;
pub use work::{Framing, Odd, TOKENS, Token, Version, Work};
#[cfg(target_arch = "bpf")]
pub use work::{bounded, zero_or_one};

#[cfg(test)]
mod tests;
