//! Follows connections: how far each was read, and what a segment adds. In: the segment under judgement. Out: where reading
//! goes on in it, or why it does not.
//!
//! ```text
//! segment -> turn.rs      another processor at work on the connection?
//!         -> standing.rs  repeated? ahead of a gap? something else than before?  -> read on | pass | hold back | reset
//!         -> read.rs      head, body, chunks, next head, ... to the segment's end -> each head to request/
//! ```
//! The server's socket on this host says what the server really has, so bytes that it will throw away (a bad checksum, an old
//! timestamp) cannot move the two views apart. The position lives with that socket and dies with it; connections without one
//! (forwarded, or still in their handshake) live in a bounded table, oldest out first.
#[cfg(target_arch = "bpf")]
pub mod held;
#[cfg(target_arch = "bpf")]
mod opening;
#[cfg(target_arch = "bpf")]
mod read;
mod standing;
#[cfg(target_arch = "bpf")]
mod table;
#[cfg(target_arch = "bpf")]
mod turn;

#[cfg(target_arch = "bpf")]
pub use opening::enforcer_open;
#[cfg(target_arch = "bpf")]
pub use read::{enforcer_settle, enforcer_stand, load, reading};
#[cfg(target_arch = "bpf")]
pub use table::{alive, begin, find, keep, of_socket};
#[cfg(target_arch = "bpf")]
pub use turn::{give, take};
