//! `policy proposals`, `approve`, `reject`: changes that wait for a second person.
//!
//! In: a center, and a proposal's number. Out: what waits, one with its plan, the new revision. Never here: which changes wait (the
//! center's `approvals.toml`).
use std::collections::BTreeMap;
use std::fmt::Write as _;

use enforcer_policy::Moment;
use enforcer_policy::plan::Plan;
use hyper::Method;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::args::CenterArgs;
use super::failure::Failure;
use super::out::Out;
use super::policy::{ask, comment_alone, text};
use super::table::{clean, time};
use crate::sync::SyncError;
use crate::wire::Exit;

#[derive(Serialize, Deserialize)]
struct Open {
    items: Vec<Proposal>,
}

#[derive(Serialize, Deserialize)]
struct Looked {
    proposal: Proposal,
    plan: Plan,
}

#[derive(Serialize, Deserialize)]
struct Waits {
    proposal: Proposal,
}

/// As the center shows it.
#[derive(Serialize, Deserialize)]
struct Proposal {
    id: u64,
    author: String,
    comment: String,
    way: String,
    classes: Vec<String>,
    detail: String,
    revision: u64,
    created: Moment,
    until: Moment,
    stale: Option<String>,
    /// What belongs to its way: the stages, the trial's seconds, the revision to go back to.
    #[serde(flatten)]
    more: BTreeMap<String, Value>,
}

/// `policy proposals`: all, or one with its plan.
pub(super) fn list(center: &CenterArgs, id: Option<u64>, out: &mut Out) -> Result<Exit, Failure> {
    if let Some(id) = id {
        let answer = ask(center, Method::GET, &format!("/v1/policy/proposals/{id}"), Vec::new())?;
        let looked: Looked = serde_json::from_slice(&answer).map_err(SyncError::line)?;
        out.report(&looked, |looked| format!("{}\n{}", looked.proposal.lines(), text(&looked.plan)))?;
        return Ok(Exit::Done);
    }
    let answer = ask(center, Method::GET, "/v1/policy/proposals", Vec::new())?;
    let open: Open = serde_json::from_slice(&answer).map_err(SyncError::line)?;
    out.report(&open, |open| open.items.iter().map(Proposal::lines).collect::<Vec<_>>().join("\n"))?;
    Ok(if open.items.is_empty() { Exit::Nothing } else { Exit::Done })
}

/// `policy reject`.
pub(super) fn reject(center: &CenterArgs, id: u64, comment: &str, out: &mut Out) -> Result<Exit, Failure> {
    ask(center, Method::DELETE, &format!("/v1/policy/proposals/{id}"), comment_alone(comment)?)?;
    out.done(&format!("proposal {id} is gone"))?;
    Ok(Exit::Done)
}

/// What was asked for is not done: it waits.
pub(super) fn waits(answer: &[u8], out: &mut Out) -> Result<Exit, Failure> {
    let waits: Waits = serde_json::from_slice(answer).map_err(SyncError::line)?;
    out.report(&waits, |Waits { proposal }| {
        let (lines, id) = (proposal.lines(), proposal.id);
        format!("NOT in force: it needs a second person\n{lines}\n  somebody else: enforcer policy approve {id}")
    })?;
    Ok(Exit::Nothing)
}

impl Proposal {
    fn lines(&self) -> String {
        let Self { id, way, classes, revision, .. } = self;
        let (author, detail) = (clean(&self.author), clean(&self.detail));
        let (way, classes) = (way.replace('_', " "), classes.join(", "));
        let mut lines = format!("proposal {id} of {author}: {way}: {detail} ({classes})");
        // Writing to a string cannot fail.
        let _ =
            write!(lines, "\n  made {} on revision {revision}, open until {}", time(self.created), time(self.until));
        for (name, value) in &self.more {
            let _ = write!(lines, "\n  {}: {}", clean(name), clean(&value.to_string()));
        }
        if !self.comment.is_empty() {
            let _ = write!(lines, "\n  {}", clean(&self.comment));
        }
        if let Some(why) = &self.stale {
            let _ = write!(lines, "\n  STALE: {}; reject it, and make it anew", clean(why));
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proposal_says_what_it_is_and_that_it_is_stale() {
        let json = r#"{"id": 7, "author": "ada", "comment": "scan", "way": "rolled_back", "classes": ["rollback", "wide"],
            "detail": "1 added", "revision": 3, "created": 0, "until": 86400000, "to": 2, "stale": "it was \u001b[2Jchanged"}"#;
        let text = serde_json::from_str::<Proposal>(json).unwrap().lines();
        for words in
            ["proposal 7 of ada: rolled back: 1 added (rollback, wide)", "revision 3", "to: 2", "scan", "STALE: it was"]
        {
            assert!(text.contains(words), "{text}");
        }
        assert!(!text.contains('\u{1b}'));
    }
}
