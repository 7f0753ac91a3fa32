//! Who asks, and what they may do.
//!
//! In: the headers of a request. Out: a person with a role, or the problem. Never here: secrets beyond
//! the look at them.
use axum::http::{HeaderMap, header};

use super::problem::Problem;
use crate::desk::{Desk, Signature};
use crate::store::{Role, is_source};

/// Somebody with a token.
#[derive(Clone, Debug)]
pub(super) struct Person {
    /// The id of their token.
    id: String,
    pub(super) name: String,
    pub(super) role: Role,
}

impl Person {
    /// Anybody with a token.
    pub(super) fn of(headers: &HeaderMap, desk: &mut Desk) -> Result<Self, Problem> {
        let header = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let text = header.and_then(|value| value.strip_prefix("Bearer ")).ok_or_else(Problem::stranger)?;
        let token = desk.store().token(text.trim())?.ok_or_else(Problem::stranger)?;
        if is_source(&token.name) {
            return Err(Problem::forbidden(format!(
                "{} would be taken for a source; make a token of another name",
                token.name
            )));
        }
        Ok(Self { id: token.id, name: token.name, role: token.role })
    }

    /// Somebody who may change policy.
    pub(super) fn operator(headers: &HeaderMap, desk: &mut Desk) -> Result<Self, Problem> {
        let person = Self::of(headers, desk)?;
        match person.role {
            Role::Operator => Ok(person),
            Role::Viewer | Role::Approver => Err(Problem::forbidden(format!(
                "{} is a {}; only operators change policy",
                person.name,
                person.role.name()
            ))),
        }
    }

    /// Somebody who may stand for changes of others.
    pub(super) fn approver(headers: &HeaderMap, desk: &mut Desk) -> Result<Self, Problem> {
        let person = Self::of(headers, desk)?;
        match person.role {
            Role::Approver => Ok(person),
            Role::Operator | Role::Viewer => {
                Err(Problem::forbidden(format!("{} is a {}; only approvers approve", person.name, person.role.name())))
            }
        }
    }

    /// What they sign with.
    pub(super) fn signs(&self, comment: &str) -> Signature {
        let comment: String = comment.chars().take(COMMENT).collect();
        Signature { author: self.name.clone(), token: self.id.clone(), approval: None, comment }
    }
}

/// Letters of a comment; what is longer is cut.
const COMMENT: usize = 1024;
