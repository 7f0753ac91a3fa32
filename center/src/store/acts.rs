//! Acts on hosts, in the audit log.
//!
//! In: events of hosts that are acts, at least once. Out: one audit entry for each. Never here: other events.
use enforcer_policy::{Event, EventKind};
use rusqlite::params;

use super::{Store, StoreError, audit, number, stored};

impl Store {
    /// Adds an entry for each act that has none yet.
    pub fn audit_acts(&mut self, host: &str, spool: &str, events: &[Event]) -> Result<(), StoreError> {
        let acts = || events.iter().filter(|event| event.kind == EventKind::Act);
        let Some(last) = acts().map(|act| act.sequence).max() else { return Ok(()) };
        self.write(|transaction| {
            let query = "SELECT last FROM reported WHERE host = ? AND spool = ?";
            let known = transaction.one(query, params![host, spool], |row| number(row, 0))?.unwrap_or(0);
            for act in acts().filter(|act| act.sequence > known) {
                let who = act.who.as_deref().unwrap_or("somebody");
                let detail = format!("{who}: {}: {} (event {spool}/{})", act.what, act.message, act.sequence);
                audit::append(transaction, host, "done on the host", &detail)?;
            }
            let wrote = transaction.execute(
                "INSERT INTO reported (host, spool, last) VALUES (?, ?, ?) \
                 ON CONFLICT (host, spool) DO UPDATE SET last = max(last, excluded.last)",
                params![host, spool, stored(last)?],
            );
            wrote.map(drop)
        })
    }
}
