//! `policy`: the policy of a fleet in files, and at its center.
//!
//! In: files or folders of TOML; a center's address, its authority's certificate and a token. Out: problems with file, line and
//! mend; plans; TOML. Never here: policy of this host alone (`block`, `allow`).
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use enforcer_common::SipKey;
use enforcer_policy::Moment;
use enforcer_policy::document::{Base, Document, FileProblems};
use enforcer_policy::plan::{Guard, Plan};
use enforcer_policy::revision::Content;
use hyper::{Method, StatusCode};
use serde::{Deserialize, Serialize};

use super::args::{CenterArgs, Globals, PolicyCommand};
use super::enroll::{runtime, secret};
use super::failure::Failure;
use super::fleet::escaped;
use super::foresee;
use super::out::Out;
use super::proposals;
use super::rollout::{self, Rollout};
use super::table::clean;
use crate::config::{Config, FastPath};
use crate::sync::{Server, SyncError};
use crate::wire::Exit;

#[derive(Serialize)]
struct Files<'a> {
    files: Vec<File>,
    comment: &'a str,
}

#[derive(Serialize)]
struct File {
    name: String,
    text: String,
}

#[derive(Serialize, Deserialize)]
struct Planned {
    revision: u64,
    plan: Plan,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rollout: Option<Rollout>,
}

#[derive(Serialize)]
struct Valid {
    files: usize,
    services: usize,
    filters: usize,
    decisions: usize,
    left_out: BTreeSet<String>,
}

/// `policy`.
pub(super) fn policy(command: &PolicyCommand, _: &Globals, out: &mut Out) -> Result<Exit, Failure> {
    match command {
        PolicyCommand::Validate { files } => validate(files, out),
        PolicyCommand::Diff { old, new } => diff(old, new, out),
        PolicyCommand::Plan { files, center } => planned(files, center, "", Wish::Plan, out),
        PolicyCommand::Apply { files, center, comment, confirm_within, stages, bake, bound, force } => {
            let wish = match confirm_within {
                Some(time) => Wish::Try(*time),
                None if !stages.is_empty() => Wish::Stages { stages, bake: *bake, bound: *bound, force: *force },
                None if *force => Wish::Force,
                None => Wish::Apply,
            };
            planned(files, center, comment, wish, out)
        }
        PolicyCommand::Rollout { action, center, comment } => rollout::rollout(center, *action, comment, out),
        PolicyCommand::Approve { id, center, comment } => {
            end(center, Method::POST, &format!("/v1/policy/proposals/{id}/approve"), comment, out)
        }
        PolicyCommand::Proposals { id, center } => proposals::list(center, *id, out),
        PolicyCommand::Reject { id, center, comment } => proposals::reject(center, *id, comment, out),
        PolicyCommand::Confirm { center, comment } => end(center, Method::POST, "/v1/policy/confirm", comment, out),
        PolicyCommand::Export { center, all } => export(center, *all, out),
        PolicyCommand::Rollback { revision, center, comment, force } => {
            let path = format!("/v1/revisions/{revision}/rollback?force={force}");
            match asked(center, Method::POST, &path, comment_alone(comment)?)? {
                Answer::Waits(answer) => proposals::waits(&answer, out),
                Answer::Done(answer) => show(&answer, "now", out).map(|_planned| Exit::Done),
            }
        }
        PolicyCommand::Undo { center, comment } => end(center, Method::DELETE, "/v1/policy/trial", comment, out),
    }
}

fn validate(files: &[PathBuf], out: &mut Out) -> Result<Exit, Failure> {
    let texts = read(files)?;
    let document = Document::parse(&texts)?;
    let base = &document.base;
    let valid = Valid {
        files: texts.len(),
        services: base.services.len(),
        filters: base.filters.len(),
        decisions: document.decisions.len(),
        left_out: left_out(base),
    };
    out.report(&valid, |valid| {
        let Valid { services, filters, decisions, left_out, .. } = valid;
        let notes: Vec<String> = left_out.iter().map(|one| format!("\nhosts will leave out {}", clean(one))).collect();
        format!("valid: {services} services, {filters} filters, {decisions} decisions{}", notes.concat())
    })?;
    Ok(Exit::Done)
}

