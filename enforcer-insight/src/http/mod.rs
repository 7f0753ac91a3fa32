//! The HTTP room: what a request head says, exactly.
//!
//! In: bytes from a request boundary on. Out: a [`Head`] whose parts are views of those bytes; how long its body is, and what
//! servers could read differently ([`Ambiguity`]); its path as servers read it ([`Path`]); whether it lies in an endpoint; its
//! tokens. Never here: reading from anywhere, policy, state, the kernel.
//!
//! Pure and bounded: nothing longer than the kernel's window is looked at, so both see the same heads. Where the two could
//! differ, the kernel finds more: `tests/differential` proves it. Where servers differ, every reading counts: a request lies in
//! an endpoint when one server could find it there.
#![forbid(unsafe_code)]

mod ambiguity;
mod framing;
mod head;
mod path;
mod place;
mod survey;
mod tokens;

pub use ambiguity::Ambiguity;
pub use framing::Framing;
pub use head::{Head, HeadError, Header, Version};
pub use path::{Oddity, Path, Reading, read_paths};
pub use place::{is_for_host, lies_in, lies_in_endpoint};
pub use tokens::tokens;

#[cfg(test)]
mod tests;
