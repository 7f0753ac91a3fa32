//! Proposals: what waits for a second person.
//!
//! In: the word of somebody who stands for one, or does not. Out: all that are open; one with its plan; the new revision. Never here:
//! which changes become proposals (`rules`, `desk`).
use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use enforcer_policy::plan::Plan;
use serde::Serialize;

use super::Center;
use super::people::Person;
use super::policy::{comment, guard};
use super::problem::{Answer, Placed, Problem, Sent};
use crate::desk::{Desk, DeskError, Proposal};
use crate::serve::Peer;
use crate::store::Role;

#[derive(Serialize)]
struct Open {
    items: Vec<Proposal>,
}

/// One with its plan.
#[derive(Serialize)]
struct Looked {
    proposal: Proposal,
    /// What it would change as things are now.
    plan: Plan,
}

/// What was asked for waits.
#[derive(Serialize)]
struct Waits<'w> {
    proposal: &'w Proposal,
}

/// The answer to whoever asked for it.
pub(super) fn waits(proposal: &Proposal) -> String {
    serde_json::to_string(&Waits { proposal }).unwrap_or_default()
}

/// What is done now; or the answer that it waits for a second person.
pub(super) enum Made<T> {
    Now(T),
    Later(String),
}

impl<T> Made<T> {
    /// What the desk has made of a change.
    pub(super) fn of(result: Result<T, DeskError>) -> Result<Self, Problem> {
        match result {
            Ok(done) => Ok(Self::Now(done)),
            Err(DeskError::Proposed(proposal)) => Ok(Self::Later(waits(&proposal))),
            Err(error) => Err(error.into()),
        }
    }

    /// The answer, if it is done now.
    pub(super) fn answer(self, answer: impl FnOnce(T) -> Answer) -> Answer {
        match self {
            Self::Now(done) => answer(done),
            Self::Later(reply) => Answer::with(StatusCode::ACCEPTED, reply),
        }
    }
}

pub(super) async fn list(State(center): State<Center>, headers: HeaderMap) -> Result<Answer, Problem> {
    let list = |desk: &mut Desk| Ok(Answer::json(&Open { items: desk.proposals()? }).tagged(desk.known().number));
    center.read(headers, list).await
}

pub(super) async fn look(
    State(center): State<Center>,
    Extension(peer): Extension<Peer>,
    Placed(number): Placed<u64>,
    headers: HeaderMap,
) -> Result<Answer, Problem> {
    let look = move |desk: &mut Desk| {
        let guard = guard(desk, &peer)?;
        let (proposal, plan) = desk.proposal(number, &guard)?;
        Ok((desk.known().number, proposal, plan))
    };
    let (revision, proposal, mut plan) = center.read(headers, look).await?;
    center.0.foresight.of(&mut plan).await;
    Ok(Answer::json(&Looked { proposal, plan }).tagged(revision))
}

pub(super) async fn approve(
    State(center): State<Center>,
    Extension(peer): Extension<Peer>,
    Placed(number): Placed<u64>,
    headers: HeaderMap,
    Sent(bytes): Sent,
) -> Result<Answer, Problem> {
    let approve = move |desk: &mut Desk, center: &Center| {
        let person = Person::approver(&headers, desk)?;
        let (comment, guard) = (comment(&bytes)?, guard(desk, &peer)?);
        let hosts = center.hosts_of(desk)?;
        let revision = desk.approve(number, (&guard, &hosts), &person.signs(&comment))?;
        Ok(Answer::json(&serde_json::json!({ "revision": revision })).tagged(revision))
    };
    center.work(approve).await
}

/// An approver rejects any; an operator takes back their own.
pub(super) async fn reject(
    State(center): State<Center>,
    Placed(number): Placed<u64>,
    headers: HeaderMap,
    Sent(bytes): Sent,
) -> Result<Answer, Problem> {
    let reject = move |desk: &mut Desk, _: &Center| {
        let person = Person::of(&headers, desk)?;
        let only_own = match person.role {
            Role::Approver => false,
            Role::Operator => true,
            Role::Viewer => return Err(Problem::forbidden(format!("{} is a viewer", person.name))),
        };
        desk.reject(number, only_own, &person.signs(&comment(&bytes)?))?;
        Ok(Answer::nothing())
    };
    center.work(reject).await
}
