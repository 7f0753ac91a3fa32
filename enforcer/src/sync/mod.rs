//! The line to the center: enrol, watch, verify, hand over, acknowledge.
//!
//! In: signed deliveries; the spool of events. Out: changes that were verified, to whoever is the [`Host`]; what the kernel holds of
//! them, and the events, to the center. Never here: writing policy (the agent's one writer does that), the wall clock, anything that can stop enforcement:
//! whatever fails in this room leaves what is in force as it is, and is told.
//!
//! ```text
//! <state>/center/   center.json, authority.pem, host.pem    who is who
//!                   deliveries    every accepted one since the last snapshot, verified again at each start
//!                   lifted        decisions of the center that were ended by hand on this host
//!                   services.toml services and matrix as they were carried out last
//!                   modules.json  modules that the center publishes, with their files in modules/
//! ```
mod backoff;
mod courier;
mod enrolment;
mod error;
mod https;
mod line;
mod porter;
mod shelf;
mod teller;

pub use courier::{Courier, Outbox, spool_id};
pub use enrolment::{Enrolment, Invitation, enrol, keep_secret};
pub use error::SyncError;
pub use https::{Asks, Https, Server};
pub use line::{Ack, Held, Host, Line, Phase, Skipped, Traffic};
pub use porter::{Loads, Porter};
pub use shelf::Shelf;
pub use teller::{Learned, Teller};
