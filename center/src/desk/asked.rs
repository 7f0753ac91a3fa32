//! A request that must not be carried out twice.
//!
//! In: who asked, and how the answer is written. Out: the row that is kept together with what was done. Never here: HTTP. Kept later, the answer
//! to a change that was made could be lost, and the change be made again.
use std::sync::Arc;

use enforcer_policy::revision::Entry;

use super::{Desk, Proposal};
use crate::store::ReplyRow;

/// What became of a request.
#[derive(Clone, Copy, Debug)]
pub enum Done<'d> {
    /// This revision, with these decisions.
    Published(u64, &'d [Arc<Entry>]),
    /// It waits for a second person.
    Proposed(&'d Proposal),
}

/// Writes an answer: status and body.
pub(super) type Answer = Box<dyn Fn(Done<'_>) -> (u16, String) + Send + Sync>;

/// A request with a key.
pub struct Asked {
    /// Who asked.
    pub who: String,
    /// The key.
    pub key: String,
    /// The digest of the request.
    pub request: String,
    /// How it is answered.
    pub answer: Answer,
}

impl Asked {
    pub(super) fn row(&self, done: Done<'_>) -> ReplyRow {
        let (status, body) = (self.answer)(done);
        let (who, key, request) = (self.who.clone(), self.key.clone(), self.request.clone());
        ReplyRow { who, key, request, status, body }
    }
}

impl Desk {
    /// Does something that answers this request.
    pub fn answering<T>(&mut self, asked: Option<Asked>, work: impl FnOnce(&mut Self) -> T) -> T {
        self.asked = asked;
        let done = work(self);
        self.asked = None;
        done
    }
}
