//! What sources want becomes policy, and gives way to what people decide: at the desk, on a store of either kind.
//!
//! In: wishes, and changes of people beside them. Out: one revision for what changes, none for what is so already. Never here: HTTP, CrowdSec.
use std::sync::Arc;
use std::time::{Duration, Instant};

use enforcer_center::clock;
use enforcer_center::desk::{Desk, DeskError, LeftOut, Taken, Want, Wants};
use enforcer_center::rules::Rules;
use enforcer_center::store::{Ack, Enrolment, Said};
use enforcer_policy::document::Document;
use enforcer_policy::plan::Guard;
use enforcer_policy::revision::Entry;
use enforcer_policy::{Action, Moment, Scope, Subject, parse_prefix};

use super::desk::{accept, block, by, desk, replica};

/// How often the sources of these tests say all that they want.
const AGAIN: Duration = Duration::from_mins(10);

pub(crate) fn want(address: &str, seconds: u64) -> Want {
    let until = Some(clock::now().plus(Duration::from_secs(seconds)));
    Want { subject: subject(address), action: Action::Drop, until, reason: Arc::from("scan"), groups: Vec::new() }
}

pub(crate) fn all(addresses: &[&str]) -> Wants {
    Wants::All(addresses.iter().map(|address| want(address, 3600)).collect())
}

fn subject(address: &str) -> Subject {
    Subject::Ip(parse_prefix(address).unwrap())
}

fn held<'d>(desk: &'d Desk, address: &str) -> Option<&'d Arc<Entry>> {
    desk.on(&subject(address), &Scope::All)
}

fn source<'d>(desk: &'d Desk, address: &str) -> Option<&'d str> {
    held(desk, address).and_then(|entry| entry.source())
}

fn counts(taken: &Taken) -> (u64, u64, u64) {
    (taken.added, taken.changed, taken.ended)
}

/// Lets what waits be carried out; what came of each source.
fn tend(desk: &mut Desk) -> Vec<(u64, u64, u64)> {
    desk.tend_sources().into_iter().map(|(_, taken)| counts(&taken.unwrap())).collect()
}

#[test]
fn a_round_is_one_revision_and_one_without_news_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let mut center = desk(folder.path());
    let mut host = replica(&center);
    let mut say = |wants: &Wants| {
        let before = center.known().number;
        let taken = center.take_source("crowdsec", wants, AGAIN).unwrap();
        accept(&mut host, &mut center);
        (counts(&taken), taken.held, center.known().number - before)
    };
    assert_eq!(say(&all(&["192.0.2.1", "192.0.2.2", "198.51.100.0/24"])), ((3, 0, 0), 3, 1));
    assert_eq!(say(&all(&["192.0.2.1", "192.0.2.2", "198.51.100.0/24"])), ((0, 0, 0), 3, 0));
    let put = vec![want("192.0.2.3", 3600), want("192.0.2.1", 3600)];
    assert_eq!(say(&Wants::Some { put, free: vec![subject("192.0.2.2")] }), ((1, 0, 1), 3, 1));
    assert_eq!(say(&Wants::nothing_new()), ((0, 0, 0), 3, 0));
    assert_eq!(say(&all(&["192.0.2.3"])), ((0, 0, 2), 1, 1));
    let entry = held(&center, "192.0.2.3").unwrap();
    assert_eq!((entry.source(), entry.decision.note.approved_by.as_str()), (Some("crowdsec"), "source:crowdsec"));
    let heads = center.heads(0, 10).unwrap();
    assert!(heads.iter().all(|head| head.author == "source:crowdsec"), "{heads:?}");
    assert_eq!(heads[1].comment, "1 added, 0 changed, 1 ended");
    // After a restart the source knows what it keeps, and what it wants no more ends.
    let mut center = desk(folder.path());
    assert_eq!(center.sources(), ["crowdsec"]);
    assert_eq!(counts(&center.take_source("crowdsec", &all(&["192.0.2.9"]), AGAIN).unwrap()), (1, 0, 1));
}

