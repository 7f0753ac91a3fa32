//! The store on a real file.
use enforcer_policy::{Event, EventKind};

use super::*;

fn store() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("center.db")).unwrap();
    (folder, store)
}

#[test]
fn a_changed_audit_entry_is_found() {
    let (folder, mut store) = store();
    for number in 0..10 {
        store.note("ada", "token added", &format!("number {number}")).unwrap();
    }
    assert_eq!(store.verify_audit().unwrap().unwrap().0, 10);
    let other = Connection::open(folder.path().join("center.db")).unwrap();
    let refused = other.execute("UPDATE audit SET who = 'eve' WHERE number = 4", []).unwrap_err();
    assert!(refused.to_string().contains("append-only"), "{refused}");
    other.execute_batch("DROP TRIGGER audit_stays; UPDATE audit SET who = 'eve' WHERE number = 4;").unwrap();
    assert_eq!(store.verify_audit().unwrap().unwrap_err().number, 4);
    other.execute_batch("DROP TRIGGER audit_remains; DELETE FROM audit WHERE number = 3;").unwrap();
    assert_eq!(store.verify_audit().unwrap().unwrap_err().number, 3);
}

#[test]
fn tokens_and_invitations_count_until_they_end() {
    let (_folder, mut store) = store();
    let text = store.add_token("ada", Role::Operator, None, "local:root").unwrap();
    let token = store.token(&text).unwrap().unwrap();
    assert_eq!((token.name.as_str(), token.role), ("ada", Role::Operator));
    assert!(store.token(&format!("{text}0")).unwrap().is_none());
    assert!(store.revoke_token(&token.id, "local:root").unwrap());
    assert!(store.token(&text).unwrap().is_none());
    let over = store.add_token("old", Role::Viewer, Some(Moment(1)), "local:root").unwrap();
    assert!(store.token(&over).unwrap().is_none());

    let invited = Enrolment { host: "edge-1".to_owned(), groups: vec!["edge".to_owned()] };
    let (id, key) = store.invite(&invited, Moment(u64::MAX >> 1), "ada").unwrap();
    assert_eq!(store.invitation(&id, &key).unwrap(), Some(invited.clone()));
    assert_eq!(store.invitation(&id, "wrong").unwrap(), None);
    assert!(store.enrol(&id, &invited, "aa").unwrap());
    assert!(!store.enrol(&id, &invited, "bb").unwrap(), "an invitation was used twice");
    assert_eq!(store.invitation(&id, &key).unwrap(), None);
    assert_eq!(store.host_of("aa").unwrap().unwrap().groups, ["edge"]);
}

#[test]
fn revisions_cannot_be_changed() {
    let (_folder, mut store) = store();
    let row = Row { number: 1, head: vec![1], delta: vec![2], plain: 3 };
    store.publish(&row, "ada", "published", "1", &[]).unwrap();
    assert!(store.publish(&row, "ada", "published", "1", &[]).is_err());
    assert_eq!(store.verify_audit().unwrap().unwrap().0, 1, "a failed change left a trace in the log");
    assert!(store.connection.execute("DELETE FROM revisions", []).is_err());
}

#[test]
fn a_trial_ends_with_its_revision_or_not_at_all() {
    let (_folder, mut store) = store();
    let row = |number| Row { number, head: vec![1], delta: vec![2], plain: 1 };
    let (confirm, undo, who) = ((vec![1], 1), (vec![2], 1), "ada".to_owned());
    let trial = TrialRow { revision: 1, until: Moment(5), confirm, undo, who, approver: None };
    let begins = [Along::BeginsTrial(Box::new(trial))];
    assert!(store.publish(&Row { plain: usize::MAX, ..row(1) }, "ada", "policy on trial", "1", &begins).is_err());
    assert!(store.trial().unwrap().is_none(), "nothing was published, so none is on");
    store.publish(&row(1), "ada", "policy on trial", "1", &begins).unwrap();
    assert!(store.publish(&row(2), "ada", "policy on trial", "2", &begins).is_err(), "one at a time");
    assert!(store.publish(&row(1), "ada", "trial confirmed", "1", &[Along::EndsTrial]).is_err());
    assert_eq!(store.trial().unwrap().map(|row| row.revision), Some(1), "nothing was published, so it is on");
    store.publish(&row(2), "ada", "trial confirmed", "2", &[Along::EndsTrial]).unwrap();
    assert!(store.trial().unwrap().is_none());
}

