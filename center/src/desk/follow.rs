//! The desk follows what other centers have changed in the store that they share.
//!
//! In: revisions and the rollout of others, in the store already. Out: the same in memory, as if they had been made here. Never here: how
//! they came (`store`, `log`).
use anyhow::{Context as _, bail};
use enforcer_policy::revision::{Delta, Signed};

use super::Desk;
use crate::store::Row;

impl Desk {
    /// Comes to where the store is. It costs nothing where nobody else has changed anything.
    pub fn follow(&mut self) -> anyhow::Result<()> {
        let others = self.store.others()?;
        if others == self.store.basis() {
            return Ok(());
        }
        loop {
            let rows = self.store.revisions(self.number, AT_ONCE)?;
            if rows.is_empty() {
                break;
            }
            rows.into_iter().try_for_each(|row| self.take(row))?;
        }
        self.rollout = None;
        self.open_rollout()?;
        self.store.plan_on(others);
        Ok(())
    }

    /// A revision that somebody else has made.
    fn take(&mut self, row: Row) -> anyhow::Result<()> {
        let damaged = || format!("revision {} of another center", row.number);
        let delta = Delta::unpack(&row.delta, row.plain).with_context(damaged)?;
        let signed = Signed::from_bytes(row.head);
        let head = signed.open(&self.signer.public()).with_context(damaged)?;
        let undo = self.content.apply(delta.clone());
        if (head.previous, head.content) != (self.hash, self.content.digest()) {
            self.content.apply(undo);
            bail!("{} does not follow from revision {}", damaged(), self.number);
        }
        self.before = self.known();
        (self.number, self.hash) = (row.number, signed.hash());
        self.deliveries.changed(&delta);
        self.index.change(&undo, &delta);
        self.disturb_sources(&undo, &delta, &head.author, head.made);
        Ok(())
    }
}

/// Revisions that are read at a time.
const AT_ONCE: usize = 100;
