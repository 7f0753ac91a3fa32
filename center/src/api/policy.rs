//! The policy as a whole: read, plan, apply.
//!
//! In: policy files as JSON `{"files": [{"name", "text"}], "comment"}`. Out: a plan; TOML. Never here: single decisions.
use std::time::Duration;

use axum::Extension;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use enforcer_policy::document::{Document, to_toml};
use enforcer_policy::plan::{Guard, Plan};
use enforcer_policy::revision::Content;
use serde::{Deserialize, Serialize};

use super::Center;
use super::people::Person;
use super::problem::{Answer, Asked, Placed, Problem, Sent, body};
use super::proposals::Made;
use crate::desk::{Course, Desk, DeskError, RolloutShown, Signature};
use crate::serve::Peer;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Files {
    files: Vec<File>,
    #[serde(default)]
    comment: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: String,
    text: String,
}

#[derive(Serialize)]
struct Planned<'p> {
    revision: u64,
    plan: &'p Plan,
    #[serde(skip_serializing_if = "Option::is_none")]
    rollout: Option<RolloutShown>,
}

/// `?force=true`.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct Force {
    #[serde(default)]
    force: bool,
}

/// `?force=true`, or `?confirm_within=SECONDS`; or `?stages=GROUP,...,all&bake=SECONDS&bound=PERCENT`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manner {
    #[serde(default)]
    force: bool,
    confirm_within: Option<u32>,
    stages: Option<String>,
    bake: Option<u32>,
    bound: Option<f64>,
}

impl Manner {
    /// How it is to be rolled out, if it is.
    fn course(&self) -> Result<Option<Course>, Problem> {
        if self.confirm_within.is_some_and(|seconds| !TRIAL.contains(&seconds)) {
            return Err(Problem::bad("a trial lasts a second to 24 hours", "such as confirm_within=300"));
        }
        let Some(stages) = &self.stages else {
            let alone = self.bake.is_some() || self.bound.is_some();
            return if alone { Err(Problem::bad("bake and bound belong to stages", "add stages")) } else { Ok(None) };
        };
        if self.confirm_within.is_some() {
            return Err(Problem::bad(
                "a policy is on trial or rolled out, not both",
                "leave confirm_within or stages out",
            ));
        }
        let stages = stages.split(',').map(|stage| stage.trim().to_owned()).collect();
        let bake = Duration::from_secs(self.bake.unwrap_or(BAKE).into());
        let course = Course::new(stages, bake, self.bound.unwrap_or(BOUND));
        course
            .map(Some)
            .map_err(|error| Problem::bad(error.to_string(), "such as stages=canary,edge,all&bake=600&bound=2"))
    }
}

/// Seconds of a trial.
const TRIAL: std::ops::RangeInclusive<u32> = 1..=86_400;
/// Seconds that a stage is watched, and percent by which refusals may grow, unless told otherwise.
const BAKE: u32 = 600;
const BOUND: f64 = 2.0;

/// Why; may be left out with the whole body.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct Comment {
    #[serde(default)]
    comment: String,
}

/// `?all=true`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct All {
    #[serde(default)]
    all: bool,
}

impl Force {
    pub(super) const fn is_on(&self) -> bool {
        self.force
    }
}

pub(super) async fn read(
    State(center): State<Center>,
    Asked(All { all }): Asked<All>,
    headers: HeaderMap,
) -> Result<Answer, Problem> {
    let read = move |desk: &mut Desk| {
        let text = to_toml(desk.content(), all);
        Ok(Answer::bytes("application/toml", text).tagged(desk.known().number))
    };
    center.read(headers, read).await
}

pub(super) async fn plan(
    State(center): State<Center>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
    Sent(bytes): Sent,
) -> Result<Answer, Problem> {
    let plan = move |desk: &mut Desk, _: &Center| {
        let person = Person::of(&headers, desk)?;
        let content = meant(desk, body(&bytes)?, &person)?;
        let guard = guard(desk, &peer)?;
        let plan = Plan::between(desk.content(), &content, &guard);
        Ok((desk.known().number, desk.rollout().filter(|_| desk.is_rolling()), plan))
    };
    let (revision, rollout, mut plan) = center.work(plan).await?;
    center.0.foresight.of(&mut plan).await;
    Ok(Answer::json(&Planned { revision, plan: &plan, rollout }).tagged(revision))
}