/// What no host of this version could carry out, in any one group.
fn left_out(base: &Base) -> BTreeSet<String> {
    // A host of its own services has less room, never more.
    let host = Config {
        fastpath: FastPath { interfaces: vec!["eth0".to_owned()], ..FastPath::default() },
        ..Config::default()
    };
    let groups = std::iter::once(Vec::new()).chain(base.groups.keys().map(|group| vec![group.clone()]));
    groups.flat_map(|groups| host.with_center(base, &groups).1).map(|one| one.to_string()).collect()
}

/// Two policies beside each other, such as those of test and production.
fn diff(old: &Path, new: &Path, out: &mut Out) -> Result<Exit, Failure> {
    // Both sides are digested with the same key, and neither leaves this process.
    let key = SipKey([0, 0]);
    let old = content_of(old, key, &Content::default())?;
    let new = content_of(new, key, &old)?;
    let plan = Plan::between(&old, &new, &Guard::default());
    out.report(&plan, text)?;
    Ok(if plan.is_empty() { Exit::Done } else { Exit::Nothing })
}

/// The policy of a file or folder; decisions that `current` has keep their ids.
pub(super) fn content_of(path: &Path, key: SipKey, current: &Content) -> Result<Content, Failure> {
    let document = Document::parse(&read(&[path.to_owned()])?)?;
    let mut drawn = 0;
    let draw = || {
        drawn += 1;
        drawn
    };
    let sealed = document.sealed(key, current, "file", Moment(0), draw);
    sealed.map_err(|error| Failure::Usage { message: error.to_string(), hint: "mend the decision" })
}

/// What is to become of files.
#[derive(Clone, Copy)]
enum Wish<'a> {
    Apply,
    Force,
    Plan,
    Stages { stages: &'a [String], bake: Duration, bound: f64, force: bool },
    Try(Duration),
}

impl Wish<'_> {
    fn request(self) -> (Method, String) {
        let path = match self {
            Self::Plan => return (Method::POST, "/v1/policy/plan".to_owned()),
            Self::Apply => "/v1/policy".to_owned(),
            Self::Force => "/v1/policy?force=true".to_owned(),
            Self::Stages { stages, bake, bound, force } => {
                let (stages, bake) = (escaped(&stages.join(",")), bake.as_secs());
                format!("/v1/policy?stages={stages}&bake={bake}&bound={bound}&force={force}")
            }
            Self::Try(time) => format!("/v1/policy?confirm_within={}", time.as_secs()),
        };
        (Method::PUT, path)
    }

    fn verb(self) -> String {
        match self {
            Self::Plan => "planned on".to_owned(),
            Self::Apply | Self::Force => "now".to_owned(),
            Self::Stages { .. } => "its first stage is".to_owned(),
            Self::Try(time) => format!("undone in {time:?} unless confirmed (enforcer policy confirm):"),
        }
    }
}

fn planned(
    files: &[PathBuf],
    center: &CenterArgs,
    comment: &str,
    wish: Wish<'_>,
    out: &mut Out,
) -> Result<Exit, Failure> {
    let texts = read(files)?;
    // Mistakes are found here, so that they are named as the files are named here.
    Document::parse(&texts)?;
    let files = texts.into_iter().map(|(name, text)| File { name, text }).collect();
    let body = serde_json::to_vec(&Files { files, comment }).map_err(SyncError::line)?;
    let (method, path) = wish.request();
    let answer = match asked(center, method, &path, body)? {
        Answer::Waits(answer) => return proposals::waits(&answer, out),
        Answer::Done(answer) => answer,
    };
    let planned = show(&answer, &wish.verb(), out)?;
    let refused = matches!(wish, Wish::Plan) && !planned.plan.lockouts.is_empty();
    Ok(if refused { Exit::Refused } else { Exit::Done })
}

fn show(answer: &[u8], verb: &str, out: &mut Out) -> Result<Planned, Failure> {
    let planned: Planned = serde_json::from_slice(answer).map_err(SyncError::line)?;
    out.report(&planned, |planned| {
        let rollout = planned.rollout.as_ref().map(Rollout::lines).unwrap_or_default();
        format!("{verb} revision {}\n{}{rollout}", planned.revision, text(&planned.plan))
    })?;
    Ok(planned)
}

#[derive(Serialize, Deserialize)]
struct Ended {
    revision: u64,
}