fn events() -> (tempfile::TempDir, EventStore) {
    let folder = tempfile::tempdir().unwrap();
    let store = EventStore::open(&folder.path().join("events.db")).unwrap();
    (folder, store)
}

fn batch(spool: &str, numbers: impl IntoIterator<Item = u64>) -> Batch {
    let event = |sequence| Event {
        sequence,
        service: (sequence % 2 == 0).then(|| "pay".to_owned()),
        ..Event::new(EventKind::Refusal, Moment(sequence * 10), "blocked_device", "")
    };
    Batch { spool: spool.to_owned(), after: 0, events: numbers.into_iter().map(event).collect() }
}

#[test]
fn each_event_counts_once_however_often_it_comes() {
    let (folder, mut store) = events();
    assert_eq!(store.take("edge-1", batch("a", [])).unwrap(), 0);
    assert_eq!(store.take("edge-1", batch("a", 1..=5)).unwrap(), 5);
    assert_eq!(store.take("edge-1", batch("a", 3..=8)).unwrap(), 8);
    assert_eq!(store.take("edge-1", batch("a", 1..=2)).unwrap(), 8);
    assert_eq!(store.take("edge-2", batch("a", 1..=2)).unwrap(), 2);
    drop(store);
    let mut store = EventStore::open(&folder.path().join("events.db")).unwrap();
    assert_eq!(store.take("edge-1", batch("a", 8..=9)).unwrap(), 9);
    assert_eq!(store.take("edge-1", batch("b", 1..=1)).unwrap(), 1, "another life counts anew");
    let of = |host: &str| Wanted { host: Some(host.to_owned()), limit: 100, ..Wanted::default() };
    let numbers = |host| store.page(&of(host)).unwrap().iter().map(|kept| kept.event.sequence).collect::<Vec<_>>();
    assert_eq!(numbers("edge-1"), [1, 2, 3, 4, 5, 6, 7, 8, 9, 1]);
    assert_eq!(numbers("edge-2"), [1, 2]);
}

#[test]
fn a_life_that_was_forgotten_may_speak_again() {
    let (_dir, mut store) = events();
    assert_eq!(store.take("edge-1", batch("00000000000000aa", 1..4)).unwrap(), 3);
    for life in 0..200 {
        store.take("edge-1", batch(&format!("{life:016x}"), 1..2)).unwrap();
    }
    assert_eq!(store.take("edge-1", batch("00000000000000aa", 1..5)).unwrap(), 4);
    let all = store.page(&Wanted { limit: 1000, ..Wanted::default() }).unwrap();
    let again = all.iter().filter(|event| event.spool == "00000000000000aa").map(|event| event.event.sequence);
    assert_eq!(again.collect::<Vec<_>>(), [1, 2, 3, 4]);
}

#[test]
fn what_a_host_lost_is_a_gap_and_not_silence() {
    use EventKind::{Gap, Refusal};

    let (_folder, mut store) = events();
    store.take("edge-1", batch("a", 4..=5)).unwrap();
    store.take("edge-1", batch("a", [9])).unwrap();
    let kept = store.page(&Wanted { limit: 100, ..Wanted::default() }).unwrap();
    let told: Vec<_> = kept.iter().map(|kept| (kept.event.kind, kept.event.sequence, kept.event.count)).collect();
    let (gap, at) = (|count| (Gap, 0, Some(count)), |sequence| (Refusal, sequence, None));
    assert_eq!(told, [gap(3), at(4), at(5), gap(3), at(9)]);
}