pub(super) async fn apply(
    State(center): State<Center>,
    Extension(peer): Extension<Peer>,
    Asked(manner): Asked<Manner>,
    headers: HeaderMap,
    Sent(bytes): Sent,
) -> Result<Answer, Problem> {
    let apply = move |desk: &mut Desk, center: &Center| {
        let person = Person::operator(&headers, desk)?;
        let course = manner.course()?;
        let files: Files = body(&bytes)?;
        // What makes no sense makes none on any revision.
        unchanged(&headers, desk)?;
        let signature = person.signs(&files.comment);
        let content = meant(desk, files, &person)?;
        let guard = guard(desk, &peer)?;
        let made = Made::of(match (course, manner.confirm_within) {
            (Some(course), _) => {
                let hosts = center.hosts_of(desk)?;
                desk.roll_out(&content, course, (&guard, &hosts), manner.force, &signature)
            }
            (None, Some(seconds)) => desk.try_out(&content, &guard, Duration::from_secs(seconds.into()), &signature),
            (None, None) => desk.replace(&content, &guard, manner.force, &signature),
        })?;
        Ok(made.answer(|plan| planned(desk, &plan)))
    };
    center.work(apply).await
}

pub(super) async fn confirm(
    State(center): State<Center>,
    headers: HeaderMap,
    Sent(bytes): Sent,
) -> Result<Answer, Problem> {
    end(center, headers, bytes, Desk::confirm).await
}

pub(super) async fn give_up(
    State(center): State<Center>,
    headers: HeaderMap,
    Sent(bytes): Sent,
) -> Result<Answer, Problem> {
    end(center, headers, bytes, Desk::give_up).await
}

/// Ends the trial, one way or the other.
async fn end(
    center: Center,
    headers: HeaderMap,
    bytes: Bytes,
    how: fn(&mut Desk, &Signature) -> Result<u64, DeskError>,
) -> Result<Answer, Problem> {
    let end = move |desk: &mut Desk, _: &Center| {
        let person = Person::operator(&headers, desk)?;
        let made = Made::of(how(desk, &person.signs(&comment(&bytes)?)))?;
        Ok(made.answer(|revision| Answer::json(&serde_json::json!({ "revision": revision })).tagged(revision)))
    };
    center.work(end).await
}

fn planned(desk: &Desk, plan: &Plan) -> Answer {
    let revision = desk.known().number;
    let rollout = desk.rollout().filter(|_| desk.is_rolling());
    Answer::json(&Planned { revision, plan, rollout }).tagged(revision)
}

/// The comment of a body that may be left out.
pub(super) fn comment(bytes: &Bytes) -> Result<String, Problem> {
    let given: Option<Comment> = if bytes.is_empty() { None } else { body(bytes)? };
    Ok(given.unwrap_or_default().comment)
}

pub(super) async fn roll_back(
    State(center): State<Center>,
    Extension(peer): Extension<Peer>,
    Placed(number): Placed<u64>,
    Asked(force): Asked<Force>,
    headers: HeaderMap,
    Sent(bytes): Sent,
) -> Result<Answer, Problem> {
    let roll_back = move |desk: &mut Desk, _: &Center| {
        let person = Person::operator(&headers, desk)?;
        let given = comment(&bytes)?;
        unchanged(&headers, desk)?;
        let why = if given.is_empty() { format!("back to revision {number}") } else { given };
        let guard = guard(desk, &peer)?;
        let made = Made::of(desk.roll_back(number, &guard, force.is_on(), &person.signs(&why)))?;
        Ok(made.answer(|plan| planned(desk, &plan)))
    };
    center.work(roll_back).await
}

fn meant(desk: &Desk, files: Files, person: &Person) -> Result<Content, Problem> {
    let files: Vec<_> = files.files.into_iter().map(|file| (file.name, file.text)).collect();
    let document = Document::parse(&files)?;
    desk.meant(document, &person.name).map_err(|error| Problem::refused(error.to_string(), ""))
}

/// A change that names the revision it was thought for is only made on that one.
pub(super) fn unchanged(headers: &HeaderMap, desk: &Desk) -> Result<(), Problem> {
    let Some(tag) = headers.get(header::IF_MATCH) else { return Ok(()) };
    // What is no text is no revision either, and no leave to change any.
    let tag = tag.to_str().unwrap_or("one that cannot be read");
    let number = desk.known().number;
    if tag == "*" || tag.trim_matches('"') == number.to_string() {
        return Ok(());
    }
    Err(Problem::changed(format!("the policy is at revision {number}, not {tag}")))
}

/// Whom no decision may cut off: whoever asks, and what hosts say their traffic depends on.
pub(super) fn guard(desk: &Desk, peer: &Peer) -> Result<Guard, Problem> {
    let mut guard = desk.guard()?;
    guard.add(peer.address.into(), "operator");
    Ok(guard)
}
