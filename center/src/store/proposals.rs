//! Changes that wait for a second person.
//!
//! In: proposals. Out: those that are open. Never here: who may approve one, what is in it.
use enforcer_policy::Moment;
use rusqlite::{OptionalExtension as _, params};

use super::{Packed, ReplyRow, Store, StoreError, Writing, audit, moment, number, stored};
use crate::clock;

/// A change that waits.
#[derive(Clone, Debug)]
pub struct ProposalRow {
    /// Its number, given by the store.
    pub id: u64,
    /// Who wants it.
    pub author: String,
    /// The id of the author's token.
    pub token: String,
    /// Why.
    pub comment: String,
    /// What way it came, as JSON.
    pub kind: String,
    /// What makes it need a second person, as JSON.
    pub classes: String,
    /// What it is, in words.
    pub detail: String,
    /// It is meant even if somebody is cut off.
    pub forced: bool,
    /// The revision that it was made against.
    pub revision: u64,
    /// When it was made.
    pub created: Moment,
    /// When it is over.
    pub until: Moment,
    /// The change.
    pub forward: Packed,
    /// What there was before it.
    pub before: Packed,
}

impl Store {
    /// Adds one, with its audit entry; gives its number.
    pub fn propose(&mut self, row: &ProposalRow) -> Result<u64, StoreError> {
        self.propose_and(row, |_number| None)
    }

    /// The same, together with the answer to whoever asked for it.
    pub fn propose_and(
        &mut self,
        row: &ProposalRow,
        answer: impl Fn(u64) -> Option<ReplyRow>,
    ) -> Result<u64, StoreError> {
        self.write_policy(|transaction| {
            let query = "INSERT INTO proposals (author, token, comment, kind, classes, detail, forced, revision, created, \
                 until, forward, forward_plain, before, before_plain) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
            let (revision, created, until) = (stored(row.revision)?, stored(row.created.0)?, stored(row.until.0)?);
            let plain = (stored(row.forward.1 as u64)?, stored(row.before.1 as u64)?);
            transaction.execute(
                query,
                params![
                    row.author, row.token, row.comment, row.kind, row.classes, row.detail, row.forced, revision,
                    created, until, row.forward.0, plain.0, row.before.0, plain.1
                ],
            )?;
            let id = u64::try_from(transaction.last_row()).unwrap_or(0);
            audit::append(transaction, &row.author, "proposed", &format!("proposal {id}: {}", row.detail))?;
            if let Some(reply) = answer(id) {
                reply.keep(transaction)?;
            }
            Ok(id)
        })
    }

    /// Those that are open, oldest first.
    pub fn proposals(&self) -> Result<Vec<ProposalRow>, StoreError> {
        let mut statement = self.connection.prepare_cached(&format!("{PROPOSALS} ORDER BY id"))?;
        let rows = statement.query_map([stored(clock::now().0)?], proposal)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// How many are open.
    pub fn open_proposals(&self) -> Result<u64, StoreError> {
        let query = "SELECT count(*) FROM proposals WHERE until > ?";
        Ok(self.connection.query_row(query, [stored(clock::now().0)?], |row| number(row, 0))?)
    }

    /// One that is open.
    pub fn proposal(&self, id: u64) -> Result<Option<ProposalRow>, StoreError> {
        let mut statement = self.connection.prepare_cached(&format!("{PROPOSALS} AND id = ?2"))?;
        let id = i64::try_from(id).unwrap_or(i64::MAX);
        Ok(statement.query_row(params![stored(clock::now().0)?, id], proposal).optional()?)
    }

    /// Ends those that nobody approved in time, and names them.
    pub fn forget_proposals(&mut self) -> Result<Vec<u64>, StoreError> {
        let now = stored(clock::now().0)?;
        let mut statement = self.connection.prepare_cached("SELECT id FROM proposals WHERE until <= ?")?;
        let over: Vec<u64> = statement.query_map([now], |row| number(row, 0))?.collect::<Result<_, _>>()?;
        drop(statement);
        if !over.is_empty() {
            self.write_policy(|transaction| {
                let lapse =
                    |id| close(transaction, id, "center", "proposal lapsed", "nobody approved it in time").map(drop);
                over.iter().copied().try_for_each(lapse)
            })?;
        }
        Ok(over)
    }

    /// It is not to be; false when there is none.
    pub fn reject(&mut self, id: u64, who: &str, detail: &str) -> Result<bool, StoreError> {
        self.write_policy(|transaction| close(transaction, id, who, "proposal rejected", detail))
    }
}

/// It is no longer open; whether it was.
pub(super) fn close(
    transaction: &Writing<'_>,
    id: u64,
    who: &str,
    what: &str,
    detail: &str,
) -> Result<bool, StoreError> {
    let closed = transaction.execute("DELETE FROM proposals WHERE id = ?", params![stored(id)?])? > 0;
    if closed {
        audit::append(transaction, who, what, &format!("proposal {id}: {detail}"))?;
    }
    Ok(closed)
}

fn proposal(row: &rusqlite::Row<'_>) -> rusqlite::Result<ProposalRow> {
    let plain = |index| number(row, index).map(|length| usize::try_from(length).unwrap_or(0));
    Ok(ProposalRow {
        id: number(row, 0)?,
        author: row.get(1)?,
        token: row.get(2)?,
        comment: row.get(3)?,
        kind: row.get(4)?,
        classes: row.get(5)?,
        detail: row.get(6)?,
        forced: row.get(7)?,
        revision: number(row, 8)?,
        created: moment(row, 9)?,
        until: moment(row, 10)?,
        forward: (row.get(11)?, plain(12)?),
        before: (row.get(13)?, plain(14)?),
    })
}

const PROPOSALS: &str = "SELECT id, author, token, comment, kind, classes, detail, forced, revision, created, until, \
     forward, forward_plain, before, before_plain FROM proposals WHERE until > ?1";
