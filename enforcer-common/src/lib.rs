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
mod http;
mod reason;
mod rule;
mod settings;
mod sip;
mod source;
#[cfg(feature = "user")]
mod user;

pub mod limits;

pub use address::{Address, Prefix};
pub use event::Event;
pub use http::{Notice, ServiceCounters, ServiceKey, ServiceRule, Watch, Watchlist};
pub use reason::{Action, Reason, Verdict};
pub use rule::{AllowKey, AllowKind, AllowRule, Denied, FlowKey, IdentityKey, Rule, SubjectKind, UNTIL_NEVER};
pub use settings::{Counter, Geometry, Settings};
pub use sip::{Sip, SipKey, siphash};
pub use source::{
    Bucket4, Bucket6, CELLS, Cell, HOST, Home, Outcome, SourceRule, SpillKey, SpillRule, cell_of, cells_of,
    group_mask4, home_of, node_of, nodes_of, strata_to_probe, stratum_of,
};

/// Raised with every change that makes old maps unreadable to new programs, or new maps to old ones.
pub const ABI_VERSION: u32 = 1;
