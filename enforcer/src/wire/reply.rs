//! What the agent answers.
//!
//! In: outcomes of requests. Out: [`Reply`] and the small reports; the large ones are in `report.rs`. Never here: text for
//! a terminal, except in [`Trouble`], whose words are meant to be shown as they are.
use std::time::Duration;

use enforcer_policy::{DecisionId, Moment};
use serde::{Deserialize, Serialize};

use super::shape;
use super::{
    AllowedEntry, ApisPart, Change, DecisionReport, EventReport, Exit, FilterReport, NoticeReport, RequestReport,
    StatusReport, TopReport, WhyReport,
};
use enforcer_policy::reach::Reached;

/// One answer.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum Reply {
    /// To `Allow`.
    Allowed(AllowReport),
    /// To `Allowlist`.
    Allowlist(Vec<AllowedEntry>),
    /// To `Apis`, part by part.
    Apis(ApisPart),
    /// To `Block`.
    Blocked(BlockReport),
    /// Done; there is nothing to tell.
    Done,
    /// To anything: it was not done.
    Error(Trouble),
    /// To `Events`, again and again.
    Event(EventReport),
    /// To `Filters`.
    Filters(Vec<FilterReport>),
    /// To `Findings`: a `FindingsPage` as JSON, since evidence is either a number or a word.
    Findings(String),
    /// To `ImportEnd`.
    Imported(ImportReport),
    /// To `List`.
    Listed(ListReport),
    /// To `Events`, when the agent itself has news.
    Notice(NoticeReport),
    /// To `ImportChunk`.
    Progress(ImportProgress),
    /// To `Requests`, again and again.
    Request(Box<RequestReport>),
    /// To `Status`.
    Status(Box<StatusReport>),
    /// To `Top`.
    Top(Box<TopReport>),
    /// To `Unblock`.
    Unblocked(UnblockReport),
    /// To `Why`.
    Why(Box<WhyReport>),
    /// To `Foresee`.
    Foreseen(Box<ForeseenReport>),
}

impl Reply {
    /// What arrived, for an error about an answer that does not belong.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Allowed(_) => "allowed",
            Self::Allowlist(_) => "allowlist",
            Self::Apis(_) => "apis",
            Self::Blocked(_) => "blocked",
            Self::Done => "done",
            Self::Error(_) => "error",
            Self::Event(_) => "event",
            Self::Filters(_) => "filters",
            Self::Findings(_) => "findings",
            Self::Imported(_) => "imported",
            Self::Listed(_) => "listed",
            Self::Notice(_) => "notice",
            Self::Progress(_) => "progress",
            Self::Request(_) => "request",
            Self::Status(_) => "status",
            Self::Top(_) => "top",
            Self::Unblocked(_) => "unblocked",
            Self::Why(_) => "why",
            Self::Foreseen(_) => "foreseen",
        }
    }
}

/// Why something was not done, and what to do now.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Trouble {
    /// What failed, lower case, no full stop.
    pub message: String,
    /// What to do next; empty when there is nothing sensible to say.
    pub hint: String,
    /// [`Exit`] by number.
    pub exit: u8,
}

impl Trouble {
    /// From its parts.
    pub fn new(exit: Exit, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { message: message.into(), hint: hint.into(), exit: exit.code() }
    }
}

/// What a decision would have hit.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ForeseenReport {
    /// The subject; a token is masked.
    pub subject: String,
    /// Everywhere, a service, or an endpoint.
    pub scope: String,
    /// From when on requests were counted; none when there were none.
    #[serde(with = "shape")]
    pub since: Option<Moment>,
    /// What it would have hit on this host, of what was served.
    pub reached: Reached,
    /// What the operator should know.
    pub warnings: Vec<String>,
}

/// What became of an allowlist entry.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AllowReport {
    /// The entry; when it was removed, as it was.
    pub entry: AllowedEntry,
    /// What happened to it.
    pub change: Change,
}

/// What became of a `Block`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct BlockReport {
    /// The decision as it now stands.
    pub decision: DecisionReport,
    /// What happened to it.
    pub change: Change,
    /// From the arrival of the request to the kernel's acknowledgement; `None` when nothing had to be written.
    #[serde(rename = "enforced_in_seconds", with = "shape")]
    pub enforced_in: Option<Duration>,
    /// What the operator should know: covered by the allowlist, service only observes, bypass is on.
    pub warnings: Vec<String>,
}

