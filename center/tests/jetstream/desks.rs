//! Two desks on one log: what was planned on less than there is, is refused; what one begins, the other may end.
//!
//! In: changes at one desk, then at the other. Out: one history. Never here: HTTP, servers that are killed.
use std::time::Duration;

use enforcer_center::clock;
use enforcer_center::desk::{Course, Desk, DeskError, HostNow};
use enforcer_center::rules::Rules;
use enforcer_center::store::{Role, Store, StoreError, Traffic};
use enforcer_common::SipKey;
use enforcer_policy::Moment;
use enforcer_policy::document::Document;
use enforcer_policy::plan::Guard;
use enforcer_policy::revision::{Content, Signer};

use crate::cluster::Cluster;
use crate::stores::desk::{accept, block, by, person, replica};
use crate::stores::sources::all;

/// Two desks, and what must outlive them.
fn desks(name: &str) -> ([tempfile::TempDir; 2], [Desk; 2]) {
    let folders = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let desks = folders.each_ref().map(|folder| {
        let store = Store::open_shared(&folder.path().join("center.db"), Cluster::shared().log(name)).unwrap();
        Desk::open(store, Signer::from_seed(&[7; 32]), SipKey([1, 2])).unwrap()
    });
    (folders, desks)
}

/// Comes to where the log is, as a center does by itself.
fn follow(desk: &mut Desk) {
    desk.store().catch_up().unwrap();
    desk.follow().unwrap();
}

fn meant(desk: &Desk, text: &str) -> Content {
    desk.meant(Document::parse(&[("a.toml".to_owned(), text.to_owned())]).unwrap(), "ada").unwrap()
}

fn same(one: &mut Desk, two: &mut Desk) {
    follow(one);
    follow(two);
    assert_eq!((one.known(), one.decisions_digest()), (two.known(), two.decisions_digest()));
    assert_eq!(one.store().audit(0, 10_000).unwrap(), two.store().audit(0, 10_000).unwrap());
    assert!(one.store().verify_audit().unwrap().is_ok());
}

#[test]
fn two_centers_that_ask_one_source_make_one_revision() {
    let (_folders, [mut one, mut two]) = desks("SOURCES");
    let again = Duration::from_mins(10);
    one.take_source("crowdsec", &all(&["192.0.2.1"]), again).unwrap();
    let late = two.take_source("crowdsec", &all(&["192.0.2.1"]), again).unwrap_err();
    let DeskError::Failed(error) = late else { panic!("{late}") };
    assert!(matches!(error.downcast_ref(), Some(StoreError::Overtaken)), "{error:#}");
    follow(&mut two);
    let taken = two.take_source("crowdsec", &all(&["192.0.2.1"]), again).unwrap();
    assert!(!taken.is_news() && taken.held == 1, "{taken:?}");
    // The first one has heard of something that the second one has not: neither takes it back.
    one.take_source("crowdsec", &all(&["192.0.2.1", "192.0.2.2"]), again).unwrap();
    follow(&mut two);
    assert!(two.tend_sources().is_empty());
    let taken = two.take_source("crowdsec", &all(&["192.0.2.1", "192.0.2.2"]), again).unwrap();
    assert!(!taken.is_news() && taken.held == 2, "{taken:?}");
    // What a person ends over one center, the other one does not bring back.
    let id = one.content().entries().next().unwrap().decision.id;
    one.end(id, &by()).unwrap();
    follow(&mut two);
    assert!(two.tend_sources().iter().all(|(_, taken)| taken.as_ref().is_ok_and(|taken| !taken.is_news())));
    same(&mut one, &mut two);
    assert_eq!((one.known().number, two.content().len()), (3, 1));
}

#[test]
fn what_was_planned_on_less_than_there_is_is_planned_anew() {
    let (_folders, [mut one, mut two]) = desks("PLANNED");
    one.decide(vec![block("192.0.2.1", 60)], &Guard::default(), false, &by()).unwrap();
    let known = two.known();
    let late = two.decide(vec![block("192.0.2.2", 60)], &Guard::default(), false, &by()).unwrap_err();
    let DeskError::Failed(error) = late else { panic!("{late}") };
    assert!(matches!(error.downcast_ref(), Some(StoreError::Overtaken)), "{error:#}");
    assert_eq!((two.known(), two.content().len()), (known, 0), "what was refused has not happened");
    follow(&mut two);
    // What hosts acknowledge, and audit entries, keep nobody from publishing.
    one.store().note("ada", "token added", "beside").unwrap();
    two.decide(vec![block("192.0.2.2", 60)], &Guard::default(), false, &by()).unwrap();
    let mut host = replica(&one);
    accept(&mut host, &mut two);
    same(&mut one, &mut two);
    assert_eq!(one.content().len(), 2);
    accept(&mut host, &mut one);
}

#[test]
fn what_one_begins_the_other_ends() {
    let (_folders, [one, two]) = desks("BEGUN");
    let rules = || Rules::parse("second_person = [\"wide\"]\n").unwrap();
    let (mut one, mut two) = (one.with_rules(rules()), two.with_rules(rules()));
    let mut token = |name: &str, role| {
        let text = one.store().add_token(name, role, None, "test").unwrap();
        person(name, &one.store().token(&text).unwrap().unwrap().id)
    };
    let (ada, bea) = (token("ada", Role::Operator), token("bea", Role::Approver));

    let tried = meant(&one, "[[decision]]\ndevice = \"tried\"\naction = \"deny\"\n");
    one.try_out(&tried, &Guard::default(), Duration::from_mins(5), &ada).unwrap();
    follow(&mut two);
    two.confirm(&ada).unwrap();
    follow(&mut one);
    assert_eq!(one.trial().unwrap(), None);

    let wide = meant(&one, "[[decision]]\nip = \"198.51.0.0/16\"\naction = \"drop\"\n");
    let waits = one.replace(&wide, &Guard::default(), false, &ada).unwrap_err();
    let DeskError::Proposed(proposal) = waits else { panic!("{waits}") };
    follow(&mut two);
    two.approve(proposal.id, (&Guard::default(), &[]), &bea).unwrap();
    follow(&mut one);
    assert!(one.proposals().unwrap().is_empty() && one.known() == two.known());

    let host = |desk: &Desk, all| HostNow {
        name: "edge-1".to_owned(),
        groups: vec!["edge".to_owned()],
        seen: Some(clock::now()),
        revision: desk.known().number,
        tries: Some(Traffic { all, refused: 0 }),
        ..HostNow::default()
    };
    let course = Course::new(vec!["edge".to_owned(), "all".to_owned()], Duration::from_secs(1), 2.0).unwrap();
    let staged = meant(
        &one,
        "[[decision]]\nip = \"198.51.0.0/16\"\naction = \"drop\"\n[[decision]]\ndevice = \"new\"\naction = \"deny\"\n",
    );
    one.roll_out(&staged, course, (&Guard::default(), &[host(&one, 1000)]), false, &ada).unwrap();
    follow(&mut two);
    assert_eq!(two.rollout_stage(), 1);
    two.promote(&[host(&two, 1100)], &ada).unwrap();
    follow(&mut one);
    assert_eq!(one.rollout_stage(), 2);
    let mut all = 1200;
    while one.is_rolling() {
        all += 100;
        let hosts = [host(&one, all)];
        one.tend_rollout(&hosts, Moment(0)).unwrap();
        std::thread::sleep(Duration::from_millis(20));
    }
    follow(&mut two);
    assert!(!two.is_rolling());
    same(&mut one, &mut two);
}
