//! The contract between the kernel programs and the agent.
//!
//! In: nothing. Out: every type that crosses the border (map keys and values, events, reasons) and the few functions both
//! sides must compute alike (address form, table geometry, `SipHash`). Never here: I/O, allocation, policy.
//!
//! Rules of the border:
//! - `#[repr(C)]`, explicit padding that is zero, no `bool`, no enum with payload, sizes asserted at compile time;
//! - addresses are 16 bytes in network order, IPv4 mapped into `::ffff:0:0/96`; ports are host order `u16`;
//! - times are nanoseconds of the kernel's monotonic clock, unless a name says otherwise;
//! - any change of a size, a meaning or an order raises [`ABI_VERSION`].
#![cfg_attr(not(any(test, feature = "user")), no_std)]
#![expect(
    clippy::cast_possible_truncation,
    clippy::inline_always,
    reason = "hashes and slots are cut to halves on purpose; in the kernel a call that is not inlined is another function to verify"
)]

mod address;
mod event;
mod exchange;
mod http;
mod named;
mod reason;
mod rule;
mod settings;
mod sip;
mod source;
mod stream;
#[cfg(feature = "user")]
mod user;

pub mod limits;

pub use address::{Address, Halves, Prefix};
pub use event::Event;
pub use exchange::{
    ANSWER_PREFIX, ASKED, Answering, Asked, Asking, BODY_PREFIX, BUCKETS, Bodying, Connection, Exchange, FIRST_BUCKET,
    HEAD_PREFIX, KINDS, SampleKind, ServiceCounters, Times,
};
pub use http::{LIMITED, Notice, Place, ServiceKey, ServiceRule, Take, Watch, Watchlist};
pub use named::{named_mark, named_words};
pub use reason::{Action, Reason, Verdict};
pub use rule::{
    AllowKey, AllowKind, AllowRule, Bucket, Denied, FlowKey, IdentityKey, Rate, Rule, SubjectKind, UNTIL_NEVER,
};
pub use settings::{Counter, Geometry, Settings};
pub use sip::{Sip, SipKey, siphash};
pub use source::{
    Bucket4, Bucket6, Cell, FILTER_LOAD, HOST, Home, Mark, Outcome, SourceRule, SpillKey, SpillRule, Spread,
    WIDE_WORDS, always, gate_mask, home_of, host6, mark_of, marks_of, narrow, node_of, nodes_of, stratum_of, wide_mark,
};
pub use stream::{Held, Phase, Stream};

/// Raised with every change that makes old maps unreadable to new programs, or new maps to old ones.
pub const ABI_VERSION: u32 = 4 + if option_env!("ENFORCER_ABI_AHEAD").is_some() { 1 } else { 0 };
