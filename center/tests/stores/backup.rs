//! A store of one center that was restored from an older backup. (One that others share catches up.)
//!
//! In: copies of the folder. Out: what hosts refuse. Never here: the log.
use std::sync::Mutex;

use enforcer_center::desk::{Desk, take_snapshot};
use enforcer_policy::plan::Guard;
use enforcer_policy::revision::{Flaw, Replica};

use crate::stores::desk::{accept, block, by, desk, many, replica};

#[test]
fn a_center_from_an_older_backup_is_not_believed() {
    let (folder, backup) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut center = desk(folder.path());
    center.decide(vec![block("192.0.2.1", 60)], &Guard::default(), false, &by()).unwrap();
    drop(center);
    std::fs::copy(folder.path().join("center.db"), backup.path().join("center.db")).unwrap();
    center = desk(folder.path());
    center.decide(vec![block("192.0.2.2", 60)], &Guard::default(), false, &by()).unwrap();
    let mut host = replica(&center);
    accept(&mut host, &mut center);

    let mut restored = desk(backup.path());
    let refused = |host: &mut Replica, restored: &mut Desk, from| {
        let bytes = restored.delivery(from, false).unwrap().unwrap();
        host.accept(&bytes, &[], Some(enforcer_center::clock::now())).unwrap_err()
    };
    assert_eq!(refused(&mut host, &mut restored, 0), Flaw::Lower { number: 1, known: 2 });
    for address in ["192.0.2.3", "192.0.2.4"] {
        restored.decide(vec![block(address, 60)], &Guard::default(), false, &by()).unwrap();
    }
    assert!(!restored.is_ours(host.known()).unwrap());
    assert_eq!(refused(&mut host, &mut restored, 2), Flaw::Forked { known: 2 });
    assert_eq!(host.known().number, 2);
}

#[test]
fn a_snapshot_from_before_an_older_backup_was_restored_is_not_used() {
    let (folder, backup) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut center = desk(folder.path());
    center.decide(many(0, 10), &Guard::default(), false, &by()).unwrap();
    drop(center);
    std::fs::copy(folder.path().join("center.db"), backup.path().join("center.db")).unwrap();
    let mut center = desk(folder.path());
    center.decide(many(100, 10), &Guard::default(), false, &by()).unwrap();
    take_snapshot(&Mutex::new(center)).unwrap();
    std::fs::copy(folder.path().join("snapshot"), backup.path().join("snapshot")).unwrap();
    for round in 1..3 {
        // First a snapshot of a revision that there is not; then one with the number of another.
        let mut restored = desk(backup.path());
        assert_eq!(restored.content().len(), 10 * round);
        restored.decide(many(200 * u32::try_from(round).unwrap(), 10), &Guard::default(), false, &by()).unwrap();
    }
}
