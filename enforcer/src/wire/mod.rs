//! The protocol of the agent's unix socket, and every report that can leave the agent.
//!
//! In: values of the policy model. Out: `Request`, `Reply` and the reports as types that travel both ways, as bytes
//! (postcard) on the socket and as JSON for `-o json`. Never here: sockets, clocks, policy, words for people.
//!
//! A conversation: both sides send [`Hello`], then the CLI sends a [`Request`] and reads a [`Reply`], as often as it likes.
//! An agent that refuses its peer sends its `Hello`, then `Reply::Error`, and hangs up; so it does when an import goes wrong.
//! `Apis` is answered by parts, the last of which says so. `Events` turns the connection into a stream of `Reply::Event` and `Reply::Notice`; `Import` is followed by chunks (see
//! [`ImportStart`]).
//! Any change of a type here raises [`PROTOCOL`]. A new report goes into `report.rs`, its request into `request.rs`.

mod apis;
mod exchange;
mod finding;
mod frame;
mod ledger;
mod reply;
mod report;
mod request;
mod shape;
#[cfg(test)]
mod tests;

pub use apis::{
    ApiConsumers, ApiData, ApiField, ApiLine, ApiOwner, ApiReport, ApiService, ApiSpread, ApisPart, ApisReport,
    DriftReport,
};
pub use exchange::{Identity, RequestReport, ServiceRequests, TimesReport};
pub use finding::{FilterReport, FindingReport, FindingsPage, PublishedReport};
pub use frame::{FRAME_MAX, FrameError, decode, encode, read_frame, read_frame_async, write_frame, write_frame_async};
pub use ledger::{AllowedEntry, Change, DecisionReport};
pub use reply::{
    AllowReport, BlockReport, ForeseenReport, ImportProgress, ImportReport, ListReport, Rejections, Reply, Trouble,
    UnblockReport,
};
pub use report::{
    Attachment, CenterReport, Check, CheckState, DoctorReport, Drift, EventReport, EventTotals, Held, KernelEntry,
    KindCount, MapFill, NoticeKind, NoticeReport, PolicyCounts, ReasonCount, ServiceReport, StatusReport, TopReport,
    VerdictCount, WhyReport,
};
pub use request::{
    AllowRequest, BlockRequest, Hello, IMPORT_BYTES, IMPORT_ITEMS, ImportItem, ImportStart, ListRequest, PROTOCOL,
    REASON_MAX, Raw, Request, SubjectInput, UnblockBy, WhySubject,
};
pub use shape::{Word, rfc3339};

/// How a command ended, for the shell.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum Exit {
    /// Done as asked.
    Done = 0,
    /// Something failed; nothing is known to be wrong with the command.
    Failed = 1,
    /// The command itself is wrong.
    Usage = 2,
    /// Nothing found, or a difference found.
    Nothing = 3,
    /// The agent does not answer.
    Unreachable = 4,
    /// The agent refused: a limit is reached, the network is too wide, or it is not permitted.
    Refused = 5,
}

impl Exit {
    /// Every way to end.
    pub const ALL: &'static [Self] =
        &[Self::Done, Self::Failed, Self::Usage, Self::Nothing, Self::Unreachable, Self::Refused];

    /// The number the shell sees.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// From the number in a [`Trouble`]; an unknown one is a plain failure.
    pub fn from_code(code: u8) -> Self {
        Self::ALL.iter().copied().find(|exit| exit.code() == code).unwrap_or(Self::Failed)
    }
}
