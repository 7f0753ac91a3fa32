//! Pure policy: who is refused what, until when, and how the kernel is told.
//!
//! In: orders of operators and detectors, lines of lists, the time as an argument. Out: decisions, and [`MapOp`], the only
//! way policy reaches the kernel. Never here: I/O, a clock, a thread.
//!
//! ```text
//! text, lists -> model -> Ledger (all decisions) -> compile -> MapOp -> the agent's apply room
//! ```
#![forbid(unsafe_code)]

mod compile;
mod duration;
mod event;
mod ledger;
mod model;
mod ops;
mod text;

pub mod document;
pub mod lists;
pub mod plan;
pub mod reach;
pub mod reading;
pub mod revision;
pub mod serial;

pub use compile::{Clock, Desired, Observed, diff, put, put_allow, remove, remove_allow};
pub use duration::{DurationError, format_duration, parse_duration};
pub use enforcer_common::{Action, Address, AllowKind, FlowKey, Prefix, Rate, SubjectKind};
pub use event::{Event, EventKind, TEXT};
pub use ledger::{Blocked, Change, Counts, Filter, Ledger, Order, Page, Refusal};
pub use lists::{Line, Reject, parse_line};
pub use model::{
    Allowed, Decision, DecisionId, Endpoint, EndpointError, EndpointFault, IdError, Moment, Note, Origin, RateError,
    SOURCE, Scope, Subject, Template, Token, mask, parse_rate, service_id,
};
pub use ops::MapOp;
pub use text::{FlowError, FlowText, PrefixError, parse_flow, parse_prefix};
