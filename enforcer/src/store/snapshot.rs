//! The shortest records that say all that holds now, for a rewrite of the journal.
//!
//! In: the live decisions, allowlist entries and the bypass switch. Out: [`Record`]s. Never here: files.
use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::sync::Arc;

use enforcer_policy::{Action, Allowed, Decision, Moment, Note, Scope, Subject};

use super::Record;

/// What decisions on addresses share when one record can hold them. Notes are told apart by their place in memory: equal ones
/// that are not shared cost a record each, nothing else.
type Group = (*const Note, Scope, Action, Option<Moment>);

/// All that holds now, as records for [`super::Journal::compact`].
pub fn snapshot<D: Borrow<Decision>, A: Borrow<Allowed>>(
    decisions: impl IntoIterator<Item = D>,
    allowed: impl IntoIterator<Item = A>,
    bypass: bool,
) -> Vec<Record> {
    let mut records = vec![Record::Bypass(bypass)];
    records.extend(allowed.into_iter().map(|entry| Record::Allow(entry.borrow().clone())));
    // Where each group's last record stands.
    let mut open: BTreeMap<Group, usize> = BTreeMap::new();
    for decision in decisions {
        let decision: &Decision = decision.borrow();
        // A record of many has no room for a rate.
        let (Subject::Ip(prefix), None) = (&decision.subject, decision.rate) else {
            records.push(Record::Put(decision.clone()));
            continue;
        };
        let Decision { id, scope, action, until, note, .. } = decision;
        let group = (Arc::as_ptr(note), scope.clone(), *action, *until);
        if let Some(Record::PutMany { items, .. }) = open.get(&group).and_then(|at| records.get_mut(*at))
            && items.len() < MOST
        {
            items.push((*id, *prefix));
            continue;
        }
        open.insert(group, records.len());
        let (note, scope) = (Arc::clone(note), scope.clone());
        records.push(Record::PutMany { note, scope, action: *action, until: *until, items: vec![(*id, *prefix)] });
    }
    records
}

/// Decisions in one record: small enough that a damaged one costs little, large enough that the rest weighs nothing.
const MOST: usize = 65_536;
