//! `policy rollout`: a policy that comes stage by stage.
//!
//! In: a center. Out: how its rollout is; on to the next stage, or back. Never here: the judgement of a stage (the center's).
use std::fmt::Write as _;

use enforcer_policy::Moment;
use hyper::Method;
use serde::{Deserialize, Serialize};

use super::args::{CenterArgs, RolloutAction};
use super::failure::Failure;
use super::out::Out;
use super::policy::{ask, comment_alone};
use super::table::{clean, time};
use crate::sync::SyncError;
use crate::wire::Exit;

#[derive(Serialize, Deserialize)]
struct Answer {
    rollout: Option<Rollout>,
}

/// As the center shows it.
#[derive(Serialize, Deserialize)]
pub(super) struct Rollout {
    stages: Vec<String>,
    bake_seconds: u64,
    bound: u64,
    author: String,
    approver: Option<String>,
    comment: String,
    begun: Moment,
    phase: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    waits: Vec<String>,
    waves: Vec<Wave>,
}

#[derive(Serialize, Deserialize)]
struct Wave {
    stage: String,
    revision: u64,
    since: Moment,
    until: Moment,
    hosts: u64,
    acknowledged: u64,
    absent: Vec<String>,
    before: Tries,
    tries: Tries,
}

#[derive(Serialize, Deserialize)]
struct Tries {
    all: u64,
    refused: u64,
}

/// `policy rollout`.
pub(super) fn rollout(
    center: &CenterArgs,
    action: RolloutAction,
    comment: &str,
    out: &mut Out,
) -> Result<Exit, Failure> {
    let (method, path, body) = match action {
        RolloutAction::Promote => (Method::POST, "/v1/policy/rollout/promote", comment_alone(comment)?),
        RolloutAction::Status => (Method::GET, "/v1/policy/rollout", Vec::new()),
        RolloutAction::Stop => (Method::DELETE, "/v1/policy/rollout", comment_alone(comment)?),
    };
    let answer: Answer = serde_json::from_slice(&ask(center, method, path, body)?).map_err(SyncError::line)?;
    let none = || "no rollout is on, and none was".to_owned();
    out.report(&answer, |answer| answer.rollout.as_ref().map_or_else(none, Rollout::lines))?;
    Ok(if answer.rollout.is_some() { Exit::Done } else { Exit::Nothing })
}

impl Rollout {
    /// For people.
    pub(super) fn lines(&self) -> String {
        let (out, of) = (self.waves.len(), self.stages.len());
        let (phase, stages) = (&self.phase, self.stages.join(", "));
        let mut text = format!("{phase}, {out} of {of} stages are out ({stages}); of {}", clean(&self.author));
        // Writing to a string cannot fail.
        if let Some(approver) = &self.approver {
            let _ = write!(text, ", approved by {}", clean(approver));
        }
        let _ = write!(text, "; {} s each, bound {}", self.bake_seconds, percent(self.bound));
        if let Some(why) = &self.why {
            let _ = write!(text, "\n  {}", clean(why));
        }
        for wave in &self.waves {
            let _ = write!(text, "\n  {}", wave.line());
        }
        if !self.waits.is_empty() && phase != "finished" {
            let _ = write!(text, "\n  with the last stage: {}", self.waits.join("; "));
        }
        match phase.as_str() {
            "held" => text.push_str("\n  on: enforcer policy rollout promote; back: enforcer policy rollout stop"),
            "stopped" => text.push_str("\n  the policy from before is in force"),
            _ => {}
        }
        text
    }
}

impl Wave {
    fn line(&self) -> String {
        let Self { stage, revision, hosts, acknowledged, .. } = self;
        let (stage, since, until) = (clean(stage), time(self.since), time(self.until));
        let (is, was) = (percent(self.tries.share()), percent(self.before.share()));
        let all = self.tries.all;
        let absent = match self.absent.len() {
            0 => String::new(),
            count => format!(", {count} were not heard of and are not waited for"),
        };
        format!(
            "{stage}: revision {revision} since {since}, judged at {until}; {acknowledged} of {hosts} hosts have it{absent}; \
             {is} of {all} requests refused ({was} before)"
        )
    }
}

impl Tries {
    /// Refused ones in hundredths of a percent.
    fn share(&self) -> u64 {
        self.refused.saturating_mul(10_000).checked_div(self.all).unwrap_or(0)
    }
}

fn percent(hundredths: u64) -> String {
    format!("{}.{:02} %", hundredths / 100, hundredths % 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rollout_says_how_it_is_and_what_to_do() {
        let json = r#"{"stages": ["canary", "all"], "bake_seconds": 600, "bound": 200, "author": "ada", "approver": "bea",
            "comment": "", "begun": 0, "phase": "held", "why": "wave canary had 3 requests", "waits": ["2 decisions that end"],
            "waves": [{"stage": "canary", "revision": 7, "since": 0, "until": 600000, "hosts": 2, "acknowledged": 1,
            "absent": ["edge-9"], "before": {"all": 1000, "refused": 5}, "tries": {"all": 3, "refused": 1}}]}"#;
        let text = serde_json::from_str::<Rollout>(json).unwrap().lines();
        for words in [
            "held, 1 of 2 stages are out (canary, all); of ada, approved by bea",
            "bound 2.00 %",
            "1 of 2 hosts have it, 1 were not heard of",
            "33.33 % of 3 requests refused (0.50 % before)",
            "with the last stage: 2 decisions that end",
            "rollout promote",
        ] {
            assert!(text.contains(words), "{words}: {text}");
        }
    }
}