#[test]
fn a_later_end_waits_until_half_of_the_time_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let mut center = desk(folder.path());
    let mut say = |want: Want, again: Duration| {
        let taken = center.take_source("list x", &Wants::All(vec![want]), again).unwrap();
        taken.added + taken.changed
    };
    assert_eq!(say(want("192.0.2.1", 36_000), AGAIN), 1);
    assert_eq!(say(want("192.0.2.1", 36_003), AGAIN), 0, "the same, a little later");
    assert_eq!(say(want("192.0.2.1", 60_000), AGAIN), 0, "renewed, and more than half of the time is left");
    assert_eq!(say(want("192.0.2.1", 80_000), AGAIN), 1);
    assert_eq!(say(want("192.0.2.1", 90_000), Duration::from_hours(24)), 1, "it may speak again too late");
    assert_eq!(say(want("192.0.2.1", 89_500), AGAIN), 0, "a hundredth is little");
    assert_eq!(say(want("192.0.2.1", 50_000), AGAIN), 1, "a shorter time is carried out");
    assert_eq!(say(Want { until: None, ..want("192.0.2.1", 0) }, AGAIN), 1);
    assert_eq!(say(Want { until: None, ..want("192.0.2.1", 0) }, AGAIN), 0);
    assert_eq!(say(Want { action: Action::Observe, until: None, ..want("192.0.2.1", 0) }, AGAIN), 1);
}

#[test]
fn what_people_decide_stands_before_a_source_and_what_they_end_stays_ended() {
    let folder = tempfile::tempdir().unwrap();
    let mut center = desk(folder.path());
    let by_hand = center.decide(vec![block("192.0.2.1", 3600)], &Guard::default(), false, &by()).unwrap();
    let taken = center.take_source("crowdsec", &all(&["192.0.2.1", "192.0.2.2", "192.0.2.3"]), AGAIN).unwrap();
    assert_eq!((counts(&taken), taken.wanted), ((2, 0, 0), 3));
    assert_eq!(taken.left_out[&LeftOut::Decided], (1, "ip 192.0.2.1".to_owned()));
    assert_eq!(source(&center, "192.0.2.1"), None);
    assert_eq!(held(&center, "192.0.2.1"), by_hand.first());
    assert_eq!(tend(&mut center), [(0, 0, 0)], "it waits, and changes nothing");

    // A person decides on what the source keeps; it has its turn again when that ends.
    let over = center.decide(vec![block("192.0.2.2", 3600)], &Guard::default(), false, &by()).unwrap();
    assert_eq!((tend(&mut center), source(&center, "192.0.2.2")), (vec![(0, 0, 0)], None));
    for entry in by_hand.iter().chain(&over) {
        center.end(entry.decision.id, &by()).unwrap();
    }
    assert_eq!(tend(&mut center), [(2, 0, 0)]);
    assert_eq!(source(&center, "192.0.2.1"), Some("crowdsec"));

    // Files, too, whose end gives it back.
    let apply = |center: &mut Desk, text: &str| {
        let document = Document::parse(&[("a.toml".to_owned(), text.to_owned())]).unwrap();
        let content = center.meant(document, "ada").unwrap();
        center.replace(&content, &Guard::default(), false, &by()).unwrap();
    };
    apply(&mut center, "[[decision]]\nip = \"192.0.2.2\"\naction = \"drop\"\nreason = \"scan\"\n");
    assert_eq!((tend(&mut center), source(&center, "192.0.2.2")), (vec![(0, 0, 0)], None));
    assert_eq!(source(&center, "192.0.2.3"), Some("crowdsec"), "files end nothing of a source");
    apply(&mut center, "");
    assert_eq!((tend(&mut center), source(&center, "192.0.2.2")), (vec![(1, 0, 0)], Some("crowdsec")));

    // What a person ends stays ended, whatever the source repeats, until it wants it no more.
    let id = held(&center, "192.0.2.3").unwrap().decision.id;
    center.end(id, &by()).unwrap();
    assert_eq!(tend(&mut center), [(0, 0, 0)]);
    let taken = center.take_source("crowdsec", &all(&["192.0.2.1", "192.0.2.2", "192.0.2.3"]), AGAIN).unwrap();
    assert_eq!((counts(&taken), taken.left_out[&LeftOut::Lifted].0), ((0, 0, 0), 1));
    center.take_source("crowdsec", &all(&["192.0.2.1", "192.0.2.2"]), AGAIN).unwrap();
    let taken = center.take_source("crowdsec", &all(&["192.0.2.1", "192.0.2.2", "192.0.2.3"]), AGAIN).unwrap();
    assert_eq!((counts(&taken), taken.left_out.len()), ((1, 0, 0), 0));
    accept(&mut replica(&center), &mut center);
}