#[test]
fn pages_hold_what_was_asked_for_and_the_oldest_give_way() {
    let (_folder, store) = events();
    let mut store = store.bounded(50);
    store.take("edge-1", batch("a", 1..=60)).unwrap();
    let page = |wanted: Wanted| store.page(&wanted).unwrap().iter().map(|kept| kept.number).collect::<Vec<_>>();
    let all = Wanted { limit: 1000, ..Wanted::default() };
    assert_eq!(page(all.clone()), (11..=60).collect::<Vec<_>>());
    assert_eq!(page(Wanted { after: 57, ..all.clone() }), [58, 59, 60]);
    assert_eq!(page(Wanted { after: 20, limit: 2, ..all.clone() }), [21, 22]);
    let even = page(Wanted { service: Some("pay".to_owned()), since: Some(Moment(560)), ..all.clone() });
    assert_eq!(even, [56, 58, 60]);
    assert_eq!(page(Wanted { kind: Some(EventKind::Act), ..all.clone() }), [0_u64; 0]);
    assert_eq!(store.last().unwrap(), 60);
}

#[test]
fn acts_on_hosts_stand_in_the_audit_log_once() {
    let (_folder, mut store) = store();
    let act = |sequence| Event {
        sequence,
        who: Some("ada".to_owned()),
        ..Event::new(EventKind::Act, Moment(1), "block", "block device ab…yz")
    };
    for numbers in [1..=2, 1..=2, 2..=3] {
        store.audit_acts("edge-1", "a", &numbers.map(act).collect::<Vec<_>>()).unwrap();
    }
    store.audit_acts("edge-1", "a", &[Event::new(EventKind::Notice, Moment(1), "map_full", "")]).unwrap();
    let details: Vec<_> = store.audit(0, 10).unwrap().into_iter().map(|entry| (entry.who, entry.detail)).collect();
    assert_eq!(details.len(), 3);
    assert_eq!(details[2], ("edge-1".to_owned(), "ada: block: block device ab…yz (event a/3)".to_owned()));
}

#[test]
fn a_store_of_each_earlier_version_is_brought_up() {
    for version in 1..STEPS.len() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("center.db");
        let old = Connection::open(&path).unwrap();
        old.execute_batch(&STEPS[..version].concat()).unwrap();
        drop(old);
        let mut store = Store::open(&path).unwrap();
        let act = Event { sequence: 1, ..Event::new(EventKind::Act, Moment(1), "block", "") };
        store.audit_acts("edge-1", "a", &[act]).unwrap();
        assert!(store.trial().unwrap().is_none());
        drop(store);
        assert!(Store::open(&path).is_ok());
    }
}

#[test]
fn a_proposal_that_nobody_approved_in_time_is_over() {
    let (_folder, mut store) = store();
    let row = |until| ProposalRow {
        id: 0,
        author: "ada".to_owned(),
        token: "1".to_owned(),
        comment: String::new(),
        kind: "{}".to_owned(),
        classes: "[]".to_owned(),
        detail: "a block".to_owned(),
        forced: false,
        revision: 1,
        created: Moment(1),
        until,
        forward: (vec![1], 1),
        before: (vec![2], 2),
    };
    let (over, open) = (store.propose(&row(Moment(5))).unwrap(), store.propose(&row(Moment(u64::MAX >> 1))).unwrap());
    assert!(store.proposal(over).unwrap().is_none(), "it could still be approved");
    assert_eq!((store.open_proposals().unwrap(), store.proposals().unwrap()[0].id), (1, open));
    assert_eq!((store.forget_proposals().unwrap(), store.forget_proposals().unwrap()), (vec![over], vec![]));
    let last = store.audit(0, 10).unwrap().pop().unwrap();
    assert_eq!((last.who.as_str(), last.what.as_str()), ("center", "proposal lapsed"));
    assert!(store.reject(open, "bea", "no").unwrap() && !store.reject(open, "bea", "no").unwrap());
    assert_eq!(store.propose(&row(Moment(5))).unwrap(), 3, "numbers are not used twice");
}