/// What became of an `Unblock`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct UnblockReport {
    /// The decisions that ended; empty when there were none.
    pub ended: Vec<DecisionReport>,
    /// From the arrival of the request to the kernel's acknowledgement.
    #[serde(rename = "enforced_in_seconds", with = "shape")]
    pub enforced_in: Option<Duration>,
    /// What still applies to the subject: a wider network, a decision for another scope.
    pub still: Vec<DecisionReport>,
}

/// A page of decisions.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ListReport {
    /// The page.
    pub decisions: Vec<DecisionReport>,
    /// Pass it as `after` to get the next page; `None` on the last.
    pub next: Option<DecisionId>,
    /// All decisions that match, when counting them is free.
    pub total: Option<u64>,
}

/// The answer to one chunk of an import.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct ImportProgress {
    /// Items handled since the import began.
    pub done: u64,
    /// Items of this chunk that were refused.
    pub rejected: Rejections,
}

/// Which items of a chunk were refused, grouped by why, so that it always fits in a frame.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Rejections(Vec<(String, Vec<u32>)>);

impl Rejections {
    /// Different reasons told apart in one chunk.
    const REASONS: usize = 64;
    /// Longest reason, in bytes.
    const REASON_BYTES: usize = 200;
    /// What the rest is called.
    const OTHER: &'static str = "refused for another reason; block it alone to see which";

    /// Notes that item `index` of the chunk was refused.
    pub fn push(&mut self, index: u32, reason: &str) {
        let reason = head(reason, Self::REASON_BYTES);
        let known = self.0.iter().position(|(known, _)| known == reason);
        let (reason, known) = match known {
            None if self.0.len() >= Self::REASONS => {
                (Self::OTHER, self.0.iter().position(|(known, _)| known == Self::OTHER))
            }
            known => (reason, known),
        };
        if let Some((_, indexes)) = known.and_then(|at| self.0.get_mut(at)) {
            indexes.push(index);
        } else {
            self.0.push((reason.to_owned(), vec![index]));
        }
    }

    /// How many items were refused.
    pub fn len(&self) -> usize {
        self.0.iter().map(|(_, indexes)| indexes.len()).sum()
    }

    /// True when none was.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Every refused item with its reason, by its place in the chunk.
    pub fn sorted(&self) -> Vec<(u32, &str)> {
        let pairs = self.0.iter().flat_map(|(reason, indexes)| indexes.iter().map(move |at| (*at, reason.as_str())));
        let mut all: Vec<_> = pairs.collect();
        all.sort_unstable_by_key(|(at, _)| *at);
        all
    }
}

/// What became of a whole import.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct ImportReport {
    /// New decisions.
    pub added: u64,
    /// Decisions that last longer now.
    pub extended: u64,
    /// Decisions that do something else now, or end earlier.
    pub changed: u64,
    /// Decisions that ended (`remove`).
    pub removed: u64,
    /// Items that changed nothing; with `remove`, items without a decision.
    pub unchanged: u64,
    /// Items that were refused; which ones was told chunk by chunk.
    pub rejected: u64,
    /// From the last chunk's arrival to the kernel's acknowledgement of all of it.
    #[serde(rename = "enforced_in_seconds", with = "shape")]
    pub enforced_in: Option<Duration>,
}

/// The first `limit` bytes of `text`, cut at a character.
fn head(text: &str, limit: usize) -> &str {
    text.get(..text.floor_char_boundary(limit)).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{FRAME_MAX, IMPORT_ITEMS, encode};

    #[test]
    fn a_chunk_refused_whole_for_different_reasons_fits_in_a_frame() {
        let mut rejected = Rejections::default();
        for index in 0..u32::try_from(IMPORT_ITEMS).unwrap() {
            rejected.push(index, &format!("{index} {}", "is refused ".repeat(100)));
        }
        assert_eq!(rejected.len(), IMPORT_ITEMS);
        assert!(rejected.sorted().is_sorted());
        let reply = Reply::Progress(ImportProgress { done: 1, rejected });
        assert!(encode(&reply).unwrap().len() < FRAME_MAX / 8);
    }
}