/// Ends a trial, one way or the other, or lets a proposal be.
fn end(center: &CenterArgs, method: Method, path: &str, comment: &str, out: &mut Out) -> Result<Exit, Failure> {
    let answer = match asked(center, method, path, comment_alone(comment)?)? {
        Answer::Waits(answer) => return proposals::waits(&answer, out),
        Answer::Done(answer) => answer,
    };
    let ended: Ended = serde_json::from_slice(&answer).map_err(SyncError::line)?;
    out.report(&ended, |ended| format!("now revision {}", ended.revision))?;
    Ok(Exit::Done)
}

pub(super) fn comment_alone(comment: &str) -> Result<Vec<u8>, Failure> {
    Ok(serde_json::to_vec(&serde_json::json!({ "comment": comment })).map_err(SyncError::line)?)
}

fn export(center: &CenterArgs, all: bool, out: &mut Out) -> Result<Exit, Failure> {
    let path = format!("/v1/policy?all={all}");
    let toml = ask(center, Method::GET, &path, Vec::new())?;
    out.bytes(&toml)?;
    Ok(Exit::Done)
}

/// One request to a center.
pub(super) fn ask(center: &CenterArgs, method: Method, path: &str, body: Vec<u8>) -> Result<bytes::Bytes, Failure> {
    let (Answer::Done(answer) | Answer::Waits(answer)) = asked(center, method, path, body)?;
    Ok(answer)
}

/// What a center says to a change.
enum Answer {
    Done(bytes::Bytes),
    /// It waits for a second person.
    Waits(bytes::Bytes),
}

fn asked(center: &CenterArgs, method: Method, path: &str, body: Vec<u8>) -> Result<Answer, Failure> {
    let authority = fs::read_to_string(&center.authority);
    let authority = authority.map_err(|source| Failure::file("read", &center.authority, source))?;
    let token = secret(&center.token_file)?;
    let server = Server::pinned(&center.center, &authority, None)?;
    let asked = async {
        let mut https = server.connect().await?.with_token(&token);
        https.ask(method, path, body, PATIENCE).await
    };
    let (status, answer) = runtime()?.block_on(asked)?;
    Ok(if status == StatusCode::ACCEPTED { Answer::Waits(answer) } else { Answer::Done(answer) })
}

/// Files as given; of folders, their `*.toml` in order.
fn read(paths: &[PathBuf]) -> Result<Vec<(String, String)>, Failure> {
    let mut files = Vec::new();
    for path in paths {
        let failed = |source| Failure::file("read", path, source);
        if path.is_dir() {
            let entries = fs::read_dir(path).map_err(failed)?;
            let mut found: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
            found.retain(|file| file.extension().is_some_and(|extension| extension == "toml"));
            found.sort();
            files.extend(found);
        } else {
            files.push(path.clone());
        }
    }
    let text = |path: PathBuf| match fs::read_to_string(&path) {
        Ok(text) => Ok((path.display().to_string(), text)),
        Err(source) => Err(Failure::file("read", &path, source)),
    };
    files.into_iter().map(text).collect()
}

/// A plan for people.
pub(super) fn text(plan: &Plan) -> String {
    let counts = plan.counts;
    let mut text = format!("{} added, {} changed, {} removed\n", counts.added, counts.changed, counts.removed);
    for step in &plan.changes {
        let sign = match step.change {
            enforcer_policy::plan::Change::Added => '+',
            enforcer_policy::plan::Change::Changed => '~',
            enforcer_policy::plan::Change::Removed => '-',
        };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{sign} {} {}: {}", step.kind, step.name, step.detail);
        text.push_str(&step.hit.as_ref().map_or_else(String::new, foresee::hit));
    }
    text.push_str(&plan.foreseen.as_ref().map_or_else(String::new, foresee::foreseen));
    for (group, counts) in &plan.groups {
        let (added, changed, removed) = (counts.added, counts.changed, counts.removed);
        let _ = writeln!(text, "on hosts of {group}: {added} decisions added, {changed} changed, {removed} removed");
    }
    for line in &plan.weaker {
        let _ = writeln!(text, "less protection: {line}");
    }
    for one in &plan.lockouts {
        let _ = writeln!(text, "LOCK-OUT: {} would drop {} ({}): {}", one.network, one.address, one.whose, one.mend);
    }
    text
}

impl From<FileProblems> for Failure {
    fn from(problems: FileProblems) -> Self {
        Self::Policy(problems)
    }
}

const PATIENCE: Duration = Duration::from_mins(1);
