//! The desk on a store of either kind: what it publishes is what a host accepts, also after a restart and from far behind.
//!
//! In: orders. Out: deliveries, verified by a replica. Never here: HTTP.
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use enforcer_center::desk::{Desk, DeskError, Signature, take_snapshot};
use enforcer_common::SipKey;
use enforcer_policy::document::Document;
use enforcer_policy::plan::Guard;
use enforcer_policy::revision::{Replica, Signer, Verifier};
use enforcer_policy::{Action, Moment, Note, Order, Origin, Scope, Subject, parse_prefix};

pub(crate) fn desk(folder: &Path) -> Desk {
    Desk::open(crate::store_in(folder), Signer::from_seed(&[7; 32]), SipKey([1, 2])).unwrap()
}

pub(crate) fn replica(desk: &Desk) -> Replica {
    Replica::new(Verifier::parse(&desk.public()).unwrap())
}

pub(crate) fn by() -> Signature {
    person("ada", "00000001")
}

pub(crate) fn person(name: &str, token: &str) -> Signature {
    Signature { author: name.to_owned(), token: token.to_owned(), approval: None, comment: "test".to_owned() }
}

pub(crate) fn block(address: &str, seconds: u64) -> (Order, Vec<String>) {
    let now = enforcer_center::clock::now();
    let note = Note { reason: String::new(), origin: Origin::Center, approved_by: "ada".to_owned(), created: now };
    let order = Order {
        subject: Subject::Ip(parse_prefix(address).unwrap()),
        scope: Scope::All,
        action: Action::Drop,
        rate: None,
        until: Some(now.plus(Duration::from_secs(seconds))),
        shorten: true,
        wide: false,
        note: Arc::new(note),
    };
    (order, Vec::new())
}

pub(crate) fn accept(replica: &mut Replica, desk: &mut Desk) {
    // A snapshot may be of an earlier revision; what came after it is the next delivery.
    while replica.known() != desk.known() {
        let bytes = desk.delivery(replica.known().number, false).unwrap().unwrap();
        replica.accept(&bytes, &[], Some(enforcer_center::clock::now())).unwrap();
    }
    assert_eq!(replica.decisions_digest(), desk.decisions_digest());
}

#[test]
fn hosts_follow_over_restarts_and_from_far_behind() {
    let folder = tempfile::tempdir().unwrap();
    let mut center = desk(folder.path());
    let (mut near, mut far) = (replica(&center), replica(&center));
    center.decide(vec![block("192.0.2.1", 60)], &Guard::default(), false, &by()).unwrap();
    accept(&mut far, &mut center);
    for number in 0..220 {
        let address = format!("198.51.{}.{}", number / 250, number % 250 + 1);
        let decided = center.decide(vec![block(&address, 60)], &Guard::default(), false, &by()).unwrap();
        if number % 5 == 4 {
            center.end(decided[0].decision.id, &by()).unwrap().unwrap();
        }
        if number % 50 == 0 {
            center = desk(folder.path());
            accept(&mut near, &mut center);
        }
    }
    assert!(center.snapshot_is_due(), "200 revisions without one");
    let shared = Mutex::new(center);
    take_snapshot(&shared).unwrap();
    let mut center = shared.into_inner().unwrap();
    assert!(!center.snapshot_is_due());
    let restarted = desk(folder.path()).news().unwrap();
    assert_eq!((restarted.known, restarted.delivery), (center.known(), None), "nothing leads from nothing to here");
    assert!(center.news().unwrap().delivery.is_some());
    for address in ["192.0.2.7", "192.0.2.8"] {
        center.decide(vec![block(address, 60)], &Guard::default(), false, &by()).unwrap();
    }
    // The snapshot on disk is of an earlier revision: later ones come on top of it.
    center = desk(folder.path());
    accept(&mut near, &mut center);
    accept(&mut far, &mut center);
    let mut new = replica(&center);
    accept(&mut new, &mut center);
    assert_eq!(new.content().len(), 179);
    assert!(center.store().verify_audit().unwrap().unwrap().0 > 260);
}

#[test]
fn what_cannot_be_kept_has_not_happened() {
    let folder = tempfile::tempdir().unwrap();
    let mut center = desk(folder.path());
    center.decide(vec![block("192.0.2.1", 60)], &Guard::default(), false, &by()).unwrap();
    let (known, digest) = (center.known(), center.decisions_digest());
    let other = rusqlite::Connection::open(folder.path().join("center.db")).unwrap();
    other.execute_batch("DROP TABLE audit").unwrap();
    let failed = center.decide(vec![block("192.0.2.2", 60)], &Guard::default(), false, &by());
    assert!(matches!(failed, Err(DeskError::Failed(_))), "{failed:?}");
    assert_eq!((center.known(), center.decisions_digest()), (known, digest));
}

