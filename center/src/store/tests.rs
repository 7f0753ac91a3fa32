//! The store on a real file.
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
    store.publish(&row, "ada", "published", "1", false).unwrap();
    assert!(store.publish(&row, "ada", "published", "1", false).is_err());
    assert_eq!(store.verify_audit().unwrap().unwrap().0, 1, "a failed change left a trace in the log");
    assert!(store.connection.execute("DELETE FROM revisions", []).is_err());
}

#[test]
fn a_trial_ends_with_its_revision_or_not_at_all() {
    let (_folder, mut store) = store();
    let row = |number| Row { number, head: vec![1], delta: vec![2], plain: 1 };
    let trial =
        TrialRow { revision: 1, until: Moment(5), confirm: (vec![1], 1), undo: (vec![2], 1), who: "ada".to_owned() };
    store.publish(&row(1), "ada", "policy on trial", "1", false).unwrap();
    store.keep_trial(&trial).unwrap();
    assert!(store.keep_trial(&trial).is_err(), "one at a time");
    assert!(store.publish(&row(1), "ada", "trial confirmed", "1", true).is_err());
    assert_eq!(store.trial().unwrap().map(|row| row.revision), Some(1), "nothing was published, so it is on");
    store.publish(&row(2), "ada", "trial confirmed", "2", true).unwrap();
    assert!(store.trial().unwrap().is_none());
}