#[test]
fn a_source_takes_the_place_of_a_decision_whose_end_has_come() {
    let folder = tempfile::tempdir().unwrap();
    let mut center = desk(folder.path());
    center.decide(vec![block("192.0.2.1", 1)], &Guard::default(), false, &by()).unwrap();
    center.take_source("crowdsec", &all(&["192.0.2.1"]), AGAIN).unwrap();
    assert_eq!(source(&center, "192.0.2.1"), None);
    let begun = Instant::now();
    while source(&center, "192.0.2.1").is_none() && begun.elapsed() < Duration::from_secs(20) {
        center.tend_sources();
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(source(&center, "192.0.2.1"), Some("crowdsec"));
}

#[test]
fn two_sources_and_what_cannot_be_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let mut center = desk(folder.path());
    let (id, _) = center
        .store()
        .invite(&Enrolment { host: "edge".to_owned(), groups: Vec::new() }, Moment(u64::MAX >> 1), "ada")
        .unwrap();
    center.store().enrol(&id, &Enrolment { host: "edge".to_owned(), groups: Vec::new() }, "print").unwrap();
    let ack = Ack { gateways: vec!["203.0.113.1".parse().unwrap()], ..Ack::default() };
    center.store().acknowledge(&[Said { host: "edge".to_owned(), certificate: "print".to_owned(), ack }]).unwrap();
    let mut wanted = vec![want("192.0.2.1", 60), want("203.0.113.0/24", 60), want("0.0.0.0/0", 60)];
    wanted.push(Want { groups: vec!["nowhere".to_owned()], ..want("192.0.2.5", 60) });
    let taken = center.take_source("list x", &Wants::All(wanted), AGAIN).unwrap();
    assert_eq!((counts(&taken), taken.wanted, taken.held), ((1, 0, 0), 4, 1));
    let left_out: Vec<(LeftOut, u64)> = taken.left_out.iter().map(|(why, (count, _))| (*why, *count)).collect();
    assert_eq!(left_out, [(LeftOut::CutsOff, 1), (LeftOut::Group, 1), (LeftOut::Refused, 1)]);
    assert_eq!(taken.left_out[&LeftOut::CutsOff].1, "ip 203.0.113.0/24");
    // The other source has its turn when the first one wants it no more.
    let taken = center.take_source("list y", &all(&["192.0.2.1"]), AGAIN).unwrap();
    assert_eq!((counts(&taken), taken.left_out[&LeftOut::Decided].0), ((0, 0, 0), 1));
    center.take_source("list x", &Wants::All(Vec::new()), AGAIN).unwrap();
    assert!(tend(&mut center).contains(&(1, 0, 0)));
    assert_eq!((source(&center, "192.0.2.1"), center.sources()), (Some("list y"), vec!["list y".to_owned()]));
}

#[test]
fn a_trial_makes_sources_wait_and_no_wish_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let mut center = desk(folder.path());
    let document = Document::parse(&[("a.toml".to_owned(), "[service.pay]\nports = [80]\n".to_owned())]).unwrap();
    let content = center.meant(document, "ada").unwrap();
    center.try_out(&content, &Guard::default(), Duration::from_mins(1), &by()).unwrap();
    let waits = center.take_source("crowdsec", &all(&["192.0.2.1"]), AGAIN).unwrap_err();
    assert!(matches!(waits, DeskError::Trial(_)), "{waits}");
    let put = vec![want("192.0.2.2", 60)];
    center.take_source("crowdsec", &Wants::Some { put, free: Vec::new() }, AGAIN).unwrap_err();
    center.give_up(&by()).unwrap();
    assert_eq!(tend(&mut center), [(2, 0, 0)]);
    assert_eq!(tend(&mut center), [], "nothing waits any more");
}

#[test]
fn going_back_to_an_earlier_revision_ends_what_a_bad_list_brought() {
    let folder = tempfile::tempdir().unwrap();
    let mut center = desk(folder.path()).with_rules(Rules::parse("second_person = [\"everything\"]\n").unwrap());
    center.take_source("list x", &all(&["192.0.2.1"]), AGAIN).unwrap();
    center.take_source("list x", &all(&["192.0.2.1", "192.0.2.2", "192.0.2.3"]), AGAIN).unwrap();
    let mut center = desk(folder.path());
    center.take_source("list x", &all(&["192.0.2.1", "192.0.2.2", "192.0.2.3"]), AGAIN).unwrap();
    center.roll_back(1, &Guard::default(), false, &by()).unwrap();
    assert_eq!((tend(&mut center), center.content().len()), (vec![(0, 0, 0)], 1));
    let taken = center.take_source("list x", &all(&["192.0.2.1", "192.0.2.2", "192.0.2.3"]), AGAIN).unwrap();
    assert_eq!((counts(&taken), taken.left_out[&LeftOut::Lifted].0), ((0, 0, 0), 2));
    // The other way round: what the source has let go since is not left in force.
    center.take_source("list x", &Wants::All(Vec::new()), AGAIN).unwrap();
    center.roll_back(2, &Guard::default(), false, &by()).unwrap();
    assert_eq!((tend(&mut center), center.content().len()), (vec![(0, 0, 3)], 0));
}
