//! Follows answers: what the server owes on a connection, and what of it leaves. In: requests that were passed on; segments of
//! the server's sockets. Out: counts and times by service, samples. Never here: verdicts; what leaves is never held up.
//!
//! ```text
//! request passed on -> owed.rs   remembered with the server's socket, in order
//! segment leaves    -> leave.rs  goes on where the last one ended? -> read.rs head, body, chunks -> tell.rs counts, samples
//! ```
//! Answers come in the order of the requests. Where that order is lost (a gap, more waiting than fit, no HTTP), nothing is
//! followed until the next request that arrives while the client has everything the server sent.
mod leave;
mod owed;
mod read;
mod tell;

pub use leave::leave;
pub use owed::{note, pass_on, recall};