#[test]
fn files_and_hands_do_not_end_each_others_decisions() {
    let folder = tempfile::tempdir().unwrap();
    let mut center = desk(folder.path());
    center.decide(vec![block("192.0.2.1", 60)], &Guard::default(), false, &by()).unwrap();
    let apply = |center: &mut Desk, text: &str| {
        let document = Document::parse(&[("a.toml".to_owned(), text.to_owned())]).unwrap();
        let content = center.meant(document, "ada").unwrap();
        center.replace(&content, &Guard::default(), false, &by()).unwrap();
    };
    apply(&mut center, "[[decision]]\nip = \"192.0.2.9\"\naction = \"drop\"\n");
    assert_eq!(center.content().len(), 2);
    let number = center.known().number;
    apply(&mut center, "[[decision]]\nip = \"192.0.2.9\"\naction = \"drop\"\n");
    assert_eq!(center.known().number, number, "nothing changed, and a revision was made");
    apply(&mut center, "");
    let left: Vec<String> = center.content().entries().map(|entry| entry.decision.subject.to_string()).collect();
    assert_eq!(left, ["192.0.2.1"]);
}

#[test]
fn decisions_whose_end_has_come_leave_with_the_next_change() {
    let folder = tempfile::tempdir().unwrap();
    let mut center = desk(folder.path());
    center.decide(vec![block("192.0.2.1", 1)], &Guard::default(), false, &by()).unwrap();
    let until: Option<Moment> = center.content().entries().next().and_then(|entry| entry.decision.until);
    let begun = Instant::now();
    while until.is_some_and(|until| enforcer_center::clock::now() <= until) && begun.elapsed() < Duration::from_secs(5)
    {
        std::thread::sleep(Duration::from_millis(20));
    }
    center.decide(vec![block("192.0.2.2", 60)], &Guard::default(), false, &by()).unwrap();
    assert_eq!(center.content().len(), 1);
    let mut host = replica(&center);
    accept(&mut host, &mut center);
}

/// Many addresses of one network, from the `first` on.
pub(crate) fn many(first: u32, count: u32) -> Vec<(Order, Vec<String>)> {
    let address = |number: u32| std::net::Ipv4Addr::from(0x0a00_0000 + number).to_string();
    (first..first + count).map(|number| block(&address(number), 3600)).collect()
}

#[test]
fn a_new_host_gets_a_snapshot_and_what_came_after_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut center = desk(folder.path());
    center.decide(many(0, 3000), &Guard::default(), false, &by()).unwrap();
    assert!(center.delivery(0, false).unwrap().is_none(), "a pass over everything for one host");
    let shared = Mutex::new(center);
    take_snapshot(&shared).unwrap();
    let mut center = shared.into_inner().unwrap();
    center.decide(many(2990, 20), &Guard::default(), false, &by()).unwrap();
    let mut new = replica(&center);
    let first = center.delivery(0, false).unwrap().unwrap();
    new.accept(&first, &[], Some(enforcer_center::clock::now())).unwrap();
    assert_eq!((new.known().number, new.content().len()), (1, 3000));
    accept(&mut new, &mut center);
    assert_eq!(new.content().len(), 3010, "a subject has one decision");

    // From the file, also for a host that has something; a snapshot that is damaged, or of another history, is none.
    let mut center = desk(folder.path());
    assert_eq!(center.delivery(0, false).unwrap().unwrap(), first);
    accept(&mut replica(&center), &mut center);
    std::fs::write(folder.path().join("snapshot"), "nonsense").unwrap();
    assert!(desk(folder.path()).delivery(0, false).unwrap().is_none());
}

/// Three revisions each, so more than one delta may span, when the snapshots are slow.
const ROUNDS: u32 = 900;

#[test]
fn a_snapshot_is_right_whatever_is_published_while_it_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let mut center = desk(folder.path());
    center.decide(many(0, 30_000), &Guard::default(), false, &by()).unwrap();
    let shared = Mutex::new(center);
    std::thread::scope(|scope| {
        let taking = scope.spawn(|| (0..3).for_each(|_| take_snapshot(&shared).unwrap()));
        let mut round = 0;
        while !taking.is_finished() && round < ROUNDS {
            let mut center = shared.lock().unwrap();
            let decided = center.decide(many(29_000 + round * 10, 20), &Guard::default(), false, &by()).unwrap();
            center.end(decided[0].decision.id, &by()).unwrap().unwrap();
            let oldest = center.content().entries().next().unwrap().decision.id;
            center.end(oldest, &by()).unwrap().unwrap();
            drop(center);
            round += 1;
        }
    });
    let mut center = shared.into_inner().unwrap();
    accept(&mut replica(&center), &mut center);
    let mut restarted = desk(folder.path());
    assert_eq!(restarted.decisions_digest(), center.decisions_digest());
}

#[test]
fn a_trial_leaves_services_as_they_were_until_it_is_confirmed() {
    let folder = tempfile::tempdir().unwrap();
    let mut center = desk(folder.path());
    let meant = |center: &Desk, text: &str| {
        center.meant(Document::parse(&[("a.toml".to_owned(), text.to_owned())]).unwrap(), "ada").unwrap()
    };
    let ports = |center: &Desk| center.content().base().services["pay"].ports.clone();
    let first = meant(&center, "[service.pay]\nports = [8080]\n");
    center.replace(&first, &Guard::default(), false, &by()).unwrap();
    let second = meant(&center, "[service.pay]\nports = [9090]\n[[allow]]\nnetwork = \"192.0.2.1\"\n");
    center.try_out(&second, &Guard::default(), Duration::from_mins(1), &by()).unwrap();
    assert_eq!((ports(&center), center.content().base().allow.len()), (vec![8080], 1));
    center.confirm(&by()).unwrap();
    assert_eq!((ports(&center), center.content().base().allow.len()), (vec![9090], 1));
}
